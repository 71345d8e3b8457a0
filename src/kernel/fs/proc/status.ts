/** What /proc/PID tells of a thread or process as such: stat, status, and the small files beside them. Spec: proc(5). */
import { E } from "../../errno.js";
import type { Task } from "../../state.js";
import { capable, idInside } from "../../tasks/capabilities.js";
import { TICKS_A_SECOND } from "../../time.js";
import type { Work } from "../../work.js";
import { majorOf, minorOf } from "../devices.js";
import { defineProcessEntries } from "./entries.js";
import { pagesOf, partsOf, residentOf, spaceOf } from "./memory.js";
import { numberIn, type Subject, threadsOf } from "./subjects.js";

/** Clock ticks of programs, 100 a second. Spec: times(2), sysconf(_SC_CLK_TCK). */
export const clockTicks = (ticks: number): number => Math.floor((ticks * 100) / TICKS_A_SECOND);

/** Ticks a thread has had, with those since it got its processor. */
export function ranOf(k: Work, { status, ran }: Task): number {
  return status.kind === "running" ? ran + k.now - k.state.cpus[status.cpu]!.since : ran;
}

const STATES = {
  ...{ R: "R (running)", S: "S (sleeping)", D: "D (disk sleep)", T: "T (stopped)" },
  ...{ Z: "Z (zombie)", X: "X (dead)" },
} as const;

export function stateOf({ task: { status }, process }: Subject): keyof typeof STATES {
  if (process.ended) return "Z";
  if (status.kind === "ready" || status.kind === "running") return "R";
  if (status.kind === "waiting") return status.interruptible ? "S" : "D";
  return status.kind === "stopped" ? "T" : "X";
}

/** A subject's own number, its parent's, group's and session's. */
const numbersOf = (k: Work, { id, isThread, namespace, process }: Subject) => ({
  pid: numberIn(k, namespace, isThread ? id : process.pid),
  tgid: numberIn(k, namespace, process.pid),
  parent: numberIn(k, namespace, process.parent),
  group: numberIn(k, namespace, process.group),
  session: numberIn(k, namespace, process.session),
});

/** The threads whose times and signals count: of a process all of them. */
const counted = (k: Work, subject: Subject): readonly Task[] =>
  subject.isThread || subject.process.ended
    ? [subject.task]
    : threadsOf(subject).flatMap((tid) => k.state.tasks.get(tid) ?? []);

const timeOf = (k: Work, subject: Subject): number =>
  counted(k, subject).reduce((sum, task) => sum + ranOf(k, task), 0);

// ---- signals ------------------------------------------------------------------------------------------------------

const bit = (signal: number): bigint => 1n << BigInt(signal - 1);
const setOf = (signals: readonly { readonly signal: number }[]): bigint =>
  signals.reduce((set, { signal }) => set | bit(signal), 0n);

function actionsOf(k: Work, { handlers }: Task): { readonly ignored: bigint; readonly caught: bigint } {
  let [ignored, caught] = [0n, 0n];
  for (const [signal, { handler }] of k.state.handlers.get(handlers)?.actions.entries() ?? []) {
    if (handler === 1) ignored |= bit(signal);
    else if (handler !== 0) caught |= bit(signal);
  }
  return { ignored, caught };
}

/** Those below 32, as stat has them. */
const low = (set: bigint): string => (set & 0x7fff_ffffn).toString();

// ---- stat ---------------------------------------------------------------------------------------------------------

/** The device number of the controlling terminal, as stat(2) has it, and the group in front of it. */
function terminalOf(k: Work, { process, namespace }: Subject): readonly [device: number, group: number] {
  const terminal = process.terminal === undefined ? undefined : k.state.objects.get(process.terminal);
  if (terminal === undefined) return [0, -1];
  const { device = 0, foreground = 0 } = terminal as { readonly device?: number; readonly foreground?: number };
  const old = (majorOf(device) & 0xfff) * 256 + (minorOf(device) & 0xff) + (minorOf(device) >>> 8) * 2 ** 20;
  return [old, numberIn(k, namespace, foreground)];
}

function stat(k: Work, subject: Subject): string {
  const { task, process, isThread } = subject;
  const { pid, parent, group, session } = numbersOf(k, subject);
  const [terminal, front] = terminalOf(k, subject);
  const space = spaceOf(k, subject);
  const { ignored, caught } = actionsOf(k, task);
  const mayKnow = subject.process.pid === k.task.process || k.task.credentials.fsuid === 0;
  const addresses = (...values: number[]): number[] => (mayKnow && space !== undefined ? values : values.map(() => 0));
  const children = process.childrenRan - (process.ended ? task.ran : 0);
  const code = space?.areas.filter(({ protection }) => (protection & 4) !== 0) ?? [];
  const cpu = task.status.kind === "running" ? task.status.cpu : 0;
  const limit = process.limits[5]![0];
  return `${[
    `${pid} (${task.name}) ${stateOf(subject)}`,
    ...[parent, group, session, terminal, front, process.hasExecuted ? 0x40_0000 : 0x40_0040],
    ...[0, 0, 0, 0],
    ...[clockTicks(timeOf(k, subject)), 0, isThread ? 0 : clockTicks(children), 0],
    ...[20 + task.nice, task.nice, Math.max(1, process.threads.length), 0, clockTicks(task.startedAt)],
    ...[space === undefined ? 0 : partsOf(space).all, space === undefined ? 0 : pagesOf(residentOf(k, space))],
    limit === Number.POSITIVE_INFINITY ? "18446744073709551615" : limit,
    ...addresses(code[0]?.start ?? 0, code[0]?.end ?? 0, space?.argumentsAt[0] ?? 0),
    ...[0, 0],
    ...[low(setOf(task.pending)), low(task.blocked), low(ignored), low(caught)],
    ...[0, 0, 0, process.ended || isThread ? (process.ended ? process.exitSignal : -1) : process.exitSignal],
    ...[cpu, 0, 0, 0, 0, 0],
    ...addresses(0, 0, space?.breakStart ?? 0, ...(space?.argumentsAt ?? [0, 0]), ...(space?.environmentAt ?? [0, 0])),
    mayKnow ? (process.status ?? 0) : 0,
  ].join(" ")}\n`;
}

// ---- status -------------------------------------------------------------------------------------------------------

const hex = (set: bigint): string => set.toString(16).padStart(16, "0");

function memoryLines(k: Work, subject: Subject): readonly string[] {
  const space = spaceOf(k, subject);
  if (space === undefined) return [];
  const line = (name: string, bytes: number): string => `${name}:\t${`${Math.round(bytes / 1024)}`.padStart(8)} kB`;
  const resident = residentOf(k, space);
  const { all, data, stack, program, libraries, locked } = partsOf(space);
  const rss = pagesOf(resident) * 4096;
  return [
    ...[line("VmPeak", all), line("VmSize", all), line("VmLck", locked), line("VmPin", 0), line("VmHWM", rss)],
    ...[line("VmRSS", rss), line("RssAnon", resident.anonymous * 4096), line("RssFile", resident.file * 4096)],
    ...[line("RssShmem", resident.shared * 4096), line("VmData", data), line("VmStk", stack)],
    ...[line("VmExe", program), line("VmLib", libraries), line("VmPTE", space.tables * 4096), line("VmSwap", 0)],
    ...["CoreDumping:\t0", "THP_enabled:\t0"],
  ];
}

/** Numbers of a process in the namespace shown and those in it. */
function allNumbers(subject: Subject, own: number): string {
  const { process, namespace, isThread } = subject;
  const from = process.numbers.findIndex((one) => one.namespace === namespace);
  if (isThread || from < 0) return `${own}`;
  return process.numbers
    .slice(0, from + 1)
    .map(({ number }) => number)
    .reverse()
    .join("\t");
}

function status(k: Work, subject: Subject): string {
  const { task, process } = subject;
  const { pid, tgid, parent, group, session } = numbersOf(k, subject);
  const { user } = k.task.namespaces;
  const c = task.credentials;
  const ids = (which: "uidMap" | "gidMap", ...values: readonly number[]): string =>
    values.map((id) => idInside(k, user, which, id)).join("\t");
  const { ignored, caught } = actionsOf(k, task);
  const { permitted, effective, inheritable, bounding, ambient } = c.capabilities;
  const groups = c.groups.map((id) => `${idInside(k, user, "gidMap", id)} `).join("");
  const umask = k.state.contexts.get(task.context)?.umask;
  const cpus = 2 ** k.state.cpus.length - 1;
  const allowed = task.affinity & cpus;
  return `${[
    `Name:\t${task.name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    ...(umask === undefined ? [] : [`Umask:\t${umask.toString(8).padStart(4, "0")}`]),
    `State:\t${STATES[stateOf(subject)]}`,
    ...[`Tgid:\t${tgid}`, "Ngid:\t0", `Pid:\t${pid}`, `PPid:\t${parent}`, "TracerPid:\t0"],
    `Uid:\t${ids("uidMap", c.uid, c.euid, c.suid, c.fsuid)}`,
    `Gid:\t${ids("gidMap", c.gid, c.egid, c.sgid, c.fsgid)}`,
    ...[`FDSize:\t${task.descriptors === 0 ? 0 : 64}`, `Groups:\t${groups === "" ? " " : groups}`],
    ...[`NStgid:\t${allNumbers({ ...subject, isThread: false }, tgid)}`, `NSpid:\t${allNumbers(subject, pid)}`],
    ...[`NSpgid:\t${group}`, `NSsid:\t${session}`],
    ...memoryLines(k, subject),
    ...[`Threads:\t${Math.max(1, process.threads.length)}`, `SigQ:\t0/${limitText(process.limits[11]![0])}`],
    ...[`SigPnd:\t${hex(setOf(task.pending))}`, `ShdPnd:\t${hex(setOf(process.pending))}`],
    ...[`SigBlk:\t${hex(task.blocked)}`, `SigIgn:\t${hex(ignored)}`, `SigCgt:\t${hex(caught)}`],
    ...[`CapInh:\t${hex(inheritable)}`, `CapPrm:\t${hex(permitted)}`, `CapEff:\t${hex(effective)}`],
    ...[`CapBnd:\t${hex(bounding)}`, `CapAmb:\t${hex(ambient)}`, `NoNewPrivs:\t${c.noNewPrivileges ? 1 : 0}`],
    ...[`Seccomp:\t${task.filters.length > 0 ? 2 : 0}`, `Seccomp_filters:\t${task.filters.length}`],
    ...[`Cpus_allowed:\t${allowed.toString(16)}`, `Cpus_allowed_list:\t${listOf(allowed)}`],
    ...["Mems_allowed:\t1", "Mems_allowed_list:\t0"],
  ].join("\n")}\n`;
}

const limitText = (limit: number): string => (limit === Number.POSITIVE_INFINITY ? "18446744073709551615" : `${limit}`);

/** A set of processors as "0-2,5". */
export function listOf(mask: number): string {
  const parts: string[] = [];
  for (let at = 0; at < 32; at++) {
    if ((mask & (1 << at)) === 0) continue;
    const first = at;
    while (at < 31 && (mask & (1 << (at + 1))) !== 0) at++;
    parts.push(first === at ? `${at}` : `${first}-${at}`);
  }
  return parts.join(",");
}

// ---- what can be written ------------------------------------------------------------------------------------------

function setName(k: Work, { task, process }: Subject, text: string): void {
  if (process.pid !== k.task.process) throw E.EINVAL;
  k.setTask(task.tid, { name: text.split("\0")[0]!.slice(0, 15) });
}

/** A number that was written. Throws EINVAL. */
export function numberWritten(text: string): number {
  const trimmed = text.trim();
  if (!/^[-+]?[0-9]+$/.test(trimmed)) throw E.EINVAL;
  return Number(trimmed);
}

function setOomAdjustment(k: Work, { process }: Subject, text: string): void {
  const wanted = numberWritten(text);
  if (wanted < -1000 || wanted > 1000) throw E.EINVAL;
  const { credentials, namespaces } = k.task;
  const resource = capable(k, credentials, namespaces.user, "CAP_SYS_RESOURCE", k.state.initial.user!);
  if (wanted < process.oomAdjustment && !resource) throw E.EACCES;
  k.setProcess(process.pid, { oomAdjustment: wanted });
}

/** How bad a process is when memory runs out. Spec: Linux, mm/oom_kill.c oom_badness, fs/proc/base.c proc_oom_score. */
function oomScore(k: Work, subject: Subject): string {
  const space = spaceOf(k, subject);
  const { oomAdjustment } = subject.process;
  if (space === undefined || oomAdjustment === -1000) return "0\n";
  const total = k.state.frames.end;
  const points = pagesOf(residentOf(k, space)) + space.tables + (oomAdjustment * total) / 1000;
  return `${Math.max(0, Math.floor(((1000 + (points * 1000) / total) * 2) / 3))}\n`;
}

defineProcessEntries(
  { name: "stat", read: stat },
  { name: "status", read: status },
  { name: "comm", mode: 0o644, read: (_k, { task }) => `${task.name}\n`, write: setName },
  { name: "oom_score", read: oomScore },
  {
    name: "oom_score_adj",
    mode: 0o644,
    read: (_k, { process }) => `${process.oomAdjustment}\n`,
    write: setOomAdjustment,
  },
  { name: "loginuid", mode: 0o644, read: () => "4294967295" },
  { name: "sessionid", read: () => "4294967295" },
  { name: "personality", mode: 0o400, inspects: true, read: () => "00000000\n" },
  { name: "wchan", read: () => "0" },
  { name: "task", only: "process" },
);
