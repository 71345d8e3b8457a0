/** System calls on what a thread does with signals. Spec: sigaction(2), sigprocmask(2), sigaltstack(2), sigreturn(2), sigsuspend(2). */
import { generalOf, R } from "../arch/registers.js";
import { returnFromSignal32 } from "../arch/signal-frames-32.js";
import { returnFromSignal64 } from "../arch/signal-frames-64.js";
import { E, Errno, Wait } from "../errno.js";
import { readUser, readWord, writeUser, writeWord } from "../mm/user-memory.js";
import type { SignalAction } from "../state.js";
import { askedStack, isOnStack, toldStack } from "../tasks/alternate-stack.js";
import { failFrame } from "../tasks/delivery.js";
import { SIG } from "../tasks/handlers.js";
import { actionOf, blockForCall, IGNORED, MOST_SIGNAL, maskBit, setAction, UNBLOCKABLE } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const SET_SIZE = 8;

/** A set of signals. Throws EINVAL for sets of another size, EFAULT. */
export function readMask(k: Work, at: number, size = SET_SIZE): bigint {
  if (size !== SET_SIZE) throw E.EINVAL;
  return new DataView(readUser(k, at, SET_SIZE).buffer).getBigUint64(0, true);
}

function writeMask(k: Work, at: number, mask: bigint): void {
  const view = new DataView(new ArrayBuffer(SET_SIZE));
  view.setBigUint64(0, mask, true);
  writeUser(k, at, new Uint8Array(view.buffer));
}

/** struct sigaction as the kernel has it: offsets of flags, restorer and mask, and its size. */
const LAYOUT = {
  x86_64: { flags: 8, restorer: 16, mask: 24, size: 32 },
  i386: { flags: 4, restorer: 8, mask: 12, size: 20 },
} as const;

function readAction(k: Work, at: number): SignalAction {
  const wide = k.call.abi === "x86_64";
  const { flags, restorer, mask, size } = LAYOUT[k.call.abi];
  const view = new DataView(readUser(k, at, size).buffer);
  const address = (offset: number): number =>
    wide ? view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true) : view.getUint32(offset, true);
  return {
    handler: address(0),
    flags: view.getUint32(flags, true),
    restorer: address(restorer),
    mask: view.getBigUint64(mask, true) & ~UNBLOCKABLE,
  };
}

function actionBytes(k: Work, action: SignalAction | undefined): Uint8Array {
  const wide = k.call.abi === "x86_64";
  const { flags, restorer, mask, size } = LAYOUT[k.call.abi];
  const view = new DataView(new ArrayBuffer(size));
  if (action === undefined) return new Uint8Array(view.buffer);
  const address = (offset: number, value: number): void => {
    view.setUint32(offset, value >>> 0, true);
    if (wide) view.setInt32(offset + 4, Math.floor(value / 2 ** 32), true);
  };
  address(0, action.handler);
  view.setUint32(flags, action.flags >>> 0, true);
  address(restorer, action.restorer);
  view.setBigUint64(mask, action.mask, true);
  return new Uint8Array(view.buffer);
}

/** Replaces what is done with a signal. Throws EINVAL. */
function replaceAction(k: Work, signal: number, action: SignalAction | undefined): void {
  if (signal < 1 || signal > MOST_SIGNAL) throw E.EINVAL;
  if (action === undefined) return;
  if ((UNBLOCKABLE & maskBit(signal)) !== 0n) throw E.EINVAL;
  setAction(k, signal, action);
  const ignores = action.handler === SIG.IGN || (action.handler === SIG.DFL && IGNORED.has(signal));
  if (ignores) forget(k, signal);
}

/** A signal that is ignored from now on does not wait any more, for any thread. */
function forget(k: Work, signal: number): void {
  const { pid, threads, pending } = k.process;
  const others = ({ signal: one }: { readonly signal: number }): boolean => one !== signal;
  if (!pending.every(others)) k.setProcess(pid, { pending: pending.filter(others) });
  for (const tid of threads) {
    const own = k.taskOf(tid).pending;
    if (!own.every(others)) k.setTask(tid, { pending: own.filter(others) });
  }
}

function action(k: Work, signal: number, newAt: number, oldAt: number, size: number): number {
  if (size !== SET_SIZE) throw E.EINVAL;
  const wanted = newAt === 0 ? undefined : readAction(k, newAt);
  const old = actionOf(k, k.task, signal);
  replaceAction(k, signal, wanted);
  if (oldAt !== 0) writeUser(k, oldAt, actionBytes(k, old));
  return 0;
}

/** sigaction(2) of i386, with a mask of 32 signals: handler, mask, flags, restorer. */
function oldAction(k: Work, signal: number, newAt: number, oldAt: number): number {
  const word = (index: number): number => readWord(k, newAt + index * 4);
  const wanted =
    newAt === 0
      ? undefined
      : { handler: word(0), mask: BigInt(word(1)) & ~UNBLOCKABLE, flags: word(2), restorer: word(3) };
  const old = actionOf(k, k.task, signal);
  replaceAction(k, signal, wanted);
  if (oldAt !== 0) {
    const words = [old?.handler ?? 0, Number((old?.mask ?? 0n) & 0xffff_ffffn), old?.flags ?? 0, old?.restorer ?? 0];
    words.forEach((value, index) => {
      writeWord(k, oldAt + index * 4, value);
    });
  }
  return 0;
}

/** signal(2) as System V had it. */
function oldSignal(k: Work, signal: number, handler: number): number {
  const ONESHOT = 0xc000_0000;
  const old = actionOf(k, k.task, signal);
  replaceAction(k, signal, { handler, flags: ONESHOT, restorer: 0, mask: 0n });
  return (old?.handler ?? 0) | 0;
}

const HOW = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;

function changedMask(blocked: bigint, how: number, mask: bigint): bigint {
  if (how === HOW.BLOCK) return blocked | mask;
  if (how === HOW.UNBLOCK) return blocked & ~mask;
  if (how === HOW.SETMASK) return mask;
  throw E.EINVAL;
}

function setMask(k: Work, how: number, newAt: number, oldAt: number, size: number): number {
  if (size !== SET_SIZE) throw E.EINVAL;
  const { blocked } = k.task;
  if (newAt !== 0) k.setTask(k.current, { blocked: changedMask(blocked, how, readMask(k, newAt) & ~UNBLOCKABLE) });
  if (oldAt !== 0) writeMask(k, oldAt, blocked);
  return 0;
}

const LOW = 0xffff_ffffn;

/** sigprocmask(2) of i386: the lower 32 signals. */
function setOldMask(k: Work, how: number, newAt: number, oldAt: number): number {
  const { blocked } = k.task;
  if (newAt !== 0) {
    const low = changedMask(blocked & LOW, how, BigInt(readWord(k, newAt)) & ~UNBLOCKABLE);
    k.setTask(k.current, { blocked: (blocked & ~LOW) | low });
  }
  if (oldAt !== 0) writeWord(k, oldAt, Number(blocked & LOW));
  return 0;
}

function pendingMask(k: Work): bigint {
  let mask = 0n;
  for (const { signal } of [...k.task.pending, ...k.process.pending]) mask |= maskBit(signal);
  return mask & k.task.blocked;
}

/** Waits for a handler, under another mask. */
function suspend(k: Work, mask: bigint): number {
  blockForCall(k, mask);
  throw new Wait([], undefined, undefined, "interrupt");
}

function alternateStack(k: Work, newAt: number, oldAt: number): number {
  const wide = k.call.abi === "x86_64";
  const size = wide ? 24 : 12;
  const stack = generalOf(k.save().registers, R.SP);
  const { task } = k;
  const view = newAt === 0 ? undefined : new DataView(readUser(k, newAt, size).buffer);
  const told = toldStack(task, stack);
  if (view !== undefined) {
    const word = (offset: number): number => view.getUint32(offset, true);
    const long = (offset: number): number =>
      wide ? word(offset) + view.getInt32(offset + 4, true) * 2 ** 32 : word(offset);
    if (isOnStack(task, stack)) throw E.EPERM;
    k.setTask(k.current, {
      alternateStack: askedStack(long(0), word(wide ? 8 : 4), long(wide ? 16 : 8)),
    });
  }
  if (oldAt !== 0) {
    const out = new DataView(new ArrayBuffer(size));
    const [base, flags, length] = told;
    const long = (offset: number, value: number): void => {
      out.setUint32(offset, value >>> 0, true);
      if (wide) out.setInt32(offset + 4, Math.floor(value / 2 ** 32), true);
    };
    long(0, base);
    out.setUint32(wide ? 8 : 4, flags, true);
    long(wide ? 16 : 8, length);
    writeUser(k, oldAt, new Uint8Array(out.buffer));
  }
  return 0;
}

/** The handler is done. A frame that is none is the end of the program, unless it has a handler for that, too. */
function signalReturn(k: Work, work: () => void): number {
  k.save();
  try {
    work();
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    failFrame(k);
  }
  k.replaced = true;
  return 0;
}

const returnWithInfo = (k: Work): number =>
  signalReturn(k, () => (k.call.abi === "x86_64" ? returnFromSignal64(k) : returnFromSignal32(k, true)));

export const signalCalls: readonly SystemCall[] = [
  call("rt_sigaction", "signum:signal act:pointer oldact:pointer sigsetsize:size", action),
  call("rt_sigprocmask", "how:int set:pointer oldset:pointer sigsetsize:size", setMask),
  call("rt_sigreturn", "", returnWithInfo),
  call("sigreturn", "", (k) => signalReturn(k, () => returnFromSignal32(k, false))),
  call("rt_sigpending", "set:pointer sigsetsize:size", (k, at, size) => {
    if (size > SET_SIZE) throw E.EINVAL;
    writeMask(k, at, pendingMask(k));
    return 0;
  }),
  call("rt_sigsuspend", "mask:pointer sigsetsize:size", (k, at, size) => suspend(k, readMask(k, at, size))),
  call("sigaltstack", "ss:pointer old_ss:pointer", alternateStack),
  call("pause", "", () => {
    throw new Wait([], undefined, undefined, "interrupt");
  }),
  call("sigaction", "signum:signal act:pointer oldact:pointer", oldAction),
  call("sigprocmask", "how:int set:pointer oldset:pointer", setOldMask),
  call("sigpending", "set:pointer", (k, at) => {
    writeWord(k, at, Number(pendingMask(k) & LOW));
    return 0;
  }),
  call("sigsuspend", "unused1:int unused2:int mask:uint", (k, _first, _second, mask) => suspend(k, BigInt(mask))),
  call("sgetmask", "", (k) => Number(k.task.blocked & LOW) | 0),
  call("ssetmask", "newmask:uint", (k, mask) => {
    const { blocked } = k.task;
    k.setTask(k.current, { blocked: (blocked & ~LOW) | (BigInt(mask) & ~UNBLOCKABLE) });
    return Number(blocked & LOW) | 0;
  }),
  call("signal", "signum:signal handler:pointer", oldSignal),
  call("restart_syscall", "", () => -E.EINTR.number),
];
