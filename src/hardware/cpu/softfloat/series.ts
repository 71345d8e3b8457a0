/**
 * Elementary functions of fixed-point numbers: bigints with `w` bits below the point. Series are summed until their terms
 * vanish; each term loses less than one unit, so of some hundred units the last eight bits are not to be relied on.
 * Spec: NIST Digital Library of Mathematical Functions, 4.6 "Power Series" (logarithm, exponential), 4.19 and 4.24
 * (circular functions and their inverses).
 */

/** value * 2^places, without what falls below the point. */
export const shifted = (value: bigint, places: number): bigint =>
  places >= 0 ? value << BigInt(places) : value >> BigInt(-places);

const times = (a: bigint, b: bigint, w: number): bigint => (a * b) >> BigInt(w);

/** Sums `first` and what `next` makes of each term in turn, by its number from 1 on. */
function sum(first: bigint, next: (term: bigint, number: bigint) => bigint): bigint {
  let total = first;
  let term = first;
  // A negative term is shifted to -1 and never to 0.
  for (let number = 1n; term !== 0n && term !== -1n; number++) {
    term = next(term, number);
    total += term;
  }
  return total;
}

/** The sum of x^(2n+1) / (2n+1), with alternating signs or without: arctangent, area hyperbolic tangent. */
function oddPowers(x: bigint, w: number, sign: 1n | -1n): bigint {
  const square = sign * times(x, x, w);
  let power = x;
  let total = x;
  for (let odd = 3n; power !== 0n && power !== -1n; odd += 2n) {
    power = times(power, square, w);
    total += power / odd;
  }
  return total;
}

/** atanh x; x is small. */
export const areaTangent = (x: bigint, w: number): bigint => oddPowers(x, w, 1n);

/** e^x - 1, of an x around 0. */
export const exponentialMinusOne = (x: bigint, w: number): bigint =>
  sum(x, (term, number) => times(term, x, w) / (number + 1n));

/** sin x, of an x around 0. */
export function sine(x: bigint, w: number): bigint {
  const square = times(x, x, w);
  return sum(x, (term, number) => -times(term, square, w) / (2n * number * (2n * number + 1n)));
}

/** cos x, of an x around 0. */
export function cosine(x: bigint, w: number): bigint {
  const square = times(x, x, w);
  return sum(1n << BigInt(w), (term, number) => -times(term, square, w) / (2n * number * (2n * number - 1n)));
}

/** atan x for an x between 0 and 1, by Euler's series, which converges as (x^2 / (1 + x^2))^n. */
export function arcTangent(x: bigint, w: number): bigint {
  const one = 1n << BigInt(w);
  if (2n * x > one) return piOf(w) / 4n - arcTangent(((one - x) << BigInt(w)) / (one + x), w);
  const square = times(x, x, w);
  const ratio = (square << BigInt(w)) / (one + square);
  const first = (x << BigInt(w)) / (one + square);
  return sum(first, (term, number) => (times(term, ratio, w) * 2n * number) / (2n * number + 1n));
}

/** Bits of the constants: for arguments up to 2^64 and results down to 2^-64 more than enough. */
const WIDE = 512;
const inverse = (n: number): bigint => (1n << BigInt(WIDE)) / BigInt(n);

function lazily(compute: () => bigint): (w: number) => bigint {
  let value: bigint | undefined;
  return (w) => {
    value ??= compute();
    return value >> BigInt(WIDE - w);
  };
}

/** pi, by Machin's formula. */
export const piOf = lazily(() => 16n * oddPowers(inverse(5), WIDE, -1n) - 4n * oddPowers(inverse(239), WIDE, -1n));
/** The natural logarithm of 2. */
export const logarithmOf2 = lazily(() => 2n * areaTangent(inverse(3), WIDE));
