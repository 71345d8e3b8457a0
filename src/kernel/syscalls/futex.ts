/** futex(2), an operation for each of its numbers, and lists of locks. Spec: futex(2), get_robust_list(2). */
import { E } from "../errno.js";
import { readWord, writeLong, writeWord } from "../mm/user-memory.js";
import { pidOutside } from "../namespaces/pid.js";
import {
  ANY_BIT,
  continueWait,
  requeueFutex,
  waitAtWord,
  waitersAt,
  waitFutex,
  waitsAtWord,
  wakeFutex,
} from "../tasks/futexes.js";
import { LOCK } from "../tasks/robust-lists.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { CLOCK, tickOf } from "./time.js";
import { isWide, readTime } from "./times.js";

interface Arguments {
  readonly address: number;
  readonly value: number;
  /** A time, or a second value. */
  readonly timeout: number;
  readonly second: number;
  readonly third: number;
  /** The tick at which it ends, by the clock of the operation; read when it is asked for. */
  readonly until: (absolute: boolean) => number | undefined;
}

type Operation = (k: Work, args: Arguments) => number;

const compared = (k: Work, { address, third }: Arguments): void => {
  if (readWord(k, address) !== third) throw E.EAGAIN;
};

/** FUTEX_WAKE_OP: changes the second word, and wakes there too if it was as said. Spec: futex(2), "FUTEX_WAKE_OP". */
function wakeOp(k: Work, { address, value, timeout, second, third }: Arguments): number {
  const [operation, comparison] = [(third >>> 28) & 7, (third >>> 24) & 15];
  const signed = (bits: number): number => (bits << 20) >> 20;
  const operand = third >>> 31 === 1 ? 1 << ((third >>> 12) & 31) : signed((third >>> 12) & 0xfff);
  const wanted = signed(third & 0xfff);
  const old = readWord(k, second) | 0;
  const changed = [operand, old + operand, old | operand, old & ~operand, old ^ operand][operation];
  const holds = [old === wanted, old !== wanted, old < wanted, old <= wanted, old > wanted, old >= wanted][comparison];
  if (changed === undefined || holds === undefined) throw E.ENOSYS;
  writeWord(k, second, changed >>> 0);
  return wakeFutex(k, address, value | 0) + (holds ? wakeFutex(k, second, timeout | 0) : 0);
}

/** Takes a lock, or waits for it; the thread it is handed to finds its own number in the word. */
function lock(k: Work, args: Arguments, waits: boolean): number {
  const { address, until } = args;
  if (waitsAtWord(k)) return continueWait(k);
  const word = readWord(k, address);
  const owner = word & LOCK.TID;
  if (owner === k.current) {
    if (k.call.progress !== undefined) return 0;
    throw E.EDEADLK;
  }
  if (owner === 0) {
    writeWord(k, address, (k.current | (word & (LOCK.OWNER_DIED | LOCK.WAITERS))) >>> 0);
    return 0;
  }
  if (!waits) throw E.EAGAIN;
  if (k.state.tasks.get(owner) === undefined) throw E.ESRCH;
  writeWord(k, address, (word | LOCK.WAITERS) >>> 0);
  return waitAtWord(k, address, until(true));
}

function unlock(k: Work, { address }: Arguments): number {
  if ((readWord(k, address) & LOCK.TID) !== k.current) throw E.EPERM;
  const [next, ...others] = waitersAt(k, address);
  writeWord(k, address, next === undefined ? 0 : (next | (others.length > 0 ? LOCK.WAITERS : 0)) >>> 0);
  if (next !== undefined) wakeFutex(k, address, 1);
  return 0;
}

/** By number. Spec: Linux, include/uapi/linux/futex.h. */
const operations: Readonly<Record<number, Operation>> = {
  0: (k, { address, value, until }) => waitFutex(k, address, value, { bits: ANY_BIT, until: () => until(false) }),
  1: (k, { address, value }) => wakeFutex(k, address, value | 0),
  3: (k, { address, value, timeout, second }) => requeueFutex(k, address, second, value | 0, timeout | 0),
  4(k, args) {
    compared(k, args);
    return requeueFutex(k, args.address, args.second, args.value | 0, args.timeout | 0);
  },
  5: wakeOp,
  6: (k, args) => lock(k, args, true),
  7: unlock,
  8: (k, args) => lock(k, args, false),
  9: (k, { address, value, third, until }) => waitFutex(k, address, value, { bits: third, until: () => until(true) }),
  10: (k, { address, value, third }) => wakeFutex(k, address, value | 0, third),
  13: (k, args) => lock(k, args, true),
};
const [PRIVATE, BY_REALTIME] = [128, 256];
/** Operations that may say which clock their time is of. */
const WITH_CLOCK: ReadonlySet<number> = new Set([0, 9, 11, 13]);
const LOCK_PI = 6;

function futex(k: Work, wide: boolean, ...values: readonly number[]): number {
  const [address, operation, value, timeout, second, third] = values as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const command = operation & ~(PRIVATE | BY_REALTIME);
  const run = operations[command];
  const byRealtime = (operation & BY_REALTIME) !== 0;
  if (run === undefined || (byRealtime && !WITH_CLOCK.has(command))) throw E.ENOSYS;
  const which = byRealtime || command === LOCK_PI ? CLOCK.REALTIME : CLOCK.MONOTONIC;
  const until = (absolute: boolean): number | undefined => {
    if (timeout === 0) return undefined;
    const ticks = readTime(k, timeout, wide);
    return absolute ? tickOf(k, which, ticks) : k.now + ticks;
  };
  return run(k, { address, value, timeout, second, third, until });
}

const ARGUMENTS = "uaddr:pointer op:int val:uint timeout:pointer uaddr2:pointer val3:uint";

function getRobustList(k: Work, tid: number, headAt: number, sizeAt: number): number {
  const task = tid === 0 ? k.task : k.state.tasks.get(pidOutside(k, tid));
  if (task === undefined) throw E.ESRCH;
  const { uid, gid } = k.task.credentials;
  if (task.process !== k.task.process && uid !== 0 && (task.credentials.uid !== uid || task.credentials.gid !== gid))
    throw E.EPERM;
  const write = isWide(k) ? writeLong : writeWord;
  write(k, sizeAt, isWide(k) ? 24 : 12);
  write(k, headAt, task.robustList);
  return 0;
}

export const futexCalls: readonly SystemCall[] = [
  call("futex", ARGUMENTS, (k, ...values) => futex(k, isWide(k), ...values)),
  call("futex_time64", ARGUMENTS, (k, ...values) => futex(k, true, ...values)),
  call("set_robust_list", "head:pointer len:size", (k, head, length) => {
    if (length !== (isWide(k) ? 24 : 12)) throw E.EINVAL;
    k.setTask(k.current, { robustList: head });
    return 0;
  }),
  call("get_robust_list", "pid:int head_ptr:pointer len_ptr:pointer", getRobustList),
];
