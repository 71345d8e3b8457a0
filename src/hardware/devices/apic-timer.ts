/**
 * The timer of a local APIC. It counts the machine's ticks, divided: its count is computed from the tick at which it will
 * reach zero, and nothing is counted.
 *
 * Manual: SDM Vol. 3A, "APIC Timer".
 */

/** Bits 17 and 18 of the timer's entry in the local vector table. */
export const TIMER_MODE = { oneShot: 0, periodic: 1, tscDeadline: 2 } as const;
export const timerModeOf = (lvt: number): number => (lvt >> 17) & 3;

const NEVER = Number.POSITIVE_INFINITY;
/** Bits of the divide configuration register that exist. */
const DIVIDE_BITS = 0xb;

export interface ApicTimerState {
  readonly initialCount: number;
  /** Divide configuration register. */
  readonly DCR: number;
  /** The tick at which the count reaches zero, or the deadline is met; Infinity for never. */
  readonly due: number;
}

export const resetTimer: ApicTimerState = Object.freeze({ initialCount: 0, DCR: 0, due: NEVER });

/** Ticks for one count: 2, 4, 8, 16, 32, 64, 128, 1 by the register's three bits. */
export function divisorOf(DCR: number): number {
  const code = (DCR & 3) | ((DCR >> 1) & 4);
  return 1 << ((code + 1) & 7);
}

/** Current count register at `tick`, to which the state was brought. */
export function currentCount({ DCR, due }: ApicTimerState, mode: number, tick: number): number {
  if (due === NEVER || mode === TIMER_MODE.tscDeadline) return 0;
  return Math.ceil((due - tick) / divisorOf(DCR));
}

/** A write to the initial count register starts the timer, or stops it with 0. */
export function writeInitialCount(timer: ApicTimerState, count: number, mode: number, tick: number): ApicTimerState {
  if (mode === TIMER_MODE.tscDeadline) return timer;
  return { ...timer, initialCount: count, due: count === 0 ? NEVER : tick + count * divisorOf(timer.DCR) };
}

/** What is left of a count goes on with the new divisor. */
export function writeDivide(timer: ApicTimerState, value: number, mode: number, tick: number): ApicTimerState {
  const DCR = value & DIVIDE_BITS;
  if (timer.due === NEVER || mode === TIMER_MODE.tscDeadline) return { ...timer, DCR };
  return { ...timer, DCR, due: tick + currentCount(timer, mode, tick) * divisorOf(DCR) };
}

/** A change of mode. Spec: SDM Vol. 3A, "TSC-Deadline Mode": going there or back disarms the timer. */
export function changeMode(timer: ApicTimerState, from: number, to: number): ApicTimerState {
  const disarms = (from === TIMER_MODE.tscDeadline) !== (to === TIMER_MODE.tscDeadline);
  return disarms ? { ...timer, due: NEVER } : timer;
}

/** Arms the timer for a tick, or disarms it with Infinity. */
export const writeDeadline = (timer: ApicTimerState, due: number): ApicTimerState => ({ ...timer, due });

/** The timer behind its interrupt, or several that nobody has seen, at `tick`: `due` is not later than that. */
export function afterInterrupt(timer: ApicTimerState, mode: number, tick: number): ApicTimerState {
  if (mode !== TIMER_MODE.periodic || timer.initialCount === 0) return { ...timer, due: NEVER };
  const period = timer.initialCount * divisorOf(timer.DCR);
  const periods = Math.floor((tick - timer.due) / period) + 1;
  return { ...timer, due: timer.due + periods * period };
}
