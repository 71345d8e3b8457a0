/**
 * How VMX instructions end, and the conditions all of them begin with.
 * Spec: SDM Vol. 3C, "VMX Instruction Reference", "Conventions".
 */
import { type InterceptedInstruction, VmExit } from "../cpu/guest-operation.js";
import { Fault, type ProcessorPort, VECTOR } from "../cpu/processor.js";
import type { RuleName } from "../cpu/rules.js";
import { FLAG } from "../cpu/state.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import type { VmxState } from "./state.js";
import { writeWord } from "./vmcs.js";

const STATUS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;

const setStatus = (port: ProcessorPort, flags: number): void => port.setEflags((port.getEflags() & ~STATUS) | flags);

/** VMsucceed. */
export const succeed = (port: ProcessorPort): void => setStatus(port, 0);
/** VMfailInvalid: there is no VMCS to say why. */
export const failInvalid = (port: ProcessorPort): void => setStatus(port, FLAG.CF);

/** VMfail: VMfailValid with the number of the error where there is a current VMCS, else VMfailInvalid. */
export function fail(port: ProcessorPort, { current }: VmxState, error: number): void {
  if (current === undefined) {
    failInvalid(port);
    return;
  }
  writeWord(port, current, "VM-instruction error", error);
  setStatus(port, FLAG.ZF);
}

/** VMX operation; undefined outside of it. */
export const vmxState = ({ system: { virtualization } }: ProcessorPort): VmxState | undefined =>
  virtualization?.kind === "vmx" ? virtualization : undefined;

const undefinedInstruction = (rule: RuleName): Fault => new Fault(VECTOR.UD, undefined, rule);

/** Protected mode, and in IA-32e mode 64-bit code. Throws #UD. */
export function requireMode(port: ProcessorPort): void {
  if (port.mode !== "protected") throw undefinedInstruction("not-in-protected-mode");
  if (port.long && port.codeBits !== 64) throw undefinedInstruction("in-compatibility-mode");
}

export function requireRing0(port: ProcessorPort): void {
  if (port.cpl !== 0) throw new Fault(VECTOR.GP, 0, "cpl-not-0");
}

/** VMX operation, whichever. Throws #UD. */
export function requireVmx(port: ProcessorPort): VmxState {
  const state = vmxState(port);
  if (state === undefined) throw undefinedInstruction("not-in-vmx-operation");
  return state;
}

/** In a guest the instruction is the host's affair. Throws `VmExit`. */
export function requireHost(state: VmxState, name: InterceptedInstruction, instruction?: DecodedInstruction): void {
  if (state.guest === undefined) return;
  throw new VmExit({ kind: "instruction", name, ...(instruction === undefined ? {} : { instruction }) });
}

/** VMX root operation at CPL 0. Throws #UD, `VmExit`, #GP(0), in this order. */
export function requireRoot(
  port: ProcessorPort,
  name: InterceptedInstruction,
  instruction?: DecodedInstruction,
): VmxState {
  const state = requireVmx(port);
  requireMode(port);
  requireHost(state, name, instruction);
  requireRing0(port);
  return state;
}
