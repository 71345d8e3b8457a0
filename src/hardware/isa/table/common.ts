/** What several tables of instructions in TypeScript share. */

import type { ExitCause, InterceptedInstruction } from "../../cpu/guest-operation.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { CR4, FLAG } from "../../cpu/state.js";
import type { DecodedInstruction, SystemInstruction } from "../instruction.js";

export function requireRing0(port: ProcessorPort): void {
  if (port.cpl !== 0) throw new Fault(VECTOR.GP, 0, "cpl-not-0");
}

/** An instruction of ring 0: #GP(0) at any other privilege. Spec: SDM Vol. 3A, "Privileged Instructions". */
export const privileged =
  (instruction: SystemInstruction): SystemInstruction =>
  (port, decoded) => {
    requireRing0(port);
    instruction(port, decoded);
  };

/** Leaves a guest that may not execute this: to be called behind the checks that come first. */
export function intercept(port: ProcessorPort, instruction: DecodedInstruction, operand?: number): void {
  if (port.guest === undefined) return;
  const name = nameOf(instruction);
  port.guest.check(port, { kind: "instruction", name, instruction, ...(operand === undefined ? {} : { operand }) });
}

const nameOf = ({ row }: DecodedInstruction): InterceptedInstruction => row.mnemonic as InterceptedInstruction;

/** An instruction that a host may keep its guest from. */
export const intercepted =
  (instruction: SystemInstruction): SystemInstruction =>
  (port, decoded) => {
    if (!leaves(port, { kind: "instruction", name: nameOf(decoded), instruction: decoded })) instruction(port, decoded);
  };

/** Whether a guest is left in place of the present instruction, which then ends at once. */
export function leaves(port: ProcessorPort, cause: ExitCause): boolean {
  const exit = port.guest?.exitFor(port, cause);
  if (exit === undefined) return false;
  port.leave(exit);
  return true;
}

/** An instruction real and virtual-8086 mode do not have. Spec: SDM Vol. 3B, "Instruction Set" (8086 emulation). */
export const protectedOnly =
  (instruction: SystemInstruction): SystemInstruction =>
  (port, decoded) => {
    if (port.mode !== "protected") throw new Fault(VECTOR.UD, undefined, "not-in-protected-mode");
    instruction(port, decoded);
  };

/** An instruction that tells of the system's tables: the supervisor's alone with CR4.UMIP. */
export const supervisedWithUmip =
  (instruction: SystemInstruction): SystemInstruction =>
  (port, decoded) => {
    if ((port.system.cr4 & CR4.UMIP) !== 0 && port.cpl !== 0) throw new Fault(VECTOR.GP, 0, "umip");
    instruction(port, decoded);
  };

/** Bytes an instruction moves on the stack. */
export const stackSize = ({ size }: DecodedInstruction): 2 | 4 | 8 => (size === 16 ? 2 : size === 64 ? 8 : 4);

export function setZero(port: ProcessorPort, zero: boolean): void {
  port.setEflags(zero ? port.getEflags() | FLAG.ZF : port.getEflags() & ~FLAG.ZF);
}
