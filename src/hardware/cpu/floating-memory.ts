/** Numbers of 16 to 128 bits in memory, unsigned, through the processor port. Stores are done wholly or not at all. */
import type { DecodedInstruction } from "../isa/instruction.js";
import { operandAddress } from "./operands.js";
import type { ProcessorPort } from "./processor.js";

const words = new Int32Array(4);
const unsigned = new Uint32Array(words.buffer);
const quads = new BigUint64Array(words.buffer);

/** The instruction's memory operand, `skip` bytes into it. */
export function loadBits(port: ProcessorPort, instruction: DecodedInstruction, bits: number, skip = 0): bigint {
  const bytes = bits / 8;
  const linear = operandAddress(port, instruction, bytes, false, skip);
  const user = port.cpl === 3;
  if (bytes === 2) return BigInt(port.readLinear(linear, 2, user));
  const count = bytes >> 2;
  port.readWords(linear, count, user, words);
  if (count === 1) return BigInt(unsigned[0]!);
  if (bytes === 8) return quads[0]!;
  if (bytes === 16) return (quads[1]! << 64n) | quads[0]!;
  const low = quads[0]!;
  return (BigInt(port.readLinear(linear + 8, 2, user)) << 64n) | low;
}

/** The linear address that a store in the instruction's memory operand goes to; throws where it may not be written. */
export function storeAddress(port: ProcessorPort, instruction: DecodedInstruction, bits: number, skip = 0): number {
  const linear = operandAddress(port, instruction, bits / 8, true, skip);
  port.checkWrite(linear, bits / 8, port.cpl === 3);
  return linear;
}

/** Stores the low bits of a number at an address that `storeAddress` gave. */
export function storeBitsAt(port: ProcessorPort, linear: number, bits: number, value: bigint): void {
  const bytes = bits / 8;
  const user = port.cpl === 3;
  if (bytes === 2) {
    port.writeLinear(linear, 2, Number(BigInt.asUintN(16, value)), user);
    return;
  }
  quads[0] = value;
  quads[1] = value >> 64n;
  if (bytes === 10) port.writeLinear(linear + 8, 2, words[2]! & 0xffff, user);
  port.writeWords(linear, bytes >> 2, user, words);
}

/** Stores the low bits of a number in the instruction's memory operand. */
export const storeBits = (
  port: ProcessorPort,
  instruction: DecodedInstruction,
  bits: number,
  value: bigint,
  skip = 0,
): void => storeBitsAt(port, storeAddress(port, instruction, bits, skip), bits, value);
