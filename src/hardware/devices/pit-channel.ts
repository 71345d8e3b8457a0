/**
 * One counter of an 8254: what the counting element holds and what OUT is, at any clock.
 *
 * Nothing is decremented. The state says what was loaded into the counting element and at which clock; the count and OUT
 * at a later clock are computed. A time here is a clock: the number of falling edges of CLK since reset. What a write or
 * a gate does between two edges is seen by the counting element at the next one, as in the datasheet's diagrams.
 *
 * A count of 1, which the datasheet forbids in modes 2 and 3, keeps OUT high. A digit above 9 in a BCD count counts as
 * its value. Left out on purpose: what the pins do before the first control word, which the datasheet leaves undefined;
 * see `pit8254.ts` for the state a channel starts in.
 *
 * Manual: Intel 8254 Programmable Interval Timer datasheet, "Mode Definitions".
 */

/** Stands for a clock that never comes or has not come. */
const NONE = -1;

export interface PitChannelState {
  /** The control word's low six bits: access, mode, BCD. */
  readonly control: number;
  /** The GATE pin. */
  readonly gate: boolean;
  /** The count register: 1 to 65536, or to 10000 in BCD. 0 while no count was written since the control word. */
  readonly countRegister: number;
  /** The low byte of a count whose high byte is awaited, or -1. */
  readonly lowByte: number;
  /** Whether a count was written that the counting element has not taken over. */
  readonly nullCount: boolean;
  /** The clock at which the counting element takes over the count register whatever it is doing, or -1. */
  readonly loadClock: number;
  /** The clock, an end of a period or half period, at which it takes over a count written meanwhile, or -1. */
  readonly reloadClock: number;
  /** Whether the counting element counts; otherwise it stands at `count`. */
  readonly counting: boolean;
  /** What the counting element held at `startClock`; in modes 2 and 3 the count of the period that began there. */
  readonly count: number;
  /** The clock `count` is from. In mode 3 a full period began there, possibly an imagined one. */
  readonly startClock: number;
  /** Modes 0, 1, 4, 5: whether a count is running or has run out (not so before the first load or trigger). */
  readonly started: boolean;
  /** Modes 0, 1, 4, 5: the clock the count ran out, if before `startClock`; or -1. */
  readonly terminalClock: number;
  /** Whether the next read of a two-byte count gives its high byte. */
  readonly readsHigh: boolean;
  /** The latched count as it is read (16 bits), or -1. */
  readonly latchedCount: number;
  /** The latched status byte, or -1. */
  readonly latchedStatus: number;
}

/** Access codes of a control word. */
const ACCESS = { low: 1, high: 2 } as const;
const NULL_COUNT = 0x40;
const STATUS_OUT = 0x80;

/** Counting mode 0 to 5: codes 6 and 7 are modes 2 and 3. */
export function modeOf(channel: PitChannelState): number {
  const code = (channel.control >> 1) & 7;
  return code > 5 ? code - 4 : code;
}

function accessOf(channel: PitChannelState): number {
  return channel.control >> 4;
}

function modulusOf(channel: PitChannelState): number {
  return (channel.control & 1) !== 0 ? 10_000 : 65_536;
}

/** Modes 2 and 3 start over by themselves. */
function isPeriodic(mode: number): boolean {
  return mode === 2 || mode === 3;
}

/** A channel with GATE at `gate` to which `control` (six bits) has just been written, after reset. */
export function resetChannel(control: number, gate: boolean): PitChannelState {
  return {
    control,
    gate,
    countRegister: 0,
    lowByte: NONE,
    nullCount: true,
    loadClock: NONE,
    reloadClock: NONE,
    counting: false,
    count: 0,
    startClock: 0,
    started: false,
    terminalClock: NONE,
    readsHigh: false,
    latchedCount: NONE,
    latchedStatus: NONE,
  };
}

/** What the counting element holds, as a number (0 to 65535 or 9999). `channel` is settled at `clock`. */
function elementAt(channel: PitChannelState, clock: number): number {
  const modulus = modulusOf(channel);
  if (!channel.counting) return channel.count % modulus;
  const elapsed = clock - channel.startClock;
  const { count } = channel;
  switch (modeOf(channel)) {
    case 2:
      return (count - (elapsed % count)) % modulus;
    case 3: {
      const high = Math.ceil(count / 2);
      const phase = elapsed % count;
      return (count - (count & 1) - 2 * (phase < high ? phase : phase - high)) % modulus;
    }
    default: {
      const rest = (count - elapsed) % modulus;
      return rest < 0 ? rest + modulus : rest;
    }
  }
}

/** The clock at which a count that does not repeat runs out, past or coming; Infinity if it does not. */
function terminalClockOf(channel: PitChannelState): number {
  if (!channel.started) return Number.POSITIVE_INFINITY;
  if (channel.terminalClock !== NONE) return channel.terminalClock;
  return channel.counting ? channel.startClock + channel.count : Number.POSITIVE_INFINITY;
}

/** OUT at `clock`, at which `channel` is settled. */
export function outAt(channel: PitChannelState, clock: number): boolean {
  switch (modeOf(channel)) {
    case 0:
      return clock >= terminalClockOf(channel);
    case 1:
      return !channel.started || clock >= terminalClockOf(channel);
    case 2: {
      const { count } = channel;
      return !channel.counting || count === 1 || (clock - channel.startClock) % count !== count - 1;
    }
    case 3: {
      const { count } = channel;
      return !channel.counting || (clock - channel.startClock) % count < Math.ceil(count / 2);
    }
    default:
      return clock !== terminalClockOf(channel);
  }
}

/** The first clock after `clock` at which OUT changes if nothing is loaded until then; Infinity for never. */
function nextChangeOfRunningCount(channel: PitChannelState, clock: number): number {
  const { count, startClock } = channel;
  const mode = modeOf(channel);
  if (isPeriodic(mode)) {
    if (!channel.counting || count === 1) return Number.POSITIVE_INFINITY;
    const fall = mode === 2 ? count - 1 : Math.ceil(count / 2);
    const phase = (clock - startClock) % count;
    return clock - phase + (phase < fall ? fall : count);
  }
  const terminal = terminalClockOf(channel);
  if (terminal > clock) return terminal;
  return mode >= 4 && terminal === clock ? clock + 1 : Number.POSITIVE_INFINITY;
}

/** The first clock after `clock`, at which `channel` is settled, at which OUT changes by itself; Infinity for never. */
export function nextOutChange(channel: PitChannelState, clock: number): number {
  const running = nextChangeOfRunningCount(channel, clock);
  const takeover = channel.loadClock !== NONE ? channel.loadClock : channel.reloadClock;
  if (takeover === NONE || running < takeover) return running;
  const loaded = settle(channel, takeover);
  return outAt(loaded, takeover) !== outAt(channel, clock) ? takeover : nextOutChange(loaded, takeover);
}

/** Who polls OUT asks for the same again and again. */
let lastLoaded: { readonly from: PitChannelState; readonly to: PitChannelState } | undefined;

/** The channel with every load that is due by `clock` done; the same object if there was none. */
export function settle(channel: PitChannelState, clock: number): PitChannelState {
  const { loadClock, reloadClock } = channel;
  if (loadClock !== NONE && loadClock <= clock) {
    if (channel !== lastLoaded?.from) lastLoaded = { from: channel, to: load(channel, loadClock, true) };
    return lastLoaded.to;
  }
  if (reloadClock !== NONE && reloadClock <= clock) return load(channel, reloadClock, outAt(channel, reloadClock));
  return channel;
}

/** Takes the count register over into the counting element at `clock`, in mode 3 for the half period with OUT `high`. */
function load(channel: PitChannelState, clock: number, high: boolean): PitChannelState {
  const mode = modeOf(channel);
  const count = channel.countRegister;
  const counting = mode === 1 || mode === 5 || channel.gate;
  return {
    ...channel,
    // Of an odd count in mode 3 the element holds one less, which matters to one that stands still.
    count: mode === 3 && !counting ? count - (count & 1) : count,
    // A count that takes over for the low half is treated as if its high half had just gone by.
    startClock: mode === 3 && !high ? clock - Math.ceil(count / 2) : clock,
    counting,
    started: true,
    terminalClock: NONE,
    nullCount: false,
    loadClock: NONE,
    reloadClock: NONE,
  };
}

/** The channel with its counting element stopped at what it holds. */
function freeze(channel: PitChannelState, clock: number): PitChannelState {
  if (!channel.counting) return channel;
  const terminal = terminalClockOf(channel);
  const hasRunOut = !isPeriodic(modeOf(channel)) && terminal <= clock;
  return {
    ...channel,
    count: elementAt(channel, clock),
    counting: false,
    terminalClock: hasRunOut ? terminal : NONE,
    reloadClock: NONE,
  };
}

/** Drives GATE. `channel` is settled at `clock`. */
export function setGate(channel: PitChannelState, gate: boolean, clock: number): PitChannelState {
  if (gate === channel.gate) return channel;
  const mode = modeOf(channel);
  if (mode === 1 || mode === 5) {
    // Only the rising edge counts: it triggers, if there is a count.
    const triggers = gate && channel.countRegister !== 0;
    return { ...channel, gate, loadClock: triggers ? clock + 1 : channel.loadClock };
  }
  if (!gate) return { ...freeze(channel, clock), gate };
  if (isPeriodic(mode)) {
    const triggers = channel.countRegister !== 0;
    return { ...channel, gate, loadClock: triggers ? clock + 1 : channel.loadClock };
  }
  // Modes 0 and 4 go on from where they stand; a frozen element of 0 that has not run out stands for the full count.
  if (!channel.started) return { ...channel, gate };
  const count = channel.count === 0 && channel.terminalClock === NONE ? modulusOf(channel) : channel.count;
  return { ...channel, gate, counting: true, count, startClock: clock };
}

/** A control word for this channel (its low six bits). Spec: 8254 datasheet, "Control Word Format". */
export function writeControl(channel: PitChannelState, control: number, clock: number): PitChannelState {
  return { ...resetChannel(control, channel.gate), count: elementAt(channel, clock), startClock: clock };
}

/** A byte written to the counter's port. `channel` is settled at `clock`. Spec: 8254 datasheet, "Write Operations". */
export function writeCount(channel: PitChannelState, byte: number, clock: number): PitChannelState {
  const access = accessOf(channel);
  if (access === ACCESS.low) return writeWholeCount(channel, byte, clock);
  if (access === ACCESS.high) return writeWholeCount(channel, byte << 8, clock);
  if (channel.lowByte !== NONE) {
    return writeWholeCount({ ...channel, lowByte: NONE }, (byte << 8) | channel.lowByte, clock);
  }
  // In mode 0 the first byte stops the counting and sets OUT low.
  if (modeOf(channel) !== 0) return { ...channel, lowByte: byte };
  return { ...freeze(channel, clock), lowByte: byte, started: false, terminalClock: NONE, loadClock: NONE };
}

function writeWholeCount(channel: PitChannelState, written: number, clock: number): PitChannelState {
  const mode = modeOf(channel);
  const modulus = modulusOf(channel);
  const value = (modulus === 10_000 ? fromBcd(written) : written) % modulus;
  const next = { ...channel, countRegister: value === 0 ? modulus : value, nullCount: true };
  switch (mode) {
    case 1:
    case 5:
      // Waits for the next trigger.
      return next;
    case 2:
    case 3:
      if (!channel.started) return { ...next, loadClock: clock + 1 };
      // The running period, in mode 3 half period, is finished first; without GATE, the trigger loads.
      if (!channel.counting || channel.loadClock !== NONE) return next;
      return { ...next, reloadClock: nextBoundary(channel, clock) };
    case 0:
      // The count runs out anew: OUT is low from now on.
      return { ...freeze(next, clock), started: false, terminalClock: NONE, loadClock: clock + 1 };
    default:
      return { ...next, loadClock: clock + 1 };
  }
}

/** The next clock after `clock` at which a periodic channel starts a period, or in mode 3 a half. */
function nextBoundary(channel: PitChannelState, clock: number): number {
  const { count, startClock } = channel;
  const phase = (clock - startClock) % count;
  const half = modeOf(channel) === 3 ? Math.ceil(count / 2) : count;
  return clock - phase + (phase < half ? half : count);
}

/** The next byte a read of the counter's port gives. `channel` is settled at `clock`. */
export function readCount(channel: PitChannelState, clock: number): { state: PitChannelState; value: number } {
  if (channel.latchedStatus !== NONE) {
    const next = withReading(channel, channel.readsHigh, channel.latchedCount, NONE);
    return { state: next, value: channel.latchedStatus };
  }
  const access = accessOf(channel);
  const latched = channel.latchedCount !== NONE;
  const word = latched ? channel.latchedCount : readableElement(channel, clock);
  if (access === ACCESS.low || access === ACCESS.high) {
    const value = access === ACCESS.low ? word & 0xff : word >> 8;
    return { state: latched ? withReading(channel, channel.readsHigh, NONE, NONE) : channel, value };
  }
  if (!channel.readsHigh) {
    return { state: withReading(channel, true, channel.latchedCount, NONE), value: word & 0xff };
  }
  return { state: withReading(channel, false, NONE, NONE), value: word >> 8 };
}

/** Latches the count until it is read; nothing if one is latched. Spec: 8254 datasheet, "Counter Latch Command". */
export function latchCount(channel: PitChannelState, clock: number): PitChannelState {
  if (channel.latchedCount !== NONE) return channel;
  return withReading(channel, channel.readsHigh, readableElement(channel, clock), channel.latchedStatus);
}

/** Latches the status byte until it is read; nothing if one is latched. Spec: 8254 datasheet, "Read-Back Command". */
export function latchStatus(channel: PitChannelState, clock: number): PitChannelState {
  if (channel.latchedStatus !== NONE) return channel;
  const out = outAt(channel, clock) ? STATUS_OUT : 0;
  return { ...channel, latchedStatus: out | (channel.nullCount ? NULL_COUNT : 0) | channel.control };
}

/** The channel with what reading changes replaced; field by field, which is faster than a spread. */
function withReading(
  channel: PitChannelState,
  readsHigh: boolean,
  latchedCount: number,
  latchedStatus: number,
): PitChannelState {
  return {
    control: channel.control,
    gate: channel.gate,
    countRegister: channel.countRegister,
    lowByte: channel.lowByte,
    nullCount: channel.nullCount,
    loadClock: channel.loadClock,
    reloadClock: channel.reloadClock,
    counting: channel.counting,
    count: channel.count,
    startClock: channel.startClock,
    started: channel.started,
    terminalClock: channel.terminalClock,
    readsHigh,
    latchedCount,
    latchedStatus,
  };
}

function readableElement(channel: PitChannelState, clock: number): number {
  const value = elementAt(channel, clock);
  return (channel.control & 1) !== 0 ? toBcd(value) : value;
}

function fromBcd(word: number): number {
  return (word >> 12) * 1000 + ((word >> 8) & 15) * 100 + ((word >> 4) & 15) * 10 + (word & 15);
}

function toBcd(value: number): number {
  return (
    (Math.floor(value / 1000) << 12) |
    ((Math.floor(value / 100) % 10) << 8) |
    ((Math.floor(value / 10) % 10) << 4) |
    (value % 10)
  );
}
