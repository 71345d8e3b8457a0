/**
 * The instructions of AMD-V, with the checks each makes first: what makes it #UD, privilege, its operand, whether the host
 * of a guest intercepts it. As functions, a hypervisor in TypeScript executes them through the port.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 3, VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, INVLPGA, SKINIT; Vol. 2,
 * "Secure Virtual Machine".
 */
import type { InterceptedInstruction } from "../cpu/guest-operation.js";
import { models } from "../cpu/model.js";
import { Fault, type ProcessorPort, Unsupported, VECTOR } from "../cpu/processor.js";
import { EFER, isCanonical } from "../cpu/state.js";
import type { DecodedInstruction } from "../isa/instruction.js";
import { setGif } from "./interrupts.js";
import { run } from "./run.js";
import { loadRest, saveRest } from "./state-save.js";

const PAGE = 0x1000;

/** Throws #UD unless AMD-V is on in protected mode, and #GP(0) above ring 0. */
function requireHost(port: ProcessorPort): void {
  if ((port.system.efer & EFER.SVME) === 0) throw new Fault(VECTOR.UD, undefined, "svm-off");
  if (port.mode !== "protected") throw new Fault(VECTOR.UD, undefined, "not-in-protected-mode");
  if (port.cpl !== 0) throw new Fault(VECTOR.GP, 0, "cpl-not-0");
}

/** Throws #GP(0) unless a VMCB can be at this physical address. */
function requireVmcb(port: ProcessorPort, physical: number): void {
  const end = 2 ** models[port.system.model].physicalBits;
  if (physical % PAGE !== 0 || physical < 0 || physical >= end) throw new Fault(VECTOR.GP, 0, "vmcb-address");
}

function intercept(
  port: ProcessorPort,
  name: InterceptedInstruction,
  instruction: DecodedInstruction | undefined,
  operand?: number,
): void {
  const more = operand === undefined ? {} : { operand };
  port.guest?.check(port, {
    kind: "instruction",
    name,
    ...(instruction === undefined ? {} : { instruction }),
    ...more,
  });
}

/**
 * VMRUN: runs the guest of a VMCB until it is left. The processor is then in the guest, or behind VMRUN where the VMCB is
 * refused (VMEXIT_INVALID).
 *
 * @param vmcb its physical address, what rAX says
 * @throws Fault #UD with EFER.SVME clear or outside of protected mode; #GP(0) above ring 0, or for an address that is not on
 * 4 KiB or beyond the model's. VmExit where a host intercepts it.
 */
export function vmrun(port: ProcessorPort, vmcb: number, instruction?: DecodedInstruction): void {
  requireHost(port);
  requireVmcb(port, vmcb);
  intercept(port, "VMRUN", instruction);
  run(port, vmcb);
}

/** VMLOAD: FS, GS, LDTR, TR and what SYSCALL and SYSENTER use, from a VMCB. Throws as `vmrun` does. */
export function vmload(port: ProcessorPort, vmcb: number, instruction?: DecodedInstruction): void {
  requireHost(port);
  requireVmcb(port, vmcb);
  intercept(port, "VMLOAD", instruction);
  loadRest(port, vmcb);
}

/** VMSAVE: the same to a VMCB. Throws as `vmrun` does. */
export function vmsave(port: ProcessorPort, vmcb: number, instruction?: DecodedInstruction): void {
  requireHost(port);
  requireVmcb(port, vmcb);
  intercept(port, "VMSAVE", instruction);
  saveRest(port, vmcb);
}

/** VMMCALL: leaves a guest whose host intercepts it, at any privilege; #UD else. */
export function vmmcall(port: ProcessorPort, instruction?: DecodedInstruction): void {
  intercept(port, "VMMCALL", instruction);
  throw new Fault(VECTOR.UD, undefined, "vmmcall-not-intercepted");
}

/** STGI: sets GIF. Throws #UD and #GP(0) as `vmrun` does. */
export function stgi(port: ProcessorPort, instruction?: DecodedInstruction): void {
  requireHost(port);
  intercept(port, "STGI", instruction);
  setGif(port, true);
}

/** CLGI: clears GIF. Throws #UD and #GP(0) as `vmrun` does. */
export function clgi(port: ProcessorPort, instruction?: DecodedInstruction): void {
  requireHost(port);
  intercept(port, "CLGI", instruction);
  setGif(port, false);
}

/** INVLPGA: drops a linear address of an ASID. Translations are never stale here, so that all of an address is dropped. */
export function invlpga(port: ProcessorPort, linear: number, instruction?: DecodedInstruction): void {
  requireHost(port);
  intercept(port, "INVLPGA", instruction, linear);
  if (isCanonical(linear)) port.invalidate(linear);
}

/** SKINIT, which no model announces. */
export function skinit(port: ProcessorPort, instruction?: DecodedInstruction): void {
  requireHost(port);
  intercept(port, "SKINIT", instruction);
  throw new Unsupported("SKINIT");
}
