/** Numbers in memory as x87 instructions take and leave them. Spec: SDM Vol. 1, "x87 FPU Data Types". */
import type { DecodedInstruction } from "../isa/instruction.js";
import { loadBits } from "./floating-memory.js";
import type { ProcessorPort } from "./processor.js";
import {
  convert,
  DOUBLE,
  type Environment,
  EXTENDED,
  type Format,
  fromDecimal,
  fromInteger,
  SINGLE,
  widen,
} from "./softfloat/index.js";

/** Reads the operand in memory at once, and gives what it is in the extended format. */
export type OperandReader = (port: ProcessorPort, instruction: DecodedInstruction) => (env: Environment) => bigint;

/** Bits of the memory operand. */
export const memoryWidth = ({ operands }: DecodedInstruction): number => {
  const operand = operands.find(({ kind }) => kind === "memory");
  return operand?.kind === "memory" ? operand.size : 0;
};

/** The format of a number of 32 or 64 bits. */
export const formatOf = (width: number): Format => (width === 32 ? SINGLE : DOUBLE);

/** A number that takes part in arithmetic: a signaling NaN is one still. */
export const floatOperand: OperandReader = (port, instruction) => {
  const width = memoryWidth(instruction);
  const bits = loadBits(port, instruction, width);
  return (env) => widen(formatOf(width), EXTENDED, bits, env);
};

/** A number that is loaded, which is an operation by itself unless it has the registers' format. */
export const loadedFloat: OperandReader = (port, instruction) => {
  const width = memoryWidth(instruction);
  const bits = loadBits(port, instruction, width);
  return (env) => (width === EXTENDED.width ? bits : convert(formatOf(width), EXTENDED, bits, env));
};

/** A signed integer. */
export const integerOperand: OperandReader = (port, instruction) => {
  const width = memoryWidth(instruction);
  const bits = loadBits(port, instruction, width);
  return (env) => fromInteger(EXTENDED, BigInt.asIntN(width, bits), env);
};

/** Packed BCD. */
export const loadedDecimal: OperandReader = (port, instruction) => {
  const bits = loadBits(port, instruction, 80);
  return (env) => fromDecimal(EXTENDED, bits, env);
};
