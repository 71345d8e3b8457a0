/** Writes instructions as bytes, from the rows of the instruction table: the decoder's counterpart, for tests only. */
import type { OperandSize } from "../../src/hardware/isa/code.js";
import { encodingHead, operandSizes, type Row } from "../../src/hardware/isa/instruction.js";

/** base + (index << scale) + displacement; -1 is no register. The displacement takes 8 bits where it fits and `short` asks. */
export interface MemoryChoice {
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  readonly short: boolean;
}

/** What the operand codes of a row leave open. */
export interface EncodingChoice {
  readonly row: Row;
  readonly size: OperandSize;
  /** The reg field of ModRM, and the register in the opcode's low bits. */
  readonly register: number;
  /** The E operand: a register, or memory. */
  readonly target: number | MemoryChoice;
  /** Immediates, in order. */
  readonly immediates: readonly number[];
  /** Distance of a relative branch from the end of the instruction. */
  readonly distance?: number;
  /** Address of an O operand, offset of an A operand. */
  readonly address?: number;
  /** Prefixes in front of everything else: segment, LOCK, REP. */
  readonly prefixes?: readonly number[];
}

function littleEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => (value >>> (8 * index)) & 0xff);
}

function modrm(reg: number, target: number | MemoryChoice): number[] {
  if (typeof target === "number") return [0xc0 | (reg << 3) | target];
  const { base, index, scale, displacement, short } = target;
  const withSib = index >= 0 || base === 4;
  const rm = withSib ? 4 : base < 0 ? 5 : base;
  const sib = withSib ? [(scale << 6) | ((index < 0 ? 4 : index) << 3) | (base < 0 ? 5 : base)] : [];
  if (base < 0) return [(reg << 3) | rm, ...sib, ...littleEndian(displacement, 4)];
  if (displacement === 0 && short && base !== 5) return [(reg << 3) | rm, ...sib];
  if (short && displacement >= -128 && displacement < 128) return [0x40 | (reg << 3) | rm, ...sib, displacement & 0xff];
  return [0x80 | (reg << 3) | rm, ...sib, ...littleEndian(displacement, 4)];
}

/** One of a row's own ModRM bytes, of which x87 rows with ST(i) have eight. */
export const fixedModrm = ([first, last]: readonly [number, number], register: number): number =>
  first + (register % (last - first + 1));

/** Whether a row has an operand of a method. */
export function has(row: Row, ...methods: readonly string[]): boolean {
  return row.operands.some(({ method }) => methods.includes(method));
}

export function encode(choice: EncodingChoice): number[] {
  const { row, size, register, target, distance = 0, address = 0, prefixes = [] } = choice;
  const immediates = [...choice.immediates];
  const bytes: number[] = [...prefixes];
  if (size === 16 && operandSizes(row).length > 1) bytes.push(0x66);
  for (const part of encodingHead(row)) bytes.push(...part);
  bytes.push(row.byte + (row.plusRegister ? register : 0));
  if (typeof row.modrm === "object") bytes.push(fixedModrm(row.modrm, register));
  else if (row.modrm !== "none") bytes.push(...modrm(row.modrm === "r" ? register : row.modrm, target));
  const wide = size === 16 ? 2 : 4;
  for (const { method, type } of row.operands) {
    if (method === "I")
      bytes.push(...littleEndian(immediates.shift() ?? 0, type[0] === "b" ? 1 : type === "w" ? 2 : wide));
    else if (method === "J") bytes.push(...littleEndian(distance, type === "b" ? 1 : wide));
    else if (method === "O") bytes.push(...littleEndian(address, 4));
    else if (method === "A") bytes.push(...littleEndian(address, wide), ...littleEndian(immediates.shift() ?? 0, 2));
  }
  return bytes;
}
