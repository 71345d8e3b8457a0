/** The files of a cgroup, by name: what they say, and what may be written to them. Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "Core Interface Files", "Controllers". */
import { E } from "../errno.js";
import { pidInside } from "../namespaces/pid.js";
import { TICKS_A_SECOND } from "../time.js";
import type { Work } from "../work.js";
import { hasGroups } from "./cpu.js";
import { isFrozen, setFreeze } from "./freezer.js";
import { killAll } from "./memory.js";
import { joinGroup } from "./moves.js";
import {
  type Cgroup,
  type ControllerName,
  cgroupOf,
  changeCgroup,
  controllersOf,
  subtree,
  tasksIn,
  UNLIMITED,
} from "./records.js";
import { makeThreaded, setSubtreeControl, typeOfCgroup } from "./tree.js";

export interface CgroupFile {
  readonly name: string;
  /** Without one the file is there for every group. */
  readonly controller?: ControllerName;
  /** Whether the root has it too. */
  readonly onRoot?: boolean;
  read?(k: Work, id: number): string;
  write?(k: Work, id: number, text: string): void;
}

/** Ticks as microseconds. */
export const microseconds = (ticks: number): number => Math.floor((ticks * 1e6) / TICKS_A_SECOND);
export const ticksOfMicroseconds = (time: number): number => Math.round((time * TICKS_A_SECOND) / 1e6);

export const limitText = (value: number): string => `${value === UNLIMITED ? "max" : value}\n`;

/** A whole number in a range. Throws EINVAL for what is none, ERANGE (or what is said) for one outside. */
export function numberIn(text: string, least: number, most: number, outside = E.ERANGE): number {
  if (!/^[+-]?(0x[0-9a-f]+|\d+)$/i.test(text)) throw E.EINVAL;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least || value > most) throw outside;
  return value;
}

export const limitIn = (text: string, least: number, most: number, outside = E.ERANGE): number =>
  text === "max" ? UNLIMITED : numberIn(text, least, most, outside);

const lines = (numbers: readonly number[]): string => numbers.map((number) => `${number}\n`).join("");
const INT_MAX = 2 ** 31 - 1;

/** Processes with a thread in a group, as numbers of the reader's PID namespace; others are 0. */
function processesIn(k: Work, id: number): readonly number[] {
  if (typeOfCgroup(k, id) === "threaded") throw E.EOPNOTSUPP;
  const groups = typeOfCgroup(k, id) === "domain threaded" ? threadedTree(k, id) : [id];
  const pids = new Set(groups.flatMap((group) => tasksIn(k, group)).map((tid) => k.taskOf(tid).process));
  return [...pids].sort((a, b) => a - b);
}

/** A group and what is below it without another domain. */
export function threadedTree(k: Work, id: number): readonly number[] {
  const threaded = cgroupOf(k, id).children.filter((child) => cgroupOf(k, child).threaded);
  return [id, ...threaded.flatMap((child) => threadedTree(k, child))];
}

const has = (k: Work, id: number): number => (hasGroups(k) && cgroupOf(k, id).tasks > 0 ? 1 : 0);

/** Spec: "Core Interface Files". */
const core: readonly CgroupFile[] = [
  {
    name: "cgroup.type",
    read: (k, id) => `${typeOfCgroup(k, id)}\n`,
    write(k, id, text) {
      if (text !== "threaded") throw E.EINVAL;
      makeThreaded(k, id);
    },
  },
  {
    name: "cgroup.procs",
    onRoot: true,
    read: (k, id) => lines(processesIn(k, id).map((pid) => pidInside(k, pid))),
    write: (k, id, text) => joinGroup(k, id, text, true),
  },
  {
    name: "cgroup.threads",
    onRoot: true,
    read: (k, id) => lines(tasksIn(k, id).map((tid) => pidInside(k, tid))),
    write: (k, id, text) => joinGroup(k, id, text, false),
  },
  { name: "cgroup.controllers", onRoot: true, read: (k, id) => `${controllersOf(k, id).join(" ")}\n` },
  {
    name: "cgroup.subtree_control",
    onRoot: true,
    read: (k, id) => `${cgroupOf(k, id).enabled.join(" ")}\n`,
    write: setSubtreeControl,
  },
  {
    name: "cgroup.events",
    read: (k, id) => `populated ${has(k, id)}\nfrozen ${isFrozen(k, id) ? 1 : 0}\n`,
  },
  {
    name: "cgroup.max.descendants",
    onRoot: true,
    read: (k, id) => limitText(cgroupOf(k, id).maxDescendants),
    write: (k, id, text) => changeCgroup(k, id, { maxDescendants: limitIn(text, 0, INT_MAX) }),
  },
  {
    name: "cgroup.max.depth",
    onRoot: true,
    read: (k, id) => limitText(cgroupOf(k, id).maxDepth),
    write: (k, id, text) => changeCgroup(k, id, { maxDepth: limitIn(text, 0, INT_MAX) }),
  },
  {
    name: "cgroup.stat",
    onRoot: true,
    read: (k, id) => `nr_descendants ${subtree(k, id).length - 1}\nnr_dying_descendants ${dying(k, id)}\n`,
  },
  {
    name: "cgroup.freeze",
    read: (k, id) => `${cgroupOf(k, id).freeze ? 1 : 0}\n`,
    write: (k, id, text) => setFreeze(k, id, numberIn(text, 0, 1) === 1),
  },
  {
    name: "cgroup.kill",
    write(k, id, text) {
      if (cgroupOf(k, id).threaded) throw E.EOPNOTSUPP;
      numberIn(text, 1, 1);
      killAll(k, id);
    },
  },
];

/** Groups that were removed and still have memory charged to them. */
function dying(k: Work, id: number): number {
  const around = new Set(subtree(k, id));
  let count = 0;
  for (const [, object] of k.state.objects.entries()) {
    const { kind, removed, parent } = object as Cgroup;
    if (kind === "cgroup-record" && removed && around.has(parent)) count++;
  }
  return count;
}

/** Files of a controller. */
export const filesOf = (controller: ControllerName, files: readonly CgroupFile[]): readonly CgroupFile[] =>
  files.map((file) => ({ ...file, controller }));

const pids = filesOf("pids", [
  { name: "pids.current", read: (k, id) => `${cgroupOf(k, id).tasks}\n` },
  {
    name: "pids.max",
    read: (k, id) => limitText(cgroupOf(k, id).pids.max),
    write(k, id, text) {
      const { pids: old } = cgroupOf(k, id);
      changeCgroup(k, id, { pids: { ...old, max: limitIn(text, 0, 2 ** 22, E.EINVAL) } });
    },
  },
  { name: "pids.events", read: (k, id) => `max ${cgroupOf(k, id).pids.refused}\n` },
  { name: "pids.peak", read: (k, id) => `${cgroupOf(k, id).pids.peak}\n` },
]);

const cpuset = filesOf("cpuset", [
  { name: "cpuset.cpus", read: (k, id) => `${cgroupOf(k, id).cpuset.cpus}\n`, write: setOf("cpus") },
  { name: "cpuset.cpus.effective", onRoot: true, read: (k) => `${allCpus(k)}\n` },
  { name: "cpuset.mems", read: (k, id) => `${cgroupOf(k, id).cpuset.mems}\n`, write: setOf("mems") },
  { name: "cpuset.mems.effective", onRoot: true, read: () => "0\n" },
]);

const allCpus = ({ state: { cpus } }: Work): string => (cpus.length === 1 ? "0" : `0-${cpus.length - 1}`);

/** A list of numbers and ranges of what there is. Throws EINVAL; ENODEV for what there is not. */
function setOf(which: "cpus" | "mems"): NonNullable<CgroupFile["write"]> {
  return (k, id, text) => {
    const most = which === "cpus" ? k.state.cpus.length - 1 : 0;
    const numbers = new Set<number>();
    for (const part of text.split(",").filter((one) => one !== "")) {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
      if (match === null || Number(match[2] ?? match[1]) < Number(match[1])) throw E.EINVAL;
      for (let at = Number(match[1]); at <= Math.min(Number(match[2] ?? match[1]), 4096); at++) numbers.add(at);
    }
    const there = [...numbers].filter((one) => one <= most).sort((a, b) => a - b);
    if (numbers.size > 0 && there.length < numbers.size) throw E.ERANGE;
    const { cpuset: old } = cgroupOf(k, id);
    changeCgroup(k, id, { cpuset: { ...old, [which]: rangesOf(there) } });
  };
}

function rangesOf(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < numbers.length; ) {
    let end = at;
    while (numbers[end + 1] === numbers[end]! + 1) end++;
    parts.push(end === at ? `${numbers[at]}` : `${numbers[at]}-${numbers[end]}`);
    at = end + 1;
  }
  return parts.join(",");
}

export const coreFiles: readonly CgroupFile[] = [...core, ...pids, ...cpuset];
