/** System calls on the scheduler. Spec: sched(7), setpriority(2), sched_setaffinity(2), sched_setscheduler(2), getcpu(2). */
import { E } from "../errno.js";
import { readUser, readWord, writeUser, writeWord } from "../mm/user-memory.js";
import { pidOutside } from "../namespaces/pid.js";
import type { Task } from "../state.js";
import { may } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { isWide, writeSpan } from "./times.js";

/** Throws ESRCH. */
function taskAt(k: Work, tid: number): Task {
  const task = tid === 0 ? k.task : k.state.tasks.get(pidOutside(k, tid));
  if (task === undefined) throw E.ESRCH;
  return task;
}

/** Throws EPERM for threads of others. */
function requireOwner(k: Work, { credentials }: Task): void {
  const { euid } = k.task.credentials;
  if (euid !== credentials.euid && euid !== credentials.uid && !may(k, "CAP_SYS_NICE")) throw E.EPERM;
}

// ---- nice values ----------------------------------------------------------------------------------------------------

const PRIO = { PROCESS: 0, PGRP: 1, USER: 2 } as const;
const RLIMIT_NICE = 13;

/** The threads that are meant. Throws EINVAL, ESRCH. */
function tasksOf(k: Work, which: number, who: number): readonly Task[] {
  if (which === PRIO.PROCESS) return [taskAt(k, who)];
  if (which !== PRIO.PGRP && which !== PRIO.USER) throw E.EINVAL;
  const wanted = who !== 0 ? who : which === PRIO.PGRP ? k.process.group : k.task.credentials.uid;
  const found: Task[] = [];
  for (const [, task] of k.state.tasks.entries())
    if ((which === PRIO.PGRP ? k.processOf(task.process).group : task.credentials.uid) === wanted) found.push(task);
  if (found.length === 0) throw E.ESRCH;
  return found;
}

function setPriority(k: Work, which: number, who: number, asked: number): number {
  const nice = Math.max(-20, Math.min(19, asked));
  for (const task of tasksOf(k, which, who)) {
    const { euid } = k.task.credentials;
    if (task.credentials.uid !== euid && task.credentials.euid !== euid && !may(k, "CAP_SYS_NICE")) throw E.EPERM;
    const [limit] = k.processOf(task.process).limits[RLIMIT_NICE]!;
    if (nice < task.nice && 20 - nice > limit && !may(k, "CAP_SYS_NICE")) throw E.EACCES;
    k.setTask(task.tid, { nice });
  }
  return 0;
}

/** 20 - nice, so that it is no error: 40 is the highest priority. */
const getPriority = (k: Work, which: number, who: number): number =>
  Math.max(...tasksOf(k, which, who).map(({ nice }) => 20 - nice));

// ---- processors -----------------------------------------------------------------------------------------------------

const processorsOf = (k: Work): number => k.state.cpus.length;
const allOf = (k: Work): number => 2 ** processorsOf(k) - 1;

function setAffinity(k: Work, pid: number, length: number, at: number): number {
  const bytes = readUser(k, at, Math.min(length, 8));
  const task = taskAt(k, pid);
  requireOwner(k, task);
  const mask = (bytes[0] ?? 0) & allOf(k);
  if (mask === 0) throw E.EINVAL;
  k.setTask(task.tid, { affinity: mask });
  return 0;
}

/** Gives how many bytes were written. */
function getAffinity(k: Work, pid: number, length: number, at: number): number {
  const word = isWide(k) ? 8 : 4;
  if (length * 8 < processorsOf(k) || length % word !== 0) throw E.EINVAL;
  const { affinity } = taskAt(k, pid);
  const bytes = new Uint8Array(Math.min(length, 8));
  bytes[0] = affinity & allOf(k);
  writeUser(k, at, bytes);
  return bytes.length;
}

// ---- policies -------------------------------------------------------------------------------------------------------

const SCHED = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5, DEADLINE: 6 } as const;
const isRealTime = (policy: number): boolean => policy === SCHED.FIFO || policy === SCHED.RR;
/** Lowest and highest priority of a policy. Throws EINVAL. */
function priorities(policy: number): readonly [number, number] {
  if (isRealTime(policy)) return [1, 99];
  if (policy === SCHED.OTHER || policy === SCHED.BATCH || policy === SCHED.IDLE || policy === SCHED.DEADLINE)
    return [0, 0];
  throw E.EINVAL;
}

/** All threads are served alike: one that asks for real time is told that it may not. */
function setScheduler(k: Work, pid: number, policy: number, at: number): number {
  if (at === 0 || pid < 0 || policy < 0) throw E.EINVAL;
  const priority = readWord(k, at);
  const task = taskAt(k, pid);
  const RESET_ON_FORK = 0x4000_0000;
  const [lowest, highest] = priorities(policy & ~RESET_ON_FORK);
  if (priority < lowest || priority > highest) throw E.EINVAL;
  requireOwner(k, task);
  if (isRealTime(policy & ~RESET_ON_FORK)) throw E.EPERM;
  return 0;
}

export const schedulingCalls: readonly SystemCall[] = [
  call("setpriority", "which:int who:int prio:int", setPriority),
  call("getpriority", "which:int who:int", getPriority),
  call("nice", "inc:int", (k, increment) => setPriority(k, PRIO.PROCESS, 0, k.task.nice + increment)),
  call("sched_setaffinity", "pid:int cpusetsize:size mask:pointer", setAffinity),
  call("sched_getaffinity", "pid:int cpusetsize:size mask:pointer", getAffinity),
  call("sched_setscheduler", "pid:int policy:int param:pointer", setScheduler),
  call("sched_getscheduler", "pid:int", (k, pid) => {
    if (pid < 0) throw E.EINVAL;
    taskAt(k, pid);
    return SCHED.OTHER;
  }),
  call("sched_setparam", "pid:int param:pointer", (k, pid, at) => setScheduler(k, pid, SCHED.OTHER, at)),
  call("sched_getparam", "pid:int param:pointer", (k, pid, at) => {
    if (at === 0 || pid < 0) throw E.EINVAL;
    taskAt(k, pid);
    writeWord(k, at, 0);
    return 0;
  }),
  call("sched_get_priority_max", "policy:int", (_k, policy) => priorities(policy)[1]),
  call("sched_get_priority_min", "policy:int", (_k, policy) => priorities(policy)[0]),
  call("sched_rr_get_interval", "pid:int tp:pointer", (k, pid, at) => {
    if (pid < 0) throw E.EINVAL;
    taskAt(k, pid);
    writeSpan(k, at, [0, 4_000_000]);
    return 0;
  }),
  call("sched_yield", "", (k) => {
    k.yielded = true;
    return 0;
  }),
  call("getcpu", "cpu:pointer node:pointer", (k, cpuAt, nodeAt) => {
    if (cpuAt !== 0) writeWord(k, cpuAt, k.cpu);
    if (nodeAt !== 0) writeWord(k, nodeAt, 0);
    return 0;
  }),
];
