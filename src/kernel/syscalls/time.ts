/** System calls on clocks. Spec: clock_gettime(2), nanosleep(2), gettimeofday(2), settimeofday(2). */
import { E, Wait } from "../errno.js";
import { readWord, writeLong, writeWord } from "../mm/user-memory.js";
import { pidOutside } from "../namespaces/pid.js";
import { offsetTime } from "../namespaces/time.js";
import { requireCapability } from "../tasks/capabilities.js";
import { hasSignal } from "../tasks/signals.js";
import { ranOf } from "../tasks/timers.js";
import { START, secondsAt, spanOf, ticksOf } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { isWide, readSpan, readTime, type Span, writeMicroseconds, writeSpan } from "./times.js";

export const CLOCK = {
  ...{ REALTIME: 0, MONOTONIC: 1, PROCESS: 2, THREAD: 3, MONOTONIC_RAW: 4, REALTIME_COARSE: 5, MONOTONIC_COARSE: 6 },
  ...{ BOOTTIME: 7, REALTIME_ALARM: 8, BOOTTIME_ALARM: 9, TAI: 11 },
} as const;

const ofWall: ReadonlySet<number> = new Set([CLOCK.REALTIME, CLOCK.REALTIME_COARSE, CLOCK.REALTIME_ALARM, CLOCK.TAI]);
const ofMachine: ReadonlySet<number> = new Set([
  ...[CLOCK.MONOTONIC, CLOCK.MONOTONIC_RAW, CLOCK.MONOTONIC_COARSE, CLOCK.BOOTTIME, CLOCK.BOOTTIME_ALARM],
]);

/** Ticks by which settimeofday(2) has moved the time of day. */
const moved = (k: Work): number => k.state.initial.clockOffset ?? 0;

/** The ticks of a process or thread that a negative clock number names. Spec: Linux, include/linux/posix-timers.h. */
function ticksOfNamed(k: Work, which: number): number {
  const pid = ~(which >> 3);
  if ((which & 3) === 3) throw E.EINVAL;
  const perThread = (which & 4) !== 0;
  if (perThread) {
    const task = pid === 0 ? k.task : k.state.tasks.get(pidOutside(k, pid));
    if (task === undefined || task.process !== k.task.process) throw E.EINVAL;
    return task.ran;
  }
  const process = pid === 0 ? k.process : k.state.processes.get(pidOutside(k, pid));
  if (process === undefined) throw E.EINVAL;
  return ranOf(k, process.pid);
}

const offsetOf = (which: number): "boottime" | "monotonic" =>
  which === CLOCK.BOOTTIME || which === CLOCK.BOOTTIME_ALARM ? "boottime" : "monotonic";

/** Seconds and nanoseconds of a clock. Throws EINVAL for one there is not. */
export function clock(k: Work, which: number): Span {
  if (ofWall.has(which)) return secondsAt(k.now + moved(k));
  if (ofMachine.has(which)) return offsetTime(k, offsetOf(which), spanOf(k.now));
  if (which === CLOCK.PROCESS) return spanOf(ranOf(k, k.task.process));
  if (which === CLOCK.THREAD) return spanOf(k.task.ran);
  if (which < 0) return spanOf(ticksOfNamed(k, which));
  throw E.EINVAL;
}

/** The tick at which a clock shows a time. */
export const tickOf = (k: Work, which: number, ticks: number): number =>
  ofWall.has(which) ? ticks - ticksOf(START, 0) - moved(k) : ticks - ticksOf(...offsetTime(k, offsetOf(which), [0, 0]));

function setClock(k: Work, [seconds, nanoseconds]: Span): number {
  requireCapability(k, "CAP_SYS_TIME", k.state.initial.user!);
  const clockOffset = ticksOf(seconds - START, nanoseconds) - k.now;
  k.set({ initial: { ...k.state.initial, clockOffset } });
  return 0;
}

function setClockOf(k: Work, which: number, at: number, wide: boolean): number {
  if (which !== CLOCK.REALTIME) {
    clock(k, which);
    throw E.EINVAL;
  }
  return setClock(k, readSpan(k, at, wide));
}

function resolution(k: Work, which: number, at: number, wide: boolean): number {
  clock(k, which);
  const COARSE = 4_000_000;
  const coarse = which === CLOCK.REALTIME_COARSE || which === CLOCK.MONOTONIC_COARSE;
  if (at !== 0) writeSpan(k, at, [0, coarse ? COARSE : 1], wide);
  return 0;
}

/** Sleeps; `left` is where what is left of it is written when a handler is to run, 0 where it is not told. */
function sleepUntil(k: Work, until: () => number, left: number, wide = isWide(k)): number {
  const begun = k.call.progress as { readonly until: number } | undefined;
  const at = begun?.until ?? until();
  if (k.now >= at) return 0;
  if (left !== 0 && hasSignal(k)) writeSpan(k, left, spanOf(at - k.now), wide);
  throw new Wait([], at, { until: at }, "interrupt");
}

function sleepByClock(k: Work, which: number, flags: number, at: number, left: number, wide: boolean): number {
  const TIMER_ABSTIME = 1;
  const known = [CLOCK.REALTIME, CLOCK.MONOTONIC, CLOCK.BOOTTIME, CLOCK.TAI] as readonly number[];
  if (which === CLOCK.PROCESS) throw E.EOPNOTSUPP;
  if (!known.includes(which)) throw which < 0 || which > CLOCK.TAI ? E.EINVAL : E.EOPNOTSUPP;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  const until = (): number => (absolute ? tickOf(k, which, readTime(k, at, wide)) : k.now + readTime(k, at, wide));
  return sleepUntil(k, until, absolute ? 0 : left, wide);
}

const CLOCK_ARGUMENTS = "clockid:int tp:pointer";
const SLEEP_ARGUMENTS = "clockid:int flags:flags req:pointer rem:pointer";

export const timeCalls: readonly SystemCall[] = [
  call("clock_gettime", CLOCK_ARGUMENTS, (k, which, at) => {
    writeSpan(k, at, clock(k, which));
    return 0;
  }),
  call("clock_gettime64", CLOCK_ARGUMENTS, (k, which, at) => {
    writeSpan(k, at, clock(k, which), true);
    return 0;
  }),
  call("clock_settime", CLOCK_ARGUMENTS, (k, which, at) => setClockOf(k, which, at, isWide(k))),
  call("clock_settime64", CLOCK_ARGUMENTS, (k, which, at) => setClockOf(k, which, at, true)),
  call("clock_getres", CLOCK_ARGUMENTS, (k, which, at) => resolution(k, which, at, isWide(k))),
  call("clock_getres_time64", CLOCK_ARGUMENTS, (k, which, at) => resolution(k, which, at, true)),
  call("gettimeofday", "tv:pointer tz:pointer", (k, at, zone) => {
    if (at !== 0) writeMicroseconds(k, at, clock(k, CLOCK.REALTIME));
    if (zone !== 0) {
      writeWord(k, zone, 0);
      writeWord(k, zone + 4, 0);
    }
    return 0;
  }),
  call("settimeofday", "tv:pointer tz:pointer", (k, at) => {
    if (at === 0) {
      requireCapability(k, "CAP_SYS_TIME", k.state.initial.user!);
      return 0;
    }
    const [seconds, microseconds] = readSpan(k, at, isWide(k), 1e6);
    return setClock(k, [seconds, microseconds * 1000]);
  }),
  call("time", "tloc:pointer", (k, at) => {
    const [seconds] = clock(k, CLOCK.REALTIME);
    if (at !== 0) (isWide(k) ? writeLong : writeWord)(k, at, seconds);
    return seconds;
  }),
  call("stime", "tptr:pointer", (k, at) => setClock(k, [readWord(k, at) | 0, 0])),
  call("nanosleep", "req:pointer rem:pointer", (k, at, left) => sleepUntil(k, () => k.now + readTime(k, at), left)),
  call("clock_nanosleep", SLEEP_ARGUMENTS, (k, which, flags, at, left) =>
    sleepByClock(k, which, flags, at, left, isWide(k)),
  ),
  call("clock_nanosleep_time64", SLEEP_ARGUMENTS, (k, which, flags, at, left) =>
    sleepByClock(k, which, flags, at, left, true),
  ),
];
