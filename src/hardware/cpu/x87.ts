/**
 * The x87 unit: its register stack, tags, condition codes and exceptions.
 * Spec: SDM Vol. 1, "x87 FPU Execution Environment", "x87 FPU Exception Handling".
 */
import type { DecodedInstruction } from "../isa/instruction.js";
import { type FloatingRegisters, STATUS } from "./floating.js";
import { raisePending, requireX87 } from "./floating-faults.js";
import { effectiveAddress } from "./operands.js";
import type { ProcessorPort } from "./processor.js";
import { EXCEPTION, EXTENDED, type Environment, isStopped, unpack, x87Environment } from "./softfloat/index.js";

/** What an x87 instruction does once it may be executed. */
export type X87Instruction = (port: ProcessorPort, instruction: DecodedInstruction) => void;

/** An instruction that changes the environment and looks at no pending exception: FNINIT and its like. */
export const control =
  (action: X87Instruction): X87Instruction =>
  (port, instruction) => {
    requireX87(port);
    action(port, instruction);
  };

/** The same, where a pending exception is raised first: FLDCW and its like. */
export const waitingControl = (action: X87Instruction): X87Instruction =>
  control((port, instruction) => {
    raisePending(port);
    action(port, instruction);
  });

/** An instruction on numbers: it raises a pending exception, and is remembered with its operand's address. */
export const numeric = (action: X87Instruction): X87Instruction =>
  waitingControl((port, instruction) => {
    action(port, instruction);
    remember(port, instruction);
  });

/** Spec: SDM Vol. 1, "x87 FPU Instruction and Data (Operand) Pointers", "Last Instruction Opcode". */
function remember(port: ProcessorPort, { row, modrm, memory, addressSize }: DecodedInstruction): void {
  const { floating, system } = port;
  floating.opcode = ((row.byte & 7) << 8) | modrm;
  floating.instructionPointer = port.eip;
  floating.instructionSelector = system.segments.cs.selector;
  if (memory === undefined) return;
  floating.dataPointer = floating.operandOffset;
  floating.dataSelector = segmentNumbered(system.segments, memory.segment).selector;
}
