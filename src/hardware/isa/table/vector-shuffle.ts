/**
 * Shuffles of MMX and XMM registers, and logic of floating-point numbers as bits.
 * Spec: SDM Vol. 1, "SSE Logical Instructions", "SSE Shuffle and Unpack Instructions", "SSE2 Shuffle and Unpack
 * Instructions", "SSSE3 Instructions" (PALIGNR).
 */
import { add, type Code, i32 } from "../code.js";
import { type Definition, define, type Row } from "../instruction.js";
import {
  atMost,
  bitselect,
  byNumber,
  complement,
  halves,
  interleave,
  lanesOf,
  lanewise,
  moveDown,
  type Operation,
  orderOf,
  pick,
  vectorBinary,
  withLow,
} from "../vector.js";
import { immediate, mmxForm, type VectorGroup, xmmForm } from "./vector-forms.js";

type Semantics = NonNullable<Definition["semantics"]>;

const onBoth =
  (operation: Operation): Semantics =>
  (c: Code) =>
    c.setVector(0, operation(c, c.vector(0), c.vector(1)));

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

// ---- floating-point elements as bits ----------------------------------------------------------------------------------

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
];

export const vectorShuffleRows: readonly Row[] = definitions.flatMap(define);
