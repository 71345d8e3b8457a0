/**
 * Writes an instruction form as bytes, from its row: the decoder's counterpart for operands that are always the same.
 * Spec: SDM Vol. 2A, "Instruction Format".
 */
import type { OperandSize } from "../../hardware/isa/code.js";
import { encodingHead, type OperandCode, operandSizes, type Row } from "../../hardware/isa/instruction.js";
import { DATA, PORT_AND_VECTOR } from "./layout.js";

export interface Encoding {
  readonly row: Row;
  readonly bits: 32 | 64;
  readonly size: OperandSize;
  /** The operand that may be either is memory. */
  readonly memory: boolean;
  /** The reg field of ModRM, or the register in the opcode. */
  readonly register: number;
  /** Selector of a far pointer in the instruction itself. */
  readonly selector: number;
}

/** The register operand that holds what is tried; the others point to where reading and writing does no harm. */
export const VALUE_REGISTER = 0;
const OPERAND_SIZE = 0x66;
const REX_W = 0x48;
const REX_R = 0x44;
/** Relative branches lead this far behind their instruction. */
const DISTANCE = 2;

export const has = (row: Row, methods: string): boolean => row.operands.some(({ method }) => methods.includes(method));

function littleEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => (index < 4 ? (value >>> (8 * index)) & 0xff : 0));
}

function modrm({ row, bits, memory, register }: Encoding): number[] {
  if (row.modrm === "none") return [];
  if (typeof row.modrm === "object") return [Math.min(row.modrm[0] + register, row.modrm[1])];
  const reg = ((row.modrm === "r" ? register : row.modrm) & 7) << 3;
  if (!memory) return [0xc0 | reg | VALUE_REGISTER];
  // In 64-bit code the short way to write an address counts from RIP.
  return bits === 64 ? [reg | 4, 0x25, ...littleEndian(DATA, 4)] : [reg | 5, ...littleEndian(DATA, 4)];
}

function immediateBytes({ type }: OperandCode, size: OperandSize): number {
  if (type[0] === "b") return 1;
  if (type === "w" || size === 16) return 2;
  return type === "v" && size === 64 ? 8 : 4;
}

function behind(code: OperandCode, { size, bits, selector }: Encoding): number[] {
  const wide = size === 16 ? 2 : 4;
  if (code.method === "I") return littleEndian(PORT_AND_VECTOR, immediateBytes(code, size));
  if (code.method === "J") return littleEndian(DISTANCE, code.type === "b" ? 1 : wide);
  if (code.method === "O") return littleEndian(DATA, bits / 8);
  return code.method === "A" ? [...littleEndian(DATA, wide), ...littleEndian(selector, 2)] : [];
}

/** The bytes of an instruction. */
export function encode(encoding: Encoding): readonly number[] {
  const { row, bits, size, register } = encoding;
  const sizes = operandSizes(row, bits);
  const [mandatory, escapes] = encodingHead(row);
  const rex = size === 64 && sizes.includes(32) ? REX_W : 0;
  const extended = bits === 64 && row.modrm === "r" && register > 7 ? REX_R : 0;
  return [
    ...(size === 16 && sizes.length > 1 ? [OPERAND_SIZE] : []),
    ...mandatory,
    ...(rex || extended ? [rex | extended] : []),
    ...escapes,
    row.byte + (row.plusRegister ? register & 7 : 0),
    ...modrm(encoding),
    ...row.operands.flatMap((code) => behind(code, encoding)),
  ];
}
