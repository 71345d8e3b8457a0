/**
 * Clocks of programs: all of them follow the machine's ticks. Spec: clock_gettime(2), time(7).
 */

import type { FileTime } from "./fs/records.js";

/** Ticks of a second: the machine's timer has 1,193,182 clocks a second, of 84 ticks each. */
export const TICKS_A_SECOND = 1_193_182 * 84;
/** 2000-01-01 00:00:00 UTC, where a machine's clock begins unless told otherwise. */
export const START = 946_684_800;

/** Time of day at a tick: seconds since 1970, and nanoseconds. */
export function secondsAt(tick: number): readonly [seconds: number, nanoseconds: number] {
  const seconds = Math.floor(tick / TICKS_A_SECOND);
  const rest = tick - seconds * TICKS_A_SECOND;
  return [START + seconds, Math.floor((rest * 1e9) / TICKS_A_SECOND)];
}

/** The time that an inode has: see `FileTime`. */
export const timeOf = (time: FileTime): readonly [seconds: number, nanoseconds: number] =>
  typeof time === "number" ? secondsAt(time) : time;

/** Ticks of a time. */
export const ticksOf = (seconds: number, nanoseconds: number): number =>
  Math.ceil(seconds * TICKS_A_SECOND + (nanoseconds * TICKS_A_SECOND) / 1e9);
