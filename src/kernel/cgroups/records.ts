/**
 * Control groups as records by number. Counts of threads are of a group and all groups below it; memory is counted with the frames
 * (mm/frames.ts). The root group has no limits, and nothing is counted for threads that are in it.
 * Spec: Linux, Documentation/admin-guide/cgroup-v2.rst.
 */
import { E } from "../errno.js";
import type { Namespace } from "../namespaces/records.js";
import type { Work } from "../work.js";

export const controllerNames = ["cpuset", "cpu", "io", "memory", "pids"] as const;
export type ControllerName = (typeof controllerNames)[number];
/** Controllers that work on threads: groups with threads of one process may have them. */
export const threadedControllers: ReadonlySet<ControllerName> = new Set(["cpuset", "cpu", "pids"]);

export const UNLIMITED = Number.POSITIVE_INFINITY;

/** What a group has of the controllers' settings and counts. */
export interface Cgroup {
  readonly kind: "cgroup-record";
  /** 0 for the root. */
  readonly parent: number;
  readonly name: string;
  readonly children: readonly number[];
  /** Groups around it. */
  readonly level: number;
  /** cgroup.subtree_control: what its children have. */
  readonly enabled: readonly ControllerName[];
  readonly threaded: boolean;
  /** Threads in it, and in it and all groups below it. */
  readonly own: number;
  readonly tasks: number;
  /** It was removed; it is there only as long as memory is charged to it. */
  readonly removed: boolean;
  readonly freeze: boolean;
  readonly maxDepth: number;
  readonly maxDescendants: number;
  /** Owners and permissions that differ from those of new files, by name; the directory's own is "". */
  readonly files: Readonly<Record<string, { readonly mode: number; readonly uid: number; readonly gid: number }>>;
  readonly madeAt: number;
  readonly pids: { readonly max: number; readonly peak: number; readonly refused: number };
  readonly cpu: CpuPart;
  readonly memory: MemoryPart;
  readonly cpuset: { readonly cpus: string; readonly mems: string };
  readonly io: { readonly weight: number; readonly max: readonly (readonly [device: string, limits: IoLimits])[] };
}

export type IoLimits = Readonly<Record<"rbps" | "wbps" | "riops" | "wiops", number>>;

/** Times in ticks. */
export interface CpuPart {
  readonly weight: number;
  readonly virtualTime: number;
  /** Virtual time of the last one in it that was let run. */
  readonly floor: number;
  /** Ticks that its threads, and those below, had. */
  readonly used: number;
  readonly quota: number;
  readonly period: number;
  /** The period now, and what was used in it: more than the quota is carried over. */
  readonly periodStart: number;
  readonly periodUsed: number;
  /** Tick since when it may not run; -1: it may. */
  readonly throttledSince: number;
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledTicks: number;
}

export interface MemoryPart {
  /** Limits in pages. */
  readonly max: number;
  readonly high: number;
  readonly low: number;
  readonly min: number;
  readonly swapMax: number;
  readonly peak: number;
  readonly oomGroup: boolean;
  readonly events: Readonly<Record<MemoryEvent, number>>;
}
export type MemoryEvent = "low" | "high" | "max" | "oom" | "oom_kill" | "oom_group_kill";

const PERIOD = 10_022_729;

export const newCpuPart: CpuPart = Object.freeze({
  ...{
    weight: 100,
    virtualTime: 0,
    floor: 0,
    used: 0,
    quota: UNLIMITED,
    period: PERIOD,
    periodStart: 0,
    periodUsed: 0,
  },
  ...{ throttledSince: -1, periods: 0, throttledPeriods: 0, throttledTicks: 0 },
});
export const newMemoryPart: MemoryPart = Object.freeze({
  ...{ max: UNLIMITED, high: UNLIMITED, low: 0, min: 0, swapMax: UNLIMITED, peak: 0, oomGroup: false },
  events: Object.freeze({ low: 0, high: 0, max: 0, oom: 0, oom_kill: 0, oom_group_kill: 0 }),
});

export const rootCgroup: Cgroup = Object.freeze({
  ...{ kind: "cgroup-record", parent: 0, name: "", children: [], level: 0, enabled: [], threaded: false, own: 0 },
  ...{ tasks: 0, removed: false, freeze: false, maxDepth: UNLIMITED, maxDescendants: UNLIMITED, files: {}, madeAt: 0 },
  pids: { max: UNLIMITED, peak: 0, refused: 0 },
  cpu: newCpuPart,
  memory: newMemoryPart,
  cpuset: { cpus: "", mems: "" },
  io: { weight: 100, max: [] },
} as const);

/** Work on groups that waits for a time. */
export interface CgroupWork {
  readonly kind: "cgroup-work";
  /** Groups that are throttled. */
  readonly throttled: readonly number[];
  /** Groups there are, without the root. */
  readonly count: number;
}
export const noCgroupWork: CgroupWork = Object.freeze({ kind: "cgroup-work", throttled: [], count: 0 });

export interface CgroupNamespace extends Namespace {
  readonly kind: "cgroup";
  /** What is the root for those who are in it. */
  readonly root: number;
}

export const cgroupOf = (k: Work, id: number): Cgroup => k.objectOf<Cgroup>(id);
export const rootOf = (k: Work): number => k.state.initial.cgroupRoot!;

export function changeCgroup(k: Work, id: number, change: Partial<Cgroup>): void {
  k.changeObject<Cgroup>(id, change);
}

/** A group and those around it, the root left out. */
export function* upwards(k: Work, from: number): IterableIterator<number> {
  for (let id = from; id !== rootOf(k) && id !== 0; id = cgroupOf(k, id).parent) yield id;
}

/** A group and all below it, those around first. */
export function subtree(k: Work, id: number): readonly number[] {
  return [id, ...cgroupOf(k, id).children.flatMap((child) => subtree(k, child))];
}

/** Controllers whose files a group has. */
export function controllersOf(k: Work, id: number): readonly ControllerName[] {
  const { parent } = cgroupOf(k, id);
  return parent === 0 ? controllerNames : cgroupOf(k, parent).enabled;
}

/** Threads of a group itself. */
export function tasksIn(k: Work, id: number): readonly number[] {
  const found: number[] = [];
  for (const [tid, { cgroup }] of k.state.tasks.entries()) if (cgroup === id) found.push(tid);
  return found;
}

/** Path of a group as seen from another: "/" for that one itself. Spec: cgroup_namespaces(7). */
export function cgroupPath(k: Work, id: number, from: number): string {
  const chain = (of: number): readonly number[] => {
    const ids: number[] = [];
    for (let at = of; at !== 0 && k.state.objects.get(at) !== undefined; at = cgroupOf(k, at).parent) ids.unshift(at);
    return ids;
  };
  const [to, base] = [chain(id), chain(from)];
  let common = 0;
  while (common < to.length && common < base.length && to[common] === base[common]) common++;
  const parts = [...base.slice(common).map(() => ".."), ...to.slice(common).map((one) => cgroupOf(k, one).name)];
  return `/${parts.join("/")}`;
}

/** What /proc/PID/cgroup says to the thread at work. */
export function cgroupText(k: Work, cgroup: number): string {
  const { root } = k.objectOf<CgroupNamespace>(k.namespaces.cgroup);
  return `0::${cgroupPath(k, cgroup, root)}${cgroupOf(k, cgroup).removed ? " (deleted)" : ""}\n`;
}

/** Threads more or fewer, in a group and all around it. */
export function countTasks(k: Work, cgroup: number, by: number): void {
  for (const id of upwards(k, cgroup)) {
    const { own, tasks, pids } = cgroupOf(k, id);
    changeCgroup(k, id, {
      own: id === cgroup ? own + by : own,
      tasks: tasks + by,
      pids: { ...pids, peak: Math.max(pids.peak, tasks + by) },
    });
  }
}

/** A thread more is about to be in a group. Throws EAGAIN where pids.max is reached; that is counted in the group itself. */
export function requirePids(k: Work, cgroup: number): void {
  for (const id of upwards(k, cgroup)) {
    const { tasks, pids } = cgroupOf(k, id);
    if (tasks + 1 <= pids.max) continue;
    const { pids: own } = cgroupOf(k, cgroup);
    changeCgroup(k, cgroup, { pids: { ...own, refused: own.refused + 1 } });
    throw E.EAGAIN;
  }
}
