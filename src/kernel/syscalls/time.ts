/** System calls on time. Spec: clock_gettime(2), nanosleep(2), gettimeofday(2). */
import { E, Wait } from "../errno.js";
import { readLong, readWord, writeLong, writeWord } from "../mm/user-memory.js";
import { offsetTime } from "../namespaces/time.js";
import { START, secondsAt, ticksOf } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const CLOCK = {
  REALTIME: 0,
  MONOTONIC: 1,
  PROCESS: 2,
  THREAD: 3,
  MONOTONIC_RAW: 4,
  REALTIME_COARSE: 5,
  MONOTONIC_COARSE: 6,
  BOOTTIME: 7,
} as const;

/** Seconds and nanoseconds of a clock. Throws EINVAL for one there is not. */
function clock(k: Work, which: number): readonly [number, number] {
  const [seconds, nanoseconds] = secondsAt(k.now);
  if (which === CLOCK.REALTIME || which === CLOCK.REALTIME_COARSE) return [seconds, nanoseconds];
  if (which === CLOCK.PROCESS || which === CLOCK.THREAD) {
    const [ran, rest] = secondsAt(k.task.ran);
    return [ran - START, rest];
  }
  if (which < 0 || which > CLOCK.BOOTTIME) throw E.EINVAL;
  return offsetTime(k, which === CLOCK.BOOTTIME ? "boottime" : "monotonic", [seconds - START, nanoseconds]);
}

/** `struct timespec` of the program's own width. */
function writeTime(
  k: Work,
  at: number,
  [seconds, nanoseconds]: readonly [number, number],
  wide = k.call.abi === "x86_64",
): void {
  if (wide) {
    writeLong(k, at, seconds);
    writeLong(k, at + 8, nanoseconds);
  } else {
    writeWord(k, at, seconds);
    writeWord(k, at + 4, nanoseconds);
  }
}

/** Ticks of a time that a program gave. Throws EINVAL, EFAULT. */
export function readTime(k: Work, at: number, wide = k.call.abi === "x86_64"): number {
  const [seconds, nanoseconds] = wide
    ? [readLong(k, at), readLong(k, at + 8)]
    : [readWord(k, at) | 0, readWord(k, at + 4)];
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= 1e9) throw E.EINVAL;
  return ticksOf(seconds, nanoseconds);
}

function sleepUntil(k: Work, until: () => number): number {
  const begun = k.call.progress as { readonly until: number } | undefined;
  const at = begun?.until ?? until();
  if (k.now >= at) return 0;
  throw new Wait([], at, { until: at }, "interrupt");
}

export const timeCalls: readonly SystemCall[] = [
  call("clock_gettime", "clockid:int tp:pointer", (k, which, at) => {
    writeTime(k, at, clock(k, which));
    return 0;
  }),
  call("clock_gettime64", "clockid:int tp:pointer", (k, which, at) => {
    writeTime(k, at, clock(k, which), true);
    return 0;
  }),
  call("gettimeofday", "tv:pointer tz:pointer", (k, at) => {
    const [seconds, nanoseconds] = clock(k, CLOCK.REALTIME);
    if (at !== 0) writeTime(k, at, [seconds, Math.floor(nanoseconds / 1000)]);
    return 0;
  }),
  call("time", "tloc:pointer", (k, at) => {
    const [seconds] = clock(k, CLOCK.REALTIME);
    if (at !== 0) (k.call.abi === "x86_64" ? writeLong : writeWord)(k, at, seconds);
    return seconds;
  }),
  call("nanosleep", "req:pointer rem:pointer", (k, at) => sleepUntil(k, () => k.now + readTime(k, at))),
  call("clock_nanosleep", "clockid:int flags:flags req:pointer rem:pointer", (k, which, flags, at) => {
    if (which !== CLOCK.REALTIME && which !== CLOCK.MONOTONIC) throw E.EINVAL;
    const TIMER_ABSTIME = 1;
    const begin = which === CLOCK.REALTIME ? START : offsetTime(k, "monotonic", [0, 0])[0];
    return sleepUntil(k, () =>
      (flags & TIMER_ABSTIME) === 0 ? k.now + readTime(k, at) : readTime(k, at) - ticksOf(begin, 0),
    );
  }),
];
