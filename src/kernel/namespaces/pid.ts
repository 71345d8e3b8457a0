/**
 * Numbers of processes and threads in PID namespaces. Records and channels have the numbers of the initial namespace; programs are told,
 * and tell, those of their own.
 * Spec: pid_namespaces(7); credentials(7), "Process ID".
 */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import type { Process, Table } from "../state.js";
import type { Work } from "../work.js";
import { addNamespace, type Namespace } from "./records.js";

export interface PidNamespace extends Namespace {
  readonly kind: "pid";
  readonly parent: number;
  readonly level: number;
  /** The process that has number 1 in it; 0 before it is there. */
  readonly init: number;
  /** Its first process has ended: nothing begins in it any more. */
  readonly ended: boolean;
  readonly last: number;
  /** From numbers in it to those of the initial namespace, and back. */
  readonly outside: Table<number>;
  readonly inside: Table<number>;
}

/** Spec: pid_namespaces(7), "Nesting PID namespaces": 32 levels. */
const MOST_LEVELS = 32;
const MOST_NUMBER = 32_768;

/** What the initial one has beside what all namespaces have: its numbers are the records' own. */
export const firstPidNamespace = {
  ...{ parent: 0, level: 0, init: 1, ended: false, last: 0 },
  ...{ outside: PersistentMap.empty<number>(), inside: PersistentMap.empty<number>() },
} as const;

/** Throws ENOSPC. */
export function newPidNamespace(k: Work, parent: number, home: number): number {
  const { level } = k.objectOf<PidNamespace>(parent);
  if (level >= MOST_LEVELS) throw E.ENOSPC;
  return addNamespace<PidNamespace>(k, {
    ...{ ...firstPidNamespace, kind: "pid", home, init: 0 },
    ...{ parent, level: level + 1 },
  });
}

const isFirst = (k: Work, namespace: number): boolean => namespace === k.state.initial.pid;

/** The number that a process, thread, group or session has in a namespace: 0 where it has none. */
export function numberIn(k: Work, namespace: number, pid: number): number {
  if (isFirst(k, namespace) || pid === 0) return pid;
  return (k.state.objects.get(namespace) as PidNamespace | undefined)?.inside.get(pid) ?? 0;
}

/** The number as the thread at work is told it. */
export const pidInside = (k: Work, pid: number): number => numberIn(k, k.task.namespaces.pid, pid);

/** The process or thread that a number of the thread at work stands for: 0 for none, which is no process. */
export function pidOutside(k: Work, number: number): number {
  const { pid } = k.task.namespaces;
  if (isFirst(k, pid) || number <= 0) return Math.max(0, number);
  return k.objectOf<PidNamespace>(pid).outside.get(number) ?? 0;
}

/** Namespaces from one outwards, the initial one last. */
function outwards(k: Work, from: number): readonly number[] {
  const found: number[] = [];
  for (let id = from; id !== 0; id = k.objectOf<PidNamespace>(id).parent) found.push(id);
  return found;
}

/** Whether a namespace is another one, or lies in it. */
export const isWithin = (k: Work, namespace: number, around: number): boolean =>
  outwards(k, namespace).includes(around);

function freeNumber({ last, outside }: PidNamespace): number {
  for (let tries = 1; tries < MOST_NUMBER; tries++) {
    const number = ((last + tries - 1) % (MOST_NUMBER - 1)) + 1;
    if (outside.get(number) === undefined) return number;
  }
  throw E.EAGAIN;
}

/**
 * Gives a new process or thread its numbers in a namespace and those around it. `wanted` are those that clone3(2) asks for, the innermost
 * one first. Throws EAGAIN, EEXIST, EINVAL; ENOMEM where the namespace has ended.
 */
export function giveNumbers(
  k: Work,
  namespace: number,
  pid: number,
  wanted: readonly number[] = [],
): Process["numbers"] {
  const levels = outwards(k, namespace);
  if (k.objectOf<PidNamespace>(namespace).ended) throw E.ENOMEM;
  const numbers = levels.map((id, index) => {
    if (isFirst(k, id)) return pid;
    const record = k.objectOf<PidNamespace>(id);
    const asked = wanted[index];
    if (asked === undefined) return freeNumber(record);
    if (asked < 1 || asked >= MOST_NUMBER || (asked !== 1 && record.init === 0)) throw E.EINVAL;
    if (record.outside.get(asked) !== undefined) throw E.EEXIST;
    return asked;
  });
  levels.forEach((id, index) => {
    if (isFirst(k, id)) return;
    const number = numbers[index]!;
    const { outside, inside, init, last } = k.objectOf<PidNamespace>(id);
    k.changeObject<PidNamespace>(id, {
      outside: outside.set(number, pid),
      inside: inside.set(pid, number),
      init: number === 1 ? pid : init,
      last: wanted[index] === undefined ? number : last,
    });
  });
  return levels.map((id, index) => ({ namespace: id, number: numbers[index]! }));
}

/** A process or thread is gone, and nothing is named by its number. */
export function takeNumbersBack(k: Work, namespace: number, pid: number): void {
  for (let id = namespace; id !== 0 && !isFirst(k, id); ) {
    const record = k.state.objects.get(id) as PidNamespace | undefined;
    if (record === undefined) return;
    const number = record.inside.get(pid);
    if (number !== undefined)
      k.changeObject<PidNamespace>(id, {
        outside: record.outside.set(number, undefined),
        inside: record.inside.set(pid, undefined),
      });
    id = record.parent;
  }
}

/** The namespace a process has its innermost number in. */
export const pidNamespaceOf = ({ numbers }: Process): number => numbers[0]!.namespace;

/** A process was waited for. Its number stays while a group or session is called by it. */
export function forgetProcess(k: Work, gone: Process): void {
  const namespace = pidNamespaceOf(gone);
  if (isFirst(k, namespace)) return;
  for (const pid of new Set([gone.pid, gone.group, gone.session])) {
    if (k.state.processes.get(pid) !== undefined) continue;
    let named = false;
    for (const [, { group, session }] of k.state.processes.entries()) named ||= group === pid || session === pid;
    if (!named) takeNumbersBack(k, namespace, pid);
  }
}

/** Whether a process is the first one of its namespace: orphans become its children, and all end with it. */
export function isInit(k: Work, process: Process): boolean {
  const namespace = k.state.objects.get(pidNamespaceOf(process)) as PidNamespace | undefined;
  return namespace?.init === process.pid;
}

/** Processes that have a number in a namespace, by rising number of the initial one. */
export function membersOf(k: Work, namespace: number): readonly number[] {
  const found: number[] = [];
  for (const [pid, process] of k.state.processes.entries())
    if (process.numbers.some((one) => one.namespace === namespace)) found.push(pid);
  return found;
}

/**
 * Whether a signal does nothing to a process because it is the first one of its namespace and has no handler for it: from inside none
 * does, from outside SIGKILL and SIGSTOP do. Spec: pid_namespaces(7), "The namespace init process".
 */
export function isShielded(k: Work, target: Process, signal: number, sender: number | undefined): boolean {
  if (!isInit(k, target)) return false;
  const [SIGKILL, SIGSTOP] = [9, 19];
  if (signal !== SIGKILL && signal !== SIGSTOP) return true;
  const own = pidNamespaceOf(target);
  const from = sender === undefined ? undefined : k.state.tasks.get(sender)?.namespaces.pid;
  return isFirst(k, own) || (from !== undefined && isWithin(k, from, own));
}
