/** Writes 64-bit instructions as bytes, from the rows of the instruction table. Spec: SDM Vol. 2A, "REX Prefixes". */
import type { OperandSize } from "../../src/hardware/isa/code.js";
import { encodingHead, type OperandCode, operandSizes, type Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import { fixedModrm } from "./encode.js";

/** base + (index << scale) + displacement; -1 is no register. `relative`: the displacement leads to `linear` instead. */
export interface Memory64 {
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  readonly relative: boolean;
  readonly linear: bigint;
}

export interface Choice64 {
  readonly row: Row;
  readonly size: OperandSize;
  readonly addressSize: 32 | 64;
  /** The reg field of ModRM, or the register in the opcode's low bits. */
  readonly register: number;
  readonly target: number | Memory64;
  readonly immediates: readonly bigint[];
  readonly distance: number;
  /** Of an O operand. */
  readonly address: bigint;
  readonly prefixes: readonly number[];
  /** A REX prefix also where nothing needs one: then 4 to 7 are SPL to DIL. */
  readonly rex: boolean;
}

const sizesOf = new Map(rows.map((row) => [row, operandSizes(row, 64)]));
export const sizesIn64 = (row: Row): readonly OperandSize[] => sizesOf.get(row)!;

const littleEndian = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));

const fitsByte = (value: number): boolean => value >= -128 && value < 128;

/** ModRM, SIB and displacement. */
function modrm(reg: number, target: number | Memory64, relativeTo: bigint): number[] {
  const field = (reg & 7) << 3;
  if (typeof target === "number") return [0xc0 | field | (target & 7)];
  const { base, index, scale, displacement, relative, linear } = target;
  if (relative) return [field | 5, ...littleEndian(linear - relativeTo, 4)];
  const wide = littleEndian(BigInt(displacement), 4);
  const sib = [(scale << 6) | ((index < 0 ? 4 : index & 7) << 3) | (base < 0 ? 5 : base & 7)];
  if (base < 0) return [field | 4, ...sib, ...wide];
  const withSib = index >= 0 || (base & 7) === 4;
  const rm = withSib ? 4 : base & 7;
  const more = withSib ? sib : [];
  if (displacement === 0 && (base & 7) !== 5) return [field | rm, ...more];
  if (fitsByte(displacement)) return [0x40 | field | rm, ...more, displacement & 0xff];
  return [0x80 | field | rm, ...more, ...wide];
}

function immediateBytes({ type }: OperandCode, size: OperandSize): number {
  if (type[0] === "b") return 1;
  if (type === "w" || size === 16) return 2;
  return type === "v" && size === 64 ? 8 : 4;
}

function tail({ row, size, immediates, distance, address, addressSize }: Choice64): number[] {
  const left = [...immediates];
  return row.operands.flatMap((code) => {
    if (code.method === "I") return littleEndian(left.shift() ?? 0n, immediateBytes(code, size));
    if (code.method === "J") return littleEndian(BigInt(distance), code.type === "b" ? 1 : 4);
    return code.method === "O" ? littleEndian(address, addressSize / 8) : [];
  });
}

const inReg = (row: Row): boolean => row.operands.some(({ method }) => "GV".includes(method));

function rexOf({ row, size, register, target, rex }: Choice64): number[] {
  const sizes = sizesIn64(row);
  let bits = size === 64 && sizes.includes(32) ? 8 : 0;
  if (row.plusRegister) bits |= register >> 3;
  else if (row.modrm === "r" && inReg(row)) bits |= (register >> 3) << 2;
  if (typeof target === "number") bits |= target >> 3;
  else if (!target.relative) bits |= ((Math.max(target.index, 0) >> 3) << 1) | (Math.max(target.base, 0) >> 3);
  return bits !== 0 || rex ? [0x40 | bits] : [];
}

/** The bytes of an instruction at `rip`. */
export function encode64(choice: Choice64, rip: bigint): number[] {
  const { row, size, addressSize, register, target, prefixes } = choice;
  const [mandatory, escapes] = encodingHead(row);
  const sizes = sizesIn64(row);
  const head = [...prefixes];
  if (size === 16 && sizes.length > 1) head.push(0x66);
  if (addressSize === 32) head.push(0x67);
  head.push(...mandatory, ...rexOf(choice), ...escapes, row.byte + (row.plusRegister ? register & 7 : 0));
  const end = tail(choice);
  if (row.modrm === "none") return [...head, ...end];
  if (typeof row.modrm === "object") return [...head, fixedModrm(row.modrm, register), ...end];
  const reg = row.modrm === "r" ? register : row.modrm;
  const length = head.length + modrm(reg, target, 0n).length + end.length;
  return [...head, ...modrm(reg, target, rip + BigInt(length)), ...end];
}
