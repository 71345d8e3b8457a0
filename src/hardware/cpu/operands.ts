/** Operands of instructions executed in TypeScript: the same meaning as in generated code, through the processor port. */
import type { CodeBits, DecodedInstruction, MemoryOperand, Operand } from "../isa/instruction.js";
import type { AccessSize, ProcessorPort } from "./processor.js";
import { ACCESS, type Segment } from "./state.js";

const ESP = 4;
const SS = 2;

/**
 * Offset of the memory operand in its segment: 16 bits of it with 16-bit addresses.
 * Spec: SDM Vol. 1, "Operand Addressing", "Specifying an Offset".
 */
export function effectiveAddress(port: ProcessorPort, memory: MemoryOperand, bits: CodeBits): number {
  const { base, index, scale, displacement } = memory;
  const offset =
    (base < 0 ? 0 : port.getRegister(base)) + (index < 0 ? 0 : port.getRegister(index) << scale) + displacement;
  return bits === 16 ? offset & 0xffff : offset >>> 0;
}

/** Linear address of the instruction's memory operand after the segment's checks, `skip` bytes into it. */
export function operandAddress(
  port: ProcessorPort,
  instruction: DecodedInstruction,
  size: number,
  write: boolean,
  skip = 0,
): number {
  const memory = instruction.memory!;
  const bits = instruction.addressSize;
  const offset = effectiveAddress(port, memory, bits) + skip;
  return port.segmentAddress(memory.segment, bits === 16 ? offset & 0xffff : offset >>> 0, size, write);
}

export function readRegister(port: ProcessorPort, number: number, bits: number): number {
  if (bits === 8) return number < 4 ? port.getRegister(number) & 0xff : (port.getRegister(number - 4) >>> 8) & 0xff;
  return bits === 16 ? port.getRegister(number) & 0xffff : port.getRegister(number);
}

export function writeRegister(port: ProcessorPort, number: number, bits: number, value: number): void {
  if (bits === 32) port.setRegister(number, value);
  else if (bits === 16) port.setRegister(number, (port.getRegister(number) & 0xffff0000) | (value & 0xffff));
  else if (number < 4) port.setRegister(number, (port.getRegister(number) & 0xffffff00) | (value & 0xff));
  else port.setRegister(number - 4, (port.getRegister(number - 4) & 0xffff00ff) | ((value & 0xff) << 8));
}

/** Value of an operand, unsigned; `bits` overrides the width of a memory operand. */
export function readOperand(
  port: ProcessorPort,
  instruction: DecodedInstruction,
  operand: Operand,
  bits?: number,
): number {
  switch (operand.kind) {
    case "register":
      return readRegister(port, operand.number, bits ?? operand.size);
    case "memory": {
      const size = ((bits ?? operand.size) / 8) as AccessSize;
      return port.readLinear(operandAddress(port, instruction, size, false), size, port.cpl === 3);
    }
    case "immediate":
      return operand.value >>> 0;
    default:
      throw new TypeError(`operand of kind ${operand.kind} has no value`);
  }
}

export function writeOperand(
  port: ProcessorPort,
  instruction: DecodedInstruction,
  operand: Operand,
  value: number,
  bits?: number,
): void {
  if (operand.kind === "register") writeRegister(port, operand.number, bits ?? operand.size, value);
  else if (operand.kind === "memory") {
    const size = ((bits ?? operand.size) / 8) as AccessSize;
    port.writeLinear(operandAddress(port, instruction, size, true), size, value, port.cpl === 3);
  } else throw new TypeError(`operand of kind ${operand.kind} cannot be written`);
}

/**
 * What of ESP is the stack pointer: all of it on a stack segment with the B flag set, SP else.
 * Spec: SDM Vol. 1, "Address-Size Attribute for Stack".
 */
export const stackMask = (ss: Segment): number => ((ss.access & ACCESS.BIG) !== 0 ? 0xffffffff : 0xffff);

/** Bits of an offset, as an unsigned number. */
export const masked = (offset: number, mask: number): number => (offset & mask) >>> 0;

/** Moves the stack pointer of `ss`; the upper half of ESP stays on a 16-bit stack. */
export function setStackPointer(port: ProcessorPort, ss: Segment, pointer: number): void {
  const mask = stackMask(ss);
  port.setRegister(ESP, ((port.getRegister(ESP) & ~mask) | (pointer & mask)) >>> 0);
}

/**
 * Pushes a word on the current stack, at the current privilege; of its `size` bytes the lowest `written` ones. ESP
 * changes last.
 * Spec: SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack.
 */
export function push(port: ProcessorPort, value: number, size: 2 | 4, written = size): void {
  const { ss } = port.system.segments;
  const pointer = masked(port.getRegister(ESP) - size, stackMask(ss));
  port.writeLinear(port.segmentAddress(SS, pointer, written, true), written, value, port.cpl === 3);
  setStackPointer(port, ss, pointer);
}

/** Reads the stack `skip` bytes above the stack pointer. Spec: SDM Vol. 2B, POP—Pop a Value From the Stack. */
export function peek(port: ProcessorPort, skip: number, size: 2 | 4): number {
  const pointer = masked(port.getRegister(ESP) + skip, stackMask(port.system.segments.ss));
  return port.readLinear(port.segmentAddress(SS, pointer, size, false), size, port.cpl === 3);
}

/** Takes bytes off the current stack. Spec: SDM Vol. 1, "Procedure Stack". */
export function release(port: ProcessorPort, bytes: number): void {
  setStackPointer(port, port.system.segments.ss, port.getRegister(ESP) + bytes);
}
