/** What a program is told of its exceptions. Spec: Linux, arch/x86/kernel/traps.c, arch/x86/mm/fault.c; sigaction(2), "The si_code field". */
import { type ProcessorPort, VECTOR } from "../../hardware/cpu/processor.js";
import type { Unmendable } from "../mm/faults.js";
import { signalNumbers } from "../tasks/signal-numbers.js";
import { forceSignal } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { userFrame } from "./registers.js";

const { SIGFPE, SIGTRAP, SIGSEGV, SIGILL, SIGBUS, SIGKILL } = signalNumbers;
/** si_code of what has no more to say. */
const KERNEL = 0x80;

/** The signal; its code; and where it has an address, whether that is the instruction's. */
interface Told {
  readonly signal: number;
  readonly code: number | ((port: ProcessorPort) => number);
  readonly located?: boolean;
}

/** FPE_ codes of the first exception that is not masked. Spec: Linux, fpu__exception_code. */
function floatingCode(raised: number): number {
  const [INVALID, DIVIDE, OVERFLOW, UNDERFLOW, PRECISION] = [1, 4, 8, 0x12, 0x20];
  if ((raised & INVALID) !== 0) return 7;
  if ((raised & DIVIDE) !== 0) return 3;
  if ((raised & OVERFLOW) !== 0) return 4;
  if ((raised & UNDERFLOW) !== 0) return 5;
  return (raised & PRECISION) !== 0 ? 6 : 0;
}

const byVector: Readonly<Record<number, Told>> = {
  [VECTOR.DE]: { signal: SIGFPE, code: 1, located: true },
  [VECTOR.DB]: { signal: SIGTRAP, code: 2, located: true },
  [VECTOR.BP]: { signal: SIGTRAP, code: KERNEL },
  [VECTOR.OF]: { signal: SIGSEGV, code: KERNEL },
  [VECTOR.BR]: { signal: SIGSEGV, code: KERNEL },
  [VECTOR.UD]: { signal: SIGILL, code: 2, located: true },
  [VECTOR.NP]: { signal: SIGBUS, code: KERNEL },
  [VECTOR.SS]: { signal: SIGBUS, code: KERNEL },
  [VECTOR.GP]: { signal: SIGSEGV, code: KERNEL },
  [VECTOR.MF]: {
    signal: SIGFPE,
    code: ({ floating: { status, control } }) => floatingCode(status & ~control),
    located: true,
  },
  [VECTOR.AC]: { signal: SIGBUS, code: 1 },
  [VECTOR.XM]: {
    signal: SIGFPE,
    code: ({ floating: { mxcsr } }) => floatingCode(~(mxcsr >> 7) & mxcsr),
    located: true,
  },
};

/** The program at work has raised an exception. */
export function raise(k: Work, vector: number, errorCode: number): void {
  const { signal, code, located = false } = byVector[vector] ?? { signal: SIGSEGV, code: KERNEL };
  const value = located ? userFrame(k.port, k.entered).rip : 0;
  const address = k.task.trap?.[2] ?? 0;
  k.setTask(k.current, { trap: [vector, errorCode, address] });
  forceSignal(k, { signal, code: typeof code === "number" ? code : code(k.port), pid: 0, uid: 0, value });
}

/** SEGV_ and BUS_ codes. */
const FAULTS: Readonly<Record<Unmendable, readonly [signal: number, code: number]>> = {
  "not mapped": [SIGSEGV, 1],
  "not allowed": [SIGSEGV, 2],
  "behind the file": [SIGBUS, 2],
  "out of memory": [SIGKILL, KERNEL],
};

/** A page fault of the program at work could not be mended. */
export function raisePageFault(k: Work, why: Unmendable, errorCode: number, address: number): void {
  const [signal, code] = FAULTS[why];
  // Nothing is told of where the kernel has memory of its own.
  const PROTECTION = 1;
  k.setTask(k.current, { trap: [VECTOR.PF, address < 0 ? errorCode | PROTECTION : errorCode, address] });
  forceSignal(k, { signal, code, pid: 0, uid: 0, value: address });
}
