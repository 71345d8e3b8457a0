/** System calls that make, replace, end and await processes. Spec: clone(2), execve(2), wait(2). */
import { E, Wait } from "../errno.js";
import { execute } from "../exec/execute.js";
import { fileAt } from "../fs/descriptors.js";
import { readBytesToZero, readLong, readPath, readWord, textOf, writeUser, writeWord } from "../mm/user-memory.js";
import { pidInside, pidOutside } from "../namespaces/pid.js";
import type { Process } from "../state.js";
import { exitProcess, exitThread, reap } from "../tasks/exit.js";
import { CLONE, type CloneArguments, clone } from "../tasks/fork.js";
import { waitFutex, wakeFutex } from "../tasks/futexes.js";
import { signalNumbers } from "../tasks/signals.js";
import { ticksOf } from "../time.js";
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
  return clone(k, { flags: flags - (flags & 0xff), exitSignal: flags & 0xff, stack, parentTid, childTid, tls }, k.call);
}

// ---- wait ---------------------------------------------------------------------------------------------------------

const WNOHANG = 1;
const WUNTRACED = 2;
const WCONTINUED = 8;

/** Whether a child is one of those that are waited for. Spec: waitpid(2), "The value of pid can be". */
function isMeant(k: Work, child: Process, pid: number): boolean {
  if (pid > 0) return child.pid === pidOutside(k, pid);
  if (pid === -1) return true;
  return child.group === (pid === 0 ? k.process.group : pidOutside(k, -pid));
}

function wait4(k: Work, pid: number, statusAt: number, options: number, usageAt: number): number {
  const children = k.process.children.map((child) => k.processOf(child)).filter((child) => isMeant(k, child, pid));
  if (children.length === 0) throw E.ECHILD;
  const ended = children.find((child) => child.ended);
  if (ended !== undefined) {
    if (statusAt !== 0) writeWord(k, statusAt, ended.status!);
    if (usageAt !== 0) writeUser(k, usageAt, new Uint8Array(k.call.abi === "x86_64" ? 144 : 72));
    const number = pidInside(k, ended.pid);
    reap(k, ended.pid);
    return number;
  }
  const told = children.find(
    ({ stopReport }) =>
      stopReport !== undefined && (stopReport === 0xffff ? (options & WCONTINUED) !== 0 : (options & WUNTRACED) !== 0),
  );
  if (told !== undefined) {
    if (statusAt !== 0) writeWord(k, statusAt, told.stopReport!);
    k.setProcess(told.pid, { stopReport: undefined });
    return pidInside(k, told.pid);
  }
  if ((options & WNOHANG) !== 0) return 0;
  throw new Wait([k.process.pid]);
}

// ---- futex --------------------------------------------------------------------------------------------------------

const FUTEX = { WAIT: 0, WAKE: 1, WAIT_BITSET: 9, WAKE_BITSET: 10, COMMAND: 127 } as const;

function futex(
  k: Work,
  address: number,
  operation: number,
  value: number,
  timeout: number,
  _second: number,
  bits: number,
): number {
  const command = operation & FUTEX.COMMAND;
  if (command === FUTEX.WAKE) return wakeFutex(k, address, value | 0);
  if (command === FUTEX.WAKE_BITSET) return wakeFutex(k, address, value | 0, bits);
  if (command !== FUTEX.WAIT && command !== FUTEX.WAIT_BITSET) throw E.ENOSYS;
  let until: number | undefined;
  if (timeout !== 0) {
    const begun = k.call.progress as { readonly until?: number } | undefined;
    const ticks = ticksOf(readLong(k, timeout), readLong(k, timeout + 8));
    until = begun?.until ?? (command === FUTEX.WAIT ? k.now + ticks : ticks);
  }
  return waitFutex(k, address, value, { bits: command === FUTEX.WAIT ? 0xffff_ffff : bits, until, call: k.call });
}

export const processCalls: readonly SystemCall[] = [
  call("fork", "", (k) => clone(k, fork, k.call)),
  call("vfork", "", (k) => clone(k, { ...fork, flags: CLONE.VFORK | CLONE.VM }, k.call)),
  call("clone", "flags:uint stack:pointer parent_tid:pointer arg4:pointer arg5:pointer", rawClone),
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
  call("wait4", "pid:int wstatus:pointer options:flags rusage:pointer", wait4),
  call("waitpid", "pid:int wstatus:pointer options:flags", (k, pid, status, options) =>
    wait4(k, pid, status, options, 0),
  ),
  call("futex", "uaddr:pointer op:int val:uint timeout:pointer uaddr2:pointer val3:uint", futex),
  call("set_tid_address", "tidptr:pointer", (k, address) => {
    k.setTask(k.current, { clearTid: address });
    return pidInside(k, k.current);
  }),
  call("set_robust_list", "head:pointer len:size", (k, head, length) => {
    if (length !== (k.call.abi === "x86_64" ? 24 : 12)) throw E.EINVAL;
    k.setTask(k.current, { robustList: head });
    return 0;
  }),
  call("sched_yield", "", () => 0),
];
