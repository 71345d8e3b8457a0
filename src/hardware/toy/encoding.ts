/** Where the operands of a toy instruction lie in its four bytes, for the decoder, the assembler and the disassembler. */
import type { DecodedInstruction, InvalidInstruction, MemoryOperand, Operand, Row } from "../isa/instruction.js";
import { toyRows } from "./table.js";

/** Bytes of every instruction. */
export const LENGTH = 4;
export const REGISTER_COUNT = 8;

/** A number in an instruction: its first byte, how many there are, and the least and greatest value. */
export interface Field {
  readonly at: number;
  readonly bytes: 1 | 2;
  readonly least: number;
  readonly greatest: number;
}
/** An operand is a register, a number, an address, or both a register and a number: memory. */
export interface Layout {
  readonly register?: number;
  readonly number?: Field;
}

const layouts: Readonly<Record<string, Layout>> = {
  G: { register: 1 },
  R: { register: 2 },
  Z: { register: 3 },
  I: { number: { at: 2, bytes: 2, least: -0x8000, greatest: 0x7fff } },
  J: { number: { at: 2, bytes: 2, least: 0, greatest: 0xffff } },
  M: { register: 2, number: { at: 3, bytes: 1, least: -0x80, greatest: 0x7f } },
};

/** Where each operand of a row is, in the order of the text. */
export const layoutOf = ({ operands }: Row): readonly Layout[] => operands.map(({ method }) => layouts[method]!);

const byOpcode = new Map(toyRows.map((row) => [row.byte, { row, layout: layoutOf(row), unused: unusedBytes(row) }]));

/** Bytes no operand lies in: they are zero, so that an instruction has one encoding. */
function unusedBytes(row: Row): readonly number[] {
  const used = new Set([0]);
  for (const { register, number } of layoutOf(row)) {
    if (register !== undefined) used.add(register);
    if (number !== undefined) for (let byte = 0; byte < number.bytes; byte++) used.add(number.at + byte);
  }
  return [1, 2, 3].filter((at) => !used.has(at));
}

function fieldValue(bytes: readonly number[], { at, bytes: count, least }: Field): number {
  const value = count === 1 ? bytes[at]! : bytes[at]! | (bytes[at + 1]! << 8);
  const shift = 32 - 8 * count;
  return least < 0 ? (value << shift) >> shift : value;
}

/** The instruction whose bytes `byteAt` gives. All four are asked for. */
export function decodeToy(byteAt: (index: number) => number, address: number): DecodedInstruction | InvalidInstruction {
  const bytes = [byteAt(0), byteAt(1), byteAt(2), byteAt(3)];
  const invalid = { row: undefined, eip: address, vector: 6, length: LENGTH } as const;
  const entry = byOpcode.get(bytes[0]!);
  if (entry === undefined || entry.unused.some((at) => bytes[at] !== 0)) return invalid;
  const operands: Operand[] = [];
  let memory: MemoryOperand | undefined;
  for (const { register, number } of entry.layout) {
    const value = number === undefined ? 0 : fieldValue(bytes, number);
    if (register === undefined) operands.push(number!.least < 0 ? immediate(value) : { kind: "target", value });
    else if (bytes[register]! >= REGISTER_COUNT) return invalid;
    else if (number === undefined) operands.push({ kind: "register", number: bytes[register]!, size: 32 });
    else {
      memory = { base: bytes[register]!, index: -1, scale: 0, displacement: value, segment: 0 };
      operands.push({ kind: "memory", size: 32 });
    }
  }
  return {
    row: entry.row,
    eip: address,
    length: LENGTH,
    modrm: 0,
    size: 32,
    addressSize: 32,
    operands,
    memory,
    segment: 0,
    lock: false,
    repeat: undefined,
  };
}

const immediate = (value: number): Operand => ({ kind: "immediate", value, size: 32 });

/** The bytes of an instruction whose operands are these registers and numbers. */
export function encodeToy(row: Row, operands: readonly { register?: number; number?: number }[]): Uint8Array {
  const bytes = Uint8Array.of(row.byte, 0, 0, 0);
  layoutOf(row).forEach(({ register, number }, index) => {
    const operand = operands[index]!;
    if (register !== undefined) bytes[register] = operand.register ?? 0;
    for (let byte = 0; byte < (number?.bytes ?? 0); byte++)
      bytes[number!.at + byte] = ((operand.number ?? 0) >> (8 * byte)) & 0xff;
  });
  return bytes;
}
