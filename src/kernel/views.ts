/** What there is in a kernel, as plain tables for readers: processes, namespaces, mounts, open files. */
import type { ProcessorPort } from "../hardware/cpu/processor.js";
import type { HostAccess } from "../hardware/supervisors.js";
import { nameOf, rootOfMount } from "./fs/path.js";
import { MS } from "./fs/permissions.js";
import type { Terminal } from "./fs/tty/terminal.js";
import type { KernelState, Mount, Namespaces, Process, Task } from "./state.js";
import { Work } from "./work.js";

/** A process. Spec: ps(1). */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly name: string;
  /** R runs or is ready, S waits, T is stopped, Z has ended. */
  readonly state: "R" | "S" | "T" | "Z";
  /** The controlling terminal; empty for none. */
  readonly terminal: string;
  readonly uid: number;
  readonly threads: number;
  /** Bytes of memory that are mapped. */
  readonly resident: number;
  /** Ticks it has had. */
  readonly ticks: number;
}

export type NamespaceKind = "cgroup" | "ipc" | "mnt" | "net" | "pid" | "time" | "user" | "uts";

export interface NamespaceRow {
  readonly id: number;
  readonly kind: NamespaceKind;
  /** Threads in it. */
  readonly threads: number;
  /** The lowest process of them. */
  readonly pid: number | undefined;
}

/** A mount. Spec: proc_pid_mountinfo(5). */
export interface MountRow {
  readonly id: number;
  readonly parent: number;
  readonly namespace: number;
  readonly at: string;
  readonly source: string;
  readonly type: string;
  readonly options: string;
}

/** A descriptor of a process. */
export interface FileRow {
  readonly pid: number;
  readonly descriptor: number;
  readonly kind: string;
  /** Path name, or what stands for one. */
  readonly name: string;
  readonly offset: number;
}

const PAGE = 4096;

/** The kernel at rest: for what only looks things up. */
const atRest = (state: KernelState): Work =>
  new Work({ apicId: 0, now: 0 } as unknown as ProcessorPort, { state } as unknown as HostAccess, "gate");

const table = <T extends object>(rows: readonly T[]): readonly T[] =>
  Object.freeze(rows.map((row) => Object.freeze(row)));

const STATES: Readonly<Record<Task["status"]["kind"], ProcessRow["state"]>> = {
  ready: "R",
  running: "R",
  waiting: "S",
  frozen: "S",
  stopped: "T",
  dead: "Z",
};

export function processRows(state: KernelState): readonly ProcessRow[] {
  const { processes, tasks, spaces, objects } = state;
  const row = ({ pid, parent, group, session, threads, terminal }: Process): ProcessRow => {
    const own = threads.map((tid) => tasks.get(tid)!);
    const [first] = own;
    const running = own.find(({ status }) => STATES[status.kind] === "R");
    const line = terminal === undefined ? undefined : (objects.get(terminal) as Terminal | undefined);
    return {
      ...{ pid, parent, group, session, name: first?.name ?? "" },
      state: first === undefined ? "Z" : STATES[(running ?? first).status.kind],
      terminal: line?.name ?? "",
      uid: first?.credentials.uid ?? 0,
      threads: threads.length,
      resident: PAGE * (spaces.get(first?.space ?? 0)?.resident ?? 0),
      ticks: own.reduce((sum, { ran }) => sum + ran, 0),
    };
  };
  const all = [...processes.entries()].map(([, process]) => process).sort((a, b) => a.pid - b.pid);
  return table(all.map(row));
}

const KINDS: readonly NamespaceKind[] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

export function namespaceRows({ objects, tasks }: KernelState): readonly NamespaceRow[] {
  const members = new Map<number, Task[]>();
  for (const [, task] of tasks.entries())
    for (const kind of KINDS) {
      const id = task.namespaces[kind as keyof Namespaces];
      members.set(id, [...(members.get(id) ?? []), task]);
    }
  const found: NamespaceRow[] = [];
  for (const [id, object] of objects.entries()) {
    const { kind } = object as { readonly kind?: string };
    if (!KINDS.includes(kind as NamespaceKind)) continue;
    const own = members.get(id) ?? [];
    const pid = own.length === 0 ? undefined : Math.min(...own.map(({ process }) => process));
    found.push({ id, kind: kind as NamespaceKind, threads: own.length, pid });
  }
  return table(found.sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.id - b.id));
}

const FLAGS = [
  ["nosuid", MS.NOSUID],
  ["nodev", MS.NODEV],
] as const;

/** The root of a mount namespace, which everything in it stands below. */
function rootOf(k: Work, mount: Mount): Mount {
  let at = mount;
  while (at.parent !== at.id) {
    const parent = k.state.mounts.get(at.parent);
    if (parent === undefined) break;
    at = parent;
  }
  return at;
}

export function mountRows(state: KernelState): readonly MountRow[] {
  const k = atRest(state);
  const row = (mount: Mount): MountRow => {
    const { type, source, options, readOnly } = state.fileSystems.get(mount.fileSystem)!;
    const root = rootOfMount(rootOf(k, mount));
    const at = mount.at === undefined ? "/" : (nameOf(k, mount.at, root) ?? "");
    const flags = FLAGS.filter(([, flag]) => (mount.flags & flag) !== 0).map(([name]) => name);
    const isReadOnly = readOnly || (mount.flags & MS.RDONLY) !== 0;
    const all = [isReadOnly ? "ro" : "rw", ...flags, ...(options === "" ? [] : [options])].join(",");
    return { id: mount.id, parent: mount.parent, namespace: mount.namespace, at, source, type, options: all };
  };
  // Those of no namespace are reached by no name: detached ones, and where namespaces are opened.
  const reached = [...state.mounts.entries()].filter(([, { namespace }]) => namespace > 0);
  return table(reached.map(([, mount]) => row(mount)).sort((a, b) => a.id - b.id));
}

export function fileRows(state: KernelState): readonly FileRow[] {
  const k = atRest(state);
  const found: FileRow[] = [];
  for (const [pid, { threads }] of state.processes.entries()) {
    const task = state.tasks.get(threads[0] ?? 0);
    const descriptors = task === undefined ? undefined : state.descriptorTables.get(task.descriptors)?.descriptors;
    for (const [descriptor, { file }] of descriptors?.entries() ?? []) {
      const { kind, location, object, offset } = state.files.get(file)!;
      const root = state.contexts.get(task!.context)!.root;
      const name = location === undefined ? `${kind}:[${object}]` : (nameOf(k, location, root) ?? "");
      found.push({ pid, descriptor, kind, name, offset });
    }
  }
  return table(found.sort((a, b) => a.pid - b.pid || a.descriptor - b.descriptor));
}
