/** What the operator of a kernel asks for, done by the kernel itself at the next boundary. */

import { freshRegisters } from "./arch/registers.js";
import { Errno } from "./errno.js";
import { execute } from "./exec/execute.js";
import { consoleOf } from "./fs/console.js";
import { newDescriptorTable, newFile, setDescriptor } from "./fs/descriptors.js";
import { newFileSystem, typeOf } from "./fs/file-systems.js";
import { O } from "./fs/kinds.js";
import { newMount, place } from "./fs/mounts.js";
import { openLocation } from "./fs/open.js";
import { locate, rootOfMount, throughMounts } from "./fs/path.js";
import { type Pipe, putIntoPipe } from "./fs/pipes.js";
import { setSize } from "./fs/tty/control.js";
import { acquireByOpening } from "./fs/tty/sessions.js";
import { S } from "./fs/types.js";
import { KERNEL_ROOT, useSpace } from "./mm/spaces.js";
import type { FeedOrder, Location, MountOrder, Order, Process, SpawnOrder, Task } from "./state.js";
import { newContext } from "./tasks/contexts.js";
import { rootCredentials } from "./tasks/credentials.js";
import { exitProcess } from "./tasks/exit.js";
import { newPid } from "./tasks/fork.js";
import { newHandlers } from "./tasks/handlers.js";
import { enqueue } from "./tasks/schedule.js";
import { wake } from "./tasks/waiting.js";
import { firstNamespaces, type Work } from "./work.js";

const INFINITY = Number.POSITIVE_INFINITY;
/** By RLIMIT_ number. Spec: getrlimit(2); Linux, include/asm-generic/resource.h INIT_RLIMITS. */
const limits: Process["limits"] = [
  ...[[INFINITY, INFINITY] as const, [INFINITY, INFINITY] as const, [INFINITY, INFINITY] as const],
  ...[[8 * 2 ** 20, INFINITY] as const, [0, INFINITY] as const, [INFINITY, INFINITY] as const],
  ...[[INFINITY, INFINITY] as const, [1024, 4096] as const, [65_536, 65_536] as const],
  ...[[INFINITY, INFINITY] as const, [INFINITY, INFINITY] as const, [INFINITY, INFINITY] as const],
  ...[[819_200, 819_200] as const, [0, 0] as const, [0, 0] as const, [INFINITY, INFINITY] as const],
];

const EXEC_FAILED = 127;

export function doOrders(k: Work): void {
  const { orders } = k.state;
  k.set({ orders: [] });
  for (const order of orders) carryOut(k, order);
}

function carryOut(k: Work, order: Order): void {
  if (order.kind === "spawn") spawn(k, order);
  else if (order.kind === "mount") mountFirst(k, order);
  else if (order.kind === "resize") setSize(k, consoleOf(k), [order.rows, order.columns, 0, 0]);
  else feed(k, order);
}

/** What is fed to a process lies in its pipe, whatever room that has; the writer that goes is the operator. */
function feed(k: Work, order: FeedOrder): void {
  const [pipe] = k.objectOf<OperatorProcess>(order.id).pipes;
  if (k.state.objects.get(pipe) === undefined) return;
  if (order.kind === "feed") putIntoPipe(k, pipe, order.bytes);
  else {
    k.changeObject<Pipe>(pipe, { writers: 0 });
    wake(k, pipe);
  }
}

/** A file system at a folder, which is made if it is not there. */
function mountFirst(k: Work, { type, source, at: path, options }: MountOrder): void {
  const { id, root } = newFileSystem(k, type, source, options);
  const rootMount = k.state.initial.rootMount!;
  let at = throughMounts(k, rootOfMount(k.state.mounts.get(rootMount)!));
  for (const name of path.split("/").filter((part) => part !== "")) at = throughMounts(k, folderIn(k, at, name));
  const { namespace } = k.state.mounts.get(rootMount)!;
  place(k, newMount(k, { namespace, fileSystem: id, root, flags: 0 }), at);
}

function folderIn(k: Work, directory: Location, name: string): Location {
  const fs = k.fileSystemOf(k.state.mounts.get(directory.mount)!.fileSystem);
  const { lookup, create } = typeOf(fs);
  const mode = S.IFDIR | 0o755;
  const ino = lookup(k, fs, directory.ino, name) ?? create!(k, fs, directory.ino, name, { mode, uid: 0, gid: 0 });
  return { mount: directory.mount, ino, parent: directory.ino, name };
}

/** A process that nobody has forked: the first one, and each that the operator starts. */
function spawn(k: Work, { arguments: parameters, environment, streams, directory, id }: SpawnOrder): void {
  if (k.current !== 0) k.save();
  const { current, saved } = k;
  const pid = newPid(k);
  const { initial } = k.state;
  const root = { mount: initial.rootMount!, ino: k.state.mounts.get(initial.rootMount!)!.root, parent: 0, name: "" };
  const process: Process = {
    pid,
    numbers: [{ namespace: initial.pid!, number: pid }],
    ...{ parent: pid === 1 ? 0 : 1, group: pid, session: pid, threads: [pid], children: [], pending: [] },
    ...{ exitSignal: 17, status: undefined, ended: false, stopReport: undefined, terminal: undefined, limits },
    ...{ hasExecuted: false, dumpable: true, childrenRan: 0, alarm: undefined, isSubreaper: false, oomAdjustment: 0 },
    operator: id,
  };
  const task: Task = {
    tid: pid,
    process: pid,
    name: "init",
    status: { kind: "running", cpu: k.cpu },
    registers: freshRegisters(64, 0, 0),
    call: undefined,
    space: 0,
    descriptors: newDescriptorTable(k).id,
    context: newContext(k, root, root),
    handlers: newHandlers(k),
    credentials: rootCredentials,
    namespaces: firstNamespaces(k.state),
    cgroup: initial.cgroupRoot ?? 0,
    ...{ pending: [], blocked: 0n, savedMask: undefined, alternateStack: undefined, tls: [], clearTid: 0 },
    ...{ robustList: 0, virtualTime: 0, ran: 0, nice: 0, affinity: 0xff, startedAt: k.now, filters: [] },
    parentDeathSignal: 0,
  };
  k.set({ processes: k.state.processes.set(pid, process), tasks: k.state.tasks.set(pid, task) });
  if (pid !== 1 && k.state.processes.get(1) !== undefined)
    k.setProcess(1, { children: [...k.processOf(1).children, pid] });
  k.current = pid;
  k.saved = true;
  begin(k, { parameters, environment, streams, directory, id });
  k.replaced = false;
  k.current = current;
  k.saved = saved;
  if (k.state.tasks.get(pid) !== undefined) enqueue(k, pid);
  useSpace(k, current === 0 ? KERNEL_ROOT : k.space.root);
}

interface Beginning extends Pick<SpawnOrder, "environment" | "streams" | "directory" | "id"> {
  readonly parameters: readonly string[];
}

function begin(k: Work, { parameters, environment, streams, directory, id }: Beginning): void {
  const pid = k.current;
  openStreams(k, streams, id);
  try {
    k.setContext(k.task.context, { directory: locate(k, directory) });
    const path = programPath(k, parameters[0]!, environment);
    execute(k, path, parameters, environment);
    k.changeObject<OperatorProcess>(id, { pid });
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    k.changeObject<OperatorProcess>(id, { pid, failed: thrown.name });
    exitProcess(k, EXEC_FAILED << 8);
  }
}

/** The file a name without a slash stands for, by PATH. Spec: execvp(3). */
function programPath(k: Work, name: string, environment: readonly string[]): string {
  if (name.includes("/")) return name;
  const path = environment.find((one) => one.startsWith("PATH="))?.slice(5) ?? "/bin:/usr/bin";
  for (const folder of path.split(":")) {
    const candidate = `${folder === "" ? "." : folder}/${name}`;
    try {
      locate(k, candidate);
      return candidate;
    } catch (thrown) {
      if (!(thrown instanceof Errno)) throw thrown;
    }
  }
  return name;
}

/** A process that the operator has started: its pipes, its number, and why it could not begin. */
export interface OperatorProcess {
  readonly kind: "operator-process";
  readonly pid: number;
  readonly failed: string | undefined;
  /** Wait status once it has ended. */
  readonly status: number | undefined;
  /** Pipes for descriptors 0 to 2. */
  readonly pipes: readonly [number, number, number];
}

function openStreams(k: Work, streams: SpawnOrder["streams"], id: number): void {
  const { pipes } = k.objectOf<OperatorProcess>(id);
  for (const fd of [0, 1, 2] as const) {
    const file =
      streams[fd] === "pipes"
        ? newFile(k, { kind: "pipe", flags: fd === 0 ? O.RDONLY : O.WRONLY, object: pipes[fd] })
        : openLocation(k, locate(k, "/dev/console"), O.RDWR);
    setDescriptor(k, fd, file.id, false);
    if (streams[fd] === "console") acquireByOpening(k, consoleOf(k));
  }
}

/** A pipe whose other end is the operator's. */
export const operatorPipe = (): Pipe => ({
  kind: "pipe",
  parts: [],
  ...{ read: 0, size: 0, capacity: 65_536, readers: 1, writers: 1 },
});
