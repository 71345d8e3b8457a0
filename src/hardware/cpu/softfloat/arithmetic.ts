/**
 * Add, subtract, multiply, divide and square root.
 * Spec: SDM Vol. 1, "Floating-Point Exception Conditions"; Vol. 2A, FADD, FDIV, FMUL, FSQRT, FSUB, ADDSD and its like.
 */
import { type Environment, EXCEPTION, isStopped, ROUNDING } from "./environment.js";
import { bitLength, type Format, infinity, type Unpacked, unpack, zero } from "./format.js";
import { forgetDenormal, invalid, nanOf } from "./nan.js";
import { round } from "./round.js";

/** Bits below the result's that tell how to round: one of its own and one for all that is further down. */
const GUARD = 2;

/** Takes an operand apart. Denormals may count as zeros. */
export function operand(format: Format, bits: bigint, env: Environment): Unpacked {
  const value = unpack(format, bits);
  if (!value.denormal || !env.denormalsAreZero) return value;
  return { kind: "zero", negative: value.negative, exponent: 0, significand: 0n, denormal: false };
}

/** Reports a denormal operand. Gives whether that keeps the operation from being done. */
export function meetsDenormal(env: Environment, a: Unpacked, b: Unpacked = a): boolean {
  if (a.denormal || b.denormal) env.flags |= EXCEPTION.DENORMAL;
  return isStopped(env);
}

const kept = (format: Format, env: Environment): number => Math.min(format.precision, env.precision);

/** The zero that numbers add up to exactly. */
const cancelled = (format: Format, env: Environment): bigint => zero(format, env.rounding === ROUNDING.down);

/** Adds numbers of which the first has the larger exponent and neither is zero. */
function addAligned(format: Format, a: Unpacked, b: Unpacked, env: Environment): bigint {
  const distance = a.exponent - b.exponent;
  // So far below that only its being there counts.
  const isTrace = distance > format.precision + GUARD;
  const shift = isTrace ? GUARD + 1 : distance;
  const large = a.significand << BigInt(shift);
  const small = isTrace ? 1n : b.significand;
  const sum = a.negative === b.negative ? large + small : large - small;
  if (sum === 0n) return cancelled(format, env);
  const negative = sum < 0n ? !a.negative : a.negative;
  return round(format, negative, a.exponent - shift, sum < 0n ? -sum : sum, env, kept(format, env));
}

function addUnpacked(format: Format, a: Unpacked, b: Unpacked, env: Environment): bigint {
  const nan = nanOf(format, a, b, env);
  if (nan !== undefined) return nan;
  if (a.kind === "infinity" && b.kind === "infinity" && a.negative !== b.negative) return invalid(format, env);
  if (meetsDenormal(env, a, b)) return 0n;
  if (a.kind === "infinity") return infinity(format, a.negative);
  if (b.kind === "infinity") return infinity(format, b.negative);
  if (a.kind === "zero" && b.kind === "zero")
    return a.negative === b.negative ? zero(format, a.negative) : cancelled(format, env);
  if (a.kind === "zero") return round(format, b.negative, b.exponent, b.significand, env, kept(format, env));
  if (b.kind === "zero") return round(format, a.negative, a.exponent, a.significand, env, kept(format, env));
  return a.exponent >= b.exponent ? addAligned(format, a, b, env) : addAligned(format, b, a, env);
}

/** a + b. */
export function add(format: Format, a: bigint, b: bigint, env: Environment): bigint {
  return addUnpacked(format, operand(format, a, env), operand(format, b, env), env);
}

/** a - b. NaNs keep their signs. */
export function subtract(format: Format, a: bigint, b: bigint, env: Environment): bigint {
  const minuend = operand(format, a, env);
  const subtrahend = operand(format, b, env);
  const nan = nanOf(format, minuend, subtrahend, env);
  if (nan !== undefined) return nan;
  return addUnpacked(format, minuend, { ...subtrahend, negative: !subtrahend.negative }, env);
}

/** a * b. */
export function multiply(format: Format, a: bigint, b: bigint, env: Environment): bigint {
  const left = operand(format, a, env);
  const right = operand(format, b, env);
  const nan = nanOf(format, left, right, env);
  if (nan !== undefined) return nan;
  const negative = left.negative !== right.negative;
  const isInfinite = left.kind === "infinity" || right.kind === "infinity";
  const isZero = left.kind === "zero" || right.kind === "zero";
  if (isInfinite && isZero) return invalid(format, env);
  if (meetsDenormal(env, left, right)) return 0n;
  if (isInfinite) return infinity(format, negative);
  if (isZero) return zero(format, negative);
  const product = left.significand * right.significand;
  return round(format, negative, left.exponent + right.exponent, product, env, kept(format, env));
}

/** a / b. */
export function divide(format: Format, a: bigint, b: bigint, env: Environment): bigint {
  const dividend = operand(format, a, env);
  const divisor = operand(format, b, env);
  const nan = nanOf(format, dividend, divisor, env);
  if (nan !== undefined) return nan;
  const negative = dividend.negative !== divisor.negative;
  if (dividend.kind === divisor.kind && dividend.kind !== "finite") return invalid(format, env);
  if (divisor.kind === "zero" && dividend.kind === "finite") {
    forgetDenormal(env);
    env.flags |= EXCEPTION.ZERO_DIVIDE;
    return infinity(format, negative);
  }
  if (meetsDenormal(env, dividend, divisor)) return 0n;
  if (dividend.kind === "infinity") return infinity(format, negative);
  if (dividend.kind === "zero" || divisor.kind === "infinity") return zero(format, negative);
  const shift = format.precision + GUARD;
  const scaled = dividend.significand << BigInt(shift);
  const quotient = scaled / divisor.significand;
  const trace = quotient * divisor.significand === scaled ? 0n : 1n;
  const exponent = dividend.exponent - divisor.exponent - shift;
  return round(format, negative, exponent, quotient | trace, env, kept(format, env));
}

/** The largest integer whose square is not above a number of at most 140 bits. */
export function integerRoot(value: bigint): bigint {
  if (value === 0n) return 0n;
  const guess = BigInt(Math.floor(Math.sqrt(Number(value))));
  // Of 53 right bits one step of Newton's method makes more than there are.
  let root = (guess + value / guess) >> 1n;
  while (root * root > value) root--;
  while ((root + 1n) * (root + 1n) <= value) root++;
  return root;
}

/** The square root of a. */
export function squareRoot(format: Format, a: bigint, env: Environment): bigint {
  const value = operand(format, a, env);
  const nan = nanOf(format, value, value, env);
  if (nan !== undefined) return nan;
  if (value.kind === "zero") return zero(format, value.negative);
  if (value.negative) return invalid(format, env);
  if (meetsDenormal(env, value)) return 0n;
  if (value.kind === "infinity") return infinity(format, false);
  const least = 2 * (format.precision + GUARD) - bitLength(value.significand);
  const shift = (value.exponent - least) % 2 === 0 ? least : least + 1;
  const scaled = value.significand << BigInt(shift);
  const root = integerRoot(scaled);
  const trace = root * root === scaled ? 0n : 1n;
  return round(format, false, (value.exponent - shift) / 2, root | trace, env, kept(format, env));
}
