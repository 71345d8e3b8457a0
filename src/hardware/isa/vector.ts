/**
 * Short names for the vector operators that the meanings of MMX and SSE instructions are written in, and what is put
 * together from several. Vectors are 128 bits; an MMX operand is the lower half of one, and what stands above it is not
 * looked at.
 */
import {
  extract,
  shuffle,
  splat,
  type VectorBinaryOp,
  type VectorShiftOp,
  v128,
  v128Words,
  vectorBinary,
  vectorShift,
  vectorUnary,
  zeros,
} from "../engine/simd.js";
import { below, type Code, type Expr, i32, i64, select, unary } from "./code.js";

export {
  bitselect,
  extract,
  integerOf,
  numberOf,
  ones,
  replace,
  shuffle,
  splat,
  type VectorBinaryOp,
  type VectorShiftOp,
  type VectorTestOp,
  type VectorUnaryOp,
  v128,
  v128Words,
  vectorBinary,
  vectorShift,
  vectorTest,
  vectorUnary,
  zeros,
} from "../engine/simd.js";

/** What becomes of destination and source. */
export type Operation = (c: Code, a: Expr, b: Expr) => Expr;

export const lanewise =
  (op: VectorBinaryOp): Operation =>
  (_, a, b) =>
    vectorBinary(op, a, b);

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
/** 0 to 15. */
const positions = v128(range(16));

/** Lanes of `bytes` bytes chosen by number out of two vectors. */
export const pick = (bytes: number, numbers: readonly number[], a: Expr, b: Expr): Expr =>
  shuffle(
    a,
    b,
    numbers.flatMap((number) => range(bytes).map((byte) => number * bytes + byte)),
  );

/** The lower halves of two vectors, one above the other. */
export const halves = (a: Expr, b: Expr): Expr => pick(8, [0, 2], a, b);

/** Lanes of both in turn, out of their lower or upper halves. */
export function interleave(bytes: number, upper: boolean, mmx = false): Operation {
  const count = 16 / bytes;
  const numbers = range(count / 2).flatMap((index) => [index, index + count]);
  const from = (first: number): number[] => numbers.map((number) => number + first);
  // The upper half of a 64-bit operand: the result lies above that of the lower half.
  if (mmx && upper) return (_, a, b) => pick(8, [1, 1], ...twice(pick(bytes, numbers, a, b)));
  return (_, a, b) => pick(bytes, from(upper ? count / 2 : 0), a, b);
}

const twice = (value: Expr): [Expr, Expr] => [value, value];

/** Narrowing of destination and source, one above the other. */
export const packing =
  (op: VectorBinaryOp, mmx = false): Operation =>
  (c, a, b) => {
    if (!mmx) return vectorBinary(op, a, b);
    const both = c.let(halves(a, b));
    return vectorBinary(op, both, both);
  };

/** An operation on neighbours: those of the destination below, those of the source above. */
export const horizontal =
  (bytes: number, op: VectorBinaryOp, mmx = false): Operation =>
  (c, a, b) => {
    const evens = range(16 / bytes).map((index) => 2 * index);
    const odds = evens.map((number) => number + 1);
    const [low, high] = mmx ? twice(c.let(halves(a, b))) : [a, b];
    return vectorBinary(op, pick(bytes, evens, low, high), pick(bytes, odds, low, high));
  };

/** The upper halves of 32-bit products of 16-bit lanes. */
export const highProducts =
  (signed: "s" | "u"): Operation =>
  (_, a, b) =>
    pick(
      2,
      [1, 3, 5, 7, 9, 11, 13, 15],
      vectorBinary(`i32x4.extmul_low_i16x8_${signed}`, a, b),
      vectorBinary(`i32x4.extmul_high_i16x8_${signed}`, a, b),
    );

const evenDwords = (a: Expr): Expr => pick(4, [0, 2, 0, 2], a, a);
/** 64-bit products of the even 32-bit lanes. */
export const evenProducts =
  (signed: "s" | "u"): Operation =>
  (_, a, b) =>
    vectorBinary(`i64x2.extmul_low_i32x4_${signed}`, evenDwords(a), evenDwords(b));

/** Bytes of `a` by number; 128 and more stand for zero. */
export const byNumber = (a: Expr, numbers: Expr): Expr => vectorBinary("i8x16.swizzle", a, numbers);
/** Moves bytes towards the lowest (`count` positive), zeros come in. `count`: an i32 from -16 to 16. */
export const moveDown = (a: Expr, count: Expr): Expr =>
  byNumber(a, vectorBinary("i8x16.add", positions, splat("i8x16", count)));

/** The smaller of an unsigned value and a constant. */
export const atMost = (value: Expr, most: number): Expr => select(below(value, i32(most)), value, i32(most));

/** Shifts lanes by a count of 64 bits; too large a one gives zeros, or the sign. */
export function shiftLanes(c: Code, op: VectorShiftOp, a: Expr, count: Expr): Expr {
  const width = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 }[op.slice(0, 5)]!;
  const wide = c.let(count);
  const fits = c.let(below(wide, i64(BigInt(width))));
  const narrow = unary("i32.wrap_i64", wide);
  if (op.endsWith("_s")) return vectorShift(op, a, select(fits, narrow, i32(width - 1)));
  return select(fits, vectorShift(op, a, narrow), zeros);
}

/** The bytes of lanes in an order that two bits of an immediate say for each, the lowest lane's in its lowest bits. */
export function orderOf(immediate: Expr, bytes: 2 | 4): Expr {
  // A product moves the two bits of each lane to bits 6 and 7. Words repeat: the upper four are ordered like the lower.
  const [kind, factors, lowest, step, start] =
    bytes === 4
      ? (["i32x4", v128Words(64, 16, 4, 1), 3, 0x04040404, 0x03020100] as const)
      : (["i16x8", v128Words(0x100040, 0x10004, 0x100040, 0x10004), 0x30003, 0x02020202, 0x01000100] as const);
  const all = (word: number): Expr => v128Words(word, word, word, word);
  const moved = vectorShift(`${kind}.shr_u`, vectorBinary(`${kind}.mul`, splat(kind, immediate), factors), i32(6));
  const numbers = vectorBinary("v128.and", moved, all(lowest));
  return vectorBinary(`${kind}.add`, vectorBinary(`${kind}.mul`, numbers, all(step)), all(start));
}

/** Ones in each lane whose bit in the immediate is set, lowest lane first. */
export function lanesOf(immediate: Expr, bytes: 2 | 4 | 8): Expr {
  if (bytes === 8) return pick(4, [0, 0, 1, 1], ...twice(lanesOf(immediate, 4)));
  const bits = bytes === 4 ? v128Words(1, 2, 4, 8) : v128Words(0x20001, 0x80004, 0x200010, 0x800040);
  const kind = bytes === 4 ? "i32x4" : "i16x8";
  return vectorBinary(`${kind}.eq`, vectorBinary("v128.and", splat(kind, immediate), bits), bits);
}

/** The lower 64 bits. */
export const lowHalf = (a: Expr): Expr => extract("i64x2", a, 0);
/** Bits of `upper` above the lower 64 of `lower`. */
export const withLow = (upper: Expr, lower: Expr): Expr => pick(8, [0, 3], lower, upper);

/** Sums of the absolute differences of bytes, eight at a time. */
export const sumOfDifferences: Operation = (c, a, b) => {
  const differences = vectorBinary(
    "v128.or",
    vectorBinary("i8x16.sub_sat_u", a, b),
    vectorBinary("i8x16.sub_sat_u", b, a),
  );
  const fours = vectorUnary("i32x4.extadd_pairwise_i16x8_u", vectorUnary("i16x8.extadd_pairwise_i8x16_u", differences));
  const sums = c.let(fours);
  const lower = vectorBinary("v128.and", sums, v128Words(-1, 0, -1, 0));
  return vectorBinary("i64x2.add", lower, vectorShift("i64x2.shr_u", sums, i32(32)));
};

/** Products of unsigned bytes of the destination and signed ones of the source, added in pairs. */
export const mixedProducts: Operation = (_, a, b) => {
  const low = vectorBinary(
    "i16x8.mul",
    vectorBinary("v128.and", a, v128Words(0xff00ff, 0xff00ff, 0xff00ff, 0xff00ff)),
    vectorShift("i16x8.shr_s", vectorShift("i16x8.shl", b, i32(8)), i32(8)),
  );
  const high = vectorBinary("i16x8.mul", vectorShift("i16x8.shr_u", a, i32(8)), vectorShift("i16x8.shr_s", b, i32(8)));
  return vectorBinary("i16x8.add_sat_s", low, high);
};

/** WebAssembly saturates the one product that does not fit, where the manual has it wrap. */
export const roundedProducts: Operation = (c, a, b) => {
  const least = v128Words(-0x7fff8000, -0x7fff8000, -0x7fff8000, -0x7fff8000);
  const both = vectorBinary("v128.and", vectorBinary("i16x8.eq", a, least), vectorBinary("i16x8.eq", b, least));
  return vectorBinary("v128.xor", c.let(vectorBinary("i16x8.q15mulr_sat_s", a, b)), both);
};

/** The destination with the sign of the source: kept, zero or negated. */
export const withSign =
  (lanes: "i8x16" | "i16x8" | "i32x4"): Operation =>
  (c, a, b) => {
    const negative = c.let(vectorBinary(`${lanes}.gt_s`, zeros, b));
    const signed = vectorBinary(`${lanes}.sub`, vectorBinary("v128.xor", a, negative), negative);
    return vectorBinary("v128.andnot", signed, vectorBinary(`${lanes}.eq`, b, zeros));
  };

/** Bytes of the destination by number; a number with its highest bit set stands for zero. */
export const shuffleBytes =
  (mask: number): Operation =>
  (_, a, b) =>
    vectorBinary("i8x16.swizzle", a, vectorBinary("v128.and", b, splat("i8x16", i32(mask))));

export const complement: Operation = (_, a, b) => vectorBinary("v128.andnot", b, a);
export const magnitude =
  (lanes: "i8x16" | "i16x8" | "i32x4"): Operation =>
  (_, _a, b) =>
    vectorUnary(`${lanes}.abs`, b);
