/**
 * Single elements of vectors, blends, and narrow elements made wider.
 * Spec: SDM Vol. 1, "Packed Blending Instructions", "Insertion and Extractions from XMM Registers", "Packed Integer Format
 * Conversions".
 */
import { and, i32, shl, shr } from "../code.js";
import { type Definition, define, type Row } from "../instruction.js";
import {
  bitselect,
  extract,
  lanesOf,
  splat,
  type VectorShiftOp,
  type VectorUnaryOp,
  vectorBinary,
  vectorShift,
  vectorUnary,
} from "../vector.js";
import { immediate, mmxForm, xmmForm } from "./vector-forms.js";
import { writeGeneral } from "./vector-move.js";

type Semantics = NonNullable<Definition["semantics"]>;

// ---- single elements --------------------------------------------------------------------------------------------------

const insert =
  (bits: 8 | 16, lanes: number): Semantics =>
  (c) => {
    const value = c.read(1);
    c.setLane(0, bits, and(c.read(2), i32(lanes - 1)), value);
  };
const insertGeneral: Semantics = (c) => {
  const value = c.read(1);
  c.setLane(0, c.size === 64 ? 64 : 32, and(c.read(2), i32(c.size === 64 ? 1 : 3)), value);
};
const take =
  (bits: 8 | 16 | 32, lanes: number): Semantics =>
  (c) => {
    const value = c.lane(1, bits, and(c.read(2), i32(lanes - 1)));
    if (c.isMemory(0)) c.write(0, value);
    else writeGeneral(c, value);
  };
const takeGeneral: Semantics = (c) =>
  c.write(0, c.lane(1, c.size === 64 ? 64 : 32, and(c.read(2), i32(c.size === 64 ? 1 : 3))));

/** Bits 6 and 7 choose the element of a register source, 4 and 5 that of the destination, 0 to 3 what becomes zero. */
const insertSingle: Semantics = (c) => {
  const control = immediate(c);
  const source = c.isMemory(1) ? extract("i32x4", c.vector(1), 0) : c.lane(1, 32, shr(control, i32(6)));
  const all = splat("i32x4", c.let(source));
  const lane = lanesOf(shl(i32(1), and(shr(control, i32(4)), i32(3))), 4);
  const inserted = bitselect(lane, all, c.vector(0));
  c.setVector(0, vectorBinary("v128.andnot", inserted, lanesOf(control, 4)));
};

// ---- blends and extensions --------------------------------------------------------------------------------------------

const blendByImmediate =
  (bytes: 2 | 4 | 8): Semantics =>
  (c) =>
    c.setVector(0, bitselect(lanesOf(immediate(c), bytes), c.vector(1), c.vector(0)));
const blendBySigns =
  (op: VectorShiftOp, bits: number): Semantics =>
  (c) =>
    c.setVector(0, bitselect(vectorShift(op, c.xmm(0), i32(bits - 1)), c.vector(1), c.vector(0)));

const EXTENSION_SPEC = { s: "PMOVSX—Packed Move With Sign Extend", u: "PMOVZX—Packed Move With Zero Extend" };
const extension = (mnemonic: string, opcode: string, source: string, ...ops: readonly VectorUnaryOp[]): Definition => {
  const kind = mnemonic.startsWith("PMOVSX") ? "s" : "u";
  return {
    ...xmmForm("SSE4.1"),
    mnemonic,
    summary: `Makes wider elements of the lowest narrow ones, filling with ${kind === "s" ? "their signs" : "zeros"}.`,
    spec: `SDM Vol. 2B, ${EXTENSION_SPEC[kind]}`,
    forms: [[`66 0F 38 ${opcode} /r`, `Vdq ${source}`]],
    semantics: (c) =>
      c.setVector(
        0,
        ops.reduce((value, op) => vectorUnary(op, value), c.vector(1)),
      ),
  };
};
const extensions = (["s", "u"] as const).flatMap((sign) => {
  const name = sign === "s" ? "PMOVSX" : "PMOVZX";
  const row = sign === "s" ? "2" : "3";
  const words: VectorUnaryOp = `i16x8.extend_low_i8x16_${sign}`;
  const dwords: VectorUnaryOp = `i32x4.extend_low_i16x8_${sign}`;
  const qwords: VectorUnaryOp = `i64x2.extend_low_i32x4_${sign}`;
  return [
    extension(`${name}BW`, `${row}0`, "Wq", words),
    extension(`${name}BD`, `${row}1`, "Wd", words, dwords),
    extension(`${name}BQ`, `${row}2`, "Ww", words, dwords, qwords),
    extension(`${name}WD`, `${row}3`, "Wq", dwords),
    extension(`${name}WQ`, `${row}4`, "Wd", dwords, qwords),
    extension(`${name}DQ`, `${row}5`, "Wq", qwords),
  ];
});

const definitions: readonly Definition[] = [
  {
    ...xmmForm("SSE2"),
    mnemonic: "PINSRW",
    summary: "Replaces a word.",
    spec: "SDM Vol. 2B, PINSRW—Insert Word",
    forms: [
      ["66 0F C4 /r", "Vdq Rd Ib"],
      ["66 0F C4 /r", "Vdq Mw Ib"],
    ],
    semantics: insert(16, 8),
  },
  {
    ...mmxForm("SSE"),
    mnemonic: "PINSRW",
    summary: "Replaces a word.",
    spec: "SDM Vol. 2B, PINSRW—Insert Word",
    forms: [
      ["NP 0F C4 /r", "Pq Rd Ib"],
      ["NP 0F C4 /r", "Pq Mw Ib"],
    ],
    semantics: insert(16, 4),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "PEXTRW",
    summary: "Copies a word to a general register, zero-extended.",
    spec: "SDM Vol. 2B, PEXTRW—Extract Word",
    forms: [["66 0F C5 /r", "Gy Udq Ib"]],
    semantics: take(16, 8),
  },
  {
    ...mmxForm("SSE"),
    mnemonic: "PEXTRW",
    summary: "Copies a word to a general register, zero-extended.",
    spec: "SDM Vol. 2B, PEXTRW—Extract Word",
    forms: [["NP 0F C5 /r", "Gy Nq Ib"]],
    semantics: take(16, 4),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PEXTRW",
    summary: "Copies a word to memory, or to a general register, zero-extended.",
    spec: "SDM Vol. 2B, PEXTRW—Extract Word",
    forms: [
      ["66 0F 3A 15 /r", "Ry Vdq Ib"],
      ["66 0F 3A 15 /r", "Mw Vdq Ib"],
    ],
    semantics: take(16, 8),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PEXTRB",
    summary: "Copies a byte to memory, or to a general register, zero-extended.",
    spec: "SDM Vol. 2B, PEXTRB/PEXTRD/PEXTRQ—Extract Byte/Dword/Qword",
    forms: [
      ["66 0F 3A 14 /r", "Ry Vdq Ib"],
      ["66 0F 3A 14 /r", "Mb Vdq Ib"],
    ],
    semantics: take(8, 16),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PEXTRD",
    summary: "Copies an element to memory or a general register.",
    spec: "SDM Vol. 2B, PEXTRB/PEXTRD/PEXTRQ—Extract Byte/Dword/Qword",
    forms: [["66 0F 3A 16 /r", "Ey Vdq Ib"]],
    semantics: takeGeneral,
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "EXTRACTPS",
    summary: "Copies an element to memory, or to a general register, zero-extended.",
    spec: "SDM Vol. 2A, EXTRACTPS—Extract Packed Floating-Point Values",
    forms: [
      ["66 0F 3A 17 /r", "Ry Vdq Ib"],
      ["66 0F 3A 17 /r", "Md Vdq Ib"],
    ],
    semantics: take(32, 4),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PINSRB",
    summary: "Replaces a byte.",
    spec: "SDM Vol. 2B, PINSRB/PINSRD/PINSRQ—Insert Byte/Dword/Qword",
    forms: [
      ["66 0F 3A 20 /r", "Vdq Rd Ib"],
      ["66 0F 3A 20 /r", "Vdq Mb Ib"],
    ],
    semantics: insert(8, 16),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "INSERTPS",
    summary: "Replaces an element by one of the source, and clears others.",
    spec: "SDM Vol. 2A, INSERTPS—Insert Scalar Single Precision Floating-Point Value",
    forms: [["66 0F 3A 21 /r", "Vdq Wd Ib"]],
    semantics: insertSingle,
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PINSRD",
    summary: "Replaces an element.",
    spec: "SDM Vol. 2B, PINSRB/PINSRD/PINSRQ—Insert Byte/Dword/Qword",
    forms: [["66 0F 3A 22 /r", "Vdq Ey Ib"]],
    semantics: insertGeneral,
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "BLENDPS",
    summary: "Takes the elements of the source whose bits in the immediate are set.",
    spec: "SDM Vol. 2A, BLENDPS—Blend Packed Single Precision Floating-Point Values",
    forms: [["66 0F 3A 0C /r", "Vdq Wdq Ib"]],
    semantics: blendByImmediate(4),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "BLENDPD",
    summary: "Takes the elements of the source whose bits in the immediate are set.",
    spec: "SDM Vol. 2A, BLENDPD—Blend Packed Double Precision Floating-Point Values",
    forms: [["66 0F 3A 0D /r", "Vdq Wdq Ib"]],
    semantics: blendByImmediate(8),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PBLENDW",
    summary: "Takes the words of the source whose bits in the immediate are set.",
    spec: "SDM Vol. 2B, PBLENDW—Blend Packed Words",
    forms: [["66 0F 3A 0E /r", "Vdq Wdq Ib"]],
    semantics: blendByImmediate(2),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "PBLENDVB",
    summary: "Takes the bytes of the source where those of XMM0 have their highest bit set.",
    spec: "SDM Vol. 2B, PBLENDVB—Variable Blend Packed Bytes",
    forms: [["66 0F 38 10 /r", "Vdq Wdq XMM0"]],
    semantics: blendBySigns("i8x16.shr_s", 8),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "BLENDVPS",
    summary: "Takes the elements of the source where those of XMM0 are negative.",
    spec: "SDM Vol. 2A, BLENDVPS—Variable Blend Packed Single Precision Floating-Point Values",
    forms: [["66 0F 38 14 /r", "Vdq Wdq XMM0"]],
    semantics: blendBySigns("i32x4.shr_s", 32),
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "BLENDVPD",
    summary: "Takes the elements of the source where those of XMM0 are negative.",
    spec: "SDM Vol. 2A, BLENDVPD—Variable Blend Packed Double Precision Floating-Point Values",
    forms: [["66 0F 38 15 /r", "Vdq Wdq XMM0"]],
    semantics: blendBySigns("i64x2.shr_s", 64),
  },
  ...extensions,
];

export const vectorElementRows: readonly Row[] = definitions.flatMap(define);
