/** Files of /proc about the system as a whole: memory, processors, time, and what it knows. Spec: proc(5). */
import { features } from "../../../hardware/cpu/features.js";
import { models } from "../../../hardware/cpu/model.js";
import { E } from "../../errno.js";
import { freeFrames } from "../../mm/frames.js";
import type { FileSystem } from "../../state.js";
import { RELEASE, VERSION_TEXT } from "../../syscalls/system.js";
import { START, TICKS_A_SECOND } from "../../time.js";
import type { Work } from "../../work.js";
import { allDevices } from "../devices.js";
import { fileSystemTypes } from "../file-systems.js";
import { defineProcFiles, namespaceShown } from "./entries.js";
import { residentOf } from "./memory.js";
import { clockTicks, ranOf } from "./status.js";
import { numberIn } from "./subjects.js";

// ---- memory -------------------------------------------------------------------------------------------------------

const KIB_A_FRAME = 4;

/** Frames that files in memory have. */
export function cachedFrames(k: Work): number {
  let frames = 0;
  for (const [, { inodes }] of k.state.fileSystems.entries())
    for (const [, { pages }] of inodes.entries())
      if (pages !== undefined) for (const [, entry] of pages.entries()) if (entry >= 0) frames++;
  return frames;
}

function tableFrames(k: Work): number {
  let frames = 0;
  for (const [, { tables }] of k.state.spaces.entries()) frames += tables;
  return frames;
}

/** What frames are for, in KiB. */
export function memoryFigures(k: Work): {
  readonly total: number;
  readonly free: number;
  readonly cached: number;
  readonly tables: number;
} {
  const { end } = k.state.frames;
  return {
    total: end * KIB_A_FRAME,
    free: freeFrames(k) * KIB_A_FRAME,
    cached: cachedFrames(k) * KIB_A_FRAME,
    tables: tableFrames(k) * KIB_A_FRAME,
  };
}

function memoryInfo(k: Work): string {
  const { total, free, cached, tables } = memoryFigures(k);
  let [anonymous, mapped] = [0, 0];
  for (const [, space] of k.state.spaces.entries()) {
    const resident = residentOf(k, space);
    anonymous += resident.anonymous * KIB_A_FRAME;
    mapped += (resident.file + resident.shared) * KIB_A_FRAME;
  }
  const rows: readonly (readonly [name: string, kib: number])[] = [
    ...[["MemTotal", total] as const, ["MemFree", free] as const, ["MemAvailable", free] as const],
    ...[["Buffers", 0] as const, ["Cached", cached] as const, ["SwapCached", 0] as const],
    ...[["Active", anonymous + cached] as const, ["Inactive", 0] as const],
    ...[["SwapTotal", 0] as const, ["SwapFree", 0] as const, ["Dirty", 0] as const, ["Writeback", 0] as const],
    ...[["AnonPages", anonymous] as const, ["Mapped", mapped] as const, ["Shmem", cached] as const],
    ...[["KReclaimable", 0] as const, ["Slab", 0] as const, ["SReclaimable", 0] as const, ["SUnreclaim", 0] as const],
    ...[["KernelStack", 0] as const, ["PageTables", tables] as const],
    ...[["CommitLimit", Math.floor(total / 2)] as const, ["Committed_AS", anonymous + cached] as const],
  ];
  return rows.map(([name, kib]) => `${`${name}:`.padEnd(16)}${`${kib}`.padStart(8)} kB\n`).join("");
}

// ---- processors and time ------------------------------------------------------------------------------------------

/** Ticks that threads have had since the start. */
function busyTicks(k: Work): number {
  let ticks = 0;
  for (const [, task] of k.state.tasks.entries()) ticks += ranOf(k, task);
  for (const [, { childrenRan }] of k.state.processes.entries()) ticks += childrenRan;
  return ticks;
}

const countTasks = (k: Work, kinds: readonly string[]): number => {
  let count = 0;
  for (const [, { status }] of k.state.tasks.entries()) if (kinds.includes(status.kind)) count++;
  return count;
};

function statistics(k: Work): string {
  const count = k.state.cpus.length;
  const user = Math.min(clockTicks(busyTicks(k)), clockTicks(k.now) * count);
  const line = (name: string, share: number): string => {
    const busy = Math.floor(user / share);
    const all = Math.floor((clockTicks(k.now) * count) / share);
    return `${name} ${[busy, 0, 0, Math.max(0, all - busy), 0, 0, 0, 0, 0, 0].join(" ")}\n`;
  };
  return [
    line("cpu ", 1),
    ...k.state.cpus.map((_cpu, index) => line(`cpu${index}`, count)),
    `btime ${START}\n`,
    `processes ${k.state.lastPid}\n`,
    `procs_running ${countTasks(k, ["ready", "running"])}\n`,
    "procs_blocked 0\n",
  ].join("");
}

const seconds = (ticks: number): string => (Math.floor((ticks * 100) / TICKS_A_SECOND) / 100).toFixed(2);

const uptime = (k: Work): string =>
  `${seconds(k.now)} ${seconds(Math.max(0, k.now * k.state.cpus.length - busyTicks(k)))}\n`;

function loadAverage(k: Work, fs: FileSystem): string {
  const running = countTasks(k, ["ready", "running"]);
  const all = countTasks(k, ["ready", "running", "waiting", "stopped"]);
  return `0.00 0.00 0.00 ${running}/${all} ${numberIn(k, namespaceShown(fs), k.state.lastPid)}\n`;
}

/** Names that Linux has for features, where they are others. Spec: Linux, arch/x86/include/asm/cpufeatures.h. */
const FLAG_NAMES: Readonly<Record<string, string>> = {
  ...{ CLFSH: "clflush", SSE3: "pni", SS: "ss", CMPXCHG16B: "cx16", LM: "lm", NX: "nx", FFXSR: "fxsr_opt" },
  ...{ LAHF64: "lahf_lm", LAHF: "lahf_lm", PAGE1GB: "pdpe1gb", MISALIGNSSE: "misalignsse" },
};

function processorInfo(k: Work): string {
  const model = models[k.port.system.model];
  const flags = Object.entries(features)
    .filter(([name, { flag }]) => flag !== undefined && model.features.has(name as keyof typeof features))
    .map(([name]) => FLAG_NAMES[name] ?? name.toLowerCase());
  const cache = model.caches.at(-1)?.kib;
  const count = k.state.cpus.length;
  const row = (name: string, value: string | number): string => `${name}${name.length < 8 ? "\t\t" : "\t"}: ${value}\n`;
  return k.state.cpus
    .map((_cpu, index) =>
      [
        `processor\t: ${index}\n`,
        row("vendor_id", model.vendor === "intel" ? "GenuineIntel" : "AuthenticAMD"),
        ...[row("cpu family", model.family), `model\t\t: ${model.model}\n`],
        ...[row("model name", model.brand ?? model.part), row("stepping", model.stepping)],
        `cpu MHz\t\t: ${(TICKS_A_SECOND / 1e6).toFixed(3)}\n`,
        ...(cache === undefined ? [] : [row("cache size", `${cache} KB`)]),
        ...["physical id\t: 0\n", `siblings\t: ${count}\n`, `core id\t\t: ${index}\n`, `cpu cores\t: ${count}\n`],
        ...[`apicid\t\t: ${index}\n`, `initial apicid\t: ${index}\n`, "fpu\t\t: yes\n", "fpu_exception\t: yes\n"],
        ...[`cpuid level\t: ${model.lastLeaf}\n`, "wp\t\t: yes\n", `flags\t\t: ${flags.join(" ")}\n`, "bugs\t\t:\n"],
        `bogomips\t: ${((2 * TICKS_A_SECOND) / 1e6).toFixed(2)}\n`,
        ...["clflush size\t: 64\n", "cache_alignment\t: 64\n"],
        `address sizes\t: ${model.physicalBits} bits physical, 48 bits virtual\npower management:\n\n`,
      ].join(""),
    )
    .join("");
}

// ---- what it knows ------------------------------------------------------------------------------------------------

const knownTypes = (): string =>
  fileSystemTypes()
    .filter(({ name }) => name !== "rootfs" && name !== "nsfs")
    .map(({ name, withoutDevice }) => `${withoutDevice ? "nodev" : ""}\t${name}\n`)
    .join("");

/** Names of majors. Spec: Linux, Documentation/admin-guide/devices.txt. */
const MAJORS: Readonly<Record<string, string>> = {
  ...{ character1: "mem", character4: "ttyS", character5: "/dev/tty", character10: "misc", character136: "pts" },
  ...{ block1: "ramdisk", block7: "loop", block254: "virtblk", character229: "hvc" },
};

function deviceList(): string {
  const section = (type: "character" | "block"): string => {
    const majors = new Set(allDevices().flatMap((device) => (device.type === type ? [device.major] : [])));
    return [...majors]
      .sort((a, b) => a - b)
      .map((major) => `${`${major}`.padStart(3)} ${MAJORS[`${type}${major}`] ?? "virtlab"}\n`)
      .join("");
  };
  return `Character devices:\n${section("character")}\nBlock devices:\n${section("block")}`;
}

const vmStatistics = (k: Work): string => {
  const { free, cached, tables } = memoryFigures(k);
  const pages = { nr_free_pages: free, nr_file_pages: cached, nr_shmem: cached, nr_page_table_pages: tables };
  return `${Object.entries(pages)
    .map(([name, kib]) => `${name} ${kib / KIB_A_FRAME}\n`)
    .join("")}nr_dirty 0\nnr_writeback 0\n`;
};

/** The number of the process that looks, in the namespace of the mount. Throws ENOENT where it has none. */
function ownNumber(k: Work, fs: FileSystem, id: number): number {
  const number = numberIn(k, namespaceShown(fs), id);
  if (number === 0) throw E.ENOENT;
  return number;
}

defineProcFiles(
  { path: "self", target: (k, fs) => `${ownNumber(k, fs, k.task.process)}` },
  {
    path: "thread-self",
    target: (k, fs) => `${ownNumber(k, fs, k.task.process)}/task/${ownNumber(k, fs, k.current)}`,
  },
  { path: "mounts", target: () => "self/mounts" },
  { path: "cmdline", read: () => "\n" },
  { path: "cpuinfo", read: processorInfo },
  { path: "devices", read: deviceList },
  { path: "filesystems", read: knownTypes },
  { path: "loadavg", read: loadAverage },
  { path: "meminfo", read: memoryInfo },
  { path: "partitions", read: () => "" },
  { path: "stat", read: statistics },
  { path: "swaps", read: () => "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" },
  { path: "uptime", read: uptime },
  { path: "version", read: () => `Linux version ${RELEASE} (virtlab) ${VERSION_TEXT}\n` },
  { path: "vmstat", read: vmStatistics },
);
