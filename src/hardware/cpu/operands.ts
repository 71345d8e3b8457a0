/** Operands of instructions executed in TypeScript: the same meaning as in generated code, through the processor port. */
import type { DecodedInstruction, MemoryOperand, Operand } from "../isa/instruction.js";
import type { AccessSize, ProcessorPort } from "./processor.js";

/** Offset of the memory operand in its segment. */
export function effectiveAddress(port: ProcessorPort, { base, index, scale, displacement }: MemoryOperand): number {
  return (
    ((base < 0 ? 0 : port.getRegister(base)) + (index < 0 ? 0 : port.getRegister(index) << scale) + displacement) >>> 0
  );
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
  return port.segmentAddress(memory.segment, (effectiveAddress(port, memory) + skip) >>> 0, size, write);
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

/** Pushes and pops on the current stack, at the current privilege. ESP changes last. */
export function push(port: ProcessorPort, value: number, size: 2 | 4): void {
  const esp = (port.getRegister(4) - size) >>> 0;
  port.writeLinear(port.segmentAddress(2, esp, size, true), size, value, port.cpl === 3);
  port.setRegister(4, esp);
}

/** Reads the stack `skip` bytes above ESP. */
export function peek(port: ProcessorPort, skip: number, size: 2 | 4): number {
  const esp = (port.getRegister(4) + skip) >>> 0;
  return port.readLinear(port.segmentAddress(2, esp, size, false), size, port.cpl === 3);
}

export function release(port: ProcessorPort, bytes: number): void {
  port.setRegister(4, (port.getRegister(4) + bytes) >>> 0);
}
