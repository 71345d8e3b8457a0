/**
 * Signals on their way: sent, held back, and taken up again. What is done when one is taken is in `delivery.ts`.
 * Spec: signal(7), sigaction(2), kill(2).
 */
import type { PendingSignal, Process, SignalAction, Task } from "../state.js";
import type { Work } from "../work.js";
import { SIG } from "./handlers.js";
import { FIRST_REAL_TIME, MOST_SIGNAL, type SignalName, signalNumbers } from "./signal-numbers.js";
import { continueProcess } from "./stops.js";
import { wake, wakeTask } from "./waiting.js";

export { MOST_SIGNAL, type SignalName, signalNumbers };

const { SIGKILL, SIGSTOP, SIGCONT, SIGCHLD, SIGURG, SIGWINCH } = signalNumbers;
/** What is done where there is no handler. Spec: signal(7), "Standard signals". */
export const IGNORED: ReadonlySet<number> = new Set([SIGCHLD, SIGCONT, SIGURG, SIGWINCH]);
export const STOPS: ReadonlySet<number> = new Set([19, 20, 21, 22]);
/** Exceptions of the program come before what others send. */
const SYNCHRONOUS: ReadonlySet<number> = new Set([4, 5, 7, 8, 11, 31]);

export const maskBit = (signal: number): bigint => 1n << BigInt(signal - 1);
/** Signals that nobody can hold back. */
export const UNBLOCKABLE = maskBit(SIGKILL) | maskBit(SIGSTOP);
export const kernelSignal = (signal: number): PendingSignal => ({ signal, code: 0x80, pid: 0, uid: 0, value: 0 });

export const actionOf = (k: Work, task: Task, signal: number): SignalAction | undefined =>
  k.state.handlers.get(task.handlers)?.actions.get(signal);

/**
 * Whether a process is the first of its PID namespace, which signals without a handler do nothing to. What the operator has started is no
 * init of his, whatever number it has. Spec: pid_namespaces(7), "The namespace init process".
 */
export const isInit = ({ numbers, operator }: Process): boolean => numbers[0]?.number === 1 && operator === undefined;

/** Whether a signal would do nothing to a thread. */
function isIgnored(k: Work, task: Task, { signal, forced = false }: PendingSignal): boolean {
  const bit = maskBit(signal);
  if ((task.blocked & bit) !== 0n || ((task.awaits ?? 0n) & bit) !== 0n) return false;
  const handler = actionOf(k, task, signal)?.handler ?? SIG.DFL;
  if (handler === SIG.IGN) return true;
  return handler === SIG.DFL && (IGNORED.has(signal) || (!forced && isInit(k.processOf(task.process))));
}

/** Stop signals and SIGCONT take each other back; SIGCONT and SIGKILL let a process go on, whatever else becomes of them. */
function prepare(k: Work, pid: number, signal: number): void {
  if (STOPS.has(signal)) dropPending(k, pid, new Set([SIGCONT]));
  if (signal === SIGCONT) dropPending(k, pid, STOPS);
  const { stoppedBy } = k.processOf(pid);
  if (stoppedBy !== undefined && (signal === SIGCONT || signal === SIGKILL)) continueProcess(k, pid, signal);
}

function dropPending(k: Work, pid: number, signals: ReadonlySet<number>): void {
  const left = (pending: readonly PendingSignal[]) => pending.filter(({ signal }) => !signals.has(signal));
  const { pending, threads } = k.processOf(pid);
  if (pending.length > 0) k.setProcess(pid, { pending: left(pending) });
  for (const tid of threads) {
    const own = k.taskOf(tid).pending;
    if (own.length > 0) k.setTask(tid, { pending: left(own) });
  }
}

/** Whether one more of a signal makes no difference. */
const isPending = (pending: readonly PendingSignal[], { signal }: PendingSignal): boolean =>
  signal < FIRST_REAL_TIME && pending.some((one) => one.signal === signal);

/** The thread looks up, if the signal is one that it takes. */
function notify(k: Work, { tid, blocked, awaits, status, handlers }: Task, signal: number): void {
  const bit = maskBit(signal);
  wake(k, handlers);
  if ((blocked & bit) !== 0n && ((awaits ?? 0n) & bit) === 0n) return;
  if (status.kind === "waiting" && (status.interruptible || signal === SIGKILL)) wakeTask(k, tid);
}

/** Sends a signal to a thread. */
export function signalTask(k: Work, tid: number, signal: PendingSignal): void {
  prepare(k, k.taskOf(tid).process, signal.signal);
  const task = k.taskOf(tid);
  if (isIgnored(k, task, signal) || isPending(task.pending, signal)) return;
  k.setTask(tid, { pending: [...task.pending, signal] });
  notify(k, task, signal.signal);
}

/** Sends a signal to a process: to any of its threads that takes it. */
export function signalProcess(k: Work, pid: number, signal: PendingSignal): void {
  const found = k.state.processes.get(pid);
  if (found === undefined || found.ended || found.threads.length === 0) return;
  prepare(k, pid, signal.signal);
  const { threads: tids, pending } = k.processOf(pid);
  const threads = tids.map((tid) => k.taskOf(tid));
  const main = threads.find(({ tid }) => tid === pid) ?? threads[0]!;
  if (isIgnored(k, main, signal) || isPending(pending, signal)) return;
  k.setProcess(pid, { pending: [...pending, signal] });
  const bit = maskBit(signal.signal);
  const takes = ({ blocked }: Task): boolean => (blocked & bit) === 0n;
  const awaits = (task: Task): boolean => ((task.awaits ?? 0n) & bit) !== 0n;
  notify(k, [main, ...threads].find(takes) ?? threads.find(awaits) ?? main, signal.signal);
}

/** Whether the thread at work has a signal to take. */
export function hasSignal(k: Work): boolean {
  const { pending, blocked, process } = k.task;
  const shared = k.processOf(process).pending;
  if (pending.length === 0 && shared.length === 0) return false;
  const waits = ({ signal }: PendingSignal): boolean => (blocked & maskBit(signal)) === 0n;
  return pending.some(waits) || shared.some(waits);
}

/** Whether nothing can keep the thread at work from its end. */
export function isKilled(k: Work): boolean {
  const kills = ({ signal }: PendingSignal): boolean => signal === SIGKILL;
  return k.task.pending.some(kills) || k.process.pending.some(kills);
}

const rank = ({ signal }: PendingSignal): number => signal + (SYNCHRONOUS.has(signal) ? 0 : MOST_SIGNAL);

function first(pending: readonly PendingSignal[], wanted: bigint): PendingSignal | undefined {
  let found: PendingSignal | undefined;
  for (const one of pending) {
    if ((wanted & maskBit(one.signal)) === 0n) continue;
    if (found === undefined || rank(one) < rank(found)) found = one;
  }
  return found;
}

/** Takes a signal of a set that waits for the thread at work: those for it alone first, then by number. */
export function takeSignal(k: Work, wanted: bigint): PendingSignal | undefined {
  const { pending, process } = k.task;
  const own = first(pending, wanted);
  if (own !== undefined) {
    k.setTask(k.current, { pending: pending.filter((one) => one !== own) });
    return own;
  }
  const shared = k.processOf(process).pending;
  const other = first(shared, wanted);
  if (other !== undefined) k.setProcess(process, { pending: shared.filter((one) => one !== other) });
  return other;
}

export function setAction(k: Work, signal: number, action: SignalAction | undefined): void {
  const table = k.state.handlers.get(k.task.handlers)!;
  k.set({ handlers: k.state.handlers.set(table.id, { ...table, actions: table.actions.set(signal, action) }) });
}

/** An exception of the program at work becomes a signal that it cannot hold back. */
export function forceSignal(k: Work, signal: PendingSignal): void {
  const { blocked } = k.task;
  const bit = maskBit(signal.signal);
  if ((blocked & bit) !== 0n || actionOf(k, k.task, signal.signal)?.handler === SIG.IGN) {
    setAction(k, signal.signal, undefined);
    k.setTask(k.current, { blocked: blocked & ~bit });
  }
  k.setTask(k.current, { pending: [{ ...signal, forced: true }, ...k.task.pending] });
}

/** Another mask for the time of the call at work: the old one comes back when it ends, or goes into the frame of a handler. Spec: sigsuspend(2), ppoll(2). */
export function blockForCall(k: Work, mask: bigint): void {
  const { savedMask, blocked } = k.task;
  k.setTask(k.current, { savedMask: savedMask ?? blocked, blocked: mask & ~UNBLOCKABLE });
  k.masked = true;
}
