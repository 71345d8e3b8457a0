/**
 * The MC146818A of a PC: real-time clock and 128 bytes of memory that batteries keep, behind ports 0x70 and 0x71.
 *
 * Its crystal is a PC's 32,768 Hz: one second of it is 100,227,288 ticks of the machine, 84 x 1,193,182, exactly. A
 * second ends at every 32,768th clock; the bytes of the time change then, at the end of the update cycle, with the
 * update-in-progress bit set for the 2,228 microseconds before (an update, 1,984, and the 244 of warning).
 *
 * Nothing is counted: the state says what the time was and which flags were set at some clock, and what they are later is
 * computed. The time of day begins at a fixed moment that whoever makes the machine chooses: no machine sees the host's
 * clock.
 *
 * Left out on purpose: daylight saving (its bit is kept), the square wave pin, other crystals (divider codes 0 and 1 count
 * as 2), and a century that is more than a byte of memory, as on the chip itself.
 *
 * Manual: Motorola MC146818A data sheet; IBM PC/AT Technical Reference, "Real-Time Clock/CMOS RAM Information".
 */
import { VirtlabError } from "../../state/error.js";
import type { BusDevice } from "./bus-device.js";
import { cmosMemory } from "./cmos-memory.js";
import type { ReadResult } from "./device.js";
import { type RtcAlarm, type RtcTime, timeAfter, timeFromUnix, updatesUntilAlarm } from "./rtc-time.js";

/** Machine ticks in a second. */
export const TICKS_PER_SECOND = 100_227_288;
/** 2000-01-01 00:00:00 UTC, a Saturday, in seconds since 1970: where a machine's time of day begins. */
export const DEFAULT_TIME = 946_684_800;
const TIME_LIMIT = 4_102_444_800;
const DEFAULT_MEMORY_SIZE = 64 * 1024 * 1024;

/** Register offsets: ports 0x70 and 0x71. */
export const RTC_OFFSET = { index: 0, data: 1 } as const;

/** Addresses of registers A to D; the bytes behind them are memory. */
const REGISTER = { A: 10, B: 11, C: 12, D: 13 } as const;
const A = { updateInProgress: 0x80, divider: 0x70, rate: 0x0f } as const;
const B = { set: 0x80, updateEnded: 0x10 } as const;
const C = { request: 0x80, periodic: 0x40, alarm: 0x20, updateEnded: 0x10, flags: 0x70 } as const;
/** Register D: the batteries are good. */
const VALID_RAM_AND_TIME = 0x80;
/** 32,768 Hz crystal, periodic rate 1,024 Hz; 24 hours, BCD, no interrupt: what a PC's firmware leaves. */
const FIRMWARE_A = 0x26;
const FIRMWARE_B = 0x02;
/** The index a PC's firmware leaves: register D, where nothing happens if power fails in an access. */
const FIRMWARE_INDEX = REGISTER.D;

const CLOCKS_PER_SECOND = 32_768;
/** Clocks before the end of a second at which the update-in-progress bit rises. */
const UPDATE_IN_PROGRESS_CLOCKS = 73;
/** Clocks from the divider's start to the first update: half a second. */
const FIRST_UPDATE_CLOCKS = CLOCKS_PER_SECOND / 2;

const INDEX = 0x7f;
const NMI_MASK = 0x80;

/** What the bytes at addresses 0 to 9 are, in order. */
const TIME_BYTES = [
  ["time", "seconds"],
  ["alarm", "seconds"],
  ["time", "minutes"],
  ["alarm", "minutes"],
  ["time", "hours"],
  ["alarm", "hours"],
  ["time", "dayOfWeek"],
  ["time", "dayOfMonth"],
  ["time", "month"],
  ["time", "year"],
] as const;

export interface Mc146818State {
  /** What was written to port 0x70: the address of the next access and, in bit 7, the mask of the processor's NMI. */
  readonly index: number;
  /** Register A without its update-in-progress bit, which follows from the time. */
  readonly A: number;
  readonly B: number;
  /** Register C's flags as of `clock`, without the request bit. */
  readonly C: number;
  /** The time of day as of `clock`. */
  readonly time: RtcTime;
  readonly alarm: RtcAlarm;
  /** The memory by address; the first 14 bytes, where the registers are, are 0. */
  readonly memory: readonly number[];
  /** The clock of the 32,768 Hz crystal that `time` and `C` are from. */
  readonly clock: number;
  /** The clock within a second (0 to 32767) at which seconds end. */
  readonly phase: number;
  /** The interrupt pin at the time the state was brought to last. */
  readonly request: boolean;
  /** The clock at which the pin rises by itself; Infinity for never. */
  readonly requestFrom: number;
}

/** What the clock and its memory say when the machine starts. */
export interface RtcSetup {
  /** RAM from address 0 on, in bytes. Default 64 MiB. */
  readonly memorySize?: number;
  /** Time of day at tick 0, in whole seconds since 1970-01-01 00:00:00 UTC, up to the end of 2099. */
  readonly time?: number;
}

export const mc146818: BusDevice<Mc146818State> = {
  name: "MC146818A",
  spec: 'MC146818A data sheet, "Registers"; IBM PC/AT Technical Reference, "I/O Address Map", ports 070 and 071',

  reset: () => resetMc146818({}),

  peek(state, offset, _size, tick): number {
    // Port 0x70 cannot be read.
    if (offset === RTC_OFFSET.index) return 0xff;
    const address = state.index & INDEX;
    if (address > REGISTER.D) return state.memory[address]!;
    const clock = clockAt(tick);
    switch (address) {
      case REGISTER.A:
        return state.A | (updateIsInProgress(state, clock) ? A.updateInProgress : 0);
      case REGISTER.B:
        return state.B;
      case REGISTER.C:
        return flagsAt(state, clock) === 0 ? 0 : -1;
      case REGISTER.D:
        return VALID_RAM_AND_TIME;
      default:
        return readTime(state, address, clock);
    }
  },

  read(state, offset, size, tick): ReadResult<Mc146818State> {
    const value = mc146818.peek!(state, offset, size, tick);
    if (value >= 0) return { state, value };
    // Reading register C clears all its flags and with them the request.
    const now = settle(state, clockAt(tick));
    const request = (now.C & now.B) === 0 ? 0 : C.request;
    return { state: withPin({ ...now, C: 0 }), value: now.C | request };
  },

  write(state, offset, _size, value, tick): Mc146818State {
    if (offset === RTC_OFFSET.index) return value === state.index ? state : withIndex(state, value);
    const address = state.index & INDEX;
    if (address > REGISTER.D) {
      return value === state.memory[address] ? state : { ...state, memory: state.memory.with(address, value) };
    }
    if (address >= REGISTER.C) return state;
    const now = settle(state, clockAt(tick));
    if (address === REGISTER.A) return withPin(writeA(now, value & ~A.updateInProgress));
    if (address === REGISTER.B) {
      // Setting SET turns the update-ended interrupt off.
      return withPin({ ...now, B: (value & B.set) !== 0 ? value & ~B.updateEnded : value });
    }
    const [record, field] = TIME_BYTES[address]!;
    return withPin({ ...now, [record]: { ...now[record], [field]: value } });
  },

  advance(state, tick): Mc146818State {
    return clockAt(tick) < state.requestFrom
      ? state
      : { ...state, request: true, requestFrom: Number.POSITIVE_INFINITY };
  },

  nextEvent(state, tick): number {
    const due = tickOf(state.requestFrom);
    return due > tick ? due : Number.POSITIVE_INFINITY;
  },

  due: (state) => tickOf(state.requestFrom),

  interrupt: (state) => state.request,
};

/**
 * The clock of a machine that starts at a given time with a given memory.
 *
 * @throws VirtlabError for a time that is no whole second of the years 1970 to 2099.
 */
export function resetMc146818({ memorySize = DEFAULT_MEMORY_SIZE, time = DEFAULT_TIME }: RtcSetup): Mc146818State {
  if (!Number.isInteger(time) || time < 0 || time >= TIME_LIMIT) {
    throw new VirtlabError(`real-time clock: ${time} is not a whole second since 1970 before the year 2100`);
  }
  const start = timeFromUnix(time, FIRMWARE_B);
  return {
    index: FIRMWARE_INDEX,
    A: FIRMWARE_A,
    B: FIRMWARE_B,
    C: 0,
    time: start.time,
    alarm: { seconds: 0, minutes: 0, hours: 0 },
    memory: cmosMemory(memorySize, start.century),
    clock: 0,
    phase: 0,
    request: false,
    requestFrom: Number.POSITIVE_INFINITY,
  };
}

/** Whether bit 7 of port 0x70 keeps non-maskable interrupts from the processor. */
export function nmiMasked(state: Mc146818State): boolean {
  return (state.index & NMI_MASK) !== 0;
}

// Both conversions go through whole seconds: no product exceeds 2^53, however long the machine runs.

/** The number of the crystal's clocks up to `tick`, itself included. */
function clockAt(tick: number): number {
  const seconds = Math.floor(tick / TICKS_PER_SECOND);
  const rest = tick - seconds * TICKS_PER_SECOND;
  return seconds * CLOCKS_PER_SECOND + Math.floor((rest * CLOCKS_PER_SECOND) / TICKS_PER_SECOND);
}

/** The first tick of a clock. */
function tickOf(clock: number): number {
  if (clock === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  const seconds = Math.floor(clock / CLOCKS_PER_SECOND);
  const rest = clock - seconds * CLOCKS_PER_SECOND;
  return seconds * TICKS_PER_SECOND + Math.ceil((rest * TICKS_PER_SECOND) / CLOCKS_PER_SECOND);
}

/** Codes 0 to 2 let the divider run, the others hold it or are for tests. */
function dividerRuns(state: Mc146818State): boolean {
  return (state.A & A.divider) <= 0x20;
}

function isUpdating(state: Mc146818State): boolean {
  return dividerRuns(state) && (state.B & B.set) === 0;
}

/** Multiples of `period` clocks, counted from the seconds' ends, after `from` up to `to`. */
function boundaries(state: Mc146818State, period: number, from: number, to: number): number {
  return Math.floor((to - state.phase) / period) - Math.floor((from - state.phase) / period);
}

/** The first such multiple after `clock`. */
function nextBoundary(state: Mc146818State, period: number, clock: number): number {
  return (Math.floor((clock - state.phase) / period) + 1) * period + state.phase;
}

/** Clocks between two periodic interrupts, 0 for none. Spec: MC146818A data sheet, "Periodic Interrupt Rate". */
function periodOf(state: Mc146818State): number {
  const rate = state.A & A.rate;
  if (rate === 0) return 0;
  return rate < 3 ? 1 << (rate + 6) : 1 << (rate - 1);
}

function updateIsInProgress(state: Mc146818State, clock: number): boolean {
  return isUpdating(state) && nextBoundary(state, CLOCKS_PER_SECOND, clock) - clock <= UPDATE_IN_PROGRESS_CLOCKS;
}

/** The updates from the state's own clock to `clock`. */
function updatesUntil(state: Mc146818State, clock: number): number {
  return isUpdating(state) ? boundaries(state, CLOCKS_PER_SECOND, state.clock, clock) : 0;
}

/** Register C's flags at `clock`. */
function flagsAt(state: Mc146818State, clock: number): number {
  let flags = state.C;
  const period = periodOf(state);
  if (period !== 0 && dividerRuns(state) && boundaries(state, period, state.clock, clock) > 0) flags |= C.periodic;
  const updates = updatesUntil(state, clock);
  if (updates === 0) return flags;
  flags |= C.updateEnded;
  return updatesUntilAlarm(state.time, state.alarm, state.B) <= updates ? flags | C.alarm : flags;
}

/** The state with its time and flags as of `clock`. */
function settle(state: Mc146818State, clock: number): Mc146818State {
  const time = timeAfter(state.time, updatesUntil(state, clock), state.B);
  return { ...state, C: flagsAt(state, clock), time, clock };
}

/** A settled state with the pin as its flags have it. */
function withPin(state: Mc146818State): Mc146818State {
  const request = (state.C & state.B & C.flags) !== 0;
  return { ...state, request, requestFrom: request ? Number.POSITIVE_INFINITY : nextRequest(state) };
}

/** The next clock at which a flag whose interrupt is enabled gets set. */
function nextRequest(state: Mc146818State): number {
  let next = Number.POSITIVE_INFINITY;
  const period = periodOf(state);
  if ((state.B & C.periodic) !== 0 && period !== 0 && dividerRuns(state)) {
    next = nextBoundary(state, period, state.clock);
  }
  if (!isUpdating(state)) return next;
  const update = nextBoundary(state, CLOCKS_PER_SECOND, state.clock);
  if ((state.B & C.updateEnded) !== 0) next = Math.min(next, update);
  if ((state.B & C.alarm) !== 0) {
    const updates = updatesUntilAlarm(state.time, state.alarm, state.B);
    next = Math.min(next, update + (updates - 1) * CLOCKS_PER_SECOND);
  }
  return next;
}

/** The state with another index; field by field, which is faster than a spread. */
function withIndex(state: Mc146818State, index: number): Mc146818State {
  const { A, B, C, time, alarm, memory, clock, phase, request, requestFrom } = state;
  return { index, A, B, C, time, alarm, memory, clock, phase, request, requestFrom };
}

function readTime(state: Mc146818State, address: number, clock: number): number {
  const [record, field] = TIME_BYTES[address]!;
  if (record === "alarm") return state.alarm[field];
  return timeAfter(state.time, updatesUntil(state, clock), state.B)[field];
}

/** Register A. A divider that is let go ends its first second half a second later. */
function writeA(state: Mc146818State, value: number): Mc146818State {
  const next = { ...state, A: value };
  if (dividerRuns(state) || !dividerRuns(next)) return next;
  return { ...next, phase: (state.clock + FIRST_UPDATE_CLOCKS) % CLOCKS_PER_SECOND };
}
