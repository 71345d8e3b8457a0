/**
 * Shuffles, shifts, single elements and blends: what moves elements within MMX and XMM registers.
 * Spec: SDM Vol. 1, "SSE2 Shuffle and Unpack Instructions", "MMX Shift and Rotate Instructions", "SSSE3 Instructions",
 * "SSE4.1 Instructions" (blending, insertion, extraction, conversion of packed integers).
 */
import { add, and, type Code, type Expr, i32, shl, shr, sub, widenUnsigned } from "../code.js";
import { type Definition, define, type Row } from "../instruction.js";
import {
  atMost,
  bitselect,
  byNumber,
  extract,
  halves,
  interleave,
  lanesOf,
  lanewise,
  moveDown,
  type Operation,
  orderOf,
  pick,
  shiftLanes,
  splat,
  type VectorShiftOp,
  type VectorUnaryOp,
  vectorBinary,
  vectorShift,
  vectorUnary,
  withLow,
} from "../vector.js";
import { mmxForm, type VectorGroup, xmmForm } from "./vector-forms.js";
import { writeGeneral } from "./vector-move.js";

type Semantics = NonNullable<Definition["semantics"]>;

const onBoth =
  (operation: Operation): Semantics =>
  (c) =>
    c.setVector(0, operation(c, c.vector(0), c.vector(1)));

/** The immediate, operand `index`, unsigned. */
const immediate = (c: Code, index = 2): Expr => c.let(and(c.read(index), i32(0xff)));

// ---- shuffles ---------------------------------------------------------------------------------------------------------

const shuffleDwords: Semantics = (c) => c.setVector(0, byNumber(c.vector(1), orderOf(immediate(c), 4)));
const shuffleWords: Semantics = (c) => c.setVector(0, byNumber(c.vector(1), orderOf(immediate(c), 2)));
const shuffleLowWords: Semantics = (c) => {
  const source = c.vector(1);
  c.setVector(0, withLow(source, byNumber(source, orderOf(immediate(c), 2))));
};
const shuffleHighWords: Semantics = (c) => {
  const source = c.vector(1);
  const high = pick(8, [1, 1], source, source);
  c.setVector(0, pick(8, [0, 2], source, byNumber(high, orderOf(immediate(c), 2))));
};
const shuffleSingles: Semantics = (c) => {
  const order = c.let(orderOf(immediate(c), 4));
  c.setVector(0, withLow(byNumber(c.vector(1), order), byNumber(c.vector(0), order)));
};
const shuffleDoubles: Semantics = (c) => {
  const [a, b] = [c.vector(0), c.vector(1)];
  c.setVector(0, bitselect(lanesOf(immediate(c), 8), pick(8, [1, 3], a, b), pick(8, [0, 2], a, b)));
};

/** Destination above source, moved down by bytes. */
const alignRight: Semantics = (c) => {
  const count = c.let(atMost(immediate(c), 32));
  const [a, b] = [c.vector(0), c.vector(1)];
  c.setVector(0, vectorBinary("v128.or", moveDown(b, count), moveDown(a, add(count, i32(-16)))));
};
const alignRightMmx: Semantics = (c) => {
  const count = atMost(immediate(c), 16);
  c.setVector(0, moveDown(halves(c.vector(1), c.vector(0)), count));
};

// ---- shifts -----------------------------------------------------------------------------------------------------------

const shiftByVector =
  (op: VectorShiftOp): Semantics =>
  (c) =>
    c.setVector(0, shiftLanes(c, op, c.vector(0), extract("i64x2", c.vector(1), 0)));
const shiftByImmediate =
  (op: VectorShiftOp): Semantics =>
  (c) =>
    c.setVector(0, shiftLanes(c, op, c.vector(0), widenUnsigned(immediate(c, 1))));
const shiftBytes =
  (direction: 1 | -1): Semantics =>
  (c) => {
    const count = atMost(immediate(c, 1), 16);
    c.setVector(0, moveDown(c.vector(0), direction === 1 ? count : sub(i32(0), count)));
  };

interface Shift {
  readonly mnemonic: string;
  readonly op: VectorShiftOp;
  readonly by: string;
  readonly byImmediate: string;
  readonly summary: string;
  readonly spec: string;
}

const LEFT = "SDM Vol. 2B, PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical";
const RIGHT = "SDM Vol. 2B, PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical";
const ARITHMETIC = "SDM Vol. 2B, PSRAW/PSRAD/PSRAQ—Shift Packed Data Right Arithmetic";
const shift = (
  mnemonic: string,
  op: VectorShiftOp,
  [by, byImmediate]: readonly [string, string],
  summary: string,
  spec: string,
): Shift => ({ mnemonic, op, by, byImmediate, summary, spec });
const shifts: readonly Shift[] = [
  shift("PSRLW", "i16x8.shr_u", ["D1", "71 /2"], "Shifts words right, zeros come in.", RIGHT),
  shift("PSRLD", "i32x4.shr_u", ["D2", "72 /2"], "Shifts doublewords right, zeros come in.", RIGHT),
  shift("PSRLQ", "i64x2.shr_u", ["D3", "73 /2"], "Shifts quadwords right, zeros come in.", RIGHT),
  shift("PSRAW", "i16x8.shr_s", ["E1", "71 /4"], "Shifts words right, their signs come in.", ARITHMETIC),
  shift("PSRAD", "i32x4.shr_s", ["E2", "72 /4"], "Shifts doublewords right, their signs come in.", ARITHMETIC),
  shift("PSLLW", "i16x8.shl", ["F1", "71 /6"], "Shifts words left, zeros come in.", LEFT),
  shift("PSLLD", "i32x4.shl", ["F2", "72 /6"], "Shifts doublewords left, zeros come in.", LEFT),
  shift("PSLLQ", "i64x2.shl", ["F3", "73 /6"], "Shifts quadwords left, zeros come in.", LEFT),
];

function shiftDefinitions({ mnemonic, op, by, byImmediate, summary, spec }: Shift): readonly Definition[] {
  const byVector = { mnemonic, summary, spec, semantics: shiftByVector(op) };
  const byNumber = { mnemonic, summary, spec, semantics: shiftByImmediate(op) };
  return [
    { ...xmmForm("SSE2"), ...byVector, forms: [[`66 0F ${by} /r`, "Vdq Wdq"]] },
    { ...mmxForm("MMX"), ...byVector, forms: [[`NP 0F ${by} /r`, "Pq Qq"]] },
    { ...xmmForm("SSE2"), ...byNumber, forms: [[`66 0F ${byImmediate}`, "Udq Ib"]] },
    { ...mmxForm("MMX"), ...byNumber, forms: [[`NP 0F ${byImmediate}`, "Nq Ib"]] },
  ];
}

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

// ---- floating-point elements as bits ----------------------------------------------------------------------------------

const complement: Operation = (_, a, b) => vectorBinary("v128.andnot", b, a);
const logic = (
  name: string,
  opcode: string,
  summary: string,
  title: string,
  operation: Operation,
): readonly Definition[] => {
  const form = (letter: "S" | "D", group: VectorGroup, prefix: string): Definition => ({
    ...xmmForm(group),
    mnemonic: `${name}P${letter}`,
    summary,
    spec: `SDM Vol. 2, ${name}P${letter}—${title} of Packed ${letter === "S" ? "Single" : "Double"} Precision Floating-Point Values`,
    forms: [[`${prefix} 0F ${opcode} /r`, "Vdq Wdq"]],
    semantics: onBoth(operation),
  });
  return [form("S", "SSE", "NP"), form("D", "SSE2", "66")];
};

const definitions: readonly Definition[] = [
  ...logic("AND", "54", "Bitwise AND.", "Bitwise Logical AND", lanewise("v128.and")),
  ...logic(
    "ANDN",
    "55",
    "Bitwise AND of the source with the complement of the destination.",
    "Bitwise Logical AND NOT",
    complement,
  ),
  ...logic("OR", "56", "Bitwise OR.", "Bitwise Logical OR", lanewise("v128.or")),
  ...logic("XOR", "57", "Bitwise exclusive OR.", "Bitwise Logical XOR", lanewise("v128.xor")),
  {
    ...xmmForm("SSE"),
    mnemonic: "UNPCKLPS",
    summary: "Takes the lower elements of both in turn.",
    spec: "SDM Vol. 2B, UNPCKLPS—Unpack and Interleave Low Packed Single Precision Floating-Point Values",
    forms: [["NP 0F 14 /r", "Vdq Wdq"]],
    semantics: onBoth(interleave(4, false)),
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "UNPCKHPS",
    summary: "Takes the upper elements of both in turn.",
    spec: "SDM Vol. 2B, UNPCKHPS—Unpack and Interleave High Packed Single Precision Floating-Point Values",
    forms: [["NP 0F 15 /r", "Vdq Wdq"]],
    semantics: onBoth(interleave(4, true)),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "UNPCKLPD",
    summary: "Takes the lower elements of both.",
    spec: "SDM Vol. 2B, UNPCKLPD—Unpack and Interleave Low Packed Double Precision Floating-Point Values",
    forms: [["66 0F 14 /r", "Vdq Wdq"]],
    semantics: onBoth(interleave(8, false)),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "UNPCKHPD",
    summary: "Takes the upper elements of both.",
    spec: "SDM Vol. 2B, UNPCKHPD—Unpack and Interleave High Packed Double Precision Floating-Point Values",
    forms: [["66 0F 15 /r", "Vdq Wdq"]],
    semantics: onBoth(interleave(8, true)),
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "SHUFPS",
    summary: "Takes two elements of the destination and two of the source by number.",
    spec: "SDM Vol. 2B, SHUFPS—Packed Interleave Shuffle of Quadruplets of Single Precision Floating-Point Values",
    forms: [["NP 0F C6 /r", "Vdq Wdq Ib"]],
    semantics: shuffleSingles,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "SHUFPD",
    summary: "Takes an element of the destination and one of the source by number.",
    spec: "SDM Vol. 2B, SHUFPD—Packed Interleave Shuffle of Pairs of Double Precision Floating-Point Values",
    forms: [["66 0F C6 /r", "Vdq Wdq Ib"]],
    semantics: shuffleDoubles,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "PSHUFD",
    summary: "Takes doublewords by number.",
    spec: "SDM Vol. 2B, PSHUFD—Shuffle Packed Doublewords",
    forms: [["66 0F 70 /r", "Vdq Wdq Ib"]],
    semantics: shuffleDwords,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "PSHUFHW",
    summary: "Takes words of the upper half by number; the lower half is copied.",
    spec: "SDM Vol. 2B, PSHUFHW—Shuffle Packed High Words",
    forms: [["F3 0F 70 /r", "Vdq Wdq Ib"]],
    semantics: shuffleHighWords,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "PSHUFLW",
    summary: "Takes words of the lower half by number; the upper half is copied.",
    spec: "SDM Vol. 2B, PSHUFLW—Shuffle Packed Low Words",
    forms: [["F2 0F 70 /r", "Vdq Wdq Ib"]],
    semantics: shuffleLowWords,
  },
  {
    ...mmxForm("SSE"),
    mnemonic: "PSHUFW",
    summary: "Takes words by number.",
    spec: "SDM Vol. 2B, PSHUFW—Shuffle Packed Words",
    forms: [["NP 0F 70 /r", "Pq Qq Ib"]],
    semantics: shuffleWords,
  },
  {
    ...xmmForm("SSSE3"),
    mnemonic: "PALIGNR",
    summary: "Takes bytes from a place on out of the source and the destination above it.",
    spec: "SDM Vol. 2B, PALIGNR—Packed Align Right",
    forms: [["66 0F 3A 0F /r", "Vdq Wdq Ib"]],
    semantics: alignRight,
  },
  {
    ...mmxForm("SSSE3"),
    mnemonic: "PALIGNR",
    summary: "Takes bytes from a place on out of the source and the destination above it.",
    spec: "SDM Vol. 2B, PALIGNR—Packed Align Right",
    forms: [["NP 0F 3A 0F /r", "Pq Qq Ib"]],
    semantics: alignRightMmx,
  },
  ...shifts.flatMap(shiftDefinitions),
  {
    ...xmmForm("SSE2"),
    mnemonic: "PSRLDQ",
    summary: "Shifts right by bytes, zeros come in.",
    spec: "SDM Vol. 2B, PSRLDQ—Shift Double Quadword Right Logical",
    forms: [["66 0F 73 /3", "Udq Ib"]],
    semantics: shiftBytes(1),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "PSLLDQ",
    summary: "Shifts left by bytes, zeros come in.",
    spec: "SDM Vol. 2B, PSLLDQ—Shift Double Quadword Left Logical",
    forms: [["66 0F 73 /7", "Udq Ib"]],
    semantics: shiftBytes(-1),
  },
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

export const vectorShuffleRows: readonly Row[] = definitions.flatMap(define);
