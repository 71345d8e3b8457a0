/**
 * The memory controller: what is done when a cgroup, or the machine, has more memory than it may. Handlers charge what they take and look
 * here when they are through, with no record in anybody's hands: first pages are reclaimed, then a process is killed.
 * Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "Memory"; proc(5), "/proc/pid/oom_score_adj".
 */
import { chargedPages, freeFrames } from "../mm/frames.js";
import type { Process } from "../state.js";
import { killProcess } from "../tasks/exit.js";
import { forceSignal, signalNumbers } from "../tasks/signals.js";
import { pause } from "../tasks/waiting.js";
import { TICKS_A_SECOND } from "../time.js";
import type { Work } from "../work.js";
import { reclaim } from "./reclaim.js";
import { type Cgroup, cgroupOf, changeCgroup, type MemoryEvent, upwards } from "./records.js";

/** Frames that are to be free before programs go on. */
const RESERVE = 32;

/** Counts an event in a cgroup and those around it. */
export function countEvent(k: Work, cgroup: number, event: MemoryEvent): void {
  for (const id of upwards(k, cgroup)) {
    const { memory } = cgroupOf(k, id);
    changeCgroup(k, id, { memory: { ...memory, events: { ...memory.events, [event]: memory.events[event] + 1 } } });
  }
}

/** What had too much has not any more. */
export function relieve(k: Work): void {
  const pressed = new Set(k.pressed);
  k.pressed = [];
  for (const id of pressed) {
    if (id === 0) relieveMachine(k);
    else if (k.state.objects.get(id) !== undefined) relieveCgroup(k, id);
  }
}

function relieveCgroup(k: Work, id: number): void {
  const { max, high } = cgroupOf(k, id).memory;
  const over = (): number => chargedPages(k, id, "total") - max;
  if (over() > 0) {
    countEvent(k, id, "max");
    reclaim(k, id, over());
    for (let tries = 0; over() > 0 && tries < 64; tries++) {
      countEvent(k, id, "oom");
      if (!killOne(k, id)) break;
    }
  }
  const above = chargedPages(k, id, "total") - high;
  if (above <= 0) return;
  countEvent(k, id, "high");
  reclaim(k, id, above);
  throttle(k, (chargedPages(k, id, "total") - high) / Math.max(1, high));
}

/** A thread that takes more than memory.high waits, the longer the more it is over. Spec: Linux, mm/memcontrol.c "calculate_high_delay". */
function throttle(k: Work, over: number): void {
  if (over <= 0 || k.current === 0 || k.task.status.kind !== "running" || k.task.call !== undefined) return;
  const seconds = Math.min(2, over * over);
  if (seconds >= 0.01) pause(k, k.now + Math.ceil(seconds * TICKS_A_SECOND));
}

function relieveMachine(k: Work): void {
  const missing = (): number => RESERVE - freeFrames(k);
  if (missing() <= 0) return;
  reclaim(k, 0, missing() + RESERVE);
  for (let tries = 0; missing() > 0 && tries < 64; tries++) if (!killOne(k, 0)) return;
}

/** Pages of a process, with what its oom_score_adj adds; undefined for one that is not to be killed. */
function badness(k: Work, { pid, threads, oomAdjustment }: Process, limit: number): number | undefined {
  const task = k.state.tasks.get(threads[0] ?? 0);
  if (task === undefined || pid === 1 || oomAdjustment === -1000) return undefined;
  const space = k.state.spaces.get(task.space);
  if (space === undefined) return undefined;
  return space.resident + space.tables + Math.floor((oomAdjustment * limit) / 1000);
}

const isIn = (k: Work, pid: number, cgroup: number): boolean => {
  const [tid] = k.processOf(pid).threads;
  if (tid === undefined) return false;
  return cgroup === 0 || [...upwards(k, k.taskOf(tid).cgroup)].includes(cgroup);
};

/** Whether the thread at work is about to die anyhow. */
function isDying(k: Work, pid: number): boolean {
  return (
    k.current !== 0 && k.task.process === pid && k.task.pending.some(({ signal }) => signal === signalNumbers.SIGKILL)
  );
}

/** Kills the process of a cgroup that is the worst, or all of a group that asks for it. Gives whether memory comes of it at once. */
function killOne(k: Work, cgroup: number): boolean {
  const limit = cgroup === 0 ? k.state.frames.end : cgroupOf(k, cgroup).memory.max;
  let worst: { pid: number; points: number } | undefined;
  for (const [pid, process] of k.state.processes.entries()) {
    if (process.ended || !isIn(k, pid, cgroup) || isDying(k, pid)) continue;
    const points = badness(k, process, limit);
    if (points !== undefined && (worst === undefined || points > worst.points)) worst = { pid, points };
  }
  if (worst === undefined) return false;
  const own = k.taskOf(k.processOf(worst.pid).threads[0]!).cgroup;
  const group = groupOf(k, own, cgroup);
  if (group !== undefined) countEvent(k, group, "oom_group_kill");
  const victims =
    group === undefined
      ? [worst.pid]
      : Array.from(k.state.processes.entries(), ([pid]) => pid).filter(
          (pid) => !k.processOf(pid).ended && isIn(k, pid, group) && badness(k, k.processOf(pid), limit) !== undefined,
        );
  for (const pid of victims) {
    countEvent(k, k.taskOf(k.processOf(pid).threads[0]!).cgroup, "oom_kill");
    kill(k, pid);
  }
  return true;
}

/** The outermost cgroup, up to the one that has too much, that dies as a whole. */
function groupOf(k: Work, from: number, limit: number): number | undefined {
  let found: number | undefined;
  for (const id of upwards(k, from)) {
    if ((k.objectOf<Cgroup>(id) as Cgroup).memory.oomGroup) found = id;
    if (id === limit) break;
  }
  return found;
}

function kill(k: Work, pid: number): void {
  if (k.current === 0 || k.task.process !== pid) killProcess(k, pid, signalNumbers.SIGKILL);
  else forceSignal(k, { signal: signalNumbers.SIGKILL, code: 0x80, pid: 0, uid: 0, value: 0 });
}

/** SIGKILL to everybody in a cgroup and below it: cgroup.kill. */
export function killAll(k: Work, cgroup: number): void {
  for (const [pid, process] of k.state.processes.entries()) if (!process.ended && isIn(k, pid, cgroup)) kill(k, pid);
}
