/**
 * Groups made, removed, and given threads; which controllers they have. Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "Organizing
 * Processes", "Controlling Controllers", "Threads".
 */
import { E } from "../errno.js";
import { chargedPages } from "../mm/frames.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { countGroups } from "./cpu.js";
import { settleFrozen } from "./freezer.js";
import {
  type Cgroup,
  type ControllerName,
  cgroupOf,
  changeCgroup,
  controllerNames,
  controllersOf,
  countTasks,
  newCpuPart,
  newMemoryPart,
  rootCgroup,
  rootOf,
  subtree,
  threadedControllers,
  upwards,
} from "./records.js";

/** Spec: "cgroup.type". */
export type CgroupType = "domain" | "domain threaded" | "domain invalid" | "threaded";

const hasTasks = (k: Work, id: number): boolean => (id === rootOf(k) ? true : cgroupOf(k, id).own > 0);
const enablesDomain = ({ enabled }: Cgroup): boolean => enabled.some((name) => !threadedControllers.has(name));

function isThreadRoot(k: Work, id: number): boolean {
  const group = cgroupOf(k, id);
  if (group.threaded) return false;
  if (group.children.some((child) => cgroupOf(k, child).threaded)) return true;
  return id !== rootOf(k) && hasTasks(k, id) && group.enabled.some((name) => threadedControllers.has(name));
}

function mayBeThreadRoot(k: Work, id: number): boolean {
  if (id === rootOf(k)) return true;
  const group = cgroupOf(k, id);
  const domains = group.children.some((child) => !cgroupOf(k, child).threaded && cgroupOf(k, child).tasks > 0);
  return !group.threaded && !domains && !enablesDomain(group);
}

/** Whether processes may be in a group: not below one whose threads compete with its children. */
function isValidDomain(k: Work, id: number): boolean {
  if (cgroupOf(k, id).threaded) return true;
  for (let at = cgroupOf(k, id).parent; at !== 0; at = cgroupOf(k, at).parent) {
    if (cgroupOf(k, at).threaded) return false;
    if (at !== rootOf(k) && isThreadRoot(k, at)) return false;
  }
  return true;
}

export function typeOfCgroup(k: Work, id: number): CgroupType {
  if (cgroupOf(k, id).threaded) return "threaded";
  if (!isValidDomain(k, id)) return "domain invalid";
  return isThreadRoot(k, id) ? "domain threaded" : "domain";
}

/** A write of "threaded" to cgroup.type. Throws EOPNOTSUPP. */
export function makeThreaded(k: Work, id: number): void {
  const group = cgroupOf(k, id);
  if (group.threaded) return;
  const populated = group.tasks > 0 || group.children.some((child) => !cgroupOf(k, child).threaded);
  if (populated && group.children.length > 0) throw E.EOPNOTSUPP;
  if (enablesDomain(group) || !isValidOrInvalidParent(k, group.parent)) throw E.EOPNOTSUPP;
  changeCgroup(k, id, { threaded: true });
}

const isValidOrInvalidParent = (k: Work, parent: number): boolean =>
  cgroupOf(k, parent).threaded || mayBeThreadRoot(k, parent) || isThreadRoot(k, parent);

/** A new group. Throws EAGAIN where there may be no more, or none so deep. */
export function makeCgroup(k: Work, parent: number, name: string, owner: Cgroup["files"]): number {
  let depth = 1;
  for (let at = parent; at !== 0; at = cgroupOf(k, at).parent, depth++) {
    const { maxDepth, maxDescendants } = cgroupOf(k, at);
    if (depth > maxDepth || subtree(k, at).length > maxDescendants) throw E.EAGAIN;
  }
  const around = cgroupOf(k, parent);
  if (around.removed) throw E.ENODEV;
  const id = k.addObject<Cgroup>({
    ...rootCgroup,
    ...{ parent, name, level: around.level + 1, madeAt: k.now, files: owner },
    cpu: { ...newCpuPart, periodStart: k.now },
    memory: newMemoryPart,
  });
  changeCgroup(k, parent, { children: [...cgroupOf(k, parent).children, id] });
  countGroups(k, 1);
  return id;
}

/** Throws EBUSY where there are threads or groups in it. */
export function removeCgroup(k: Work, id: number): void {
  const { parent, children, tasks } = cgroupOf(k, id);
  if (id === rootOf(k) || tasks > 0 || children.length > 0) throw E.EBUSY;
  changeCgroup(k, parent, { children: cgroupOf(k, parent).children.filter((child) => child !== id) });
  changeCgroup(k, id, { removed: true });
  if (chargedPages(k, id, "total") === 0) k.setObject(id, undefined);
  countGroups(k, -1);
}

/** "+cpu -pids": what a write to cgroup.subtree_control asks for. Throws EINVAL. */
function parsed(text: string): ReadonlyMap<ControllerName, boolean> {
  const wanted = new Map<ControllerName, boolean>();
  for (const word of text.split(/\s+/).filter((one) => one !== "")) {
    const name = controllerNames.find((one) => one === word.slice(1));
    if (name === undefined || (word[0] !== "+" && word[0] !== "-")) throw E.EINVAL;
    wanted.set(name, word[0] === "+");
  }
  return wanted;
}

/** Throws EINVAL, ENOENT, EBUSY, EOPNOTSUPP. */
export function setSubtreeControl(k: Work, id: number, text: string): void {
  const wanted = parsed(text);
  const { enabled, children } = cgroupOf(k, id);
  const available = controllersOf(k, id);
  const added = [...wanted].filter(([name, on]) => on && !enabled.includes(name)).map(([name]) => name);
  const taken = [...wanted].filter(([name, on]) => !on && enabled.includes(name)).map(([name]) => name);
  if (added.some((name) => !available.includes(name))) throw E.ENOENT;
  for (const child of children) if (taken.some((name) => cgroupOf(k, child).enabled.includes(name))) throw E.EBUSY;
  requireMayEnable(k, id, added);
  if (added.length === 0 && taken.length === 0) return;
  const next = controllerNames.filter(
    (name) => (enabled.includes(name) || added.includes(name)) && !taken.includes(name),
  );
  changeCgroup(k, id, { enabled: next });
  // Settings of a controller that is switched off are gone.
  for (const child of children) resetControllers(k, child, taken);
}

function requireMayEnable(k: Work, id: number, added: readonly ControllerName[]): void {
  if (added.length === 0) return;
  if (!isValidDomain(k, id)) throw E.EOPNOTSUPP;
  if (id === rootOf(k)) return;
  const { threaded } = cgroupOf(k, id);
  if (added.some((name) => !threadedControllers.has(name))) {
    if (threaded || isThreadRoot(k, id)) throw E.EOPNOTSUPP;
  } else if (threaded || mayBeThreadRoot(k, id)) return;
  if (hasTasks(k, id)) throw E.EBUSY;
}

function resetControllers(k: Work, id: number, names: readonly ControllerName[]): void {
  const group = cgroupOf(k, id);
  const change: { -readonly [key in keyof Cgroup]?: Cgroup[key] } = {};
  if (names.includes("pids")) change.pids = { ...rootCgroup.pids, peak: group.tasks };
  if (names.includes("cpu"))
    change.cpu = { ...newCpuPart, ...{ used: group.cpu.used, virtualTime: group.cpu.virtualTime, periodStart: k.now } };
  if (names.includes("memory")) change.memory = newMemoryPart;
  if (names.includes("cpuset")) change.cpuset = rootCgroup.cpuset;
  if (names.includes("io")) change.io = rootCgroup.io;
  changeCgroup(k, id, change);
}

/** Throws EBUSY, EOPNOTSUPP where a group takes no processes. */
export function requireMayHost(k: Work, id: number): void {
  if (!isValidDomain(k, id)) throw E.EOPNOTSUPP;
  if (mayBeThreadRoot(k, id) || cgroupOf(k, id).threaded) return;
  if (cgroupOf(k, id).enabled.length > 0) throw E.EBUSY;
}

/** Threads are in another group from now on. What they took so far stays charged where it is. */
export function moveTasks(k: Work, tids: readonly number[], to: number): void {
  for (const tid of tids) {
    const from = k.taskOf(tid).cgroup;
    if (from === to) continue;
    countTasks(k, from, -1);
    k.setTask(tid, { cgroup: to });
    countTasks(k, to, 1);
    settleFrozen(k, tid);
    wake(k, from);
    wake(k, to);
  }
}

/** The group that two have in common. */
export function commonAncestor(k: Work, a: number, b: number): number {
  const around = new Set(upwards(k, a));
  for (const id of upwards(k, b)) if (around.has(id)) return id;
  return rootOf(k);
}
