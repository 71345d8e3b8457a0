/** What several tables of instructions in TypeScript share. */
import { Fault, type ProcessorPort, type SystemInstruction, VECTOR } from "../../cpu/processor.js";
import { FLAG } from "../../cpu/state.js";
import type { DecodedInstruction } from "../decoder.js";

export const privileged =
  (instruction: SystemInstruction): SystemInstruction =>
  (port, decoded) => {
    if (port.cpl !== 0) throw new Fault(VECTOR.GP, 0);
    instruction(port, decoded);
  };

export const stackSize = (instruction: DecodedInstruction): 2 | 4 => (instruction.size === 16 ? 2 : 4);

export function setZero(port: ProcessorPort, zero: boolean): void {
  port.setEflags(zero ? port.getEflags() | FLAG.ZF : port.getEflags() & ~FLAG.ZF);
}
