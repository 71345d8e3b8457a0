/** System calls that make, replace and end processes. Spec: clone(2), execve(2), _exit(2), pidfd_open(2). */
import { E } from "../errno.js";
import { execute } from "../exec/execute.js";
import { fileAt } from "../fs/descriptors.js";
import { O } from "../fs/kinds.js";
import { readBytesToZero, readLong, readPath, readUser, readWord, textOf } from "../mm/user-memory.js";
import { pidInside, pidOutside } from "../namespaces/pid.js";
import { exitProcess, exitThread } from "../tasks/exit.js";
import { CLONE, type CloneArguments, clone } from "../tasks/fork.js";
import { openPidfd } from "../tasks/pidfd.js";
import { signalNumbers } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const MOST_STRING = 131_072;

/** The texts that a list of pointers leads to. Throws EFAULT, E2BIG. */
function texts(k: Work, at: number): string[] {
  if (at === 0) return [];
  const wide = k.call.abi === "x86_64";
  const found: string[] = [];
  for (let next = at; ; next += wide ? 8 : 4) {
    const pointer = wide ? readLong(k, next) : readWord(k, next);
    if (pointer === 0) return found;
    const bytes = readBytesToZero(k, pointer, MOST_STRING);
    if (bytes === undefined || found.length > 65_536) throw E.E2BIG;
    found.push(textOf(bytes));
  }
}

function executeAt(k: Work, dirfd: number, at: number, argv: number, envp: number, flags: number): number {
  const path = readPath(k, at);
  const [AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW] = [-100, 0x1000, 0x100];
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) throw E.EINVAL;
  const from = dirfd === AT_FDCWD || path.startsWith("/") ? undefined : fileAt(k, dirfd).location;
  execute(k, path, texts(k, argv), texts(k, envp), {
    ...(from === undefined ? {} : { from }),
    follow: (flags & AT_SYMLINK_NOFOLLOW) === 0,
    empty: (flags & AT_EMPTY_PATH) !== 0,
  });
  return 0;
}

const fork: CloneArguments = {
  ...{ flags: 0, exitSignal: signalNumbers.SIGCHLD, stack: 0, parentTid: 0, childTid: 0, tls: 0 },
};

/** The two instruction sets have the last arguments of clone(2) the other way round. */
function rawClone(k: Work, flags: number, stack: number, parentTid: number, fourth: number, fifth: number): number {
  const [childTid, tls] = k.call.abi === "x86_64" ? [fourth, fifth] : [fifth, fourth];
  const exitSignal = (flags & CLONE.THREAD) !== 0 ? 0 : flags & CSIGNAL;
  const rest = { flags: flags - (flags & CSIGNAL), exitSignal, stack, parentTid, childTid, tls };
  if ((flags & CLONE.PIDFD) !== 0 && (flags & CLONE.PARENT_SETTID) !== 0) throw E.EINVAL;
  return clone(k, { ...rest, pidfd: parentTid }, k.call);
}

/** struct clone_args, in words of 8 bytes. Spec: clone(2), "clone3()". */
const CLONE_ARGS = { least: 64, most: 88 } as const;
const CSIGNAL = 0xff;

function clone3(k: Work, at: number, size: number): number {
  if (size < CLONE_ARGS.least) throw E.EINVAL;
  if (size > 4096) throw E.E2BIG;
  const bytes = readUser(k, at, size);
  if (bytes.subarray(CLONE_ARGS.most).some((byte) => byte !== 0)) throw E.E2BIG;
  const view = new DataView(bytes.buffer);
  const field = (index: number): number =>
    index * 8 + 8 > size ? 0 : view.getUint32(index * 8, true) + view.getUint32(index * 8 + 4, true) * 2 ** 32;
  const [flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls] = [0, 1, 2, 3, 4, 5, 6, 7].map(
    field,
  ) as [...[number, number, number, number, number, number, number, number]];
  const [setTid, setTidSize] = [field(8), field(9)];
  if ((setTid === 0) !== (setTidSize === 0) || setTidSize > 32) throw E.EINVAL;
  // Numbers of one's own choice are for checkpoints, which there are none of.
  if (setTid !== 0) throw E.EPERM;
  if (flags >= 2 ** 34 || (flags & CSIGNAL) !== 0 || exitSignal > 64 || (stack === 0) !== (stackSize === 0))
    throw E.EINVAL;
  if ((flags & (CLONE.THREAD | CLONE.PARENT)) !== 0 && exitSignal !== 0) throw E.EINVAL;
  return clone(
    k,
    {
      ...{ flags: flags % 2 ** 32, exitSignal, stack: stack + stackSize, parentTid, childTid, tls, pidfd },
      clearHandlers: flags >= 2 ** 32 && Math.floor(flags / 2 ** 32) % 2 === 1,
    },
    k.call,
  );
}

export const processCalls: readonly SystemCall[] = [
  call("fork", "", (k) => clone(k, fork, k.call)),
  call("vfork", "", (k) => clone(k, { ...fork, flags: CLONE.VFORK | CLONE.VM }, k.call)),
  call("clone", "flags:uint stack:pointer parent_tid:pointer arg4:pointer arg5:pointer", rawClone),
  call("clone3", "cl_args:pointer size:size", clone3),
  call("execve", "pathname:path argv:texts envp:texts", (k, at, argv, envp) => executeAt(k, -100, at, argv, envp, 0)),
  call("execveat", "dirfd:dirfd pathname:path argv:texts envp:texts flags:flags", executeAt),
  call("exit", "status:int", (k, status) => {
    exitThread(k, (status & 0xff) << 8);
    return 0;
  }),
  call("exit_group", "status:int", (k, status) => {
    exitProcess(k, (status & 0xff) << 8);
    return 0;
  }),
  call("pidfd_open", "pid:int flags:flags", (k, number, flags) => {
    if ((flags & ~O.NONBLOCK) !== 0 || number <= 0) throw E.EINVAL;
    const pid = pidOutside(k, number);
    if (k.state.processes.get(pid) === undefined) throw k.state.tasks.get(pid) === undefined ? E.ESRCH : E.EINVAL;
    return openPidfd(k, pid, flags);
  }),
  call("set_tid_address", "tidptr:pointer", (k, address) => {
    k.setTask(k.current, { clearTid: address });
    return pidInside(k, k.current);
  }),
];
