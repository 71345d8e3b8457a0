/**
 * The transcendental functions of x87, to more bits than are kept: what is rounded is nearly always what the exact value
 * would be rounded to. Angles are reduced by the 66 bits of pi that the processors have, so far from 0 they are not those
 * of the mathematical functions. Every result that is computed is reported as inexact, be it exact or not.
 * Spec: SDM Vol. 1, "Transcendental Instruction Accuracy", "Approximation of Pi"; Vol. 2A, F2XM1, FCOS, FPATAN, FPTAN, FSIN,
 * FYL2X, FYL2XP1.
 */
import { meetsDenormal, operand } from "./arithmetic.js";
import { type Environment, EXCEPTION } from "./environment.js";
import { bitLength, EXTENDED, infinity, type Unpacked, unpack, zero } from "./format.js";
import { invalid, nanOf } from "./nan.js";
import { round } from "./round.js";
import { arcTangent, areaTangent, cosine, exponentialMinusOne, logarithmOf2, piOf, shifted, sine } from "./series.js";

/** Bits that are computed of a result, and at which small arguments are their own function but for a factor. */
const BITS = 160;
const TINY = -72;

const ONE = 0x3fff8000000000000000n;
const MINUS_HALF = 0xbffe8000000000000000n;

/** Exponent of the leading bit of a finite number. */
const leadingOf = ({ exponent }: Unpacked): number => exponent + EXTENDED.precision - 1;
const isZero = (value: Unpacked): boolean => value.kind === "zero";
const magnitude = ({ significand, exponent }: Unpacked, w: number): bigint => shifted(significand, exponent + w);
const one = (w: number): bigint => 1n << BigInt(w);

/** A fixed-point number that is no exact result. */
function inexact(value: bigint, w: number, env: Environment): bigint {
  const negative = value < 0n;
  return round(EXTENDED, negative, -w - 1, ((negative ? -value : value) << 1n) | 1n, env);
}

/** A finite number times a positive fixed-point one. */
const product = ({ significand, exponent, negative }: Unpacked, factor: bigint, w: number, env: Environment): bigint =>
  round(EXTENDED, negative, exponent - w - 1, (significand * factor * 2n) | 1n, env);

/** 2^x - 1 for an x between -1 and 1; another is left as it is. */
export function powerMinusOne(x: bigint, env: Environment): bigint {
  const value = operand(EXTENDED, x, env);
  const nan = nanOf(EXTENDED, value, value, env);
  if (nan !== undefined) return nan;
  if (meetsDenormal(env, value)) return 0n;
  if (value.kind === "infinity") return value.negative ? ONE | EXTENDED.signBit : x;
  if (isZero(value)) return x;
  const leading = leadingOf(value);
  if (leading < TINY) return product(value, logarithmOf2(BITS), BITS, env);
  if (leading >= 0) {
    env.flags |= EXCEPTION.PRECISION;
    return x === (ONE | EXTENDED.signBit) ? MINUS_HALF : x;
  }
  const w = BITS - leading;
  const scaled = (magnitude(value, w) * logarithmOf2(w)) >> BigInt(w);
  return inexact(exponentialMinusOne(value.negative ? -scaled : scaled, w), w, env);
}

/** A fixed-point number with its sign, and the bits below its point. */
interface Fixed {
  readonly value: bigint;
  readonly w: number;
}

/** log2 of significand * 2^exponent, which is not 1; of a power of two it is exact. */
function logarithm(significand: bigint, exponent: number): Fixed {
  const below = bitLength(significand) - 1;
  // A power of two between 2/3 and 4/3 of the number is taken off, so that what is left is small.
  const isUpper = significand >> BigInt(below - 1) === 3n;
  const places = isUpper ? below + 1 : below;
  const whole = BigInt(places + exponent);
  const unit = 1n << BigInt(places);
  const difference = significand - unit;
  if (difference === 0n) return { value: whole, w: 0 };
  const w = BITS + below - bitLength(difference < 0n ? -difference : difference);
  const ratio = (difference << BigInt(w)) / (significand + unit);
  const fraction = (2n * areaTangent(ratio, w) * one(w)) / logarithmOf2(w);
  return { value: (whole << BigInt(w)) + fraction, w };
}

/** y * f for a fixed-point f, which is exact where it has no bits below the point. */
function timesFixed(y: Unpacked, { value, w }: Fixed, env: Environment): bigint {
  const negative = y.negative !== value < 0n;
  const size = value < 0n ? -value : value;
  env.flags |= EXCEPTION.PRECISION;
  if (w !== 0) return product({ ...y, negative }, size, w, env);
  const bits = round(EXTENDED, negative, y.exponent, y.significand * size, env);
  // What is tiny and called inexact is an underflow.
  if (unpack(EXTENDED, bits).denormal) env.flags |= EXCEPTION.UNDERFLOW;
  return bits;
}

/** y * log2 x. */
export function timesLogarithm(x: bigint, y: bigint, env: Environment): bigint {
  const argument = operand(EXTENDED, x, env);
  const factor = operand(EXTENDED, y, env);
  const nan = nanOf(EXTENDED, argument, factor, env);
  if (nan !== undefined) return nan;
  if (argument.negative && !isZero(argument)) return invalid(EXTENDED, env);
  const isOne = x === ONE;
  if (isZero(factor) && (isZero(argument) || argument.kind === "infinity")) return invalid(EXTENDED, env);
  if (factor.kind === "infinity" && isOne) return invalid(EXTENDED, env);
  if (isZero(argument) && factor.kind === "finite") {
    env.flags |= EXCEPTION.ZERO_DIVIDE;
    return infinity(EXTENDED, !factor.negative);
  }
  if (meetsDenormal(env, argument, factor)) return 0n;
  // Below 1 the logarithm is negative.
  const below = isZero(argument) || (argument.kind === "finite" && leadingOf(argument) < 0);
  const negative = factor.negative !== below;
  if (argument.kind !== "finite" || factor.kind === "infinity") return infinity(EXTENDED, negative);
  if (isZero(factor) || isOne) return zero(EXTENDED, negative);
  return timesFixed(factor, logarithm(argument.significand, argument.exponent), env);
}

/** y * log2(x + 1), of an x around 0; where x is not above -1 the result is what hardware leaves undefined. */
export function timesLogarithmPlusOne(x: bigint, y: bigint, env: Environment): bigint {
  const argument = operand(EXTENDED, x, env);
  const factor = operand(EXTENDED, y, env);
  const nan = nanOf(EXTENDED, argument, factor, env);
  if (nan !== undefined) return nan;
  const negative = argument.negative !== factor.negative;
  if (argument.kind === "infinity" && (argument.negative || isZero(factor))) return invalid(EXTENDED, env);
  if (factor.kind === "infinity" && isZero(argument)) return invalid(EXTENDED, env);
  if (meetsDenormal(env, argument, factor)) return 0n;
  if (argument.kind === "infinity" || factor.kind === "infinity") return infinity(EXTENDED, negative);
  if (isZero(argument) || isZero(factor)) return zero(EXTENDED, negative);
  const leading = leadingOf(argument);
  if (argument.negative && leading >= 0) {
    env.flags |= EXCEPTION.PRECISION;
    return x;
  }
  // Of the logarithm only its series' first term counts.
  if (leading < TINY) return quotientByLogarithm(argument, factor, negative, env);
  return timesFixed(factor, logarithmPlusOne(argument), env);
}

function quotientByLogarithm(x: Unpacked, y: Unpacked, negative: boolean, env: Environment): bigint {
  const quotient = one(2 * BITS) / logarithmOf2(BITS);
  const exponent = x.exponent + y.exponent - BITS - 1;
  return round(EXTENDED, negative, exponent, (x.significand * y.significand * quotient * 2n) | 1n, env);
}

function logarithmPlusOne({ significand, exponent, negative }: Unpacked): Fixed {
  // To a number that large, 1 adds nothing.
  if (exponent > BITS) return logarithm(significand, exponent);
  const unit = Math.min(0, exponent);
  const size = significand << BigInt(exponent - unit);
  return logarithm((1n << BigInt(-unit)) + (negative ? -size : size), unit);
}

/** The angle of the point (x, y), between -pi and pi. */
export function angle(x: bigint, y: bigint, env: Environment): bigint {
  const [across, up] = [operand(EXTENDED, x, env), operand(EXTENDED, y, env)];
  const nan = nanOf(EXTENDED, across, up, env);
  if (nan !== undefined) return nan;
  if (meetsDenormal(env, across, up)) return 0n;
  const { negative } = up;
  const quarters = (count: bigint): bigint => {
    const value = (piOf(BITS) * count) / 4n;
    return inexact(negative ? -value : value, BITS, env);
  };
  if (up.kind === "infinity") return quarters(across.kind !== "infinity" ? 2n : across.negative ? 3n : 1n);
  if (across.kind === "infinity" || isZero(up)) return across.negative ? quarters(4n) : zero(EXTENDED, negative);
  if (isZero(across)) return quarters(2n);
  return angleOf(across, up, env);
}

function angleOf(across: Unpacked, up: Unpacked, env: Environment): bigint {
  const { negative } = up;
  const distance = up.exponent - across.exponent;
  // So flat that angle and tangent are the same.
  if (distance < TINY && !across.negative) return flatAngle(across, up, env);
  const w = BITS + Math.max(0, Math.min(-TINY, -distance));
  const isSteep = distance > 0 || (distance === 0 && up.significand > across.significand);
  const [small, large] = isSteep ? [across, up] : [up, across];
  const ratio = shifted(small.significand << BigInt(w), small.exponent - large.exponent) / large.significand;
  const acute = arcTangent(ratio, w);
  const first = isSteep ? piOf(w) / 2n - acute : acute;
  // A steep angle counts from the vertical.
  const value = across.negative ? piOf(w) - first : first;
  return inexact(negative ? -value : value, w, env);
}

function flatAngle(across: Unpacked, up: Unpacked, env: Environment): bigint {
  const quotient = (up.significand << BigInt(BITS)) / across.significand;
  const remains = quotient * across.significand !== up.significand << BigInt(BITS);
  // A little less than the quotient.
  const below = remains ? 2n * quotient + 1n : 2n * quotient - 1n;
  return round(EXTENDED, up.negative, up.exponent - across.exponent - BITS - 1, below, env);
}

/** An angle between -pi/4 and pi/4, and how many quarter turns were taken off for it. */
interface Reduced extends Fixed {
  readonly quarter: number;
}

/** From here on angles are out of range. */
const RANGE = 63;
/** pi as processors have it: the number and the bits below its point. Spec: SDM Vol. 1, "Approximation of Pi". */
const PI = 0xc90fdaa22168c234cn;
const PI_PLACES = 66;

function reduce(value: Unpacked): Reduced {
  const w = BITS + EXTENDED.precision + Math.max(0, -leadingOf(value));
  const size = magnitude(value, w);
  const half = PI << BigInt(w - PI_PLACES - 1);
  const turns = (2n * size + half) / (2n * half);
  const rest = size - turns * half;
  const quarter = Number(turns & 3n);
  return value.negative ? { value: -rest, w, quarter: (4 - quarter) & 3 } : { value: rest, w, quarter };
}

/** A function of an angle; undefined where the angle is out of range. */
function ofAngle(
  x: bigint,
  env: Environment,
  tiny: (value: Unpacked) => bigint,
  compute: (reduced: Reduced) => bigint,
): bigint | undefined {
  const value = operand(EXTENDED, x, env);
  const nan = nanOf(EXTENDED, value, value, env);
  if (nan !== undefined) return nan;
  if (value.kind === "infinity") return invalid(EXTENDED, env);
  if (meetsDenormal(env, value)) return 0n;
  if (value.kind === "finite" && leadingOf(value) >= RANGE) return undefined;
  if (isZero(value) || leadingOf(value) < TINY) return tiny(value);
  return compute(reduce(value));
}

/** A number a little nearer to 0, or farther from it. */
const beside = (value: Unpacked, by: 1n | -1n, env: Environment): bigint =>
  round(EXTENDED, value.negative, value.exponent - BITS, (value.significand << BigInt(BITS)) + by, env);

const sineOf = ({ value, w, quarter }: Reduced, env: Environment): bigint => {
  const size = quarter % 2 === 0 ? sine(value, w) : cosine(value, w);
  return inexact(quarter < 2 ? size : -size, w, env);
};

/** sin x; undefined where x is out of range. */
export const sineOfAngle = (x: bigint, env: Environment): bigint | undefined =>
  ofAngle(
    x,
    env,
    (value) => (isZero(value) ? x : beside(value, -1n, env)),
    (reduced) => sineOf(reduced, env),
  );

/** cos x; undefined where x is out of range. */
export const cosineOfAngle = (x: bigint, env: Environment): bigint | undefined =>
  ofAngle(
    x,
    env,
    (value) => (isZero(value) ? ONE : round(EXTENDED, false, -BITS, one(BITS) - 1n, env)),
    (reduced) => sineOf({ ...reduced, quarter: (reduced.quarter + 1) & 3 }, env),
  );

/** tan x; undefined where x is out of range. */
export const tangentOfAngle = (x: bigint, env: Environment): bigint | undefined =>
  ofAngle(
    x,
    env,
    (value) => (isZero(value) ? x : beside(value, 1n, env)),
    ({ value, w, quarter }) => {
      const [s, c] = [sine(value, w), cosine(value, w)];
      return inexact(quarter % 2 === 0 ? (s << BigInt(w)) / c : -(c << BigInt(w)) / s, w, env);
    },
  );
