/**
 * The threads and processes that /proc shows: their numbers in the PID namespace of the mount, and who may look into them.
 * Spec: proc(5); ptrace(2), "Ptrace access mode checking".
 */
import { E } from "../../errno.js";
import type { Process, Table, Task } from "../../state.js";
import { capable } from "../../tasks/capabilities.js";
import type { Work } from "../../work.js";

/** A thread or process that a directory of /proc is of. */
export interface Subject {
  /** Its number in the initial PID namespace. */
  readonly id: number;
  /** The directory is below "task". */
  readonly isThread: boolean;
  /** The PID namespace of the mount. */
  readonly namespace: number;
  /** The thread; of a process its first one; of a zombie its last one as it was. */
  readonly task: Task;
  readonly process: Process;
}

interface Numbers {
  readonly inside?: Table<number>;
  readonly outside?: Table<number>;
}

/** The number that a process, thread, group or session has in a PID namespace: 0 where it has none. */
export function numberIn(k: Work, namespace: number, id: number): number {
  if (namespace === k.state.initial.pid || id === 0) return id;
  return (k.state.objects.get(namespace) as Numbers | undefined)?.inside?.get(id) ?? 0;
}

/** What a number in a PID namespace stands for: 0 for nothing. */
export function outsideOf(k: Work, namespace: number, number: number): number {
  if (namespace === k.state.initial.pid) return number;
  return (k.state.objects.get(namespace) as Numbers | undefined)?.outside?.get(number) ?? 0;
}

/** A process as a subject; undefined where it is gone. */
export function processSubject(k: Work, namespace: number, id: number): Subject | undefined {
  const process = k.state.processes.get(id);
  if (process === undefined) return undefined;
  const [first = 0] = process.threads;
  const task = k.state.tasks.get(process.pid) ?? k.state.tasks.get(first) ?? process.remains;
  return task === undefined ? undefined : { id, isThread: false, namespace, task, process };
}

/** A thread as a subject. */
export function threadSubject(k: Work, namespace: number, id: number): Subject | undefined {
  const task = k.state.tasks.get(id);
  if (task !== undefined) return { id, isThread: true, namespace, task, process: k.processOf(task.process) };
  const zombie = processSubject(k, namespace, id);
  return zombie?.process.ended === true ? { ...zombie, isThread: true } : undefined;
}

/** Whether the thread at work may look into a process as a debugger may. */
export function mayInspect(k: Work, { task, process }: Subject): boolean {
  const own = k.task;
  if (own.process === process.pid) return true;
  const { fsuid, fsgid, capabilities } = own.credentials;
  const { uid, euid, suid, gid, egid, sgid, capabilities: others } = task.credentials;
  const traces = capable(k, own.credentials, own.namespaces.user, "CAP_SYS_PTRACE", task.namespaces.user);
  const sameIds = [uid, euid, suid].every((id) => id === fsuid) && [gid, egid, sgid].every((id) => id === fsgid);
  if ((!sameIds || !process.dumpable) && !traces) return false;
  const subset = task.namespaces.user === own.namespaces.user && (others.permitted & ~capabilities.permitted) === 0n;
  return subset || traces;
}

/** Throws EACCES. */
export function requireInspection(k: Work, subject: Subject): void {
  if (!mayInspect(k, subject)) throw E.EACCES;
}

/** All threads of a process, the first one first. */
export const threadsOf = ({ process }: Subject): readonly number[] =>
  process.threads.length === 0 ? [process.pid] : process.threads;
