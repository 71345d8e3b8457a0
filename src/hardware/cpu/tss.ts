/**
 * The task-state segment as it lies in memory, in both formats, and the inner stacks it names.
 * Spec: SDM Vol. 3A, "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)".
 */
import { type Descriptor, SYSTEM_TYPE, selectorFault } from "./descriptors.js";
import { type ProcessorPort, VECTOR } from "./processor.js";
import { readStack } from "./segments.js";
import type { Segment } from "./state.js";

export interface TssFormat {
  /** Size of a general register, EIP and EFLAGS in it. */
  readonly size: 2 | 4;
  /** From one stack pointer or selector to the next. */
  readonly stackPointers: number;
  readonly eip: number;
  readonly eflags: number;
  /** EAX or AX; the others follow in encoding order. */
  readonly registers: number;
  /** ES; the others follow in encoding order, each in `size` bytes. */
  readonly selectors: number;
  readonly selectorCount: 4 | 6;
  readonly ldt: number;
  /** Offset of the last byte a task switch saves. */
  readonly lastSaved: number;
  /** The lowest limit a TSS may have. */
  readonly minimumLimit: number;
}

export const TSS32: TssFormat = {
  size: 4,
  stackPointers: 4,
  eip: 0x20,
  eflags: 0x24,
  registers: 0x28,
  selectors: 0x48,
  selectorCount: 6,
  ldt: 0x60,
  lastSaved: 0x5d,
  minimumLimit: 0x67,
};
export const TSS16: TssFormat = {
  size: 2,
  stackPointers: 2,
  eip: 0x0e,
  eflags: 0x10,
  registers: 0x12,
  selectors: 0x22,
  selectorCount: 4,
  ldt: 0x2a,
  lastSaved: 0x29,
  minimumLimit: 0x2b,
};
/** The same place in both formats; CR3, T flag and I/O map base are in the 32-bit one alone. */
export const TSS_LINK = 0;
export const TSS_CR3 = 0x1c;
export const TSS_TRAP = 0x64;
export const TSS_IO_MAP = 0x66;

/** The format by type: bit 3 is that of a 32-bit TSS, busy or not. */
export const formatOf = (access: number): TssFormat => ((access & 8) !== 0 ? TSS32 : TSS16);

/** Whether TR holds a 32-bit TSS that reaches to its I/O map base. */
export const hasIoMap = ({ access, limit }: Segment): boolean =>
  (access & 15) === SYSTEM_TYPE.BUSY_TSS32 && limit >= TSS32.minimumLimit;

export interface InnerStack {
  readonly descriptor: Descriptor;
  readonly pointer: number;
}

/**
 * SS and ESP of an inner level, from the current TSS: what calls through gates and interrupts switch to.
 * Spec: SDM Vol. 3A, "Stack Switching"; Vol. 2A, CALL—Call Procedure (MORE-PRIVILEGE).
 */
export function innerStack(port: ProcessorPort, level: number): InnerStack {
  const { tr } = port.system;
  const { size, stackPointers } = formatOf(tr.access);
  const offset = stackPointers + 2 * size * level;
  if (tr.access === 0 || offset + size + 1 > tr.limit) throw selectorFault(VECTOR.TS, tr.selector, "tss-too-short");
  const at = (tr.base + offset) >>> 0;
  const pointer = port.readLinear(at, size, false);
  const selector = port.readLinear((at + size) >>> 0, 2, false);
  return { descriptor: readStack(port, selector, level, VECTOR.TS), pointer };
}
