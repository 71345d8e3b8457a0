/** Filters are installed, and asked before each call of a thread that has any. Spec: seccomp(2), prctl(2) PR_SET_SECCOMP. */
import { R, userFrame, withGeneral } from "../arch/registers.js";
import { E } from "../errno.js";
import { readUser, readWord, writeUser } from "../mm/user-memory.js";
import type { Abi, PendingCall } from "../state.js";
import { may } from "../tasks/capabilities.js";
import { exitProcess, exitThread } from "../tasks/exit.js";
import {
  ACTION,
  ACTION_BITS,
  ARCHITECTURE,
  checkProgram,
  type Filter,
  filtered,
  type Instruction,
} from "../tasks/seccomp.js";
import { forceSignal, signalNumbers } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { type SystemCallName, systemCallNumbers } from "./numbers.js";
import { isWide } from "./times.js";

const MODE = { NONE: 0, STRICT: 1, FILTER: 2 } as const;
const OPERATION = { STRICT: 0, FILTER: 1, ACTION_AVAILABLE: 2, NOTIFICATION_SIZES: 3 } as const;
const FLAG = { TSYNC: 1, LOG: 2, SPEC_ALLOW: 4, TSYNC_ESRCH: 16 } as const;
/** Instructions of all filters of a thread, with four for each filter. */
const MOST_IN_ALL = 32_768;
const MOST = 4096;

// ---- installing -----------------------------------------------------------------------------------------------------

/** struct sock_fprog and what it leads to. Throws EINVAL, EACCES, EFAULT. */
function readProgram(k: Work, at: number): readonly Instruction[] {
  const view = new DataView(readUser(k, at, isWide(k) ? 16 : 8).buffer);
  const length = view.getUint16(0, true);
  const filter = isWide(k) ? view.getUint32(8, true) + view.getInt32(12, true) * 2 ** 32 : view.getUint32(4, true);
  if (length === 0 || length > MOST) throw E.EINVAL;
  if (!k.task.credentials.noNewPrivileges && !may(k, "CAP_SYS_ADMIN")) throw E.EACCES;
  const code = new DataView(readUser(k, filter, length * 8).buffer);
  return Array.from({ length }, (_, index) => ({
    code: code.getUint16(index * 8, true),
    jt: code.getUint8(index * 8 + 2),
    jf: code.getUint8(index * 8 + 3),
    k: code.getUint32(index * 8 + 4, true),
  }));
}

/** A thread whose filters are no beginning of those of the thread at work cannot be given them. */
function odd(k: Work): number | undefined {
  const { filters } = k.task;
  return k.process.threads.find((tid) => {
    const theirs = k.taskOf(tid).filters;
    const ours = filters.slice(filters.length - theirs.length);
    return theirs.length > filters.length || theirs.some((id, index) => id !== ours[index]);
  });
}

function setFilter(k: Work, flags: number, at: number): number {
  if ((flags & ~(FLAG.TSYNC | FLAG.LOG | FLAG.SPEC_ALLOW | FLAG.TSYNC_ESRCH)) !== 0) throw E.EINVAL;
  const program = readProgram(k, at);
  checkProgram(program);
  if (k.task.strict === true) throw E.EINVAL;
  if ((flags & FLAG.TSYNC) !== 0) {
    const other = odd(k);
    if (other !== undefined && (flags & FLAG.TSYNC_ESRCH) !== 0) throw E.ESRCH;
    if (other !== undefined) return other;
  }
  const size = k.task.filters.reduce((sum, id) => sum + k.objectOf<Filter>(id).program.length + 4, program.length);
  if (size > MOST_IN_ALL) throw E.ENOMEM;
  const id = k.addObject<Filter>({ kind: "seccomp-filter", program, logs: (flags & FLAG.LOG) !== 0 });
  const filters = [id, ...k.task.filters];
  k.setTask(k.current, { filters });
  if ((flags & FLAG.TSYNC) === 0) return 0;
  const { noNewPrivileges } = k.task.credentials;
  for (const tid of k.process.threads) {
    const { credentials } = k.taskOf(tid);
    k.setTask(tid, { filters, credentials: noNewPrivileges ? { ...credentials, noNewPrivileges } : credentials });
  }
  return 0;
}

function setStrict(k: Work): number {
  if (k.task.filters.length > 0) throw E.EINVAL;
  k.setTask(k.current, { strict: true });
  return 0;
}

const actions: ReadonlySet<number> = new Set(Object.values(ACTION));

function seccomp(k: Work, operation: number, flags: number, at: number): number {
  switch (operation) {
    case OPERATION.STRICT:
      if (flags !== 0 || at !== 0) throw E.EINVAL;
      return setStrict(k);
    case OPERATION.FILTER:
      return setFilter(k, flags, at);
    case OPERATION.ACTION_AVAILABLE:
      if (flags !== 0) throw E.EINVAL;
      if (!actions.has(readWord(k, at))) throw E.EOPNOTSUPP;
      return 0;
    case OPERATION.NOTIFICATION_SIZES: {
      if (flags !== 0) throw E.EINVAL;
      const sizes = new Uint8Array(6);
      [80, 24, 64].forEach((size, index) => {
        sizes[index * 2] = size;
      });
      writeUser(k, at, sizes);
      return 0;
    }
    default:
      throw E.EINVAL;
  }
}

/** prctl(PR_SET_SECCOMP). */
export function setMode(k: Work, mode: number, at: number): number {
  if (mode === MODE.STRICT) return setStrict(k);
  if (mode === MODE.FILTER) return setFilter(k, 0, at);
  throw E.EINVAL;
}

export const modeOf = (k: Work): number =>
  k.task.strict === true ? MODE.STRICT : k.task.filters.length > 0 ? MODE.FILTER : MODE.NONE;

// ---- asking ---------------------------------------------------------------------------------------------------------

const ofStrict: readonly SystemCallName[] = ["read", "write", "exit", "rt_sigreturn", "sigreturn"];
const strictly: Readonly<Record<Abi, ReadonlySet<number>>> = {
  x86_64: new Set(ofStrict.map((name) => systemCallNumbers[name][0])),
  i386: new Set(ofStrict.map((name) => systemCallNumbers[name][1])),
};

const { SIGSYS, SIGKILL } = signalNumbers;
const [CORE, DUMPED] = [4, 0x80];

function killed(k: Work, action: number): void {
  if (action === ACTION.KILL_THREAD && k.process.threads.length > 1) {
    exitThread(k, SIGSYS);
    return;
  }
  const { limits, dumpable } = k.process;
  exitProcess(k, SIGSYS | (dumpable && limits[CORE]![0] > 0 ? DUMPED : 0));
}

function answer(k: Work, result: number): void {
  const { registers } = k.save();
  k.setTask(k.current, { registers: withGeneral(registers, R.AX, result) });
}

const SYS_SECCOMP = 1;
const MOST_ERRNO = 4095;

/** Whether the thread at work may make a call. If not, what is to come of it is done. */
export function passes(k: Work, pending: PendingCall, argumentRegisters: readonly number[]): boolean {
  const { abi, number } = pending;
  if (k.task.strict === true) {
    if (strictly[abi].has(number)) return true;
    k.save();
    exitThread(k, SIGKILL);
    return false;
  }
  const { rip } = userFrame(k.port, k.entered);
  const result = filtered(k, pending, rip, argumentRegisters);
  const action = (result & ACTION_BITS) >>> 0;
  const data = result & 0xffff;
  switch (action) {
    case ACTION.ALLOW:
    case ACTION.LOG:
      return true;
    case ACTION.ERRNO:
      answer(k, -Math.min(data, MOST_ERRNO));
      return false;
    case ACTION.TRAP: {
      k.save();
      const more = [number, ARCHITECTURE[abi], data];
      forceSignal(k, { signal: SIGSYS, code: SYS_SECCOMP, pid: 0, uid: 0, value: rip, more });
      return false;
    }
    case ACTION.TRACE:
    case ACTION.USER_NOTIF:
      // Nobody listens.
      answer(k, -E.ENOSYS.number);
      return false;
    default:
      k.save();
      killed(k, action);
      return false;
  }
}

export const seccompCalls: readonly SystemCall[] = [
  call("seccomp", "operation:uint flags:flags args:pointer", seccomp),
];
