/**
 * Rounding of exact results into a format, with what becomes of results that are too large or too small.
 * Spec: SDM Vol. 1, "Rounding", "Numeric Overflow Exception (#O)", "Numeric Underflow Exception (#U)", "Inexact-Result
 * (Precision) Exception (#P)".
 */
import { type Environment, EXCEPTION, ROUNDING, type Rounding } from "./environment.js";
import { bitLength, type Format, infinity, signOf, zero } from "./format.js";

/** Whether a value that lies between two neighbours becomes the one of larger magnitude. `rest` is what lies above the lower one, in units of 1 / `unit`. */
function roundsUp(rounding: Rounding, negative: boolean, odd: boolean, rest: bigint, unit: bigint): boolean {
  switch (rounding) {
    case ROUNDING.nearest: {
      const twice = rest << 1n;
      return twice > unit || (twice === unit && odd);
    }
    case ROUNDING.down:
      return negative;
    case ROUNDING.up:
      return !negative;
    default:
      return false;
  }
}

/**
 * The integer that significand / 2^shift is rounded to, where shift may be negative. Notes in `env` whether the magnitude
 * grew; it does not raise an exception.
 */
export function roundAt(significand: bigint, shift: number, negative: boolean, env: Environment): bigint {
  env.roundedUp = false;
  if (shift <= 0) return significand << BigInt(-shift);
  const places = BigInt(shift);
  const below = significand >> places;
  const rest = significand - (below << places);
  if (rest === 0n) return below;
  env.roundedUp = roundsUp(env.rounding, negative, (below & 1n) === 1n, rest, 1n << places);
  return env.roundedUp ? below + 1n : below;
}

const isExact = (significand: bigint, shift: number): boolean =>
  shift <= 0 || BigInt.asUintN(shift, significand) === 0n;

/**
 * The pattern of significand * 2^exponent, where the significand is positive and has its lowest bit set if anything of
 * the number lies below it. `precision` says how many bits of the significand are kept.
 */
export function round(
  format: Format,
  negative: boolean,
  exponent: number,
  significand: bigint,
  env: Environment,
  precision: number = format.precision,
): bigint {
  const leading = exponent + bitLength(significand) - 1;
  if (leading < format.minNormal && isTiny(format, negative, leading, exponent, significand, env, precision))
    return roundTiny(format, negative, leading, exponent, significand, env, precision);
  return roundNormal(format, negative, leading, exponent, significand, env, precision);
}

/** Whether the result is below the smallest normal number even when rounded as if exponents had no lower bound. */
function isTiny(
  format: Format,
  negative: boolean,
  leading: number,
  exponent: number,
  significand: bigint,
  env: Environment,
  precision: number,
): boolean {
  if (leading < format.minNormal - 1) return true;
  const rounded = roundAt(significand, leading - (precision - 1) - exponent, negative, env);
  return rounded >> BigInt(precision) === 0n;
}

function roundNormal(
  format: Format,
  negative: boolean,
  leading: number,
  exponent: number,
  significand: bigint,
  env: Environment,
  precision: number,
): bigint {
  // A number that is not tiny only because of its rounding is rounded as a denormal one.
  const last = Math.max(leading, format.minNormal) - (precision - 1);
  const shift = last - exponent;
  let rounded = roundAt(significand, shift, negative, env);
  const inexact = !isExact(significand, shift);
  let biased = Math.max(leading, format.minNormal) + format.bias;
  if (rounded >> BigInt(precision) !== 0n) {
    rounded >>= 1n;
    biased++;
  }
  if (biased >= format.maxExponent) {
    env.flags |= EXCEPTION.OVERFLOW;
    if ((env.masks & EXCEPTION.OVERFLOW) !== 0) return overflow(format, negative, env, precision);
    biased -= format.exponentAdjust;
    if (biased >= format.maxExponent) {
      // Too large even so. SSE has no result then, and says whether the digits were exact.
      if (inexact || env.unit === "x87") env.flags |= EXCEPTION.PRECISION;
      env.roundedUp = true;
      return infinity(format, negative);
    }
  }
  if (inexact) env.flags |= EXCEPTION.PRECISION;
  return pack(format, negative, biased, rounded << BigInt(format.precision - precision));
}

function overflow(format: Format, negative: boolean, env: Environment, precision: number): bigint {
  env.flags |= EXCEPTION.PRECISION;
  const { rounding } = env;
  env.roundedUp = rounding === ROUNDING.nearest || rounding === (negative ? ROUNDING.down : ROUNDING.up);
  if (env.roundedUp) return infinity(format, negative);
  const largest = ((1n << BigInt(precision)) - 1n) << BigInt(format.precision - precision);
  return pack(format, negative, format.maxExponent - 1, largest);
}

function roundTiny(
  format: Format,
  negative: boolean,
  leading: number,
  exponent: number,
  significand: bigint,
  env: Environment,
  precision: number,
): bigint {
  if ((env.masks & EXCEPTION.UNDERFLOW) === 0) {
    env.flags |= EXCEPTION.UNDERFLOW;
    const { exponentAdjust } = format;
    if (leading + exponentAdjust < format.minNormal) {
      // Too small even so; see roundNormal.
      const exact = isExact(significand, leading - (precision - 1) - exponent);
      if (!exact || env.unit === "x87") env.flags |= EXCEPTION.PRECISION;
      env.roundedUp = false;
      return zero(format, negative);
    }
    return roundNormal(
      format,
      negative,
      leading + exponentAdjust,
      exponent + exponentAdjust,
      significand,
      env,
      precision,
    );
  }
  if (env.flushToZero) {
    env.flags |= EXCEPTION.UNDERFLOW | EXCEPTION.PRECISION;
    env.roundedUp = false;
    return zero(format, negative);
  }
  const shift = format.minNormal - (precision - 1) - exponent;
  // Far below the last bit it does not matter how far.
  const far = Math.max(0, shift - bitLength(significand) - 2);
  const rounded = roundAt(significand, shift - far, negative, env);
  if (!isExact(significand, shift)) env.flags |= EXCEPTION.UNDERFLOW | EXCEPTION.PRECISION;
  const whole = rounded << BigInt(format.precision - precision);
  return pack(format, negative, (whole & format.integerBit) === 0n ? 0 : 1, whole);
}

/** A pattern from its parts; the significand has its integer bit unless the number is a denormal. */
const pack = (format: Format, negative: boolean, biased: number, significand: bigint): bigint =>
  signOf(format, negative) | (BigInt(biased) << format.fieldWidth) | (significand & format.fieldMask);

/** A number that is known as one, and so is exact whatever it is rounded to. */
export function roundConstant(format: Format, exponent: number, significand: bigint, env: Environment): bigint {
  const { flags } = env;
  const bits = round(format, false, exponent, significand, env);
  env.flags = flags;
  env.roundedUp = false;
  return bits;
}
