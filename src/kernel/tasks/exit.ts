/** The end of threads and processes. Spec: _exit(2), exit_group(2), wait(2). */

import { countTasks } from "../cgroups/records.js";
import { Errno } from "../errno.js";
import { dropDescriptors } from "../fs/descriptors.js";
import { endSession } from "../fs/tty/sessions.js";
import { dropSpace, KERNEL_ROOT, useSpace } from "../mm/spaces.js";
import { writeWord } from "../mm/user-memory.js";
import {
  forgetProcess,
  isInit,
  membersOf,
  type PidNamespace,
  pidNamespaceOf,
  takeNumbersBack,
} from "../namespaces/pid.js";
import { dropNamespaces } from "../namespaces/records.js";
import type { OperatorProcess } from "../orders.js";
import type { Process } from "../state.js";
import type { Work } from "../work.js";
import { dropContext } from "./contexts.js";
import { wakeFutex } from "./futexes.js";
import { dropHandlers } from "./handlers.js";
import { dequeue, release } from "./schedule.js";
import { CLD } from "./signal-info.js";
import { signalNumbers, signalProcess } from "./signals.js";
import { wake, wakeTask } from "./waiting.js";

/** What a thread refers to is given back. */
function dropResources(k: Work, tid: number): void {
  const { space, descriptors, context, handlers } = k.taskOf(tid);
  if (tid === k.current) useSpace(k, KERNEL_ROOT);
  if (space !== 0) dropSpace(k, space);
  dropDescriptors(k, descriptors);
  dropContext(k, context);
  dropHandlers(k, handlers);
}

/** The thread at work has told its end where it was asked to. */
function tellEnd(k: Work): void {
  const { clearTid, space } = k.task;
  if (clearTid === 0 || space === 0 || k.space.users === 1) return;
  try {
    writeWord(k, clearTid, 0);
    wakeFutex(k, clearTid, 1);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
  }
}

function removeTask(k: Work, tid: number): void {
  const task = k.taskOf(tid);
  if (task.status.kind === "waiting") wakeTask(k, tid);
  if (k.taskOf(tid).status.kind === "ready") dequeue(k, tid);
  dropResources(k, tid);
  countTasks(k, task.cgroup, -1);
  const { threads } = k.processOf(task.process);
  k.setProcess(task.process, { threads: threads.filter((other) => other !== tid) });
  k.set({ tasks: k.state.tasks.set(tid, undefined) });
  if (tid !== task.process) takeNumbersBack(k, task.namespaces.pid, tid);
  dropNamespaces(k, task.namespaces);
  wake(k, tid);
}

/** All threads of a process that is not at work end, and it with them. */
export function killProcess(k: Work, pid: number, signal: number): void {
  const { threads } = k.processOf(pid);
  const uid = threads[0] === undefined ? 0 : k.taskOf(threads[0]).credentials.uid;
  for (const tid of threads) removeTask(k, tid);
  if (!k.processOf(pid).ended) endProcess(k, pid, signal, uid);
}

/** The first process of a PID namespace has ended: all others in it do, and nobody hears of them. */
function endNamespace(k: Work, init: Process): void {
  const namespace = pidNamespaceOf(init);
  k.changeObject<PidNamespace>(namespace, { ended: true });
  for (const pid of membersOf(k, namespace)) {
    if (pid === init.pid || k.state.processes.get(pid) === undefined) continue;
    killProcess(k, pid, signalNumbers.SIGKILL);
    if (k.state.processes.get(pid) !== undefined && isAround(k, namespace, k.processOf(pid).parent)) reap(k, pid);
  }
}

/** Whether a process that could wait for another is of the same namespace, or is gone. */
function isAround(k: Work, namespace: number, parent: number): boolean {
  const process = k.state.processes.get(parent);
  return process === undefined || process.numbers.some((one) => one.namespace === namespace);
}

/** The thread at work ends; the last one of a process ends it with a wait status. */
export function exitThread(k: Work, status: number): void {
  const tid = k.current;
  const { process } = k.task;
  k.save();
  tellEnd(k);
  const { ran, credentials } = k.task;
  release(k);
  removeTask(k, tid);
  k.setProcess(process, { childrenRan: k.processOf(process).childrenRan + ran });
  if (k.processOf(process).threads.length === 0) endProcess(k, process, status, credentials.uid);
}

/** All threads of the process at work end. */
export function exitProcess(k: Work, status: number): void {
  endOtherThreads(k);
  exitThread(k, status);
}

/** Threads of the process at work but this one. Spec: execve(2), "Effect on process attributes". */
export function endOtherThreads(k: Work): void {
  for (const tid of k.process.threads) if (tid !== k.current) removeTask(k, tid);
}

/** A process has no thread any more: it is a zombie until its parent has heard of it. */
function endProcess(k: Work, pid: number, status: number, uid: number): void {
  const { parent, exitSignal, operator } = k.processOf(pid);
  endSession(k, k.processOf(pid));
  if (operator !== undefined) k.changeObject<OperatorProcess>(operator, { status });
  if (isInit(k, k.processOf(pid)) && pidNamespaceOf(k.processOf(pid)) !== k.state.initial.pid)
    endNamespace(k, k.processOf(pid));
  const { children } = k.processOf(pid);
  for (const child of children) adopt(k, child, reaperOf(k, pid));
  k.setProcess(pid, { ended: true, status, children: [], pending: [] });
  const watcher = k.state.processes.get(parent);
  if (watcher === undefined || watcher.ended) return;
  const ignores = ignoresChildren(k, parent);
  if (exitSignal !== 0) signalProcess(k, parent, { signal: exitSignal, ...endOf(status), pid, uid });
  if (ignores && exitSignal === signalNumbers.SIGCHLD) reap(k, pid);
  wake(k, parent);
}

/** si_code and si_status of a child's end. */
export const endOf = (status: number): { readonly code: number; readonly value: number } =>
  (status & 0x7f) === 0
    ? { code: CLD.EXITED, value: (status >> 8) & 0xff }
    : { code: (status & 0x80) === 0 ? CLD.KILLED : CLD.DUMPED, value: status & 0x7f };

/** SIGCHLD is ignored, or SA_NOCLDWAIT set: nobody will wait. */
function ignoresChildren(k: Work, pid: number): boolean {
  const [tid] = k.processOf(pid).threads;
  if (tid === undefined) return false;
  const action = k.state.handlers.get(k.taskOf(tid).handlers)!.actions.get(signalNumbers.SIGCHLD);
  const SA_NOCLDWAIT = 2;
  return action !== undefined && (action.handler === 1 || (action.flags & SA_NOCLDWAIT) !== 0);
}

/** Who becomes the parent of orphans: the first process of their PID namespace, unless one nearer has asked for it. */
function reaperOf(k: Work, pid: number): number {
  for (let at = k.processOf(pid).parent; at !== 0; ) {
    const process = k.state.processes.get(at);
    if (process === undefined) break;
    if (process.isSubreaper && !process.ended) return at;
    at = process.parent;
  }
  const namespace = k.state.objects.get(pidNamespaceOf(k.processOf(pid))) as PidNamespace | undefined;
  const init = namespace?.init ?? 1;
  return init === pid || k.state.processes.get(init)?.ended === true ? 1 : init;
}

function adopt(k: Work, child: number, parent: number): void {
  k.setProcess(child, { parent });
  const adopter = k.state.processes.get(parent);
  if (adopter === undefined || parent === child) return;
  k.setProcess(parent, { children: [...adopter.children, child] });
  if (k.processOf(child).ended) wake(k, parent);
}

/** A zombie's last trace goes. */
export function reap(k: Work, pid: number): void {
  const { parent } = k.processOf(pid);
  const around = k.state.processes.get(parent);
  if (around !== undefined) {
    const own = k.processOf(pid);
    k.setProcess(parent, {
      children: around.children.filter((other) => other !== pid),
      childrenRan: around.childrenRan + own.childrenRan,
    });
  }
  const gone = k.processOf(pid);
  k.set({ processes: k.state.processes.set(pid, undefined) });
  forgetProcess(k, gone);
}
