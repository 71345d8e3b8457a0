/**
 * The 8042 keyboard controller of a PC/AT, with a PS/2 keyboard behind it and an auxiliary port that nothing is plugged
 * into.
 *
 * Commands take no time, so the input buffer is always empty. What is to be read waits in order: the controller's own
 * replies, then the keyboard's bytes, as its interface is enabled; the next one is in the output buffer as soon as the
 * last was read. Bytes from the keyboard pass through the translation of scan code set 2 into set 1, if it is on.
 *
 * A byte sent to the auxiliary port times out, as where no mouse is: 0xFE arrives from there, with the timeout bit.
 *
 * Left out on purpose: parity errors, the password (commands 0xA4 to 0xA6), the rest of the controller's RAM, the keylock
 * switch, and polling the input port (0xC1, 0xC2).
 *
 * Manual: IBM PC/AT Technical Reference, "Keyboard Controller"; IBM Personal System/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller".
 */
import type { BusDevice } from "./bus-device.js";
import type { ReadResult } from "./device.js";
import { strokesOfKeys, strokesOfText } from "./keyboard-layout.js";
import { nextByte, type Ps2KeyboardState, receiveByte, resetKeyboard, sendByte, typeStrokes } from "./ps2-keyboard.js";
import { BREAK_PREFIX, RELEASED, toSet1 } from "./scan-code-translation.js";

/** Register offsets: ports 0x60 and 0x64. */
export const I8042_OFFSET = { data: 0, command: 1 } as const;
/** Interrupt pins: one for the keyboard's bytes and the controller's, one for the auxiliary port's. */
export const I8042_PIN = { keyboard: 0, auxiliary: 1 } as const;

const STATUS = {
  outputFull: 0x01,
  system: 0x04,
  command: 0x08,
  unlocked: 0x10,
  auxiliary: 0x20,
  timeout: 0x40,
} as const;
/** The command byte's bits; bits 3 and 7 are kept and mean nothing. */
const CTR = {
  keyboardInterrupt: 0x01,
  auxiliaryInterrupt: 0x02,
  system: 0x04,
  keyboardDisabled: 0x10,
  auxiliaryDisabled: 0x20,
  translate: 0x40,
} as const;
/** Output port bits: the processor's reset line (low resets), address line 20, and the two interrupts. */
const OUTPUT_PORT = {
  notReset: 0x01,
  a20: 0x02,
  keyboardInterrupt: 0x10,
  auxiliaryInterrupt: 0x20,
  lines: 0xc0,
} as const;
/** Input port: keyboard not locked, manufacturing jumper not installed. */
const INPUT_PORT = 0xa0;
/** The command byte a PC's firmware leaves: keyboard interrupt on, self-test passed, no mouse, translation. */
const FIRMWARE_CTR = CTR.keyboardInterrupt | CTR.system | CTR.auxiliaryDisabled | CTR.translate;

/** Commands whose data byte comes through port 0x60. */
const COMMAND = {
  writeCommandByte: 0x60,
  writeOutputPort: 0xd1,
  writeKeyboardOutput: 0xd2,
  writeAuxiliaryOutput: 0xd3,
  writeAuxiliary: 0xd4,
} as const;
const NONE = 0;
/** Commands 0xF0 to 0xFF pulse the output port's lower lines whose bit is 0. */
const PULSE_OUTPUT = 0xf0;

const SELF_TEST_PASSED = 0x55;
const INTERFACE_TEST_PASSED = 0x00;
const NO_ANSWER = 0xfe;
/** Stand beside a waiting byte: it is the auxiliary port's; nobody answered there. */
const FROM_AUXILIARY = 0x100;
const TIMED_OUT = 0x200;

export interface I8042State {
  /** Byte 0 of the controller's RAM. */
  readonly commandByte: number;
  /** The output port as it was written: bits 0 and 1. */
  readonly outputPort: number;
  /** The command whose data byte is awaited, or 0. */
  readonly command: number;
  /** Whether the last write was to port 0x64. */
  readonly lastWasCommand: boolean;
  /** The output buffer: the byte that port 0x60 gives, also once it has been read. */
  readonly output: number;
  readonly outputFull: boolean;
  /** Whether the output buffer's byte is the auxiliary port's. */
  readonly fromAuxiliary: boolean;
  readonly timedOut: boolean;
  /** Whether the translation has seen the prefix of a released key. */
  readonly breakPrefix: boolean;
  /** The controller's bytes that wait for the output buffer, a character each; see FROM_AUXILIARY and TIMED_OUT. */
  readonly replies: string;
  readonly keyboard: Ps2KeyboardState;
}

export const i8042: BusDevice<I8042State> = {
  name: "8042",
  spec: 'IBM PC/AT Technical Reference, "Keyboard Controller"; IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"',

  reset: () => resetI8042(true),

  peek(state, offset): number {
    if (offset === I8042_OFFSET.command) return statusOf(state);
    return state.outputFull ? -1 : state.output;
  },

  read(state, offset): ReadResult<I8042State> {
    if (offset === I8042_OFFSET.command) return { state, value: statusOf(state) };
    if (!state.outputFull) return { state, value: state.output };
    const emptied = { ...state, outputFull: false, fromAuxiliary: false, timedOut: false };
    return { state: fillOutput(emptied), value: state.output };
  },

  write(state, offset, _size, value): I8042State {
    if (offset === I8042_OFFSET.command) return fillOutput(writeCommand(state, value));
    const ready = { ...state, command: NONE, lastWasCommand: false };
    return fillOutput((DATA[state.command] ?? writeKeyboard)(ready, value));
  },

  interrupt(state, pin: number = I8042_PIN.keyboard): boolean {
    if (!state.outputFull || state.fromAuxiliary !== (pin === I8042_PIN.auxiliary)) return false;
    return (state.commandByte & (CTR.keyboardInterrupt << pin)) !== 0;
  },

  // A read empties the output buffer, and the next byte takes no time to fill it.
  pulsedByRead: () => true,

  resetsOnWrite(state, offset, value): boolean {
    if (offset === I8042_OFFSET.data) return state.command === COMMAND.writeOutputPort && resets(value);
    return value >= PULSE_OUTPUT && resets(value);
  },
};

/** The controller and its keyboard as a PC's firmware leaves them, with address line 20 passing or not. */
export function resetI8042(a20: boolean): I8042State {
  return {
    commandByte: FIRMWARE_CTR,
    outputPort: OUTPUT_PORT.notReset | (a20 ? OUTPUT_PORT.a20 : 0),
    command: NONE,
    lastWasCommand: true,
    output: 0,
    outputFull: false,
    fromAuxiliary: false,
    timedOut: false,
    breakPrefix: false,
    replies: "",
    keyboard: resetKeyboard(),
  };
}

/** Whether the controller lets address line 20 pass. */
export function passesA20(state: I8042State): boolean {
  return (state.outputPort & OUTPUT_PORT.a20) !== 0;
}

/**
 * Types a text on the keyboard.
 *
 * @throws VirtlabError for a character that a US layout cannot type.
 */
export function typeText(state: I8042State, text: string): I8042State {
  return withStrokes(state, strokesOfText(text));
}

/**
 * Presses keys together, by name, and lets them go in reverse order.
 *
 * @throws VirtlabError for a name that is no key's.
 */
export function pressKeys(state: I8042State, names: readonly string[]): I8042State {
  return withStrokes(state, strokesOfKeys(names));
}

function withStrokes(state: I8042State, strokes: string): I8042State {
  const keyboard = typeStrokes(state.keyboard, strokes);
  return keyboard === state.keyboard ? state : fillOutput({ ...state, keyboard });
}

function resets(outputPort: number): boolean {
  return (outputPort & OUTPUT_PORT.notReset) === 0;
}

function statusOf(state: I8042State): number {
  return (
    STATUS.unlocked |
    (state.outputFull ? STATUS.outputFull : 0) |
    (state.commandByte & CTR.system) |
    (state.lastWasCommand ? STATUS.command : 0) |
    (state.fromAuxiliary ? STATUS.auxiliary : 0) |
    (state.timedOut ? STATUS.timeout : 0)
  );
}

/** Puts the next waiting byte, if there is one, into the output buffer, if it is empty. */
function fillOutput(state: I8042State): I8042State {
  if (state.outputFull) return state;
  if (state.replies !== "") {
    const reply = state.replies.charCodeAt(0);
    return {
      ...state,
      output: reply & 0xff,
      outputFull: true,
      fromAuxiliary: (reply & FROM_AUXILIARY) !== 0,
      timedOut: (reply & TIMED_OUT) !== 0,
      replies: state.replies.slice(1),
    };
  }
  if ((state.commandByte & CTR.keyboardDisabled) !== 0) return state;
  let { keyboard, breakPrefix } = state;
  for (let byte = nextByte(keyboard); byte >= 0; byte = nextByte(keyboard)) {
    keyboard = sendByte(keyboard);
    if ((state.commandByte & CTR.translate) === 0) return { ...state, keyboard, output: byte, outputFull: true };
    if (byte !== BREAK_PREFIX) {
      const output = toSet1(byte) | (breakPrefix ? RELEASED : 0);
      return { ...state, keyboard, breakPrefix: false, output, outputFull: true };
    }
    breakPrefix = true;
  }
  return keyboard === state.keyboard ? state : { ...state, keyboard, breakPrefix };
}

type Action = (state: I8042State, value: number) => I8042State;

function withReply(state: I8042State, reply: number): I8042State {
  return { ...state, replies: state.replies + String.fromCharCode(reply) };
}

function withCommandByte(state: I8042State, commandByte: number): I8042State {
  return { ...state, commandByte };
}

function writeCommand(state: I8042State, command: number): I8042State {
  const ready = { ...state, command: NONE, lastWasCommand: true };
  return COMMANDS[command]?.(ready, command) ?? ready;
}

const awaitingData: Action = (state, command) => ({ ...state, command });
const withA20 = (state: I8042State, a20: number): I8042State => ({
  ...state,
  outputPort: (state.outputPort & ~OUTPUT_PORT.a20) | a20,
});

/** Spec: IBM PS/2 Hardware Interface Technical Reference, "Controller Commands". */
const COMMANDS: { readonly [command: number]: Action } = {
  32: (state) => withReply(state, state.commandByte),
  [COMMAND.writeCommandByte]: awaitingData,
  167: (state) => withCommandByte(state, state.commandByte | CTR.auxiliaryDisabled),
  168: (state) => withCommandByte(state, state.commandByte & ~CTR.auxiliaryDisabled),
  169: (state) => withReply(state, INTERFACE_TEST_PASSED),
  170: (state) => withReply(withCommandByte(state, state.commandByte | CTR.system), SELF_TEST_PASSED),
  171: (state) => withReply(state, INTERFACE_TEST_PASSED),
  173: (state) => withCommandByte(state, state.commandByte | CTR.keyboardDisabled),
  174: (state) => withCommandByte(state, state.commandByte & ~CTR.keyboardDisabled),
  192: (state) => withReply(state, INPUT_PORT),
  208: (state) => withReply(state, readOutputPort(state)),
  [COMMAND.writeOutputPort]: awaitingData,
  [COMMAND.writeKeyboardOutput]: awaitingData,
  [COMMAND.writeAuxiliaryOutput]: awaitingData,
  [COMMAND.writeAuxiliary]: awaitingData,
  // Not IBM's, but of most controllers since: address line 20 off and on.
  221: (state) => withA20(state, 0),
  223: (state) => withA20(state, OUTPUT_PORT.a20),
};

const DATA: { readonly [command: number]: Action } = {
  [COMMAND.writeCommandByte]: withCommandByte,
  [COMMAND.writeOutputPort]: (state, value) => ({
    ...state,
    outputPort: (value & OUTPUT_PORT.a20) | OUTPUT_PORT.notReset,
  }),
  [COMMAND.writeKeyboardOutput]: withReply,
  [COMMAND.writeAuxiliaryOutput]: (state, value) => withReply(state, value | FROM_AUXILIARY),
  [COMMAND.writeAuxiliary]: (state) => withReply(state, NO_ANSWER | FROM_AUXILIARY | TIMED_OUT),
};

/** A byte for the keyboard, which also enables its interface. */
function writeKeyboard(state: I8042State, value: number): I8042State {
  const commandByte = state.commandByte & ~CTR.keyboardDisabled;
  return { ...state, commandByte, keyboard: receiveByte(state.keyboard, value) };
}

function readOutputPort(state: I8042State): number {
  return (
    OUTPUT_PORT.lines |
    state.outputPort |
    (i8042.interrupt!(state, I8042_PIN.keyboard) ? OUTPUT_PORT.keyboardInterrupt : 0) |
    (i8042.interrupt!(state, I8042_PIN.auxiliary) ? OUTPUT_PORT.auxiliaryInterrupt : 0)
  );
}
