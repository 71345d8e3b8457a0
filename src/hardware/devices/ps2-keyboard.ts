/**
 * A PS/2 keyboard with 101 or 102 keys: its commands, its scan code sets and its queue.
 *
 * Sending takes no time: the controller takes the next byte when it has room. Who types presses the next key when the
 * keyboard's queue of 16 bytes has room for it and scanning is enabled, so no key is lost to an overrun, and none while
 * the keyboard is disabled. Replies to commands go before what was typed.
 *
 * Left out on purpose: typematic repeat (its rate is kept), the self-test's duration, the pretended shifts around
 * navigation keys while shift or num lock is down, and the key types of set 3, where every key is make/break.
 *
 * Manual: IBM Personal System/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", "Commands from the
 * System".
 */
import { strokeCode } from "./keyboard-layout.js";

const REPLY = { acknowledge: "\xfa", resend: "\xfe", echo: "\xee", selfTestPassed: "\xaa", id: "\xab\x83" } as const;
const COMMAND = { leds: 0xed, scanCodeSet: 0xf0, typematic: 0xf3, resend: 0xfe } as const;
const NONE = 0;
const QUEUE_LENGTH = 16;
/** 10.9 characters a second after 500 ms. */
const DEFAULT_TYPEMATIC = 0x2b;
const DEFAULT_SET = 2;

export interface Ps2KeyboardState {
  /** Scan code set 1, 2 or 3. */
  readonly scanCodeSet: number;
  /** Whether keys are looked at. */
  readonly scanning: boolean;
  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  readonly leds: number;
  /** Rate and delay as command 0xF3 takes them. */
  readonly typematic: number;
  /** The command whose data byte is awaited, or 0. */
  readonly command: number;
  /** The byte sent last, for command 0xFE; 0 before any. */
  readonly lastSent: number;
  /** Replies to be sent, one character of code 0 to 255 a byte. */
  readonly replies: string;
  /** Scan codes to be sent, likewise. */
  readonly queue: string;
  /** Strokes of keys (`keyboard-layout.ts`) that whoever types has yet to make. */
  readonly strokes: string;
}

/** The keyboard after its power-on self-test, scanning. */
export function resetKeyboard(): Ps2KeyboardState {
  return {
    scanCodeSet: DEFAULT_SET,
    scanning: true,
    leds: 0,
    typematic: DEFAULT_TYPEMATIC,
    command: NONE,
    lastSent: 0,
    replies: "",
    queue: "",
    strokes: "",
  };
}

/** Types strokes, after those that are still to be made. */
export function typeStrokes(state: Ps2KeyboardState, strokes: string): Ps2KeyboardState {
  return strokes === "" ? state : press({ ...state, strokes: state.strokes + strokes });
}

/** The byte the keyboard has to send, or -1. */
export function nextByte(state: Ps2KeyboardState): number {
  if (state.replies !== "") return state.replies.charCodeAt(0);
  return state.queue === "" ? -1 : state.queue.charCodeAt(0);
}

/** The keyboard after it has sent its next byte. */
export function sendByte(state: Ps2KeyboardState): Ps2KeyboardState {
  const lastSent = nextByte(state);
  return state.replies !== ""
    ? { ...state, lastSent, replies: state.replies.slice(1) }
    : press({ ...state, lastSent, queue: state.queue.slice(1) });
}

/** A byte from the controller: a command, or the data of the command before. */
export function receiveByte(state: Ps2KeyboardState, byte: number): Ps2KeyboardState {
  const ready = { ...state, command: NONE };
  // No data byte has bit 7 set: a command in its place ends the one before.
  if (state.command !== NONE && byte < 0x80) return press((DATA[state.command] ?? acknowledged)(ready, byte));
  const command = COMMANDS[byte];
  return command === undefined ? withReply(ready, REPLY.resend) : press(command(ready, byte));
}

type Action = (state: Ps2KeyboardState, byte: number) => Ps2KeyboardState;

function withReply(state: Ps2KeyboardState, reply: string): Ps2KeyboardState {
  return { ...state, replies: state.replies + reply };
}

const acknowledged: Action = (state) => withReply(state, REPLY.acknowledge);
const awaitingData: Action = (state, command) => ({ ...acknowledged(state, command), command });

function withDefaults(state: Ps2KeyboardState, scanning: boolean): Ps2KeyboardState {
  const { strokes, lastSent, replies } = state;
  // The lights stay: only a reset puts them out.
  return { ...resetKeyboard(), leds: state.leds, scanning, lastSent, strokes, replies: replies + REPLY.acknowledge };
}

const COMMANDS: { readonly [command: number]: Action } = {
  [COMMAND.leds]: awaitingData,
  238: (state) => withReply(state, REPLY.echo),
  [COMMAND.scanCodeSet]: awaitingData,
  242: (state) => withReply(state, REPLY.acknowledge + REPLY.id),
  [COMMAND.typematic]: awaitingData,
  // Enable: what was queued is dropped.
  244: (state) => ({ ...acknowledged(state, 0), scanning: true, queue: "" }),
  245: (state) => withDefaults(state, false),
  246: (state) => withDefaults(state, state.scanning),
  // Key types of set 3: for all keys, then for the keys whose codes follow.
  247: acknowledged,
  248: acknowledged,
  249: acknowledged,
  250: acknowledged,
  251: awaitingData,
  252: awaitingData,
  253: awaitingData,
  [COMMAND.resend]: (state) => withReply(state, String.fromCharCode(state.lastSent)),
  255: ({ strokes }) => ({ ...resetKeyboard(), strokes, replies: REPLY.acknowledge + REPLY.selfTestPassed }),
};

const DATA: { readonly [command: number]: Action } = {
  [COMMAND.leds]: (state, leds) => acknowledged({ ...state, leds }, leds),
  [COMMAND.typematic]: (state, typematic) => acknowledged({ ...state, typematic }, typematic),
  [COMMAND.scanCodeSet](state, set) {
    if (set === 0) return withReply(state, REPLY.acknowledge + String.fromCharCode(state.scanCodeSet));
    if (set > 3) return withReply(state, REPLY.resend);
    return acknowledged({ ...state, scanCodeSet: set, queue: "" }, set);
  },
};

/** The keys that whoever types can press now. */
function press(state: Ps2KeyboardState): Ps2KeyboardState {
  if (state.strokes === "" || !state.scanning) return state;
  let { queue } = state;
  let index = 0;
  for (; index < state.strokes.length; index++) {
    const code = strokeCode(state.strokes, index, state.scanCodeSet);
    if (queue.length + code.length > QUEUE_LENGTH) break;
    queue += code;
  }
  return index === 0 ? state : { ...state, queue, strokes: state.strokes.slice(index) };
}
