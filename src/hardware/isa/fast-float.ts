/**
 * Where WebAssembly's floating point may stand for SSE's: operands and results are zero or normal, so that no exception
 * but precision is met and no NaN arises; and rounding is to the nearest, nothing is flushed to zero, and the precision
 * flag is set and masked already, so that an inexact result changes nothing. All else is TypeScript's.
 * Spec: SDM Vol. 1, "SIMD Floating-Point Exception Conditions"; WebAssembly Core Specification 2.0, "Floating-Point
 * Operations" (exact but for NaNs).
 */
import { and, below, type Code, type Expr, eq, i32, i64, isZero, or, type Replay, shl, sub } from "./code.js";
import { extract, splat, vectorBinary, vectorShift, vectorTest, zeros } from "./vector.js";

/** Of MXCSR: rounding control, flush to zero, denormals are zero, and mask and flag of precision. */
const ROUNDING_BITS = 0x6000 | 0x8000 | 0x40 | 0x1000 | 0x20;
const PLAIN = 0x1000 | 0x20;

/** Whether inexact results are rounded to the nearest and change nothing else. */
export const roundsPlainly = (c: Replay): Expr => eq(and(c.mxcsr(), i32(ROUNDING_BITS)), i32(PLAIN));
/** Whether a rounding that MXCSR does not control changes nothing else. */
export const mayBeInexact = (c: Replay): Expr => eq(and(c.mxcsr(), i32(PLAIN)), i32(PLAIN));

/**
 * Tests of numbers as bit patterns. They take them without their signs, as `of` gives them, and give an i32 of a scalar
 * and a mask of a packed one; `holds` makes one truth value of it.
 */
export interface NumberTests {
  of(c: Code, vector: Expr): Expr;
  isZero(number: Expr): Expr;
  /** Finite, and its exponent is at least this above the smallest of normal numbers. */
  isNormal(number: Expr, above?: 0 | 1): Expr;
  /** Less in magnitude than a power of two. */
  isBelow(number: Expr, power: number): Expr;
  both(a: Expr, b: Expr): Expr;
  either(a: Expr, b: Expr): Expr;
  holds(test: Expr): Expr;
}

const scalar32: NumberTests = {
  of: (c, vector) => c.let(shl(extract("i32x4", vector, 0), i32(1))),
  isZero,
  isNormal: (number, above = 0) => below(sub(number, i32((1 + above) << 24)), i32((0xfe - above) << 24)),
  isBelow: (number, power) => below(number, i32((127 + power) << 24)),
  both: and,
  either: or,
  holds: (test) => test,
};

const scalar64: NumberTests = {
  ...scalar32,
  of: (c, vector) => c.let(shl(extract("i64x2", vector, 0), i64(1n))),
  isNormal: (number, above = 0) => below(sub(number, i64(BigInt(1 + above) << 53n)), i64(BigInt(0x7fe - above) << 53n)),
  isBelow: (number, power) => below(number, i64(BigInt(1023 + power) << 53n)),
};

const words = (value: number): Expr => splat("i32x4", i32(value));
const packed32: NumberTests = {
  of: (c, vector) => c.let(vectorShift("i32x4.shl", vector, i32(1))),
  isZero: (number) => vectorBinary("i32x4.eq", number, zeros),
  isNormal: (number, above = 0) =>
    vectorBinary(
      "i32x4.lt_u",
      vectorBinary("i32x4.sub", number, words((1 + above) << 24)),
      words((0xfe - above) << 24),
    ),
  isBelow: (number, power) => vectorBinary("i32x4.lt_u", number, words((127 + power) << 24)),
  both: (a, b) => vectorBinary("v128.and", a, b),
  either: (a, b) => vectorBinary("v128.or", a, b),
  holds: (test) => vectorTest("i32x4.all_true", test),
};

const quads = (value: number): Expr => splat("i64x2", i64(BigInt(value)));
const exponents = (number: Expr): Expr => vectorShift("i64x2.shr_u", number, i32(53));
const packed64: NumberTests = {
  ...packed32,
  of: (c, vector) => c.let(vectorShift("i64x2.shl", vector, i32(1))),
  isZero: (number) => vectorBinary("i64x2.eq", number, zeros),
  isNormal: (number, above = 0) =>
    vectorBinary(
      "v128.and",
      vectorBinary("i64x2.gt_s", exponents(number), quads(above)),
      vectorBinary("i64x2.lt_s", exponents(number), quads(0x7ff)),
    ),
  isBelow: (number, power) => vectorBinary("i64x2.lt_s", exponents(number), quads(1023 + power)),
  holds: (test) => vectorTest("i64x2.all_true", test),
};

/** What an operation works on: numbers of 32 or 64 bits, the lowest one or all of a vector. */
export interface NumberShape {
  readonly bits: 32 | 64;
  readonly packed: boolean;
}

export const testsOf = ({ bits, packed }: NumberShape): NumberTests =>
  bits === 32 ? (packed ? packed32 : scalar32) : packed ? packed64 : scalar64;

/** Goes on only if the numbers are zero or normal. Gives them as tests take them. */
export function requireOrdinary(c: Replay, shape: NumberShape, ...vectors: readonly Expr[]): readonly Expr[] {
  const tests = testsOf(shape);
  return vectors.map((vector) => {
    const number = tests.of(c, vector);
    c.require(tests.holds(tests.either(tests.isNormal(number), tests.isZero(number))));
    return number;
  });
}

/**
 * Goes on only if a result is normal, or `zero` says of it that it is an exact zero. The smallest normal number is left
 * out: what was rounded up to it may have been tiny.
 */
export function requireResult(c: Replay, shape: NumberShape, vector: Expr, zero?: (number: Expr) => Expr): void {
  const tests = testsOf(shape);
  const number = tests.of(c, vector);
  const normal = tests.isNormal(number, 1);
  c.require(tests.holds(zero === undefined ? normal : tests.either(normal, zero(number))));
}
