/** System calls on timers. Spec: setitimer(2), alarm(2), timer_create(2), timer_settime(2), timer_getoverrun(2). */
import { E } from "../errno.js";
import { readUser, writeUser } from "../mm/user-memory.js";
import type { Countdown } from "../state.js";
import { MOST_SIGNAL, signalNumbers } from "../tasks/signals.js";
import { type PosixTimer, ranOf, setAlarmOf, setPosixTimer, startCpuTimers } from "../tasks/timers.js";
import { setTimer } from "../tasks/waiting.js";
import { spanOf, TICKS_A_SECOND } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { clock, tickOf } from "./time.js";
import { isWide, readMicroseconds, readTime, type Span, writeMicroseconds, writeSpan } from "./times.js";

const ITIMER = { REAL: 0, VIRTUAL: 1, PROF: 2 } as const;
const named = ["", "virtual", "profiling"] as const;

/** A timer, and how far the time that it counts has come. */
function intervalTimer(k: Work, which: number): { readonly countdown: Countdown | undefined; readonly now: number } {
  if (which === ITIMER.REAL) return { countdown: k.process.alarm, now: k.now };
  if (which !== ITIMER.VIRTUAL && which !== ITIMER.PROF) throw E.EINVAL;
  const name = named[which] as "virtual" | "profiling";
  return { countdown: k.process.cpuTimers?.[name], now: ranOf(k, k.task.process) };
}

function leftOf(countdown: Countdown | undefined, now: number): readonly [interval: Span, left: Span] {
  if (countdown === undefined)
    return [
      [0, 0],
      [0, 0],
    ];
  // What is not over is not 0.
  const [seconds, nanoseconds] = spanOf(Math.max(0, countdown.at - now));
  return [spanOf(countdown.interval), [seconds, Math.max(nanoseconds, seconds === 0 ? 1000 : 0)]];
}

function writeInterval(k: Work, at: number, which: number): void {
  const { countdown, now } = intervalTimer(k, which);
  const [interval, left] = leftOf(countdown, now);
  const size = isWide(k) ? 16 : 8;
  writeMicroseconds(k, at, interval);
  writeMicroseconds(k, at + size, left);
}

function setInterval(k: Work, which: number, newAt: number, oldAt: number): number {
  const size = isWide(k) ? 16 : 8;
  const { now } = intervalTimer(k, which);
  const interval = newAt === 0 ? 0 : readMicroseconds(k, newAt);
  const first = newAt === 0 ? 0 : readMicroseconds(k, newAt + size);
  if (oldAt !== 0) writeInterval(k, oldAt, which);
  const countdown = first === 0 ? undefined : { at: now + first, interval };
  if (which === ITIMER.REAL) setAlarmOf(k, k.task.process, countdown);
  else {
    const { pid, cpuTimers } = k.process;
    k.setProcess(pid, { cpuTimers: { ...cpuTimers, [named[which]!]: countdown } });
    startCpuTimers(k);
  }
  return 0;
}

/** Seconds left, rounded as Linux does: never to 0. */
function alarm(k: Work, seconds: number): number {
  const { alarm: old, pid } = k.process;
  const left = old === undefined ? 0 : Math.max(1, Math.round((old.at - k.now) / TICKS_A_SECOND));
  setAlarmOf(k, pid, seconds === 0 ? undefined : { at: k.now + seconds * TICKS_A_SECOND, interval: 0 });
  return left;
}

// ---- POSIX timers ---------------------------------------------------------------------------------------------------

const NOTIFY = { SIGNAL: 0, NONE: 1, THREAD: 2, THREAD_ID: 4 } as const;
const CLOCKS: ReadonlySet<number> = new Set([0, 1, 7, 11]);

/** Number of a timer's object. Throws EINVAL. */
function timerAt(k: Work, id: number): number {
  const object = id < 0 ? undefined : k.process.timers?.[id];
  if (object === undefined) throw E.EINVAL;
  return object;
}

/** How a timer tells its end: struct sigevent. Throws EINVAL. */
function readEvent(k: Work, at: number, id: number): Pick<PosixTimer, "signal" | "value" | "thread"> {
  if (at === 0) return { signal: signalNumbers.SIGALRM, value: id, thread: 0 };
  const wide = isWide(k);
  const view = new DataView(readUser(k, at, wide ? 24 : 16).buffer);
  const value = wide ? view.getInt32(4, true) * 2 ** 32 + view.getUint32(0, true) : view.getInt32(0, true);
  const [signal, notify, thread] = [0, 4, 8].map((offset) => view.getInt32((wide ? 8 : 4) + offset, true)) as [
    number,
    number,
    number,
  ];
  if (notify === NOTIFY.NONE) return { signal: 0, value, thread: 0 };
  if (notify !== NOTIFY.SIGNAL && notify !== NOTIFY.THREAD && notify !== NOTIFY.THREAD_ID) throw E.EINVAL;
  if (signal < 1 || signal > MOST_SIGNAL) throw E.EINVAL;
  if (notify !== NOTIFY.THREAD_ID) return { signal, value, thread: 0 };
  if (k.state.tasks.get(thread)?.process !== k.task.process) throw E.EINVAL;
  return { signal, value, thread };
}

function create(k: Work, which: number, eventAt: number, idAt: number): number {
  if (!CLOCKS.has(which)) {
    clock(k, which);
    throw E.EOPNOTSUPP;
  }
  const { pid, timers = [] } = k.process;
  const free = timers.indexOf(undefined);
  const id = free < 0 ? timers.length : free;
  const event = readEvent(k, eventAt, id);
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, id, true);
  writeUser(k, idAt, new Uint8Array(view.buffer));
  const object = k.addObject<PosixTimer>({
    kind: "posix-timer",
    ...{ process: pid, id, clock: which, ...event, countdown: undefined, overrun: 0 },
  });
  k.setProcess(pid, { timers: free < 0 ? [...timers, object] : timers.with(id, object) });
  return 0;
}

function writeTimer(k: Work, at: number, object: number, wide: boolean): void {
  const [interval, left] = leftOf(k.objectOf<PosixTimer>(object).countdown, k.now);
  writeSpan(k, at, interval, wide);
  writeSpan(k, at + (wide ? 16 : 8), left, wide);
}

function setTime(k: Work, id: number, flags: number, newAt: number, oldAt: number, wide: boolean): number {
  const TIMER_ABSTIME = 1;
  const object = timerAt(k, id);
  if (newAt === 0) throw E.EINVAL;
  const interval = readTime(k, newAt, wide);
  const first = readTime(k, newAt + (wide ? 16 : 8), wide);
  if (oldAt !== 0) writeTimer(k, oldAt, object, wide);
  const { clock: which } = k.objectOf<PosixTimer>(object);
  const at = (flags & TIMER_ABSTIME) === 0 ? k.now + first : tickOf(k, which, first);
  setPosixTimer(k, object, first === 0 ? undefined : { at, interval });
  return 0;
}

function remove(k: Work, id: number): number {
  const object = timerAt(k, id);
  setTimer(k, object, undefined);
  k.setObject(object, undefined);
  k.setProcess(k.task.process, { timers: k.process.timers!.with(id, undefined) });
  return 0;
}

const SET_ARGUMENTS = "timerid:int flags:flags new_value:pointer old_value:pointer";

export const timerCalls: readonly SystemCall[] = [
  call("alarm", "seconds:uint", alarm),
  call("setitimer", "which:int new_value:pointer old_value:pointer", setInterval),
  call("getitimer", "which:int curr_value:pointer", (k, which, at) => {
    intervalTimer(k, which);
    writeInterval(k, at, which);
    return 0;
  }),
  call("timer_create", "clockid:int sevp:pointer timerid:pointer", create),
  call("timer_settime", SET_ARGUMENTS, (k, id, flags, newAt, oldAt) => setTime(k, id, flags, newAt, oldAt, isWide(k))),
  call("timer_settime64", SET_ARGUMENTS, (k, id, flags, newAt, oldAt) => setTime(k, id, flags, newAt, oldAt, true)),
  call("timer_gettime", "timerid:int curr_value:pointer", (k, id, at) => {
    writeTimer(k, at, timerAt(k, id), isWide(k));
    return 0;
  }),
  call("timer_gettime64", "timerid:int curr_value:pointer", (k, id, at) => {
    writeTimer(k, at, timerAt(k, id), true);
    return 0;
  }),
  call("timer_getoverrun", "timerid:int", (k, id) => k.objectOf<PosixTimer>(timerAt(k, id)).overrun),
  call("timer_delete", "timerid:int", remove),
];
