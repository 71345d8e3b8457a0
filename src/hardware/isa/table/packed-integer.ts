/**
 * Packed integers: what MMX does with the registers of the x87 unit, and SSE2 and its successors with XMM registers. One
 * operation serves both: the lower half of a vector is an MMX register.
 * Spec: SDM Vol. 1, "MMX Instructions", "SSE2 128-Bit SIMD Integer Instructions", "SSSE3 Instructions".
 */
import { type Definition, define, type Row } from "../instruction.js";
import {
  complement,
  evenProducts,
  highProducts,
  horizontal,
  interleave,
  lanewise,
  magnitude,
  mixedProducts,
  type Operation,
  packing,
  roundedProducts,
  shuffleBytes,
  sumOfDifferences,
  type VectorBinaryOp,
  withSign,
} from "../vector.js";
import { mmxForm, type VectorGroup, xmmForm } from "./vector-forms.js";

interface Packed {
  readonly mnemonic: string;
  /** Behind 0F. */
  readonly opcode: string;
  readonly summary: string;
  readonly operation: Operation;
  /** Of MMX registers, where that is another. */
  readonly mmxOperation?: Operation;
  /** What of its source MMX reads. Default: all. */
  readonly mmxSource?: "Qd";
}

/** Instructions of one page of the manual, and the groups that their MMX and XMM forms came with. */
interface Page {
  readonly spec: string;
  readonly mmx?: VectorGroup;
  readonly xmm: VectorGroup;
  readonly members: readonly Packed[];
  /** The result follows from the source alone. */
  readonly unary?: true;
}

/** The groups that most instructions came with, in the order of time. */
const first = { mmx: "MMX", xmm: "SSE2" } as const;
const second = { mmx: "SSE", xmm: "SSE2" } as const;
const third = { mmx: "SSSE3", xmm: "SSSE3" } as const;

const one = (mnemonic: string, opcode: string, summary: string, operation: Operation): Packed => ({
  mnemonic,
  opcode,
  summary,
  operation,
});
const simple = (mnemonic: string, opcode: string, summary: string, op: VectorBinaryOp): Packed =>
  one(mnemonic, opcode, summary, lanewise(op));
const unpacking = (mnemonic: string, opcode: string, bytes: number, upper: boolean, what: string): Packed => ({
  ...one(mnemonic, opcode, `Takes the ${upper ? "upper" : "lower"} ${what} of both in turn.`, interleave(bytes, upper)),
  mmxOperation: interleave(bytes, upper, true),
  ...(upper ? {} : { mmxSource: "Qd" as const }),
});
const narrowing = (mnemonic: string, opcode: string, summary: string, op: VectorBinaryOp): Packed => ({
  ...one(mnemonic, opcode, summary, packing(op)),
  mmxOperation: packing(op, true),
});
const neighbours = (mnemonic: string, opcode: string, summary: string, bytes: number, op: VectorBinaryOp): Packed => ({
  ...one(mnemonic, opcode, summary, horizontal(bytes, op)),
  mmxOperation: horizontal(bytes, op, true),
});

const pages: readonly Page[] = [
  {
    spec: "SDM Vol. 2B, PADDB/PADDW/PADDD/PADDQ—Add Packed Integers",
    ...first,
    members: [
      simple("PADDB", "FC", "Adds bytes.", "i8x16.add"),
      simple("PADDW", "FD", "Adds words.", "i16x8.add"),
      simple("PADDD", "FE", "Adds doublewords.", "i32x4.add"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PADDB/PADDW/PADDD/PADDQ—Add Packed Integers",
    mmx: "SSE2",
    xmm: "SSE2",
    members: [simple("PADDQ", "D4", "Adds quadwords.", "i64x2.add")],
  },
  {
    spec: "SDM Vol. 2B, PADDSB/PADDSW—Add Packed Signed Integers with Signed Saturation",
    ...first,
    members: [
      simple("PADDSB", "EC", "Adds signed bytes; what does not fit becomes the nearest that does.", "i8x16.add_sat_s"),
      simple("PADDSW", "ED", "Adds signed words; what does not fit becomes the nearest that does.", "i16x8.add_sat_s"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PADDUSB/PADDUSW—Add Packed Unsigned Integers With Unsigned Saturation",
    ...first,
    members: [
      simple("PADDUSB", "DC", "Adds unsigned bytes; what does not fit becomes the largest.", "i8x16.add_sat_u"),
      simple("PADDUSW", "DD", "Adds unsigned words; what does not fit becomes the largest.", "i16x8.add_sat_u"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PSUBB/PSUBW/PSUBD—Subtract Packed Integers",
    ...first,
    members: [
      simple("PSUBB", "F8", "Subtracts bytes.", "i8x16.sub"),
      simple("PSUBW", "F9", "Subtracts words.", "i16x8.sub"),
      simple("PSUBD", "FA", "Subtracts doublewords.", "i32x4.sub"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PSUBQ—Subtract Packed Quadword Integers",
    mmx: "SSE2",
    xmm: "SSE2",
    members: [simple("PSUBQ", "FB", "Subtracts quadwords.", "i64x2.sub")],
  },
  {
    spec: "SDM Vol. 2B, PSUBSB/PSUBSW—Subtract Packed Signed Integers With Signed Saturation",
    ...first,
    members: [
      simple(
        "PSUBSB",
        "E8",
        "Subtracts signed bytes; what does not fit becomes the nearest that does.",
        "i8x16.sub_sat_s",
      ),
      simple(
        "PSUBSW",
        "E9",
        "Subtracts signed words; what does not fit becomes the nearest that does.",
        "i16x8.sub_sat_s",
      ),
    ],
  },
  {
    spec: "SDM Vol. 2B, PSUBUSB/PSUBUSW—Subtract Packed Unsigned Integers With Unsigned Saturation",
    ...first,
    members: [
      simple("PSUBUSB", "D8", "Subtracts unsigned bytes; what would be negative becomes 0.", "i8x16.sub_sat_u"),
      simple("PSUBUSW", "D9", "Subtracts unsigned words; what would be negative becomes 0.", "i16x8.sub_sat_u"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PMULLW—Multiply Packed Signed Integers and Store Low Result",
    ...first,
    members: [simple("PMULLW", "D5", "Multiplies words and keeps the lower halves of the products.", "i16x8.mul")],
  },
  {
    spec: "SDM Vol. 2B, PMULHW—Multiply Packed Signed Integers and Store High Result",
    ...first,
    members: [one("PMULHW", "E5", "Multiplies signed words and keeps the upper halves.", highProducts("s"))],
  },
  {
    spec: "SDM Vol. 2B, PMULHUW—Multiply Packed Unsigned Integers and Store High Result",
    ...second,
    members: [one("PMULHUW", "E4", "Multiplies unsigned words and keeps the upper halves.", highProducts("u"))],
  },
  {
    spec: "SDM Vol. 2B, PMADDWD—Multiply and Add Packed Integers",
    ...first,
    members: [simple("PMADDWD", "F5", "Multiplies signed words and adds the products in pairs.", "i32x4.dot_i16x8_s")],
  },
  {
    spec: "SDM Vol. 2B, PMULUDQ—Multiply Packed Unsigned Doubleword Integers",
    mmx: "SSE2",
    xmm: "SSE2",
    members: [one("PMULUDQ", "F4", "Multiplies every other doubleword, unsigned, to quadwords.", evenProducts("u"))],
  },
  {
    spec: "SDM Vol. 2B, PSADBW—Compute Sum of Absolute Differences",
    ...second,
    members: [one("PSADBW", "F6", "Adds up the absolute differences of bytes, eight at a time.", sumOfDifferences)],
  },
  {
    spec: "SDM Vol. 2B, PAVGB/PAVGW—Average Packed Integers",
    ...second,
    members: [
      simple("PAVGB", "E0", "Averages unsigned bytes, rounding up.", "i8x16.avgr_u"),
      simple("PAVGW", "E3", "Averages unsigned words, rounding up.", "i16x8.avgr_u"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PMINUB/PMINUW—Minimum of Packed Unsigned Integers",
    ...second,
    members: [simple("PMINUB", "DA", "Takes the lesser of unsigned bytes.", "i8x16.min_u")],
  },
  {
    spec: "SDM Vol. 2B, PMAXUB/PMAXUW—Maximum of Packed Unsigned Integers",
    ...second,
    members: [simple("PMAXUB", "DE", "Takes the greater of unsigned bytes.", "i8x16.max_u")],
  },
  {
    spec: "SDM Vol. 2B, PMINSB/PMINSW—Minimum of Packed Signed Integers",
    ...second,
    members: [simple("PMINSW", "EA", "Takes the lesser of signed words.", "i16x8.min_s")],
  },
  {
    spec: "SDM Vol. 2B, PMAXSB/PMAXSW/PMAXSD/PMAXSQ—Maximum of Packed Signed Integers",
    ...second,
    members: [simple("PMAXSW", "EE", "Takes the greater of signed words.", "i16x8.max_s")],
  },
  {
    spec: "SDM Vol. 2B, PCMPEQB/PCMPEQW/PCMPEQD—Compare Packed Data for Equal",
    ...first,
    members: [
      simple("PCMPEQB", "74", "Makes ones of bytes that are equal, zeros of others.", "i8x16.eq"),
      simple("PCMPEQW", "75", "Makes ones of words that are equal, zeros of others.", "i16x8.eq"),
      simple("PCMPEQD", "76", "Makes ones of doublewords that are equal, zeros of others.", "i32x4.eq"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PCMPGTB/PCMPGTW/PCMPGTD—Compare Packed Signed Integers for Greater Than",
    ...first,
    members: [
      simple(
        "PCMPGTB",
        "64",
        "Makes ones of signed bytes that are greater than the source's, zeros of others.",
        "i8x16.gt_s",
      ),
      simple(
        "PCMPGTW",
        "65",
        "Makes ones of signed words that are greater than the source's, zeros of others.",
        "i16x8.gt_s",
      ),
      simple(
        "PCMPGTD",
        "66",
        "Makes ones of signed doublewords that are greater than the source's, zeros of others.",
        "i32x4.gt_s",
      ),
    ],
  },
  {
    spec: "SDM Vol. 2B, PAND—Logical AND",
    ...first,
    members: [simple("PAND", "DB", "Bitwise AND.", "v128.and")],
  },
  {
    spec: "SDM Vol. 2B, PANDN—Logical AND NOT",
    ...first,
    members: [one("PANDN", "DF", "Bitwise AND of the source with the complement of the destination.", complement)],
  },
  {
    spec: "SDM Vol. 2B, POR—Bitwise Logical OR",
    ...first,
    members: [simple("POR", "EB", "Bitwise OR.", "v128.or")],
  },
  {
    spec: "SDM Vol. 2B, PXOR—Logical Exclusive OR",
    ...first,
    members: [simple("PXOR", "EF", "Bitwise exclusive OR.", "v128.xor")],
  },
  {
    spec: "SDM Vol. 2B, PACKSSWB/PACKSSDW—Pack With Signed Saturation",
    ...first,
    members: [
      narrowing(
        "PACKSSWB",
        "63",
        "Makes signed bytes of signed words, the nearest that there are.",
        "i8x16.narrow_i16x8_s",
      ),
      narrowing(
        "PACKSSDW",
        "6B",
        "Makes signed words of signed doublewords, the nearest that there are.",
        "i16x8.narrow_i32x4_s",
      ),
    ],
  },
  {
    spec: "SDM Vol. 2B, PACKUSWB—Pack With Unsigned Saturation",
    ...first,
    members: [
      narrowing(
        "PACKUSWB",
        "67",
        "Makes unsigned bytes of signed words, the nearest that there are.",
        "i8x16.narrow_i16x8_u",
      ),
    ],
  },
  {
    spec: "SDM Vol. 2B, PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data",
    ...first,
    members: [
      unpacking("PUNPCKLBW", "60", 1, false, "bytes"),
      unpacking("PUNPCKLWD", "61", 2, false, "words"),
      unpacking("PUNPCKLDQ", "62", 4, false, "doublewords"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data",
    ...first,
    members: [
      unpacking("PUNPCKHBW", "68", 1, true, "bytes"),
      unpacking("PUNPCKHWD", "69", 2, true, "words"),
      unpacking("PUNPCKHDQ", "6A", 4, true, "doublewords"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data",
    xmm: "SSE2",
    members: [unpacking("PUNPCKLQDQ", "6C", 8, false, "quadwords")],
  },
  {
    spec: "SDM Vol. 2B, PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data",
    xmm: "SSE2",
    members: [unpacking("PUNPCKHQDQ", "6D", 8, true, "quadwords")],
  },
  {
    spec: "SDM Vol. 2B, PSHUFB—Packed Shuffle Bytes",
    ...third,
    members: [
      {
        ...one("PSHUFB", "38 00", "Takes bytes of the destination by the numbers in the source.", shuffleBytes(0x8f)),
        mmxOperation: shuffleBytes(0x87),
      },
    ],
  },
  {
    spec: "SDM Vol. 2B, PHADDW/PHADDD—Packed Horizontal Add",
    ...third,
    members: [
      neighbours("PHADDW", "38 01", "Adds neighbouring words.", 2, "i16x8.add"),
      neighbours("PHADDD", "38 02", "Adds neighbouring doublewords.", 4, "i32x4.add"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PHADDSW—Packed Horizontal Add and Saturate",
    ...third,
    members: [neighbours("PHADDSW", "38 03", "Adds neighbouring signed words, saturating.", 2, "i16x8.add_sat_s")],
  },
  {
    spec: "SDM Vol. 2B, PHSUBW/PHSUBD—Packed Horizontal Subtract",
    ...third,
    members: [
      neighbours("PHSUBW", "38 05", "Subtracts from each other word the one above it.", 2, "i16x8.sub"),
      neighbours("PHSUBD", "38 06", "Subtracts from each other doubleword the one above it.", 4, "i32x4.sub"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PHSUBSW—Packed Horizontal Subtract and Saturate",
    ...third,
    members: [
      neighbours(
        "PHSUBSW",
        "38 07",
        "Subtracts from each other signed word the one above it, saturating.",
        2,
        "i16x8.sub_sat_s",
      ),
    ],
  },
  {
    spec: "SDM Vol. 2B, PMADDUBSW—Multiply and Add Packed Signed and Unsigned Bytes",
    ...third,
    members: [
      one(
        "PMADDUBSW",
        "38 04",
        "Multiplies unsigned bytes with signed ones and adds the products in pairs, saturating.",
        mixedProducts,
      ),
    ],
  },
  {
    spec: "SDM Vol. 2B, PMULHRSW—Packed Multiply High With Round and Scale",
    ...third,
    members: [one("PMULHRSW", "38 0B", "Multiplies signed words as fractions, rounding.", roundedProducts)],
  },
  {
    spec: "SDM Vol. 2B, PSIGNB/PSIGNW/PSIGND—Packed SIGN",
    ...third,
    members: [
      one("PSIGNB", "38 08", "Negates, clears or keeps bytes by the signs of the source's.", withSign("i8x16")),
      one("PSIGNW", "38 09", "Negates, clears or keeps words by the signs of the source's.", withSign("i16x8")),
      one("PSIGND", "38 0A", "Negates, clears or keeps doublewords by the signs of the source's.", withSign("i32x4")),
    ],
  },
  {
    spec: "SDM Vol. 2B, PABSB/PABSW/PABSD/PABSQ—Packed Absolute Value",
    ...third,
    unary: true,
    members: [
      one("PABSB", "38 1C", "Takes the magnitudes of signed bytes.", magnitude("i8x16")),
      one("PABSW", "38 1D", "Takes the magnitudes of signed words.", magnitude("i16x8")),
      one("PABSD", "38 1E", "Takes the magnitudes of signed doublewords.", magnitude("i32x4")),
    ],
  },
  {
    spec: "SDM Vol. 2B, PMINSB/PMINSW—Minimum of Packed Signed Integers",
    xmm: "SSE4.1",
    members: [simple("PMINSB", "38 38", "Takes the lesser of signed bytes.", "i8x16.min_s")],
  },
  {
    spec: "SDM Vol. 2B, PMINSD/PMINSQ—Minimum of Packed Signed Integers",
    xmm: "SSE4.1",
    members: [simple("PMINSD", "38 39", "Takes the lesser of signed doublewords.", "i32x4.min_s")],
  },
  {
    spec: "SDM Vol. 2B, PMINUB/PMINUW—Minimum of Packed Unsigned Integers",
    xmm: "SSE4.1",
    members: [simple("PMINUW", "38 3A", "Takes the lesser of unsigned words.", "i16x8.min_u")],
  },
  {
    spec: "SDM Vol. 2B, PMINUD/PMINUQ—Minimum of Packed Unsigned Integers",
    xmm: "SSE4.1",
    members: [simple("PMINUD", "38 3B", "Takes the lesser of unsigned doublewords.", "i32x4.min_u")],
  },
  {
    spec: "SDM Vol. 2B, PMAXSB/PMAXSW/PMAXSD/PMAXSQ—Maximum of Packed Signed Integers",
    xmm: "SSE4.1",
    members: [
      simple("PMAXSB", "38 3C", "Takes the greater of signed bytes.", "i8x16.max_s"),
      simple("PMAXSD", "38 3D", "Takes the greater of signed doublewords.", "i32x4.max_s"),
    ],
  },
  {
    spec: "SDM Vol. 2B, PMAXUB/PMAXUW—Maximum of Packed Unsigned Integers",
    xmm: "SSE4.1",
    members: [simple("PMAXUW", "38 3E", "Takes the greater of unsigned words.", "i16x8.max_u")],
  },
  {
    spec: "SDM Vol. 2B, PMAXUD/PMAXUQ—Maximum of Packed Unsigned Integers",
    xmm: "SSE4.1",
    members: [simple("PMAXUD", "38 3F", "Takes the greater of unsigned doublewords.", "i32x4.max_u")],
  },
  {
    spec: "SDM Vol. 2B, PMULLD/PMULLQ—Multiply Packed Integers and Store Low Result",
    xmm: "SSE4.1",
    members: [simple("PMULLD", "38 40", "Multiplies doublewords and keeps the lower halves.", "i32x4.mul")],
  },
  {
    spec: "SDM Vol. 2B, PMULDQ—Multiply Packed Doubleword Integers",
    xmm: "SSE4.1",
    members: [one("PMULDQ", "38 28", "Multiplies every other signed doubleword to quadwords.", evenProducts("s"))],
  },
  {
    spec: "SDM Vol. 2B, PACKUSDW—Pack With Unsigned Saturation",
    xmm: "SSE4.1",
    members: [
      narrowing(
        "PACKUSDW",
        "38 2B",
        "Makes unsigned words of signed doublewords, the nearest there are.",
        "i16x8.narrow_i32x4_u",
      ),
    ],
  },
  {
    spec: "SDM Vol. 2B, PCMPEQQ—Compare Packed Qword Data for Equal",
    xmm: "SSE4.1",
    members: [simple("PCMPEQQ", "38 29", "Makes ones of quadwords that are equal, zeros of others.", "i64x2.eq")],
  },
  {
    spec: "SDM Vol. 2B, PCMPGTQ—Compare Packed Data for Greater Than",
    xmm: "SSE4.2",
    members: [
      simple(
        "PCMPGTQ",
        "38 37",
        "Makes ones of signed quadwords that are greater than the source's, zeros of others.",
        "i64x2.gt_s",
      ),
    ],
  },
];

function definitionsOf({ spec, mmx, xmm, members, unary }: Page): readonly Definition[] {
  return members.flatMap(({ mnemonic, opcode, summary, operation, mmxOperation, mmxSource = "Qq" }) => {
    const semantics =
      (meaning: Operation): NonNullable<Definition["semantics"]> =>
      (c) => {
        const source = c.vector(1);
        c.setVector(0, meaning(c, unary ? source : c.vector(0), source));
      };
    const common = { mnemonic, spec, summary };
    const forXmm = { ...common, ...xmmForm(xmm), semantics: semantics(operation) };
    const definitions: Definition[] = [{ ...forXmm, forms: [[`66 0F ${opcode} /r`, "Vdq Wdq"]] }];
    if (mmx !== undefined) {
      const forMmx = { ...common, ...mmxForm(mmx), semantics: semantics(mmxOperation ?? operation) };
      definitions.push({ ...forMmx, forms: [[`NP 0F ${opcode} /r`, `Pq ${mmxSource}`]] });
    }
    return definitions;
  });
}

export const packedIntegerRows: readonly Row[] = pages.flatMap(definitionsOf).flatMap(define);
