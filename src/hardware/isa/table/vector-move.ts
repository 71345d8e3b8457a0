/**
 * Moves of MMX and XMM registers: whole, in halves and in single elements, and masks of signs.
 * Spec: SDM Vol. 1, "MMX Data Transfer Instructions", "SSE Data Transfer Instructions", "SSE2 Data Movement Instructions",
 * "Cacheability Control, Prefetch, and Memory Ordering Instructions".
 */
import { and, type Code, type Expr, i32, widenUnsigned } from "../code.js";
import { type Definition, define, type Row } from "../instruction.js";
import { extract, halves, pick, replace, type VectorTestOp, vectorTest, zeros } from "../vector.js";
import { bothForm, mmxForm, xmmForm } from "./vector-forms.js";

type Semantics = NonNullable<Definition["semantics"]>;

const copy: Semantics = (c) => c.setVector(0, c.vector(1));
/** The destination's lower half stays. */
const setHigh: Semantics = (c) => c.setVector(0, halves(c.vector(0), c.vector(1)));
const getHigh: Semantics = (c) => {
  const source = c.vector(1);
  c.setVector(0, pick(8, [1, 1], source, source));
};
const repeatLanes =
  (bytes: 4 | 8, numbers: readonly number[]): Semantics =>
  (c) => {
    const source = c.vector(1);
    c.setVector(0, pick(bytes, numbers, source, source));
  };

/** A general register or memory in the lowest element, zeros above it. */
const fromGeneral: Semantics = (c) => {
  const value = c.read(1);
  c.setVector(0, value.type === "i64" ? replace("i64x2", zeros, 0, value) : replace("i32x4", zeros, 0, value));
};
const toGeneral: Semantics = (c) => {
  const value = c.vector(1);
  c.write(0, c.size === 64 ? extract("i64x2", value, 0) : extract("i32x4", value, 0));
};

/** A general register of 32 or 64 bits, zero-extended. */
export const writeGeneral = (c: Code, value: Expr): void => c.write(0, c.size === 64 ? widenUnsigned(value) : value);

/** The signs of elements, the lowest element's in bit 0. */
const signs =
  (op: VectorTestOp, mask?: number): Semantics =>
  (c) => {
    const bits = vectorTest(op, c.vector(1));
    writeGeneral(c, mask === undefined ? bits : and(bits, i32(mask)));
  };

const definitions: readonly Definition[] = [
  {
    ...mmxForm("MMX"),
    mnemonic: "MOVD",
    summary: "Copies a general register or memory to an MMX register, zero-extended.",
    spec: "SDM Vol. 2B, MOVD/MOVQ—Move Doubleword and Move Quadword",
    forms: [["NP 0F 6E /r", "Pq Ey"]],
    semantics: fromGeneral,
  },
  {
    ...mmxForm("MMX"),
    mnemonic: "MOVD",
    summary: "Copies the low element of an MMX register to a general register or memory.",
    spec: "SDM Vol. 2B, MOVD/MOVQ—Move Doubleword and Move Quadword",
    forms: [["NP 0F 7E /r", "Ey Pq"]],
    semantics: toGeneral,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVD",
    summary: "Copies a general register or memory to an XMM register, zero-extended.",
    spec: "SDM Vol. 2B, MOVD/MOVQ—Move Doubleword and Move Quadword",
    forms: [["66 0F 6E /r", "Vdq Ey"]],
    semantics: fromGeneral,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVD",
    summary: "Copies the low element of an XMM register to a general register or memory.",
    spec: "SDM Vol. 2B, MOVD/MOVQ—Move Doubleword and Move Quadword",
    forms: [["66 0F 7E /r", "Ey Vdq"]],
    semantics: toGeneral,
  },
  {
    ...mmxForm("MMX"),
    mnemonic: "MOVQ",
    summary: "Copies 64 bits.",
    spec: "SDM Vol. 2B, MOVQ—Move Quadword",
    forms: [
      ["NP 0F 6F /r", "Pq Qq"],
      ["NP 0F 7F /r", "Qq Pq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVQ",
    summary: "Copies 64 bits; the upper half of a register becomes zero.",
    spec: "SDM Vol. 2B, MOVQ—Move Quadword",
    forms: [
      ["F3 0F 7E /r", "Vdq Wq"],
      ["66 0F D6 /r", "Mq Vq"],
      ["66 0F D6 /r", "Udq Vq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVAPS",
    summary: "Copies 128 bits; memory must be aligned.",
    spec: "SDM Vol. 2B, MOVAPS—Move Aligned Packed Single Precision Floating-Point Values",
    forms: [
      ["NP 0F 28 /r", "Vdq Wdq"],
      ["NP 0F 29 /r", "Wdq Vdq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVAPD",
    summary: "Copies 128 bits; memory must be aligned.",
    spec: "SDM Vol. 2B, MOVAPD—Move Aligned Packed Double Precision Floating-Point Values",
    forms: [
      ["66 0F 28 /r", "Vdq Wdq"],
      ["66 0F 29 /r", "Wdq Vdq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVDQA",
    summary: "Copies 128 bits; memory must be aligned.",
    spec: "SDM Vol. 2B, MOVDQA,VMOVDQA32/64—Move Aligned Packed Integer Values",
    forms: [
      ["66 0F 6F /r", "Vdq Wdq"],
      ["66 0F 7F /r", "Wdq Vdq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVUPS",
    summary: "Copies 128 bits.",
    spec: "SDM Vol. 2B, MOVUPS—Move Unaligned Packed Single Precision Floating-Point Values",
    forms: [
      ["NP 0F 10 /r", "Vdq Wdq"],
      ["NP 0F 11 /r", "Wdq Vdq"],
    ],
    unaligned: true,
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVUPD",
    summary: "Copies 128 bits.",
    spec: "SDM Vol. 2B, MOVUPD—Move Unaligned Packed Double Precision Floating-Point Values",
    forms: [
      ["66 0F 10 /r", "Vdq Wdq"],
      ["66 0F 11 /r", "Wdq Vdq"],
    ],
    unaligned: true,
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVDQU",
    summary: "Copies 128 bits.",
    spec: "SDM Vol. 2B, MOVDQU,VMOVDQU8/16/32/64—Move Unaligned Packed Integer Values",
    forms: [
      ["F3 0F 6F /r", "Vdq Wdq"],
      ["F3 0F 7F /r", "Wdq Vdq"],
    ],
    unaligned: true,
    semantics: copy,
  },
  {
    ...xmmForm("SSE3"),
    mnemonic: "LDDQU",
    summary: "Loads 128 bits from anywhere.",
    spec: "SDM Vol. 2A, LDDQU—Load Unaligned Integer 128 Bits",
    forms: [["F2 0F F0 /r", "Vdq Mdq"]],
    unaligned: true,
    semantics: copy,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVSS",
    summary: "Copies the lowest 32 bits; loading them clears the others.",
    spec: "SDM Vol. 2B, MOVSS—Move or Merge Scalar Single Precision Floating-Point Value",
    forms: [
      ["F3 0F 10 /r", "Vd Ud"],
      ["F3 0F 10 /r", "Vdq Md"],
      ["F3 0F 11 /r", "Wd Vd"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVSD",
    summary: "Copies the lowest 64 bits; loading them clears the others.",
    spec: "SDM Vol. 2B, MOVSD—Move or Merge Scalar Double Precision Floating-Point Value",
    forms: [
      ["F2 0F 10 /r", "Vq Uq"],
      ["F2 0F 10 /r", "Vdq Mq"],
      ["F2 0F 11 /r", "Wq Vq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVLPS",
    summary: "Copies 64 bits between memory and the lower half of a register.",
    spec: "SDM Vol. 2B, MOVLPS—Move Low Packed Single Precision Floating-Point Values",
    forms: [
      ["NP 0F 12 /r", "Vq Mq"],
      ["NP 0F 13 /r", "Mq Vq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVLPD",
    summary: "Copies 64 bits between memory and the lower half of a register.",
    spec: "SDM Vol. 2B, MOVLPD—Move Low Packed Double Precision Floating-Point Values",
    forms: [
      ["66 0F 12 /r", "Vq Mq"],
      ["66 0F 13 /r", "Mq Vq"],
    ],
    semantics: copy,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVHPS",
    summary: "Loads the upper half of a register.",
    spec: "SDM Vol. 2B, MOVHPS—Move High Packed Single Precision Floating-Point Values",
    forms: [["NP 0F 16 /r", "Vdq Mq"]],
    semantics: setHigh,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVHPD",
    summary: "Loads the upper half of a register.",
    spec: "SDM Vol. 2B, MOVHPD—Move High Packed Double Precision Floating-Point Value",
    forms: [["66 0F 16 /r", "Vdq Mq"]],
    semantics: setHigh,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVHPS",
    summary: "Stores the upper half of a register.",
    spec: "SDM Vol. 2B, MOVHPS—Move High Packed Single Precision Floating-Point Values",
    forms: [["NP 0F 17 /r", "Mq Vdq"]],
    semantics: getHigh,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVHPD",
    summary: "Stores the upper half of a register.",
    spec: "SDM Vol. 2B, MOVHPD—Move High Packed Double Precision Floating-Point Value",
    forms: [["66 0F 17 /r", "Mq Vdq"]],
    semantics: getHigh,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVLHPS",
    summary: "Copies the source's lower half to the destination's upper half.",
    spec: "SDM Vol. 2B, MOVLHPS—Move Packed Single Precision Floating-Point Values Low to High",
    forms: [["NP 0F 16 /r", "Vdq Uq"]],
    semantics: setHigh,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVHLPS",
    summary: "Copies the source's upper half to the destination's lower half.",
    spec: "SDM Vol. 2B, MOVHLPS—Move Packed Single Precision Floating-Point Values High to Low",
    forms: [["NP 0F 12 /r", "Vq Udq"]],
    semantics: getHigh,
  },
  {
    ...xmmForm("SSE3"),
    mnemonic: "MOVSLDUP",
    summary: "Copies each even element to the one above it.",
    spec: "SDM Vol. 2B, MOVSLDUP—Replicate Single Precision Floating-Point Values",
    forms: [["F3 0F 12 /r", "Vdq Wdq"]],
    semantics: repeatLanes(4, [0, 0, 2, 2]),
  },
  {
    ...xmmForm("SSE3"),
    mnemonic: "MOVSHDUP",
    summary: "Copies each odd element to the one below it.",
    spec: "SDM Vol. 2B, MOVSHDUP—Replicate Single Precision Floating-Point Values",
    forms: [["F3 0F 16 /r", "Vdq Wdq"]],
    semantics: repeatLanes(4, [1, 1, 3, 3]),
  },
  {
    ...xmmForm("SSE3"),
    mnemonic: "MOVDDUP",
    summary: "Copies 64 bits to both halves.",
    spec: "SDM Vol. 2B, MOVDDUP—Replicate Double Precision Floating-Point Values",
    forms: [["F2 0F 12 /r", "Vdq Wq"]],
    semantics: repeatLanes(8, [0, 0]),
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVNTPS",
    summary: "Stores 128 bits, which need not be cached.",
    spec: "SDM Vol. 2B, MOVNTPS—Store Packed Single Precision Floating-Point Values Using Non-Temporal Hint",
    forms: [["NP 0F 2B /r", "Mdq Vdq"]],
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVNTPD",
    summary: "Stores 128 bits, which need not be cached.",
    spec: "SDM Vol. 2B, MOVNTPD—Store Packed Double Precision Floating-Point Values Using Non-Temporal Hint",
    forms: [["66 0F 2B /r", "Mdq Vdq"]],
    semantics: copy,
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVNTDQ",
    summary: "Stores 128 bits, which need not be cached.",
    spec: "SDM Vol. 2B, MOVNTDQ—Store Packed Integers Using Non-Temporal Hint",
    forms: [["66 0F E7 /r", "Mdq Vdq"]],
    semantics: copy,
  },
  {
    ...xmmForm("SSE4.1"),
    mnemonic: "MOVNTDQA",
    summary: "Loads 128 bits, which need not be cached.",
    spec: "SDM Vol. 2B, MOVNTDQA—Load Double Quadword Non-Temporal Aligned Hint",
    forms: [["66 0F 38 2A /r", "Vdq Mdq"]],
    semantics: copy,
  },
  {
    ...mmxForm("SSE"),
    mnemonic: "MOVNTQ",
    summary: "Stores 64 bits, which need not be cached.",
    spec: "SDM Vol. 2B, MOVNTQ—Store of Quadword Using Non-Temporal Hint",
    forms: [["NP 0F E7 /r", "Mq Pq"]],
    semantics: copy,
  },
  {
    group: "SSE2",
    mnemonic: "MOVNTI",
    needs: "SSE2",
    summary: "Stores a general register, which need not be cached.",
    spec: "SDM Vol. 2B, MOVNTI—Store Doubleword Using Non-Temporal Hint",
    forms: [["NP 0F C3 /r", "My Gy"]],
    semantics: (c) => c.write(0, c.read(1)),
  },
  {
    ...bothForm("SSE2"),
    mnemonic: "MOVQ2DQ",
    summary: "Copies an MMX register to the lower half of an XMM register; the upper half becomes zero.",
    spec: "SDM Vol. 2B, MOVQ2DQ—Move Quadword from MMX Technology to XMM Register",
    forms: [["F3 0F D6 /r", "Vdq Nq"]],
    semantics: copy,
  },
  {
    ...bothForm("SSE2"),
    mnemonic: "MOVDQ2Q",
    summary: "Copies the lower half of an XMM register to an MMX register.",
    spec: "SDM Vol. 2B, MOVDQ2Q—Move Quadword from XMM to MMX Technology Register",
    forms: [["F2 0F D6 /r", "Pq Uq"]],
    semantics: copy,
  },
  {
    ...xmmForm("SSE"),
    mnemonic: "MOVMSKPS",
    summary: "Gathers the signs of four elements.",
    spec: "SDM Vol. 2B, MOVMSKPS—Extract Packed Single Precision Floating-Point Sign Mask",
    forms: [["NP 0F 50 /r", "Gy Udq"]],
    semantics: signs("i32x4.bitmask"),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "MOVMSKPD",
    summary: "Gathers the signs of two elements.",
    spec: "SDM Vol. 2B, MOVMSKPD—Extract Packed Double Precision Floating-Point Sign Mask",
    forms: [["66 0F 50 /r", "Gy Udq"]],
    semantics: signs("i64x2.bitmask"),
  },
  {
    ...xmmForm("SSE2"),
    mnemonic: "PMOVMSKB",
    summary: "Gathers the highest bits of the bytes.",
    spec: "SDM Vol. 2B, PMOVMSKB—Move Byte Mask",
    forms: [["66 0F D7 /r", "Gy Udq"]],
    semantics: signs("i8x16.bitmask"),
  },
  {
    ...mmxForm("SSE"),
    mnemonic: "PMOVMSKB",
    summary: "Gathers the highest bits of the bytes.",
    spec: "SDM Vol. 2B, PMOVMSKB—Move Byte Mask",
    forms: [["NP 0F D7 /r", "Gy Nq"]],
    semantics: signs("i8x16.bitmask", 0xff),
  },
];

export const vectorMoveRows: readonly Row[] = definitions.flatMap(define);
