/**
 * What lies on a 64-bit program's stack while one of its handlers runs, and how the program goes on from there.
 * Spec: Linux, arch/x86/include/asm/sigframe.h "struct rt_sigframe", arch/x86/include/uapi/asm/sigcontext.h "struct sigcontext_64";
 * System V ABI AMD64 Supplement, "The Stack Frame" (red zone).
 */
import { highWord } from "../../hardware/cpu/quadwords.js";
import { FLAG } from "../../hardware/cpu/state.js";
import { readUser, writeUser } from "../mm/user-memory.js";
import type { PendingSignal, SignalAction } from "../state.js";
import { askedStack, disarm, placeFrame, toldStack } from "../tasks/alternate-stack.js";
import { INFO_SIZE, infoBytes } from "../tasks/signal-info.js";
import { UNBLOCKABLE } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { FAST_SIZE, fastImage, floatingOfImage, freshFloating } from "./floating-image.js";
import { SELECTOR, USER_END } from "./layout.js";
import { generalOf, R, type UserRegisters, withGeneral } from "./registers.js";

const RED_ZONE = 128;
/** Offsets in the frame: return address, ucontext, siginfo. */
const AT = { context: 8, stack: 24, registers: 48, mask: 304, info: 312 } as const;
const SIZE = AT.info + INFO_SIZE;
/** Order of the general registers in struct sigcontext_64. */
const ORDER = [R.R8, R.R9, R.R10, R.R11, 12, 13, 14, 15, R.DI, R.SI, R.BP, R.BX, R.DX, R.AX, R.CX, R.SP] as const;
/** Offsets of what follows them. */
const CONTEXT = {
  rip: 128,
  flags: 136,
  selectors: 144,
  code: 152,
  vector: 160,
  mask: 168,
  address: 176,
  floating: 184,
};
/** UC_SIGCONTEXT_SS and UC_STRICT_RESTORE_SS. */
const CONTEXT_FLAGS = 6;
/** Flags that a handler may have changed for its program. */
export const RESTORED =
  FLAG.AC | FLAG.OF | FLAG.DF | FLAG.TF | FLAG.SF | FLAG.ZF | FLAG.AF | FLAG.PF | FLAG.CF | FLAG.RF;

/** Puts a frame onto the program's stack. Gives the registers its handler begins with. Throws EFAULT. */
export function signalFrame64(
  k: Work,
  registers: UserRegisters,
  signal: PendingSignal,
  action: SignalAction,
  mask: bigint,
): UserRegisters {
  const floatingAt = (end: number): number => Math.floor((end - FAST_SIZE) / 64) * 64;
  const below = (end: number): number => Math.floor((floatingAt(end) - SIZE) / 16) * 16 - 8;
  let floating = 0;
  const at = placeFrame(k, registers, action, {
    redZone: RED_ZONE,
    below: (end) => {
      floating = floatingAt(end);
      return below(end);
    },
  });
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  const quad = (offset: number, value: number): void => {
    view.setInt32(offset, value | 0, true);
    view.setInt32(offset + 4, highWord(value), true);
  };
  quad(0, action.restorer);
  quad(AT.context, CONTEXT_FLAGS);
  const [base, flags, size] = toldStack(k.task, generalOf(registers, R.SP));
  quad(AT.stack, base);
  view.setUint32(AT.stack + 8, flags, true);
  quad(AT.stack + 16, size);
  writeContext(view, registers, k.task.trap ?? [0, 0, 0], floating);
  view.setBigUint64(AT.registers + CONTEXT.mask, mask, true);
  view.setBigUint64(AT.mask, mask, true);
  bytes.set(infoBytes(signal, true), AT.info);
  writeUser(k, floating, fastImage(registers.floating, true));
  writeUser(k, at, bytes);
  disarm(k);
  let entered = withGeneral(registers, R.SP, at);
  for (const [number, value] of [
    [R.DI, signal.signal],
    [R.SI, at + AT.info],
    [R.DX, at + AT.context],
    [R.AX, 0],
  ] as const)
    entered = withGeneral(entered, number, value);
  return {
    ...entered,
    rip: action.handler,
    rflags: registers.rflags & ~(FLAG.DF | FLAG.RF | FLAG.TF),
    cs: SELECTOR.userCode64,
    ss: SELECTOR.userData,
    floating: freshFloating,
  };
}

function writeContext(
  view: DataView,
  registers: UserRegisters,
  [vector, code, address]: readonly [number, number, number],
  floating: number,
): void {
  const at = (offset: number): number => AT.registers + offset;
  ORDER.forEach((number, index) => {
    view.setInt32(at(index * 8), registers.general[number * 2]!, true);
    view.setInt32(at(index * 8 + 4), registers.general[number * 2 + 1]!, true);
  });
  const quad = (offset: number, value: number): void => {
    view.setInt32(at(offset), value | 0, true);
    view.setInt32(at(offset + 4), highWord(value), true);
  };
  quad(CONTEXT.rip, registers.rip);
  view.setUint32(at(CONTEXT.flags), registers.rflags >>> 0, true);
  [registers.cs, 0, 0, registers.ss].forEach((selector, index) => {
    view.setUint16(at(CONTEXT.selectors + index * 2), selector, true);
  });
  quad(CONTEXT.code, code);
  quad(CONTEXT.vector, vector);
  quad(CONTEXT.address, address);
  quad(CONTEXT.floating, floating);
}

/** Goes on as a frame says, which the handler has left at the top of the stack. Throws EFAULT where there is none. */
export function returnFromSignal64(k: Work): void {
  const { registers } = k.save();
  const at = generalOf(registers, R.SP) - 8;
  const view = new DataView(readUser(k, at, SIZE).buffer);
  const quad = (offset: number): number => view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
  const field = (offset: number): number => quad(AT.registers + offset);
  const floating = field(CONTEXT.floating);
  const image = floating === 0 ? undefined : readUser(k, floating, FAST_SIZE);
  const general = registers.general.slice();
  ORDER.forEach((number, index) => {
    general[number * 2] = view.getInt32(AT.registers + index * 8, true);
    general[number * 2 + 1] = view.getInt32(AT.registers + index * 8 + 4, true);
  });
  const flags = view.getUint32(AT.registers + CONTEXT.flags, true);
  const code = view.getUint16(AT.registers + CONTEXT.selectors, true) | 3;
  const rip = field(CONTEXT.rip);
  const restored: UserRegisters = {
    ...registers,
    general: Object.freeze(general),
    rip,
    rflags: (registers.rflags & ~RESTORED) | (flags & RESTORED),
    cs: code === SELECTOR.userCode32 ? code : SELECTOR.userCode64,
    floating: image === undefined ? freshFloating : floatingOfImage(image, registers.floating, true),
  };
  const alternateStack = askedStack(quad(AT.stack), view.getUint32(AT.stack + 8, true), quad(AT.stack + 16));
  k.setTask(k.current, {
    registers: withinUserSpace(restored),
    blocked: view.getBigUint64(AT.mask, true) & ~UNBLOCKABLE,
    alternateStack,
  });
}

/** IRET to an address that is not canonical would fault in the kernel: the highest page has nothing and faults in the program. */
export function withinUserSpace(registers: UserRegisters): UserRegisters {
  const { rip } = registers;
  return rip >= 0 && rip < 2 ** 47 ? registers : { ...registers, rip: USER_END[64] };
}
