/** Times in programs' memory: `struct timespec` and `struct timeval`, of 64 bits or of 32. */
import { E } from "../errno.js";
import { readLong, readWord, writeLong, writeWord } from "../mm/user-memory.js";
import { ticksOf } from "../time.js";
import type { Work } from "../work.js";

export type Span = readonly [seconds: number, fraction: number];

export const isWide = (k: Work): boolean => k.call.abi === "x86_64";

export function writeSpan(k: Work, at: number, [seconds, fraction]: Span, wide = isWide(k)): void {
  const write = wide ? writeLong : writeWord;
  write(k, at, seconds);
  write(k, at + (wide ? 8 : 4), fraction);
}

/** Throws EINVAL for fractions of a second or more, and times before 0. */
export function readSpan(k: Work, at: number, wide = isWide(k), unit = 1e9): Span {
  const read = wide ? readLong : (work: Work, address: number): number => readWord(work, address) | 0;
  const seconds = read(k, at);
  const fraction = read(k, at + (wide ? 8 : 4));
  if (seconds < 0 || fraction < 0 || fraction >= unit) throw E.EINVAL;
  return [seconds, fraction];
}

/** Ticks of a `struct timespec`. */
export function readTime(k: Work, at: number, wide = isWide(k)): number {
  const [seconds, nanoseconds] = readSpan(k, at, wide);
  return ticksOf(seconds, nanoseconds);
}

/** Ticks of a `struct timeval`. */
export function readMicroseconds(k: Work, at: number): number {
  const [seconds, microseconds] = readSpan(k, at, isWide(k), 1e6);
  return ticksOf(seconds, microseconds * 1000);
}

export const writeMicroseconds = (k: Work, at: number, [seconds, nanoseconds]: Span): void =>
  writeSpan(k, at, [seconds, Math.floor(nanoseconds / 1000)]);
