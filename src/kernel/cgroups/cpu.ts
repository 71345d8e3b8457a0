/**
 * The cpu controller: threads of a group share its part by weight, and a group that has used its quota waits for its next period.
 * Groups and threads beside each other are compared by virtual time, which passes the faster the less weight they have.
 * Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "CPU"; Documentation/scheduler/sched-bwc.rst.
 */
import type { Work } from "../work.js";
import { type Cgroup, type CgroupWork, type CpuPart, cgroupOf, changeCgroup, rootOf, upwards } from "./records.js";

const WEIGHT = 100;

export const workOf = (k: Work): CgroupWork => k.objectOf<CgroupWork>(k.state.initial.cgroups!);
const setWork = (k: Work, change: Partial<CgroupWork>): void =>
  k.changeObject<CgroupWork>(k.state.initial.cgroups!, change);

/** Whether there is any group but the root. */
export const hasGroups = (k: Work): boolean => workOf(k).count > 0;
export function countGroups(k: Work, by: number): void {
  setWork(k, { count: workOf(k).count + by });
}

const setCpuPart = (k: Work, id: number, change: Partial<CpuPart>): void =>
  changeCgroup(k, id, { cpu: { ...cgroupOf(k, id).cpu, ...change } });

/** Whether a group is scheduled as a whole: others have their threads beside those of the group around. */
const isScheduled = (k: Work, { parent }: Cgroup): boolean => cgroupOf(k, parent).enabled.includes("cpu");

/** Scheduled groups that a thread of a group is in, the innermost one first, without the root. */
function scheduledAround(k: Work, cgroup: number): readonly number[] {
  return [...upwards(k, cgroup)].filter((id) => isScheduled(k, cgroupOf(k, id)));
}

const isThrottled = (k: Work, id: number): boolean => cgroupOf(k, id).cpu.throttledSince >= 0;

/** The ready thread that is next: at each level the one, or the group, with the least virtual time. */
export function nextOfGroups(k: Work): number | undefined {
  const best = new Map<number, { time: number; task?: number; group?: number }>();
  const offer = (parent: number, time: number, what: { task?: number; group?: number }): void => {
    const known = best.get(parent);
    if (known === undefined || time < known.time) best.set(parent, { time, ...what });
  };
  for (const tid of k.state.queue) {
    const { cgroup, virtualTime } = k.taskOf(tid);
    const chain = scheduledAround(k, cgroup);
    if (chain.some((id) => isThrottled(k, id))) continue;
    offer(chain[0] ?? rootOf(k), virtualTime, { task: tid });
    chain.forEach((id, index) => {
      offer(chain[index + 1] ?? rootOf(k), cgroupOf(k, id).cpu.virtualTime, { group: id });
    });
  }
  for (let group = rootOf(k); ; ) {
    const found = best.get(group);
    if (found === undefined) return undefined;
    setCpuPart(k, group, { floor: Math.max(cgroupOf(k, group).cpu.floor, found.time) });
    if (found.group === undefined) return found.task;
    group = found.group;
  }
}

/** The least virtual time that a thread which was away begins with again; its groups are brought there too. */
export function beginAgain(k: Work, cgroup: number, owed: number): number {
  const chain = scheduledAround(k, cgroup);
  chain.forEach((id, index) => {
    const { virtualTime } = cgroupOf(k, id).cpu;
    const least = cgroupOf(k, chain[index + 1] ?? rootOf(k)).cpu.floor - owed;
    if (virtualTime < least) setCpuPart(k, id, { virtualTime: least });
  });
  return cgroupOf(k, chain[0] ?? rootOf(k)).cpu.floor - owed;
}

/** Periods that are over: what was used beyond the quota counts in the next one. */
function rolled(cpu: CpuPart, now: number): CpuPart {
  const over = Math.floor((now - cpu.periodStart) / cpu.period);
  if (over < 1) return cpu;
  const wasThrottled = cpu.throttledSince >= 0;
  const left = Math.max(0, cpu.periodUsed - over * cpu.quota);
  return {
    ...cpu,
    periodStart: cpu.periodStart + over * cpu.period,
    periodUsed: left,
    periods: cpu.periods + (wasThrottled ? over : 1),
    throttledPeriods: cpu.throttledPeriods + (wasThrottled ? over : 0),
    ...(wasThrottled && left < cpu.quota
      ? { throttledSince: -1, throttledTicks: cpu.throttledTicks + now - cpu.throttledSince }
      : {}),
  };
}

/** Ticks that a thread of a group had count for the group and those around it; one that has used its quota waits. */
export function accountGroups(k: Work, cgroup: number, ticks: number): void {
  for (const id of upwards(k, cgroup)) {
    const record = cgroupOf(k, id);
    let { cpu } = record;
    cpu = { ...cpu, used: cpu.used + ticks };
    if (isScheduled(k, record))
      cpu = { ...cpu, virtualTime: cpu.virtualTime + Math.round((ticks * WEIGHT) / cpu.weight) };
    if (cpu.quota !== Number.POSITIVE_INFINITY) {
      cpu = rolled({ ...cpu, periodUsed: cpu.periodUsed + ticks }, k.now);
      if (cpu.periodUsed >= cpu.quota && cpu.throttledSince < 0) {
        cpu = { ...cpu, throttledSince: k.now };
        setWork(k, { throttled: [...workOf(k).throttled, id] });
      }
    }
    changeCgroup(k, id, { cpu });
  }
}

/** Ticks that a thread of a group may have at once: what is left of the quotas around it. */
export function allowance(k: Work, cgroup: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const id of upwards(k, cgroup)) {
    const { cpu } = cgroupOf(k, id);
    if (cpu.quota === Number.POSITIVE_INFINITY) continue;
    const fresh = cpu.periodStart === 0 ? { ...cpu, periodStart: k.now } : rolled(cpu, k.now);
    if (fresh !== cpu) changeCgroup(k, id, { cpu: fresh });
    least = Math.min(least, fresh.quota - fresh.periodUsed);
  }
  return least;
}

/** Groups whose period is over may run again. */
export function releaseThrottled(k: Work): void {
  const { throttled } = workOf(k);
  if (throttled.length === 0 || k.now < nextRelease(k)) return;
  const still = throttled.filter((id) => {
    const record = k.state.objects.get(id) as Cgroup | undefined;
    if (record === undefined) return false;
    const cpu = rolled(record.cpu, k.now);
    if (cpu !== record.cpu) changeCgroup(k, id, { cpu });
    return cpu.throttledSince >= 0;
  });
  setWork(k, { throttled: still });
}

/** Tick at which the next group may run again. */
export function nextRelease(k: Work): number {
  let next = Number.POSITIVE_INFINITY;
  for (const id of workOf(k).throttled) {
    const cpu = (k.state.objects.get(id) as Cgroup | undefined)?.cpu;
    if (cpu !== undefined) next = Math.min(next, cpu.periodStart + cpu.period);
  }
  return next;
}

/** Other settings: the group begins a period with them. */
export function setBandwidth(k: Work, id: number, quota: number, period: number): void {
  const { throttledSince, throttledTicks } = cgroupOf(k, id).cpu;
  const more = throttledSince < 0 ? 0 : k.now - throttledSince;
  setCpuPart(k, id, {
    ...{ quota, period, periodStart: k.now, periodUsed: 0, throttledSince: -1 },
    throttledTicks: throttledTicks + more,
  });
  setWork(k, { throttled: workOf(k).throttled.filter((other) => other !== id) });
}

export { setCpuPart };
