/**
 * Which thread has the processor: the ready one with the least virtual time, which passes the faster the less weight a thread has.
 * Spec: sched(7), "Scheduling policies"; Linux, Documentation/scheduler/sched-design-CFS.rst.
 */
import { accountGroups, allowance, beginAgain, hasGroups, nextOfGroups, nextRelease } from "../cgroups/cpu.js";
import { isFrozen } from "../cgroups/freezer.js";
import type { Cpu, Task } from "../state.js";
import type { Work } from "../work.js";

/** Ticks of a turn while others wait: 4 ms on a machine of about 100 million ticks a second. */
export const SLICE = 400_000;

/** Weights by nice value from -20. Spec: Linux, sched_prio_to_weight. */
const WEIGHTS: readonly number[] = [
  ...[88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916],
  ...[9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277],
  ...[1024, 820, 655, 526, 423, 335, 272, 215, 172, 137],
  ...[110, 87, 70, 56, 45, 36, 29, 23, 18, 15],
];
export const weightOf = ({ nice }: Task): number => WEIGHTS[nice + 20]!;

export const cpuOf = (k: Work): Cpu => k.state.cpus[k.cpu]!;
export function setCpu(k: Work, change: Partial<Cpu>): void {
  k.set({ cpus: k.state.cpus.with(k.cpu, { ...cpuOf(k), ...change }) });
}

/** A thread waits for a processor: behind those with less virtual time. */
export function enqueue(k: Work, tid: number): void {
  const { cgroup, virtualTime } = k.taskOf(tid);
  if (isFrozen(k, cgroup) && !isKilled(k.taskOf(tid))) {
    k.setTask(tid, { status: { kind: "frozen" } });
    return;
  }
  // A thread that has slept long is not owed that time: it stands in front of the others, and no further.
  const least = hasGroups(k) ? beginAgain(k, cgroup, SLICE) : leastOf(k, virtualTime);
  const { queue, tasks } = k.state;
  const time = Math.max(virtualTime, least);
  const at = queue.findIndex((other) => tasks.get(other)!.virtualTime > time);
  k.setTask(tid, { status: { kind: "ready" }, virtualTime: time });
  k.set({ queue: queue.toSpliced(at < 0 ? queue.length : at, 0, tid) });
}

function leastOf({ state: { queue, tasks } }: Work, otherwise: number): number {
  return queue.length === 0 ? otherwise : tasks.get(queue[0]!)!.virtualTime - SLICE;
}

/** A thread with SIGKILL is held by nothing. */
const isKilled = ({ pending }: Task): boolean => pending.some(({ signal }) => signal === 9);

/** The thread that is next; undefined where none may run. */
export const nextTask = (k: Work): number | undefined =>
  k.state.queue.length > 0 && hasGroups(k) ? nextOfGroups(k) : k.state.queue[0];

/** Whether the thread at work has to let others run: its turn is over, its group has used its quota, or is frozen. */
export function mustYield(k: Work): boolean {
  if (k.task.cgroup !== k.state.initial.cgroupRoot) {
    if (isFrozen(k, k.task.cgroup) && !isKilled(k.task)) return true;
    if (k.now >= cpuOf(k).sliceEnd && allowance(k, k.task.cgroup) !== Number.POSITIVE_INFINITY) return true;
  }
  return k.state.queue.length > 0 && (k.yielded || k.now >= cpuOf(k).sliceEnd);
}

/** Tick at which the scheduler has to look again. */
export function nextDecision(k: Work): number {
  const isLimited = k.current !== 0 && allowance(k, k.task.cgroup) !== Number.POSITIVE_INFINITY;
  const turn = k.current !== 0 && (k.state.queue.length > 0 || isLimited);
  return Math.min(
    turn ? cpuOf(k).sliceEnd : Number.POSITIVE_INFINITY,
    hasGroups(k) ? nextRelease(k) : Number.POSITIVE_INFINITY,
  );
}

/** The thread stands behind the one that is next. Spec: sched_yield(2). */
export function giveWay(k: Work, tid: number): void {
  const { queue, tasks } = k.state;
  const [next] = queue;
  if (next === undefined) return;
  const virtualTime = Math.max(tasks.get(tid)!.virtualTime, tasks.get(next)!.virtualTime);
  k.setTask(tid, { virtualTime });
}

/** The thread that was ready gives its place up. */
export function dequeue(k: Work, tid: number): void {
  k.set({ queue: k.state.queue.filter((other) => other !== tid) });
}

/** What the thread at work has used is written down. */
export function account(k: Work): void {
  const { since } = cpuOf(k);
  if (k.current === 0 || since === k.now) return;
  const task = k.task;
  const used = k.now - since;
  k.setTask(task.tid, {
    ran: task.ran + used,
    virtualTime: task.virtualTime + Math.round((used * 1024) / weightOf(task)),
  });
  setCpu(k, { since: k.now });
  if (task.cgroup !== k.state.initial.cgroupRoot) accountGroups(k, task.cgroup, used);
}

/** The thread at work gives the processor up; its registers are in its record. */
export function release(k: Work): void {
  account(k);
  k.current = 0;
  setCpu(k, { task: 0 });
}

/** A thread gets the processor. */
export function dispatch(k: Work, tid: number): void {
  dequeue(k, tid);
  k.current = tid;
  k.saved = true;
  k.setTask(tid, { status: { kind: "running", cpu: k.cpu } });
  const turn = Math.min(SLICE, allowance(k, k.task.cgroup));
  setCpu(k, { task: tid, since: k.now, sliceEnd: k.now + turn });
  k.access.note({ kind: "schedule", tick: k.now, eip: k.port.eip, processor: k.cpu, task: tid });
}
