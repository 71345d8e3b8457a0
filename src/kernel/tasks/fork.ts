/** New threads and processes. Spec: clone(2), fork(2), vfork(2). */
import { generalOf, R, withGeneral } from "../arch/registers.js";
import { countTasks, requirePids } from "../cgroups/records.js";
import { E, Wait } from "../errno.js";
import { copyDescriptors } from "../fs/descriptors.js";
import { copyMountNamespace } from "../fs/mounts.js";
import { copySpace, useSpace } from "../mm/spaces.js";
import { writeWord } from "../mm/user-memory.js";
import { newNamespaces } from "../namespaces/change.js";
import { giveNumbers, isInit, pidInside } from "../namespaces/pid.js";
import { ALL_NAMESPACE_FLAGS, holdNamespaces, setNamespaces } from "../namespaces/records.js";
import { enterTime } from "../namespaces/time.js";
import type { PendingCall, Process, Task } from "../state.js";
import { withThreadArea } from "../syscalls/segments.js";
import type { Work } from "../work.js";
import { newContext } from "./contexts.js";
import { newHandlers } from "./handlers.js";
import { enqueue } from "./schedule.js";

/** Flags of clone(2). */
export const CLONE = {
  ...{ VM: 0x100, FS: 0x200, FILES: 0x400, SIGHAND: 0x800, PIDFD: 0x1000, PTRACE: 0x2000, VFORK: 0x4000 },
  ...{ PARENT: 0x8000, THREAD: 0x1_0000, NEWNS: 0x2_0000, SYSVSEM: 0x4_0000, SETTLS: 0x8_0000 },
  ...{ PARENT_SETTID: 0x10_0000, CHILD_CLEARTID: 0x20_0000, DETACHED: 0x40_0000, UNTRACED: 0x80_0000 },
  ...{ CHILD_SETTID: 0x100_0000, NEWCGROUP: 0x200_0000, NEWUTS: 0x400_0000, NEWIPC: 0x800_0000 },
  ...{ NEWUSER: 0x1000_0000, NEWPID: 0x2000_0000, NEWNET: 0x4000_0000, IO: 0x8000_0000, NEWTIME: 0x80 },
} as const;

export interface CloneArguments {
  readonly flags: number;
  readonly exitSignal: number;
  /** Stack pointer of the child; 0 for the parent's. */
  readonly stack: number;
  readonly parentTid: number;
  readonly childTid: number;
  readonly tls: number;
  /** Numbers that clone3(2) asks for, the innermost namespace's first, and the cgroup the child is to be in. */
  readonly wanted?: readonly number[];
  readonly cgroup?: number;
}

const MOST_PID = 32_768;

/** A number that no process has. Throws EAGAIN. */
export function newPid(k: Work): number {
  const { lastPid, tasks, processes } = k.state;
  for (let tries = 1; tries < MOST_PID; tries++) {
    const pid = ((lastPid + tries - 1) % (MOST_PID - 1)) + 1;
    if (tasks.get(pid) !== undefined || processes.get(pid) !== undefined) continue;
    k.set({ lastPid: pid });
    return pid;
  }
  throw E.EAGAIN;
}

const has = (flags: number, flag: number): boolean => Math.floor(flags / flag) % 2 === 1;

/** The combinations that make no sense. Throws EINVAL. */
function check(k: Work, flags: number): void {
  if (has(flags, CLONE.SIGHAND) && !has(flags, CLONE.VM)) throw E.EINVAL;
  if (has(flags, CLONE.THREAD) && !has(flags, CLONE.SIGHAND)) throw E.EINVAL;
  if (has(flags, CLONE.FS) && (has(flags, CLONE.NEWNS) || has(flags, CLONE.NEWUSER))) throw E.EINVAL;
  if (has(flags, CLONE.SYSVSEM) && has(flags, CLONE.NEWIPC)) throw E.EINVAL;
  if (has(flags, CLONE.PARENT) && isInit(k, k.process)) throw E.EINVAL;
  const { pid, pidForChildren, time, timeForChildren } = k.task.namespaces;
  const leaves = has(flags, CLONE.NEWUSER) || has(flags, CLONE.NEWPID) || pid !== pidForChildren;
  if (has(flags, CLONE.THREAD) && leaves) throw E.EINVAL;
  if (has(flags, CLONE.VM) && !has(flags, CLONE.VFORK) && time !== timeForChildren) throw E.EINVAL;
}

/** Where the child is: the namespaces of its parent, or new ones. */
function placed(k: Work, flags: number): Pick<Task, "namespaces" | "credentials"> & { readonly copiesMounts: boolean } {
  const { namespaces, credentials, copiesMounts } = newNamespaces(k, flags & ALL_NAMESPACE_FLAGS);
  const { pidForChildren: pid, timeForChildren: time } = namespaces;
  if (has(flags, CLONE.THREAD)) return { namespaces, credentials, copiesMounts };
  return { namespaces: { ...namespaces, pid, time }, credentials, copiesMounts };
}

/** Shared with one user more, or a copy. */
function resources(k: Work, { flags }: CloneArguments): Pick<Task, "space" | "descriptors" | "context" | "handlers"> {
  const { task } = k;
  const { space, descriptors, context, handlers } = task;
  const result = { space, descriptors, context, handlers };
  if (has(flags, CLONE.VM)) k.setSpace(space, { users: k.space.users + 1 });
  else result.space = copySpace(k, k.space).id;
  if (has(flags, CLONE.FILES))
    k.setDescriptors(descriptors, { users: k.state.descriptorTables.get(descriptors)!.users + 1 });
  else result.descriptors = copyDescriptors(k, descriptors).id;
  if (has(flags, CLONE.FS)) k.setContext(context, { users: k.context.users + 1 });
  else result.context = newContext(k, k.context.root, k.context.directory, k.context.umask);
  const table = k.state.handlers.get(handlers)!;
  if (has(flags, CLONE.SIGHAND))
    k.set({ handlers: k.state.handlers.set(handlers, { ...table, users: table.users + 1 }) });
  else result.handlers = newHandlers(k, table.actions);
  return result;
}

/** A child that the parent waits for: it has this address space until it executes another program. */
interface Begun {
  readonly child: number;
  readonly space: number;
  readonly number: number;
}

/** clone(2). Gives the number of the new thread. */
export function clone(k: Work, args: CloneArguments, call: PendingCall): number {
  const { flags } = args;
  const begun = call.progress as Begun | undefined;
  if (begun !== undefined) return awaitExec(k, begun);
  check(k, flags);
  const parent = k.save();
  const cgroup = args.cgroup ?? parent.cgroup;
  requirePids(k, cgroup);
  const { copiesMounts, ...place } = placed(k, flags);
  const tid = newPid(k);
  const isThread = has(flags, CLONE.THREAD);
  const process = isThread ? parent.process : tid;
  const numbers = giveNumbers(k, place.namespaces.pid, tid, args.wanted);
  let registers = withGeneral(parent.registers, R.AX, 0);
  if (args.stack !== 0) registers = withGeneral(registers, R.SP, args.stack);
  let { tls } = parent;
  if (has(flags, CLONE.SETTLS)) {
    if (call.abi === "x86_64") registers = { ...registers, fs: 0, fsBase: args.tls };
    else tls = withThreadArea(k, tls, args.tls).tls;
  }
  const child: Task = {
    ...parent,
    tid,
    process,
    registers,
    call: undefined,
    ...place,
    cgroup,
    ...resources(k, args),
    tls,
    pending: [],
    savedMask: undefined,
    alternateStack: has(flags, CLONE.VM) && !has(flags, CLONE.VFORK) ? undefined : parent.alternateStack,
    clearTid: has(flags, CLONE.CHILD_CLEARTID) ? args.childTid : 0,
    robustList: 0,
    ran: 0,
    startedAt: k.now,
    parentDeathSignal: 0,
  };
  k.set({ tasks: k.state.tasks.set(tid, child) });
  holdNamespaces(k, child.namespaces);
  countTasks(k, cgroup, 1);
  if (copiesMounts) {
    const { mnt, user } = child.namespaces;
    setNamespaces(k, tid, { mnt: copyMountNamespace(k, mnt, child.context, user) });
  }
  if (place.namespaces.time !== k.state.initial.time) enterTime(k, place.namespaces.time);
  if (isThread) k.setProcess(process, { threads: [...k.process.threads, tid] });
  else addProcess(k, tid, numbers, args);
  const number = pidInside(k, tid);
  if (has(flags, CLONE.PARENT_SETTID)) writeWord(k, args.parentTid, number);
  if (has(flags, CLONE.CHILD_SETTID)) writeAsChild(k, tid, numbers[0]!.number, args.childTid);
  enqueue(k, tid);
  if (has(flags, CLONE.VFORK)) throw new Wait([tid], undefined, { child: tid, space: child.space, number }, "never");
  return number;
}

/** vfork(2): the parent goes on when the child has another program, or none. */
function awaitExec(k: Work, begun: Begun): number {
  const child = k.state.tasks.get(begun.child);
  if (child !== undefined && child.space === begun.space) throw new Wait([begun.child], undefined, begun, "never");
  return begun.number;
}

function addProcess(k: Work, pid: number, numbers: Process["numbers"], { flags, exitSignal }: CloneArguments): void {
  const own = k.process;
  const parent = has(flags, CLONE.PARENT) ? own.parent : own.pid;
  const process: Process = {
    ...own,
    pid,
    numbers,
    parent,
    threads: [pid],
    children: [],
    pending: [],
    exitSignal,
    status: undefined,
    ended: false,
    stopReport: undefined,
    hasExecuted: false,
    childrenRan: 0,
    alarm: undefined,
    isSubreaper: false,
    operator: undefined,
  };
  k.set({ processes: k.state.processes.set(pid, process) });
  k.setProcess(parent, { children: [...k.processOf(parent).children, pid] });
}

/** CLONE_CHILD_SETTID: the word is the child's, in its own memory. */
function writeAsChild(k: Work, tid: number, number: number, address: number): void {
  const { space } = k.taskOf(tid);
  if (space === k.task.space) {
    writeWord(k, address, number);
    return;
  }
  inSpaceOf(k, tid, () => writeWord(k, address, number));
}

/** Works at the memory of another thread. */
export function inSpaceOf(k: Work, tid: number, work: () => void): void {
  const { current } = k;
  k.current = tid;
  useSpace(k, k.space.root);
  try {
    work();
  } finally {
    k.current = current;
    useSpace(k, k.space.root);
  }
}

export { generalOf };
