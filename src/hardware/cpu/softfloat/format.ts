/**
 * The floating-point formats as bit patterns, and a pattern taken apart. The 80-bit format has its integer bit in the
 * pattern, so it has encodings that no other has: pseudo-denormals, and unnormals and the like, which are unsupported.
 * Spec: SDM Vol. 1, "Floating-Point Data Types", "Unsupported Double Extended-Precision Floating-Point Encodings and
 * Pseudo-Denormals".
 */

export interface Format {
  /** Bits of a pattern. */
  readonly width: 32 | 64 | 80;
  /** Bits of the significand, with the integer bit. */
  readonly precision: 24 | 53 | 64;
  readonly bias: number;
  /** Biased exponent of infinities and NaNs. */
  readonly maxExponent: number;
  /** Exponent of the smallest normal number. */
  readonly minNormal: number;
  /** Added to the exponent of a tiny result, taken from that of a large one, where a handler is to see the digits. */
  readonly exponentAdjust: number;
  /** The integer bit stands in the pattern. */
  readonly explicit: boolean;
  /** Bits of a pattern below the exponent. */
  readonly fieldWidth: bigint;
  readonly fieldMask: bigint;
  readonly integerBit: bigint;
  readonly quietBit: bigint;
  /** Bits below the integer bit. */
  readonly fractionMask: bigint;
  readonly signBit: bigint;
  readonly infinity: bigint;
  /** The quiet NaN that stands for an invalid operation: "real indefinite". */
  readonly indefinite: bigint;
}

function formatOf(width: Format["width"], precision: Format["precision"]): Format {
  const explicit = width === 80;
  const fieldWidth = BigInt(explicit ? 64 : precision - 1);
  const maxExponent = 2 ** (width - 1 - Number(fieldWidth)) - 1;
  const bias = (maxExponent - 1) / 2;
  const integerBit = 1n << BigInt(precision - 1);
  const signBit = 1n << BigInt(width - 1);
  const infinity = (BigInt(maxExponent) << fieldWidth) | (explicit ? integerBit : 0n);
  return Object.freeze({
    width,
    precision,
    bias,
    maxExponent,
    minNormal: 1 - bias,
    exponentAdjust: 3 * ((maxExponent + 1) / 4),
    explicit,
    fieldWidth,
    fieldMask: (1n << fieldWidth) - 1n,
    integerBit,
    quietBit: integerBit >> 1n,
    fractionMask: integerBit - 1n,
    signBit,
    infinity,
    indefinite: signBit | infinity | (integerBit >> 1n),
  });
}

/** binary32, binary64 and x87's double extended precision. */
export const SINGLE: Format = formatOf(32, 24);
export const DOUBLE: Format = formatOf(64, 53);
export const EXTENDED: Format = formatOf(80, 64);

export type Kind = "zero" | "finite" | "infinity" | "quiet" | "signaling" | "unsupported";

/** A pattern taken apart. */
export interface Unpacked {
  readonly kind: Kind;
  readonly negative: boolean;
  /** The number is significand * 2^exponent, and the significand has as many bits as the format. Of NaNs it is as it stands. */
  readonly exponent: number;
  readonly significand: bigint;
  /** The exponent field is zero and the number is not. */
  readonly denormal: boolean;
}

const float64 = new Float64Array(1);
const float64Words = new Uint32Array(float64.buffer);

/** Bits of a positive number below 2^1023. */
export function bitLength(value: bigint): number {
  float64[0] = Number(value);
  const length = (float64Words[1]! >>> 20) - 1022;
  // The conversion may have rounded up to a power of two.
  return value >> BigInt(length - 1) === 0n ? length - 1 : length;
}

/** Takes a pattern apart. */
export function unpack(format: Format, bits: bigint): Unpacked {
  const field = bits & format.fieldMask;
  const top = Number(bits >> format.fieldWidth);
  const negative = top > format.maxExponent;
  const biased = top & format.maxExponent;
  if (biased === format.maxExponent) return unpackSpecial(format, negative, field);
  if (biased === 0) {
    if (field === 0n) return { kind: "zero", negative, exponent: 0, significand: 0n, denormal: false };
    const shift = format.precision - bitLength(field);
    const exponent = format.minNormal - (format.precision - 1) - shift;
    return { kind: "finite", negative, exponent, significand: field << BigInt(shift), denormal: true };
  }
  const significand = format.explicit ? field : field | format.integerBit;
  const kind = (significand & format.integerBit) === 0n ? "unsupported" : "finite";
  return { kind, negative, exponent: biased - format.bias - (format.precision - 1), significand, denormal: false };
}

function unpackSpecial(format: Format, negative: boolean, field: bigint): Unpacked {
  const fraction = field & format.fractionMask;
  const lacksInteger = format.explicit && (field & format.integerBit) === 0n;
  const nan = (fraction & format.quietBit) !== 0n ? "quiet" : "signaling";
  const kind = lacksInteger ? "unsupported" : fraction === 0n ? "infinity" : nan;
  return { kind, negative, exponent: 0, significand: fraction | format.integerBit, denormal: false };
}

export const isNan = ({ kind }: Unpacked): boolean => kind === "quiet" || kind === "signaling";

export const signOf = (format: Format, negative: boolean): bigint => (negative ? format.signBit : 0n);
export const zero = signOf;
export const infinity = (format: Format, negative: boolean): bigint => signOf(format, negative) | format.infinity;

/** The quiet NaN of a significand. */
export const quietNaN = (format: Format, negative: boolean, significand: bigint): bigint =>
  signOf(format, negative) | format.infinity | format.quietBit | (significand & format.fractionMask);
