/**
 * EFLAGS by privilege: what POPF and IRET may change, and the interrupt flag in CLI, STI and PUSHF, with its virtual
 * image where CR4.VME or CR4.PVI let a program have one.
 * Spec: SDM Vol. 3A, "System Flags and Fields in the EFLAGS Register"; Vol. 3B, "Interrupt and Exception Handling in
 * Virtual-8086 Mode", "Protected-Mode Virtual Interrupts".
 */
import { peek, push, release } from "./operands.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { CR4, FLAG, type SystemState } from "./state.js";

/** What any program may load with 16-bit operands. */
const COMMON: number = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.TF | FLAG.DF | FLAG.OF | FLAG.NT;
const VIRTUAL = FLAG.VIF | FLAG.VIP;
const ALL: number = COMMON | FLAG.IF | FLAG.IOPL | FLAG.RF | FLAG.VM | FLAG.AC | FLAG.ID;

/** The flags a model has. Spec: SDM Vol. 1, "EFLAGS Register". */
export const definedFlags = ({ model }: SystemState): number => (model === "486" ? ALL : ALL | VIRTUAL);

/** EFLAGS with the flags of `may` from `loaded`. */
export const replaceFlags = (old: number, loaded: number, may: number): number =>
  (old & ~may) | (loaded & may) | FLAG.RESERVED;

/** The I/O privilege level. Spec: SDM Vol. 1, "I/O Privilege Level". */
export const ioplOf = (eflags: number): number => (eflags & FLAG.IOPL) >> 12;

/** Flags POPF may load outside of virtual-8086 mode; the rest stays, silently. */
const poppable = (cpl: number, iopl: number, size: 2 | 4): number =>
  COMMON | (cpl <= iopl ? FLAG.IF : 0) | (cpl === 0 ? FLAG.IOPL : 0) | (size === 4 ? FLAG.AC | FLAG.ID : 0);

/** Flags IRET may load outside of virtual-8086 mode: POPF's, RF, and at CPL 0 of protected mode VIF and VIP. */
export const returnable = (port: ProcessorPort, cpl: number, iopl: number, size: 2 | 4): number =>
  size === 2
    ? poppable(cpl, iopl, 2)
    : poppable(cpl, iopl, 4) |
      FLAG.RF |
      (cpl === 0 && port.mode === "protected" ? VIRTUAL & definedFlags(port.system) : 0);

/** The same in virtual-8086 mode at IOPL 3: IOPL stays. */
export const RETURNABLE_IN_8086 = {
  2: COMMON | FLAG.IF,
  4: COMMON | FLAG.IF | FLAG.RF | FLAG.AC | FLAG.ID,
} as const;

export const hasVme = ({ cr4 }: SystemState): boolean => (cr4 & CR4.VME) !== 0;

export const ioplFault = (): Fault => new Fault(VECTOR.GP, 0, "cpl-above-iopl");

/** Who works on VIF in place of IF: a program in virtual-8086 mode with CR4.VME, or of CPL 3 with CR4.PVI. */
const hasVirtualIf = (port: ProcessorPort): boolean =>
  port.mode === "virtual-8086"
    ? hasVme(port.system)
    : port.mode === "protected" && port.cpl === 3 && (port.system.cr4 & CR4.PVI) !== 0;

/** Clears IF, or VIF. Spec: SDM Vol. 2A, CLI—Clear Interrupt Flag. */
export function clearInterruptFlag(port: ProcessorPort): void {
  const eflags = port.getEflags();
  if (port.cpl <= ioplOf(eflags)) port.setEflags(eflags & ~FLAG.IF);
  else if (hasVirtualIf(port)) port.setEflags(eflags & ~FLAG.VIF);
  else throw ioplFault();
}

/** Sets IF behind the next instruction, or VIF at once. Spec: SDM Vol. 2B, STI—Set Interrupt Flag. */
export function setInterruptFlag(port: ProcessorPort): void {
  const eflags = port.getEflags();
  if (port.cpl <= ioplOf(eflags)) {
    if ((eflags & FLAG.IF) === 0) port.setShadow("sti");
    port.setEflags(eflags | FLAG.IF);
    return;
  }
  if (!hasVirtualIf(port)) throw ioplFault();
  if ((eflags & FLAG.VIP) !== 0) throw new Fault(VECTOR.GP, 0, "virtual-interrupt-pending");
  port.setEflags(eflags | FLAG.VIF);
}

/** FLAGS as a program in virtual-8086 mode with VME is to see them: IOPL 3, and VIF as IF. */
export const virtualFlags = (eflags: number): number =>
  (eflags & 0xffff & ~FLAG.IF) | FLAG.IOPL | ((eflags & FLAG.VIF) !== 0 ? FLAG.IF : 0);

/** Pushes EFLAGS without VM and RF. Spec: SDM Vol. 2B, PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register Onto the Stack. */
export function pushFlags(port: ProcessorPort, size: 2 | 4 | 8): void {
  const eflags = port.getEflags();
  if (port.mode !== "virtual-8086" || ioplOf(eflags) === 3) push(port, eflags & ~(FLAG.VM | FLAG.RF), size);
  else if (size === 2 && hasVme(port.system)) push(port, virtualFlags(eflags), 2);
  else throw ioplFault();
}

/** Pops EFLAGS; what the privilege does not allow stays. Spec: SDM Vol. 2B, POPF/POPFD/POPFQ—Pop Stack Into EFLAGS Register. */
export function popFlags(port: ProcessorPort, bytes: 2 | 4 | 8): void {
  const size = bytes === 2 ? 2 : 4;
  const eflags = port.getEflags();
  const iopl = ioplOf(eflags);
  const virtual = port.mode === "virtual-8086";
  if (virtual && iopl < 3) checkVirtualFlags(port, size);
  // Of 64 bits the upper ones are reserved and let go.
  const value = peek(port, 0, bytes);
  const loaded =
    virtual && iopl < 3
      ? loadVirtualFlags(eflags, value)
      : replaceFlags(eflags, value, virtual ? RETURNABLE_IN_8086[size] : poppable(port.cpl, iopl, size));
  release(port, bytes);
  port.setEflags(loaded & ~FLAG.RF);
}

/** Below IOPL 3 virtual-8086 mode has POPF and IRET with CR4.VME alone, and with 16-bit operands. Throws #GP(0). */
export function checkVirtualFlags(port: ProcessorPort, size: 2 | 4): void {
  if (size === 4 || !hasVme(port.system)) throw ioplFault();
}

/** What they make of FLAGS then: IF goes to VIF. Throws #GP(0). */
export function loadVirtualFlags(eflags: number, value: number): number {
  if ((value & FLAG.TF) !== 0) throw new Fault(VECTOR.GP, 0, "virtual-trap-flag");
  const enables = (value & FLAG.IF) !== 0;
  if (enables && (eflags & FLAG.VIP) !== 0) throw new Fault(VECTOR.GP, 0, "virtual-interrupt-pending");
  return replaceFlags(eflags, value | (enables ? FLAG.VIF : 0), COMMON | FLAG.VIF);
}
