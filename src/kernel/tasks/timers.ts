/** Timers that send signals: of real time, and of the time that a process has had. Spec: setitimer(2), timer_create(2), getrlimit(2) RLIMIT_CPU. */
import type { Countdown } from "../state.js";
import { TICKS_A_SECOND } from "../time.js";
import type { Work } from "../work.js";
import { cpuOf } from "./schedule.js";
import { SI } from "./signal-info.js";
import { kernelSignal, signalNumbers, signalProcess, signalTask } from "./signals.js";
import { defineTimer, setTimer } from "./waiting.js";

const { SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGKILL } = signalNumbers;
const RLIMIT_CPU = 0;

/** The next time that is not past, and how many have been. */
function next({ at, interval }: Countdown, now: number): { readonly at: number; readonly passed: number } | undefined {
  if (interval === 0) return undefined;
  const passed = Math.max(1, Math.floor((now - at) / interval) + 1);
  return { at: at + passed * interval, passed };
}

defineTimer("alarm", (k, pid) => {
  const process = k.state.processes.get(pid);
  if (process?.alarm === undefined) return;
  const following = next(process.alarm, k.now);
  const { interval } = process.alarm;
  setAlarmOf(k, pid, following === undefined ? undefined : { at: following.at, interval });
  signalProcess(k, pid, kernelSignal(SIGALRM));
});

/** ITIMER_REAL of a process. */
export function setAlarmOf(k: Work, pid: number, alarm: Countdown | undefined): void {
  k.setProcess(pid, { alarm });
  setTimer(k, pid, alarm?.at);
}

/** A timer that was made with timer_create(2). */
export interface PosixTimer {
  readonly kind: "posix-timer";
  readonly process: number;
  readonly id: number;
  readonly clock: number;
  /** 0: none is sent. */
  readonly signal: number;
  readonly value: number;
  /** The thread it is sent to; 0: the process. */
  readonly thread: number;
  readonly countdown: Countdown | undefined;
  readonly overrun: number;
}

defineTimer("posix-timer", (k, object) => {
  const timer = k.objectOf<PosixTimer>(object);
  const { countdown, process, id, signal, value, thread } = timer;
  if (countdown === undefined) return;
  const following = next(countdown, k.now);
  const overrun = (following?.passed ?? 1) - 1;
  setPosixTimer(k, object, following === undefined ? undefined : { ...countdown, at: following.at }, overrun);
  if (signal === 0) return;
  const info = { signal, code: SI.TIMER, pid: 0, uid: 0, value, more: [id, overrun] as const };
  if (thread === 0) signalProcess(k, process, info);
  else if (k.state.tasks.get(thread) !== undefined) signalTask(k, thread, info);
});

export function setPosixTimer(k: Work, object: number, countdown: Countdown | undefined, overrun = 0): void {
  k.changeObject<PosixTimer>(object, { countdown, overrun });
  setTimer(k, object, countdown?.at);
}

/** A program that ends, or gives way to another, has no timers of its own any more. */
export function dropTimers(k: Work, pid: number): void {
  for (const object of k.processOf(pid).timers ?? []) {
    if (object === undefined) continue;
    setTimer(k, object, undefined);
    k.setObject(object, undefined);
  }
  if (k.processOf(pid).timers !== undefined) k.setProcess(pid, { timers: undefined });
}

// ---- time that a process has had ------------------------------------------------------------------------------------

/** Ticks that its threads have had, those that have ended not among them. */
export function ranOf(k: Work, pid: number): number {
  let sum = 0;
  for (const tid of k.processOf(pid).threads) sum += k.taskOf(tid).ran;
  return k.current !== 0 && k.task.process === pid ? sum + k.now - cpuOf(k).since : sum;
}

interface CpuTimer {
  readonly kind: "cpu-timer";
  readonly process: number;
}

/** The process at work has been given the processor, or has another timer: it fires once the process has had that much time. */
export function startCpuTimers(k: Work): void {
  const { pid, cpuTimers, limits } = k.process;
  const [soft, hard] = limits[RLIMIT_CPU]!;
  if (cpuTimers === undefined && soft === Number.POSITIVE_INFINITY && hard === Number.POSITIVE_INFINITY) return;
  const ran = ranOf(k, pid);
  const due = [cpuTimers?.virtual?.at, cpuTimers?.profiling?.at, soft * TICKS_A_SECOND, hard * TICKS_A_SECOND];
  const left = Math.min(...due.filter((at) => at !== undefined && Number.isFinite(at)).map((at) => at! - ran));
  if (!Number.isFinite(left)) return;
  const { initial } = k.state;
  const object = initial.cpuTimer ?? k.addObject<CpuTimer>({ kind: "cpu-timer", process: pid });
  if (initial.cpuTimer === undefined) k.set({ initial: { ...k.state.initial, cpuTimer: object } });
  k.setObject<CpuTimer>(object, { kind: "cpu-timer", process: pid });
  setTimer(k, object, k.now + Math.max(1, left));
}

defineTimer("cpu-timer", (k, object) => {
  const { process: pid } = k.objectOf<CpuTimer>(object);
  if (k.current === 0 || k.task.process !== pid) return;
  const ran = ranOf(k, pid);
  for (const [name, signal] of [["virtual", SIGVTALRM] as const, ["profiling", SIGPROF] as const]) {
    const { cpuTimers } = k.processOf(pid);
    const countdown = cpuTimers?.[name];
    if (countdown === undefined || countdown.at > ran) continue;
    const following = next(countdown, ran);
    const left = following === undefined ? undefined : { ...countdown, at: following.at };
    k.setProcess(pid, { cpuTimers: { ...cpuTimers, [name]: left } });
    signalProcess(k, pid, kernelSignal(signal));
  }
  const [soft, hard] = k.processOf(pid).limits[RLIMIT_CPU]!;
  if (ran >= hard * TICKS_A_SECOND) signalProcess(k, pid, { ...kernelSignal(SIGKILL), forced: true });
  else if (ran >= soft * TICKS_A_SECOND) {
    // It is told again every second until it has had all of its time.
    const { limits } = k.processOf(pid);
    k.setProcess(pid, { limits: limits.with(RLIMIT_CPU, [soft + 1, hard]) });
    signalProcess(k, pid, kernelSignal(SIGXCPU));
  }
  startCpuTimers(k);
});
