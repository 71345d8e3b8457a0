/**
 * The 8254 of a PC: three counters, and port 0x61, which drives the third one's gate.
 *
 * The counters' CLK is a PC's 1,193,182 Hz, and one clock is 84 ticks of the machine: a machine is thus a processor that
 * retires 84 x 1,193,182, about 100 million, instructions a second. Counter 0 is the interrupt pin, counter 1 the refresh
 * timer of old, counter 2 the speaker's. The gates of 0 and 1 are tied high.
 *
 * After reset counter 0 makes a square wave of 65536 clocks (18.2 Hz), as a PC's firmware leaves it: the chip's own state
 * is undefined until it is programmed.
 *
 * Of port 0x61, bits 2 and 3 let memory parity and expansion board errors through to NMI when they are 0, and bits 7 and 6
 * say that there was one. This machine has no such errors: the first are kept, the others read 0.
 *
 * Manual: Intel 8254 Programmable Interval Timer datasheet; IBM PC/AT Technical Reference for port 0x61.
 */
import type { BusDevice } from "./bus-device.js";
import type { ReadResult } from "./device.js";
import {
  latchCount,
  latchStatus,
  nextOutChange,
  outAt,
  type PitChannelState,
  readCount,
  resetChannel,
  setGate,
  settle,
  writeControl,
  writeCount,
} from "./pit-channel.js";

/** Machine ticks in one period of the counters' CLK. */
export const TICKS_PER_PIT_CLOCK = 84;

/** Register offsets: the chip's four, and port 0x61. */
export const PIT_OFFSET = { counter0: 0, counter1: 1, counter2: 2, control: 3, systemControl: 4 } as const;

const READ_BACK = { command: 3, notCount: 0x20, notStatus: 0x10 } as const;
/** Port 0x61: bits 0 to 3 are written and read back; 0 is counter 2's gate, 1 lets its OUT through to the speaker. */
const PORT61 = { gate2: 0x01, speaker: 0x02, written: 0x0f, refresh: 0x10, out2: 0x20 } as const;
/** Clocks between two refresh cycles: what counter 1 is set to. */
const REFRESH_CLOCKS = 18;
/** Control words: low byte then high byte, or low byte only; modes 3 and 2; binary. */
const SQUARE_WAVE = 0x36;
const REFRESH_RATE = 0x14;

export interface Pit8254State {
  readonly counter0: PitChannelState;
  readonly counter1: PitChannelState;
  readonly counter2: PitChannelState;
  /** Port 0x61, bits 0 to 3. */
  readonly systemControl: number;
  /** OUT of counter 0 at the time the state was brought to last. */
  readonly out0: boolean;
  /** The clock at which `out0` is no longer true; Infinity for never. */
  readonly out0Until: number;
}

const COUNTERS = ["counter0", "counter1", "counter2"] as const;
type CounterName = (typeof COUNTERS)[number];

export const pit8254: BusDevice<Pit8254State> = {
  name: "8254",
  spec: '8254 datasheet, "Programming the 8254"; IBM PC/AT Technical Reference, "I/O Address Map", port 061',

  reset() {
    const counter0 = programmed(SQUARE_WAVE, 0);
    return {
      counter0,
      counter1: programmed(REFRESH_RATE, REFRESH_CLOCKS),
      counter2: resetChannel(SQUARE_WAVE, false),
      systemControl: 0,
      out0: outAt(counter0, 0),
      out0Until: nextOutChange(counter0, 0),
    };
  },

  peek: (state, offset, _size, tick) =>
    offset === PIT_OFFSET.systemControl ? readSystemControl(state, clockAt(tick)) : -1,

  read(state, offset, _size, tick): ReadResult<Pit8254State> {
    const clock = clockAt(tick);
    if (offset === PIT_OFFSET.systemControl) return { state, value: readSystemControl(state, clock) };
    const name = COUNTERS[offset];
    // The control word register cannot be read; nobody drives the bus then.
    if (name === undefined) return { state, value: 0xff };
    const settled = settle(state[name], clock);
    const { state: channel, value } = readCount(settled, clock);
    return { state: withCounter(state, name, channel), value };
  },

  write(state, offset, _size, value, tick): Pit8254State {
    const clock = clockAt(tick);
    if (offset === PIT_OFFSET.systemControl) {
      const counter2 = setGate(settle(state.counter2, clock), (value & PORT61.gate2) !== 0, clock);
      return { ...state, counter2, systemControl: value & PORT61.written };
    }
    const name = COUNTERS[offset];
    if (name !== undefined) {
      return withProgrammed(state, name, writeCount(settle(state[name], clock), value, clock), clock);
    }
    const selected = value >> 6;
    return selected === READ_BACK.command
      ? readBack(state, value, clock)
      : writeControlWord(state, COUNTERS[selected]!, value, clock);
  },

  // The counters are left as the last access made them: a load in between is seen by whoever looks at them later.
  advance(state, tick): Pit8254State {
    const clock = clockAt(tick);
    return clock < state.out0Until ? state : withOut0(state, clock);
  },

  nextEvent(state, tick): number {
    const clock = clockAt(tick);
    const until = clock < state.out0Until ? state.out0Until : nextOutChange(settle(state.counter0, clock), clock);
    return until * TICKS_PER_PIT_CLOCK;
  },

  due: (state) => state.out0Until * TICKS_PER_PIT_CLOCK,

  interrupt: (state) => state.out0,

  pulsedByTime: (before, after) => before.out0Until !== after.out0Until,
};

/** The level of the speaker's wire at `tick`: counter 2's output where bit 1 of port 0x61 lets it through. */
export function speakerLevel(state: Pit8254State, tick: number): boolean {
  if ((state.systemControl & PORT61.speaker) === 0) return false;
  const clock = clockAt(tick);
  return outAt(settle(state.counter2, clock), clock);
}

/** The number of falling edges of CLK up to `tick`, itself included. */
function clockAt(tick: number): number {
  return Math.floor(tick / TICKS_PER_PIT_CLOCK);
}

/** A channel with its gate high that has loaded `count` (below 256; 0 for 65536) at clock 0. */
function programmed(control: number, count: number): PitChannelState {
  const channel = writeCount(resetChannel(control, true), count, -1);
  const takesTwoBytes = control >> 4 === 3;
  return settle(takesTwoBytes ? writeCount(channel, 0, -1) : channel, 0);
}

/** The state with one counter replaced by one that a write changed, and OUT0 as it is now. */
function withProgrammed(state: Pit8254State, name: CounterName, channel: PitChannelState, clock: number): Pit8254State {
  const next = withCounter(state, name, channel);
  return name === "counter0" ? withOut0(next, clock) : next;
}

function withOut0({ counter0, counter1, counter2, systemControl }: Pit8254State, clock: number): Pit8254State {
  const settled = settle(counter0, clock);
  const out0 = outAt(settled, clock);
  return { counter0, counter1, counter2, systemControl, out0, out0Until: nextOutChange(settled, clock) };
}

/** The state with one counter replaced by one that differs in what reading changes only. */
function withCounter(state: Pit8254State, name: CounterName, channel: PitChannelState): Pit8254State {
  if (channel === state[name]) return state;
  return {
    counter0: name === "counter0" ? channel : state.counter0,
    counter1: name === "counter1" ? channel : state.counter1,
    counter2: name === "counter2" ? channel : state.counter2,
    systemControl: state.systemControl,
    out0: state.out0,
    out0Until: state.out0Until,
  };
}

function writeControlWord(state: Pit8254State, name: CounterName, value: number, clock: number): Pit8254State {
  const settled = settle(state[name], clock);
  const control = value & 0x3f;
  // An access code of 0 is the counter latch command.
  if (control >> 4 === 0) return withCounter(state, name, latchCount(settled, clock));
  return withProgrammed(state, name, writeControl(settled, control, clock), clock);
}

function readBack(state: Pit8254State, value: number, clock: number): Pit8254State {
  let next = state;
  COUNTERS.forEach((name, index) => {
    if ((value & (2 << index)) === 0) return;
    let channel = settle(next[name], clock);
    if ((value & READ_BACK.notCount) === 0) channel = latchCount(channel, clock);
    if ((value & READ_BACK.notStatus) === 0) channel = latchStatus(channel, clock);
    next = withCounter(next, name, channel);
  });
  return next;
}

function readSystemControl(state: Pit8254State, clock: number): number {
  const refresh = Math.floor(clock / REFRESH_CLOCKS) % 2 === 0 ? 0 : PORT61.refresh;
  const out2 = outAt(settle(state.counter2, clock), clock) ? PORT61.out2 : 0;
  return state.systemControl | refresh | out2;
}
