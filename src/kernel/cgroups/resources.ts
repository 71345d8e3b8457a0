/** The files of the controllers of processor time, memory and disks. Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "CPU", "Memory", "IO". */
import { E } from "../errno.js";
import { chargedPages, FRAME, freeFrames, PAGE } from "../mm/frames.js";
import type { Work } from "../work.js";
import { setBandwidth, setCpuPart } from "./cpu.js";
import {
  type CgroupFile,
  coreFiles,
  filesOf,
  limitText,
  microseconds,
  numberIn,
  ticksOfMicroseconds,
} from "./files.js";
import { reclaim } from "./reclaim.js";
import { cgroupOf, changeCgroup, controllersOf, type MemoryPart, rootOf, UNLIMITED } from "./records.js";

/** Weights by nice value, as the scheduler has them, for a tenth of which a group's weight stands. */
const NICE_WEIGHTS: readonly number[] = [
  ...[88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916],
  ...[9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277],
  ...[1024, 820, 655, 526, 423, 335, 272, 215, 172, 137],
  ...[110, 87, 70, 56, 45, 36, 29, 23, 18, 15],
];

function niceOf(weight: number): number {
  const shares = (weight * 1024) / 100;
  let best = 0;
  NICE_WEIGHTS.forEach((value, index) => {
    if (Math.abs(value - shares) < Math.abs(NICE_WEIGHTS[best]! - shares)) best = index;
  });
  return best - 20;
}

function cpuStat(k: Work, id: number): string {
  const { cpu } = cgroupOf(k, id);
  const used = microseconds(id === rootOf(k) ? k.now : cpu.used);
  const text = `usage_usec ${used}\nuser_usec ${used}\nsystem_usec 0\n`;
  if (id === rootOf(k) || !controllersOf(k, id).includes("cpu")) return text;
  const waiting = cpu.throttledSince < 0 ? 0 : k.now - cpu.throttledSince;
  return `${text}nr_periods ${cpu.periods}\nnr_throttled ${cpu.throttledPeriods}\nthrottled_usec ${microseconds(cpu.throttledTicks + waiting)}\nnr_bursts 0\nburst_usec 0\n`;
}

function setMax(k: Work, id: number, text: string): void {
  const [limit, period, ...rest] = text.split(/\s+/);
  if (limit === undefined || limit === "" || rest.length > 0) throw E.EINVAL;
  const { cpu } = cgroupOf(k, id);
  const every = period === undefined ? microseconds(cpu.period + 50) : numberIn(period, 0, 2 ** 50, E.EINVAL);
  const quota = limit === "max" ? UNLIMITED : numberIn(limit, 0, 2 ** 50, E.EINVAL);
  if (every < 1000 || every > 1_000_000 || quota < 1000) throw E.EINVAL;
  setBandwidth(k, id, quota === UNLIMITED ? UNLIMITED : ticksOfMicroseconds(quota), ticksOfMicroseconds(every));
}

const roundedMicroseconds = (ticks: number): number => Math.round((ticks / ticksOfMicroseconds(1e6)) * 1e6);

const cpu = filesOf("cpu", [
  {
    name: "cpu.weight",
    read: (k, id) => `${cgroupOf(k, id).cpu.weight}\n`,
    write: (k, id, text) => setCpuPart(k, id, { weight: numberIn(text, 1, 10_000) }),
  },
  {
    name: "cpu.weight.nice",
    read: (k, id) => `${niceOf(cgroupOf(k, id).cpu.weight)}\n`,
    write(k, id, text) {
      const shares = NICE_WEIGHTS[numberIn(text, -20, 19) + 20]!;
      setCpuPart(k, id, { weight: Math.min(10_000, Math.max(1, Math.round((shares * 100) / 1024))) });
    },
  },
  {
    name: "cpu.max",
    read(k, id) {
      const { quota, period } = cgroupOf(k, id).cpu;
      return `${quota === UNLIMITED ? "max" : roundedMicroseconds(quota)} ${roundedMicroseconds(period)}\n`;
    },
    write: setMax,
  },
]);

const setMemory = (k: Work, id: number, change: Partial<MemoryPart>): void =>
  changeCgroup(k, id, { memory: { ...cgroupOf(k, id).memory, ...change } });

/** Bytes as pages: a number with K, M, G or T, or "max". Throws EINVAL. */
function pagesOf(text: string): number {
  if (text === "max") return UNLIMITED;
  const match = /^(\d+)([kmgt]?)$/i.exec(text);
  if (match === null) throw E.EINVAL;
  const unit = 1024 ** " kmgt".indexOf(match[2] === "" ? " " : match[2]!.toLowerCase());
  return Math.floor((Number(match[1]) * unit) / PAGE);
}

const limit = (name: string, field: "min" | "low" | "high" | "max" | "swapMax"): CgroupFile => ({
  name,
  read(k, id) {
    const pages = cgroupOf(k, id).memory[field];
    return limitText(pages === UNLIMITED ? pages : pages * PAGE);
  },
  write(k, id, text) {
    setMemory(k, id, { [field]: pagesOf(text) });
    const { max, high } = cgroupOf(k, id).memory;
    if (chargedPages(k, id, "total") > Math.min(max, high)) k.pressed.push(id);
  },
});

function memoryStat(k: Work, id: number): string {
  const isRoot = id === rootOf(k);
  const bytes = (use: 0 | 1 | 2): number => chargedPages(k, id, use) * PAGE;
  const [anon, file, tables] = isRoot
    ? [(k.state.frames.end - freeFrames(k)) * PAGE, 0, 0]
    : [bytes(FRAME.anon), bytes(FRAME.file), bytes(FRAME.table)];
  return [
    ...[
      ["anon", anon],
      ["file", file],
      ["kernel", tables],
      ["kernel_stack", 0],
      ["pagetables", tables],
    ],
    ...[
      ["sock", 0],
      ["shmem", 0],
      ["file_mapped", 0],
      ["file_dirty", 0],
      ["file_writeback", 0],
      ["swapcached", 0],
    ],
    ...[
      ["inactive_anon", anon],
      ["active_anon", 0],
      ["inactive_file", file],
      ["active_file", 0],
      ["unevictable", 0],
    ],
    ...[
      ["slab_reclaimable", 0],
      ["slab_unreclaimable", 0],
      ["slab", 0],
      ["pgfault", 0],
      ["pgmajfault", 0],
    ],
  ]
    .map(([name, value]) => `${name} ${value}\n`)
    .join("");
}

const events = (k: Work, id: number): string =>
  Object.entries(cgroupOf(k, id).memory.events)
    .map(([name, count]) => `${name} ${count}\n`)
    .join("");

const memory = filesOf("memory", [
  { name: "memory.current", read: (k, id) => `${chargedPages(k, id, "total") * PAGE}\n` },
  { name: "memory.peak", read: (k, id) => `${chargedPages(k, id, "peak") * PAGE}\n` },
  ...[limit("memory.min", "min"), limit("memory.low", "low"), limit("memory.high", "high"), limit("memory.max", "max")],
  { name: "memory.events", read: events },
  { name: "memory.events.local", read: events },
  { name: "memory.stat", onRoot: true, read: memoryStat },
  {
    name: "memory.oom.group",
    read: (k, id) => `${cgroupOf(k, id).memory.oomGroup ? 1 : 0}\n`,
    write: (k, id, text) => setMemory(k, id, { oomGroup: numberIn(text, 0, 1, E.EINVAL) === 1 }),
  },
  {
    name: "memory.reclaim",
    onRoot: true,
    write(k, id, text) {
      const wanted = pagesOf(text);
      if (reclaim(k, id === rootOf(k) ? 0 : id, wanted) < wanted) throw E.EAGAIN;
    },
  },
  { name: "memory.swap.current", read: () => "0\n" },
  limit("memory.swap.max", "swapMax"),
]);

const LIMITS = ["rbps", "wbps", "riops", "wiops"] as const;

/** "8:16 rbps=2097152 wiops=max". Throws EINVAL, ENODEV. */
function setIoMax(k: Work, id: number, text: string): void {
  const [device = "", ...words] = text.split(/\s+/);
  if (!/^\d+:\d+$/.test(device)) throw E.EINVAL;
  const { io } = cgroupOf(k, id);
  const old = io.max.find(([name]) => name === device)?.[1];
  const limits: Record<(typeof LIMITS)[number], number> = {
    ...{ rbps: UNLIMITED, wbps: UNLIMITED, riops: UNLIMITED, wiops: UNLIMITED },
    ...old,
  };
  for (const word of words) {
    const [name, value = ""] = word.split("=");
    const key = LIMITS.find((one) => one === name);
    if (key === undefined) throw E.EINVAL;
    limits[key] = value === "max" ? UNLIMITED : numberIn(value, 1, Number.MAX_SAFE_INTEGER, E.EINVAL);
  }
  const others = io.max.filter(([name]) => name !== device);
  const isLimit = Object.values(limits).some((value) => value !== UNLIMITED);
  changeCgroup(k, id, { io: { ...io, max: isLimit ? [...others, [device, limits]] : others } });
}

const io = filesOf("io", [
  { name: "io.stat", onRoot: true, read: () => "" },
  {
    name: "io.max",
    read: (k, id) =>
      cgroupOf(k, id)
        .io.max.map(
          ([name, limits]) => `${name} ${LIMITS.map((key) => `${key}=${limitText(limits[key]).trim()}`).join(" ")}\n`,
        )
        .join(""),
    write: setIoMax,
  },
  {
    name: "io.weight",
    read: (k, id) => `default ${cgroupOf(k, id).io.weight}\n`,
    write(k, id, text) {
      const weight = numberIn(text.replace(/^default\s+/, ""), 1, 10_000, E.EINVAL);
      changeCgroup(k, id, { io: { ...cgroupOf(k, id).io, weight } });
    },
  },
]);

/** All files there are, in the order in which a directory lists them. */
export const cgroupFiles: readonly CgroupFile[] = [
  ...coreFiles,
  ...cpu,
  { name: "cpu.stat", onRoot: true, read: cpuStat },
  ...memory,
  ...io,
];
