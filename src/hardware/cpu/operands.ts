/** Operands of instructions executed in TypeScript: the same meaning as in generated code, through the processor port. */
import type { DecodedInstruction, Operand } from "../isa/instruction.js";
import type { AccessSize, ProcessorPort } from "./processor.js";
import { addressOf, registerAddress, setRegisterAddress, writeQuad } from "./quadwords.js";
import { ACCESS, type Segment, segmentNumbered } from "./state.js";

const ESP = 4;
const SS = 2;

/**
 * Offset of the memory operand in its segment: as many bits of it as addresses have; with 64 as a signed address.
 * Spec: SDM Vol. 1, "Operand Addressing", "Specifying an Offset", "Specifying an Offset in 64-Bit Mode".
 */
export function effectiveAddress(port: ProcessorPort, instruction: DecodedInstruction, skip = 0): number {
  const { base, index, scale, displacement } = instruction.memory!;
  if (instruction.addressSize === 64) return effectiveAddress64(port, instruction, skip);
  const relative = instruction.memory!.relative ? port.eip + instruction.length : 0;
  const offset =
    (base < 0 ? 0 : port.getRegister(base)) +
    (index < 0 ? 0 : port.getRegister(index) << scale) +
    displacement +
    (relative | 0) +
    skip;
  return instruction.addressSize === 16 ? offset & 0xffff : offset >>> 0;
}

/** Below this sums of three are exact and do not wrap. */
const EXACT = 2 ** 50;

function effectiveAddress64(port: ProcessorPort, { memory, length }: DecodedInstruction, skip: number): number {
  const { base, index, scale, displacement, displacementHigh, relative } = memory!;
  const first = relative ? port.eip + length : base < 0 ? 0 : registerAddress(port, base);
  const second = index < 0 ? 0 : registerAddress(port, index);
  const third = displacementHigh === undefined ? displacement : addressOf(displacement, displacementHigh);
  if (Math.abs(first) < EXACT && Math.abs(second) < EXACT / 8 && Math.abs(third) < EXACT)
    return first + second * 2 ** scale + third + skip;
  const whole = (number: number): bigint =>
    (BigInt(port.getRegisterHigh(number)) << 32n) | BigInt(port.getRegister(number));
  const sum =
    (relative ? BigInt(first) : base < 0 ? 0n : whole(base)) +
    (index < 0 ? 0n : whole(index) << BigInt(scale)) +
    (BigInt((displacementHigh ?? displacement >> 31) | 0) << 32n) +
    BigInt(displacement >>> 0);
  return Number(BigInt.asIntN(64, sum + BigInt(skip)));
}

/** Linear address of the instruction's memory operand after the segment's checks, `skip` bytes into it. */
export function operandAddress(
  port: ProcessorPort,
  instruction: DecodedInstruction,
  size: number,
  write: boolean,
  skip = 0,
): number {
  const offset = effectiveAddress(port, instruction, skip);
  return port.segmentAddress(instruction.memory!.segment, offset, size, write);
}

/** Whether the instruction's memory operand lies on a multiple of 16, before any check of its segment. */
export function isAlignedTo16(port: ProcessorPort, instruction: DecodedInstruction): boolean {
  const { segment } = instruction.memory!;
  // In 64-bit code FS and GS alone have a base.
  const based = port.codeBits !== 64 || segment >= 4;
  const base = based ? segmentNumbered(port.system.segments, segment).base & 15 : 0;
  return (base + (effectiveAddress(port, instruction) % 16)) % 16 === 0;
}

/** Bits 0 to 31 of a general register, or as many as it has. Of 8 bits, 4 to 7 are AH to BH. */
export function readRegister(port: ProcessorPort, number: number, bits: number): number {
  if (bits === 8) return number < 4 ? port.getRegister(number) & 0xff : (port.getRegister(number - 4) >>> 8) & 0xff;
  return bits === 16 ? port.getRegister(number) & 0xffff : port.getRegister(number);
}

/** What is above 32 or 64 bits becomes 0, what is above 8 or 16 stays. */
export function writeRegister(port: ProcessorPort, number: number, bits: number, value: number): void {
  if (bits >= 32) {
    port.setRegister(number, value);
    return;
  }
  const target = bits === 8 && number > 3 ? number - 4 : number;
  const shift = target === number ? 0 : 8;
  const mask = (bits === 8 ? 0xff : 0xffff) << shift;
  const merged = (port.getRegister(target) & ~mask) | ((value << shift) & mask);
  port.setRegister(target, merged, port.getRegisterHigh(target));
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
    const size = (bits ?? operand.size) / 8;
    const linear = operandAddress(port, instruction, size, true);
    if (size === 8) writeQuad(port, linear, value, 0, port.cpl === 3);
    else port.writeLinear(linear, size as AccessSize, value, port.cpl === 3);
  } else throw new TypeError(`operand of kind ${operand.kind} cannot be written`);
}

/**
 * What of ESP is the stack pointer: all of it on a stack segment with the B flag set, SP else.
 * Spec: SDM Vol. 1, "Address-Size Attribute for Stack".
 */
export const stackMask = (ss: Segment): number => ((ss.access & ACCESS.BIG) !== 0 ? 0xffffffff : 0xffff);

/** Bits of an offset, as an unsigned number. */
export const masked = (offset: number, mask: number): number => (offset & mask) >>> 0;

/** Moves the stack pointer of `ss`; the upper part of RSP stays on a 16-bit stack. Not for 64-bit code. */
export function setStackPointer(port: ProcessorPort, ss: Segment, pointer: number): void {
  if ((ss.access & ACCESS.BIG) !== 0) port.setRegister(ESP, pointer >>> 0);
  else writeRegister(port, ESP, 16, pointer);
}

/** The stack pointer, `skip` bytes further on, as wide as the code and its stack have it. */
export function stackOffset(port: ProcessorPort, skip: number): number {
  if (port.codeBits === 64) return registerAddress(port, ESP) + skip;
  return masked(port.getRegister(ESP) + skip, stackMask(port.system.segments.ss));
}

/** Linear address of `size` bytes of the current stack. Throws #SS(0). */
export const stackAddress = (port: ProcessorPort, skip: number, size: number, write: boolean): number =>
  port.segmentAddress(SS, stackOffset(port, skip), size, write);

/**
 * Pushes a word on the current stack, at the current privilege; of its `size` bytes the lowest `written` ones, and zeros
 * above 32 bits. ESP changes last.
 * Spec: SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack.
 */
export function push(port: ProcessorPort, value: number, size: 2 | 4 | 8, written = size): void {
  const linear = stackAddress(port, -size, written, true);
  if (written === 8) writeQuad(port, linear, value, 0, port.cpl === 3);
  else port.writeLinear(linear, written, value, port.cpl === 3);
  release(port, -size);
}

const quad = new Int32Array(2);

/**
 * Reads the stack `skip` bytes above the stack pointer; of 8 bytes it gives the lower half.
 * Spec: SDM Vol. 2B, POP—Pop a Value From the Stack.
 */
export function peek(port: ProcessorPort, skip: number, size: 2 | 4 | 8): number {
  const linear = stackAddress(port, skip, size, false);
  if (size !== 8) return port.readLinear(linear, size, port.cpl === 3);
  port.readWords(linear, 2, port.cpl === 3, quad);
  return quad[0]! >>> 0;
}

/** Takes bytes off the current stack. Spec: SDM Vol. 1, "Procedure Stack". */
export function release(port: ProcessorPort, bytes: number): void {
  if (port.codeBits === 64) setRegisterAddress(port, ESP, registerAddress(port, ESP) + bytes);
  else setStackPointer(port, port.system.segments.ss, port.getRegister(ESP) + bytes);
}
