/**
 * Scaling by powers of two, taking exponent and significand apart, and remainders.
 * Spec: SDM Vol. 2A, FPREM, FPREM1, FSCALE, FXTRACT.
 */
import { meetsDenormal, operand } from "./arithmetic.js";
import { fromInteger } from "./convert.js";
import { type Environment, EXCEPTION } from "./environment.js";
import { type Format, infinity, type Unpacked, zero } from "./format.js";
import { invalid, nanOf } from "./nan.js";
import { round } from "./round.js";

/** Beyond any difference of exponents. */
const MOST_SCALE = 0x10000;

/** A finite number without its fraction, as far as it can matter to exponents. */
function truncated({ exponent, significand, negative, kind }: Unpacked, precision: number): number {
  if (kind === "zero" || exponent <= -precision) return 0;
  const isHuge = exponent + precision > 17;
  const magnitude = isHuge ? MOST_SCALE : Number(significand >> BigInt(-exponent));
  return negative ? -magnitude : magnitude;
}

/** a * 2^b, b without its fraction. */
export function scale(format: Format, a: bigint, b: bigint, env: Environment): bigint {
  const value = operand(format, a, env);
  const by = operand(format, b, env);
  const nan = nanOf(format, value, by, env);
  if (nan !== undefined) return nan;
  if (by.kind === "infinity") {
    if (value.kind === (by.negative ? "infinity" : "zero")) return invalid(format, env);
    if (meetsDenormal(env, value)) return 0n;
    return by.negative ? zero(format, value.negative) : infinity(format, value.negative);
  }
  if (meetsDenormal(env, value, by)) return 0n;
  if (value.kind !== "finite") return a;
  const exponent = value.exponent + truncated(by, format.precision);
  return round(format, value.negative, exponent, value.significand, env);
}

/** A number's exponent, and its significand as a number between 1 and 2 of the same sign. */
export interface Extracted {
  readonly exponent: bigint;
  readonly significand: bigint;
}

/** Takes a number apart; a zero has the exponent minus infinity, as division by it has. */
export function extract(format: Format, bits: bigint, env: Environment): Extracted {
  const value = operand(format, bits, env);
  const nan = nanOf(format, value, value, env);
  if (nan !== undefined) return { exponent: nan, significand: nan };
  if (value.kind === "zero") {
    env.flags |= EXCEPTION.ZERO_DIVIDE;
    return { exponent: infinity(format, true), significand: bits };
  }
  if (value.kind === "infinity") return { exponent: infinity(format, false), significand: bits };
  meetsDenormal(env, value);
  const below = format.precision - 1;
  return {
    exponent: fromInteger(format, BigInt(value.exponent + below), env),
    significand: round(format, value.negative, -below, value.significand, env),
  };
}

export interface Remainder {
  readonly bits: bigint;
  /** "partial" where only a part of the work was done, "none" where the operands have no quotient. */
  readonly quotient: bigint | "partial" | "none";
}

/** Bits of the quotient that one instruction finds at the most. */
const MOST_QUOTIENT_BITS = 64;

/**
 * What is left of a when b is taken off as often as it goes in: rounded towards zero, or to nearest. Where the exponents are far
 * apart, some multiple of b is taken off that makes a smaller, and the same is to be done again.
 */
export function remainder(format: Format, a: bigint, b: bigint, env: Environment, nearest: boolean): Remainder {
  const dividend = operand(format, a, env);
  const divisor = operand(format, b, env);
  const nan = nanOf(format, dividend, divisor, env);
  const done = (bits: bigint, quotient = 0n): Remainder => ({ bits, quotient });
  if (nan !== undefined) return { bits: nan, quotient: "none" };
  if (dividend.kind === "infinity" || divisor.kind === "zero") return { bits: invalid(format, env), quotient: "none" };
  if (meetsDenormal(env, dividend, divisor)) return done(0n);
  if (dividend.kind === "zero") return done(a);
  if (divisor.kind === "infinity")
    return done(round(format, dividend.negative, dividend.exponent, dividend.significand, env));
  const distance = dividend.exponent - divisor.exponent;
  if (distance >= MOST_QUOTIENT_BITS) {
    const part = BigInt(32 + (distance & 31));
    const rest = (dividend.significand << part) % divisor.significand;
    const bits = rounded(format, dividend.negative, dividend.exponent - Number(part), rest, env);
    return { bits, quotient: "partial" };
  }
  // Both in units of the smaller exponent.
  const unit = Math.min(dividend.exponent, divisor.exponent);
  if (distance < -1) return done(round(format, dividend.negative, dividend.exponent, dividend.significand, env));
  const whole = dividend.significand << BigInt(dividend.exponent - unit);
  const step = divisor.significand << BigInt(divisor.exponent - unit);
  let quotient = whole / step;
  let rest = whole - quotient * step;
  let { negative } = dividend;
  if (nearest && (2n * rest > step || (2n * rest === step && (quotient & 1n) === 1n))) {
    quotient++;
    rest = step - rest;
    negative = !negative;
  }
  return done(rest === 0n ? zero(format, dividend.negative) : round(format, negative, unit, rest, env), quotient);
}

const rounded = (format: Format, negative: boolean, exponent: number, significand: bigint, env: Environment): bigint =>
  significand === 0n ? zero(format, negative) : round(format, negative, exponent, significand, env);
