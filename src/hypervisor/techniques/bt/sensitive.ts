/** Which instructions of a guest's kernel cannot be executed where they are not: told by properties of their rows. */
import type { DecodedInstruction } from "../../../hardware/isa/instruction.js";
import { systemOf } from "../../../hardware/virtual-processor/index.js";

const [CS, GS] = [1, 5];

/** Segments that an instruction reaches memory through. */
function reaches({ memory, operands, segment }: DecodedInstruction, wanted: number): boolean {
  if (memory !== undefined) return memory.segment === wanted;
  return segment === wanted && operands.some(({ kind }) => kind === "memory");
}

/**
 * What becomes of an instruction that does not transfer control by itself.
 *
 * "ident": it does the same anywhere, so it is copied. "emulate": privileged, sensitive, or one whose row has its meaning in
 * TypeScript. "simulate": what it does depends on where it is, and only the engine can do it; x87 instructions among them, which note their
 * own address.
 */
export function treatment(instruction: DecodedInstruction): "ident" | "emulate" | "simulate" {
  const { row } = instruction;
  if (row.unit === "x87") return "simulate";
  if (systemOf(row) !== undefined && row.unit === undefined) return "emulate";
  // CS is the cache's, and GS that of the hypervisor's words.
  return reaches(instruction, CS) || reaches(instruction, GS) ? "simulate" : "ident";
}
