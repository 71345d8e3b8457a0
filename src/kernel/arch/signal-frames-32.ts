/**
 * What lies on a 32-bit program's stack while one of its handlers runs: the old frame, or with SA_SIGINFO the one with siginfo_t.
 * Spec: Linux, arch/x86/include/asm/sigframe.h "struct sigframe_ia32", "struct rt_sigframe_ia32",
 * arch/x86/include/uapi/asm/sigcontext.h "struct sigcontext_32".
 */
import { FLAG } from "../../hardware/cpu/state.js";
import { readUser, writeUser } from "../mm/user-memory.js";
import type { PendingSignal, SignalAction, Task } from "../state.js";
import { askedStack, disarm, placeFrame, toldStack } from "../tasks/alternate-stack.js";
import { INFO_SIZE, infoBytes } from "../tasks/signal-info.js";
import { UNBLOCKABLE } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { FAST_SIZE, fastImage, floatingOfImage, freshFloating, LEGACY_SIZE, legacyImage } from "./floating-image.js";
import { SELECTOR } from "./layout.js";
import { generalOf, R, type UserRegisters, usableSelector, withGeneral } from "./registers.js";
import { RESTORED } from "./signal-frames-64.js";
import { vdsoEntries } from "./vdso.js";

const SA = { SIGINFO: 4, RESTORER: 0x0400_0000 } as const;
/** struct sigcontext_32. */
const CONTEXT = {
  general: 16,
  vector: 48,
  code: 52,
  rip: 56,
  cs: 60,
  flags: 64,
  sp: 68,
  ss: 72,
  floating: 76,
} as const;
const CONTEXT_MASK = 80;
const CONTEXT_ADDRESS = 84;
const CONTEXT_SIZE = 88;
const ORDER = [R.DI, R.SI, R.BP, R.SP, R.BX, R.DX, R.CX, R.AX] as const;
const SEGMENTS = ["gs", "fs", "es", "ds"] as const;

/** Without siginfo_t: return address, signal, context, room for x87, the mask's upper word, and code that nobody runs. */
const OLD = { context: 8, mask: 720, code: 724, size: 732 } as const;
/** With it: return address, signal, two pointers, siginfo_t, ucontext, and code. */
const NEW = { info: 16, uc: 16 + INFO_SIZE, stack: 24 + INFO_SIZE, context: 36 + INFO_SIZE } as const;
const NEW_MASK = NEW.context + CONTEXT_SIZE;
const NEW_SIZE = NEW_MASK + 16;

/** Puts a frame onto the program's stack. Gives the registers its handler begins with. Throws EFAULT. */
export function signalFrame32(
  k: Work,
  registers: UserRegisters,
  signal: PendingSignal,
  action: SignalAction,
  mask: bigint,
): UserRegisters {
  const withInfo = (action.flags & SA.SIGINFO) !== 0;
  const size = withInfo ? NEW_SIZE : OLD.size;
  let fast = 0;
  const at = placeFrame(k, registers, action, {
    redZone: 0,
    below: (end) => {
      fast = Math.floor((end - FAST_SIZE) / 64) * 64;
      return Math.floor((fast - LEGACY_SIZE - size + 4) / 16) * 16 - 4;
    },
  });
  const view = new DataView(new ArrayBuffer(size));
  const entries = vdsoEntries();
  const own = withInfo ? entries.rtSigreturn : entries.sigreturn;
  view.setUint32(0, (action.flags & SA.RESTORER) !== 0 ? action.restorer : own, true);
  view.setUint32(4, signal.signal, true);
  const contextAt = withInfo ? NEW.context : OLD.context;
  writeContext(view, contextAt, registers, k.task, fast - LEGACY_SIZE);
  view.setUint32(contextAt + CONTEXT_MASK, Number(mask & 0xffff_ffffn), true);
  if (withInfo) {
    view.setUint32(8, at + NEW.info, true);
    view.setUint32(12, at + NEW.uc, true);
    new Uint8Array(view.buffer).set(infoBytes(signal, false), NEW.info);
    toldStack(k.task, generalOf(registers, R.SP)).forEach((word, index) => {
      view.setUint32(NEW.stack + index * 4, word, true);
    });
    view.setBigUint64(NEW_MASK, mask, true);
  } else view.setUint32(OLD.mask, Number(mask >> 32n), true);
  writeUser(k, fast - LEGACY_SIZE, legacyImage(registers.floating));
  writeUser(k, fast, fastImage(registers.floating, false));
  writeUser(k, at, new Uint8Array(view.buffer));
  disarm(k);
  let entered = withGeneral(registers, R.SP, at);
  for (const [number, value] of [
    [R.AX, signal.signal],
    [R.DX, withInfo ? at + NEW.info : 0],
    [R.CX, withInfo ? at + NEW.uc : 0],
  ] as const)
    entered = withGeneral(entered, number, value);
  return {
    ...entered,
    rip: action.handler >>> 0,
    rflags: registers.rflags & ~(FLAG.DF | FLAG.RF | FLAG.TF),
    cs: SELECTOR.userCode32,
    ss: SELECTOR.userData,
    ds: SELECTOR.userData,
    es: SELECTOR.userData,
    floating: freshFloating,
  };
}

function writeContext(view: DataView, at: number, registers: UserRegisters, task: Task, floating: number): void {
  const [vector, code, address] = task.trap ?? [0, 0, 0];
  SEGMENTS.forEach((name, index) => {
    view.setUint32(at + index * 4, registers[name], true);
  });
  ORDER.forEach((number, index) => {
    view.setInt32(at + CONTEXT.general + index * 4, registers.general[number * 2]!, true);
  });
  for (const [offset, value] of [
    ...([[CONTEXT.vector, vector] as const, [CONTEXT.code, code] as const] as const),
    ...([[CONTEXT.rip, registers.rip] as const, [CONTEXT.cs, registers.cs] as const] as const),
    ...([[CONTEXT.flags, registers.rflags] as const, [CONTEXT.ss, registers.ss] as const] as const),
    ...([[CONTEXT.sp, registers.general[R.SP * 2]!] as const, [CONTEXT.floating, floating] as const] as const),
    [CONTEXT_ADDRESS, address] as const,
  ])
    view.setUint32(at + offset, value >>> 0, true);
}

/** Goes on as the frame at the top of the stack says: sigreturn(2), or rt_sigreturn(2). Throws EFAULT. */
export function returnFromSignal32(k: Work, withInfo: boolean): void {
  const { registers } = k.save();
  // The handler's return has taken the first word off, and the code there the signal's number.
  const at = generalOf(registers, R.SP) - (withInfo ? 4 : 8);
  const view = new DataView(readUser(k, at, withInfo ? NEW_SIZE : OLD.size).buffer);
  const context = withInfo ? NEW.context : OLD.context;
  const word = (offset: number): number => view.getUint32(context + offset, true);
  const floating = word(CONTEXT.floating);
  const image = floating === 0 ? undefined : readUser(k, floating + LEGACY_SIZE, FAST_SIZE);
  const general = registers.general.slice();
  ORDER.forEach((number, index) => {
    general[number * 2] = word(CONTEXT.general + index * 4) | 0;
    general[number * 2 + 1] = 0;
  });
  const selector = (index: number): number => usableSelector(k.task.tls, word(index * 4) & 0xffff);
  const mask = withInfo
    ? view.getBigUint64(NEW_MASK, true)
    : BigInt(word(CONTEXT_MASK)) | (BigInt(view.getUint32(OLD.mask, true)) << 32n);
  const stack = (index: number): number => view.getUint32(NEW.stack + index * 4, true);
  const alternate = withInfo ? { alternateStack: askedStack(stack(0), stack(1), stack(2)) } : {};
  k.setTask(k.current, {
    registers: {
      ...registers,
      general: Object.freeze(general),
      rip: word(CONTEXT.rip),
      rflags: (registers.rflags & ~RESTORED) | (word(CONTEXT.flags) & RESTORED),
      ...{ gs: selector(0), fs: selector(1), es: selector(2), ds: selector(3) },
      floating: image === undefined ? freshFloating : floatingOfImage(image, registers.floating, false),
    },
    blocked: mask & ~UNBLOCKABLE,
    ...alternate,
  });
}
