/**
 * Signals: sent, held back, and taken. What a program has no handler for is done to it here.
 * Spec: signal(7), sigaction(2).
 */
import { E } from "../errno.js";
import type { PendingSignal, SignalAction, Task } from "../state.js";
import type { Work } from "../work.js";
import { exitProcess } from "./exit.js";
import { SIG } from "./handlers.js";
import { wakeTask } from "./waiting.js";

/** By number. Spec: signal(7), "Signal numbering for standard signals". */
export const signalNumbers = {
  ...{ SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGTRAP: 5, SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9 },
  ...{ SIGUSR1: 10, SIGSEGV: 11, SIGUSR2: 12, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15, SIGSTKFLT: 16, SIGCHLD: 17 },
  ...{ SIGCONT: 18, SIGSTOP: 19, SIGTSTP: 20, SIGTTIN: 21, SIGTTOU: 22, SIGURG: 23, SIGXCPU: 24, SIGXFSZ: 25 },
  ...{ SIGVTALRM: 26, SIGPROF: 27, SIGWINCH: 28, SIGIO: 29, SIGPWR: 30, SIGSYS: 31 },
} as const;
export type SignalName = keyof typeof signalNumbers;
export const MOST_SIGNAL = 64;

/** What is done where there is no handler. Spec: signal(7), "Standard signals". */
const IGNORED: ReadonlySet<number> = new Set([17, 18, 23, 28]);
const DUMPS: ReadonlySet<number> = new Set([3, 4, 5, 6, 7, 8, 11, 24, 25, 31]);

export const maskBit = (signal: number): bigint => 1n << BigInt(signal - 1);
export const kernelSignal = (signal: number): PendingSignal => ({ signal, code: 0x80, pid: 0, uid: 0, value: 0 });

export const actionOf = (k: Work, task: Task, signal: number): SignalAction | undefined =>
  k.state.handlers.get(task.handlers)?.actions.get(signal);

/** Whether a signal would do nothing to a thread. */
function isIgnored(k: Work, task: Task, signal: number): boolean {
  const handler = actionOf(k, task, signal)?.handler ?? SIG.DFL;
  return handler === SIG.IGN || (handler === SIG.DFL && IGNORED.has(signal));
}

/** Sends a signal to a thread. */
export function signalTask(k: Work, tid: number, signal: PendingSignal): void {
  const task = k.taskOf(tid);
  if (isIgnored(k, task, signal.signal) && (task.blocked & maskBit(signal.signal)) === 0n) return;
  if (signal.signal < 32 && task.pending.some((one) => one.signal === signal.signal)) return;
  k.setTask(tid, { pending: [...task.pending, signal] });
  if ((task.blocked & maskBit(signal.signal)) === 0n) wakeTask(k, tid);
}

/** Sends a signal to a process: to any of its threads that takes it. */
export function signalProcess(k: Work, pid: number, signal: PendingSignal): void {
  const process = k.state.processes.get(pid);
  if (process === undefined || process.ended) return;
  const threads = process.threads.map((tid) => k.taskOf(tid));
  const taker = threads.find(({ blocked }) => (blocked & maskBit(signal.signal)) === 0n);
  if (threads.length > 0 && isIgnored(k, threads[0]!, signal.signal) && taker !== undefined) return;
  if (signal.signal < 32 && process.pending.some((one) => one.signal === signal.signal)) return;
  k.setProcess(pid, { pending: [...process.pending, signal] });
  if (taker !== undefined) wakeTask(k, taker.tid);
}

/** Whether the thread at work has a signal to take. */
export function hasSignal(k: Work): boolean {
  const { pending, blocked, process } = k.task;
  const waits = ({ signal }: PendingSignal): boolean => (blocked & maskBit(signal)) === 0n;
  return pending.some(waits) || k.processOf(process).pending.some(waits);
}

function takeSignal(k: Work): PendingSignal | undefined {
  const { pending, blocked, process } = k.task;
  const shared = k.processOf(process).pending;
  const waits = ({ signal }: PendingSignal): boolean => (blocked & maskBit(signal)) === 0n;
  const own = pending.find(waits);
  if (own !== undefined) {
    k.setTask(k.current, { pending: pending.filter((one) => one !== own) });
    return own;
  }
  const other = shared.find(waits);
  if (other !== undefined) k.setProcess(process, { pending: shared.filter((one) => one !== other) });
  return other;
}

/** The thread at work takes the signals that wait for it, before it goes on. It may have ended afterwards. */
export function takeSignals(k: Work): void {
  for (let signal = takeSignal(k); signal !== undefined; signal = takeSignal(k)) {
    const action = actionOf(k, k.task, signal.signal);
    if (action === undefined || action.handler === SIG.DFL) {
      if (IGNORED.has(signal.signal)) continue;
      exitProcess(k, signal.signal | (DUMPS.has(signal.signal) ? 0 : 0));
      return;
    }
    if (action.handler === SIG.IGN) continue;
    throw E.ENOSYS;
  }
}

/** An exception of the program at work becomes a signal that it cannot hold back. */
export function forceSignal(k: Work, signal: PendingSignal): void {
  const { blocked, handlers } = k.task;
  const bit = maskBit(signal.signal);
  if ((blocked & bit) !== 0n || actionOf(k, k.task, signal.signal)?.handler === SIG.IGN) {
    const table = k.state.handlers.get(handlers)!;
    const reset = { ...table, actions: table.actions.set(signal.signal, undefined) };
    k.set({ handlers: k.state.handlers.set(handlers, reset) });
    k.setTask(k.current, { blocked: blocked & ~bit });
  }
  k.setTask(k.current, { pending: [signal, ...k.task.pending] });
}
