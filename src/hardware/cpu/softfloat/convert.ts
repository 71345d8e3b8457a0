/**
 * Conversions between formats, to and from integers, and rounding to an integral value.
 * Spec: SDM Vol. 1, "Floating-Point Data Types", "BCD and Packed BCD Integers"; Vol. 2A, FBLD, FBSTP, FILD, FIST, FLD, FRNDINT, FST, CVTSD2SI.
 */
import { meetsDenormal, operand } from "./arithmetic.js";
import { type Environment, EXCEPTION } from "./environment.js";
import { bitLength, type Format, infinity, isNan, quietNaN, type Unpacked, unpack, zero } from "./format.js";
import { invalid, nanOf } from "./nan.js";
import { round, roundAt } from "./round.js";

/** A NaN of one format in another, its significand cut or filled up at the low end. */
function moveSignificand(from: Format, to: Format, significand: bigint): bigint {
  const fraction = significand & from.fractionMask;
  const more = to.precision - from.precision;
  return more >= 0 ? fraction << BigInt(more) : fraction >> BigInt(-more);
}

function convertUnpacked(from: Format, to: Format, value: Unpacked, env: Environment): bigint {
  switch (value.kind) {
    case "unsupported":
      return invalid(to, env);
    case "zero":
      return zero(to, value.negative);
    case "infinity":
      return infinity(to, value.negative);
    case "finite":
      return round(to, value.negative, value.exponent, value.significand, env);
    default:
      if (value.kind === "signaling") env.flags |= EXCEPTION.INVALID;
      return quietNaN(to, value.negative, moveSignificand(from, to, value.significand));
  }
}

/** A number of one format in another: FLD, CVTSS2SD, CVTSD2SS. */
export function convert(from: Format, to: Format, bits: bigint, env: Environment): bigint {
  const value = operand(from, bits, env);
  meetsDenormal(env, value);
  return convertUnpacked(from, to, value, env);
}

/** The same, where a denormal operand is none to speak of: FST. */
export function narrow(from: Format, to: Format, bits: bigint, env: Environment): bigint {
  return convertUnpacked(from, to, unpack(from, bits), env);
}

/** A number of a narrower format in a wider one, still signaling if it is a signaling NaN: operands in memory. */
export function widen(from: Format, to: Format, bits: bigint, env: Environment): bigint {
  const value = unpack(from, bits);
  if (value.denormal) env.flags |= EXCEPTION.DENORMAL;
  if (!isNan(value)) return convertUnpacked(from, to, value, env);
  const moved = quietNaN(to, value.negative, moveSignificand(from, to, value.significand));
  return value.kind === "signaling" ? moved & ~to.quietBit : moved;
}

/** A signed integer in a format. */
export function fromInteger(format: Format, value: bigint, env: Environment): bigint {
  if (value === 0n) return zero(format, false);
  return round(format, value < 0n, 0, value < 0n ? -value : value, env);
}

/** Far below the point it does not matter how far. */
const MOST_PLACES = 80;

/** The magnitude of a finite number as an integer; undefined where it has more than 80 bits. */
function roundMagnitude({ exponent, significand, negative }: Unpacked, env: Environment): bigint | undefined {
  if (exponent + bitLength(significand) > 80) return undefined;
  const magnitude = roundAt(significand, Math.min(-exponent, MOST_PLACES), negative, env);
  const isExact = exponent >= 0 || (-exponent <= MOST_PLACES && magnitude << BigInt(-exponent) === significand);
  if (!isExact) env.flags |= EXCEPTION.PRECISION;
  return magnitude;
}

/** Gives up on an integer: only that is reported. */
function outOfRange(env: Environment): void {
  env.flags = (env.flags & ~EXCEPTION.PRECISION) | EXCEPTION.INVALID;
  env.roundedUp = false;
}

/** The magnitude of a number as an integer; undefined where it has none or too large a one. */
function wholeMagnitude(value: Unpacked, env: Environment): bigint | undefined {
  if (value.kind === "zero") return 0n;
  return value.kind === "finite" ? roundMagnitude(value, env) : undefined;
}

/**
 * A signed integer of `width` bits, as FIST and CVTSD2SI make one; what is none or does not fit is invalid and gives the
 * smallest. Denormal operands are not reported.
 */
export function toInteger(format: Format, bits: bigint, width: 16 | 32 | 64, env: Environment): bigint {
  const value = operand(format, bits, env);
  const magnitude = wholeMagnitude(value, env);
  if (magnitude !== undefined) {
    const whole = value.negative ? -magnitude : magnitude;
    if (BigInt.asIntN(width, whole) === whole) return whole;
  }
  outOfRange(env);
  return -(1n << BigInt(width - 1));
}

/** The integral number next to a number: FRNDINT and ROUNDSD. SSE does not report denormal operands here. */
export function roundToIntegral(format: Format, bits: bigint, env: Environment): bigint {
  const value = operand(format, bits, env);
  const nan = nanOf(format, value, value, env);
  if (nan !== undefined) return nan;
  if (value.kind === "zero") return zero(format, value.negative);
  if (env.unit === "x87" && value.kind === "finite" && meetsDenormal(env, value)) return 0n;
  if (value.kind === "infinity" || value.exponent >= 0) return bits;
  const magnitude = roundMagnitude(value, env)!;
  if (magnitude === 0n) return zero(format, value.negative);
  const { roundedUp } = env;
  const whole = round(format, value.negative, 0, magnitude, env);
  env.roundedUp = roundedUp;
  return whole;
}

const DECIMAL_DIGITS = 18;
const DECIMAL_SIGN = 1n << 79n;
/** What stands for a number that has no packed BCD form. */
const DECIMAL_INDEFINITE = 0xffffc000000000000000n;

/** Packed BCD of 18 digits, as FBSTP makes it; what does not fit is invalid and gives the indefinite. */
export function toDecimal(format: Format, bits: bigint, env: Environment): bigint {
  const value = unpack(format, bits);
  const magnitude = wholeMagnitude(value, env);
  if (magnitude === undefined || magnitude >= 10n ** BigInt(DECIMAL_DIGITS)) {
    outOfRange(env);
    return DECIMAL_INDEFINITE;
  }
  // A decimal numeral read as a hexadecimal one is packed BCD.
  return BigInt(`0x${magnitude}`) | (value.negative ? DECIMAL_SIGN : 0n);
}

/** The number in packed BCD. Digits above 9 count for what they are. */
export function fromDecimal(format: Format, packed: bigint, env: Environment): bigint {
  const negative = (packed & DECIMAL_SIGN) !== 0n;
  let magnitude = 0n;
  for (let digit = DECIMAL_DIGITS - 1; digit >= 0; digit--)
    magnitude = magnitude * 10n + ((packed >> BigInt(4 * digit)) & 15n);
  return magnitude === 0n ? zero(format, negative) : round(format, negative, 0, magnitude, env);
}
