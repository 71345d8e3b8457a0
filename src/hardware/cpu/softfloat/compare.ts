/**
 * Comparing, and the minimum and maximum of SSE.
 * Spec: SDM Vol. 2A, FCOM, FUCOM, COMISS, UCOMISS, CMPSS, MAXSS, MINSS.
 */
import { meetsDenormal, operand } from "./arithmetic.js";
import { type Environment, EXCEPTION } from "./environment.js";
import { type Format, isNan, type Unpacked } from "./format.js";
import { forgetDenormal } from "./nan.js";

/** How one number stands to another. */
export const ORDER = { less: -1, equal: 0, greater: 1, unordered: 2 } as const;
export type Order = (typeof ORDER)[keyof typeof ORDER];

function magnitudes(a: Unpacked, b: Unpacked): Order {
  if (a.kind === b.kind && a.kind !== "finite") return ORDER.equal;
  if (a.kind === "infinity" || b.kind === "zero") return ORDER.greater;
  if (b.kind === "infinity" || a.kind === "zero") return ORDER.less;
  if (a.exponent !== b.exponent) return a.exponent < b.exponent ? ORDER.less : ORDER.greater;
  if (a.significand === b.significand) return ORDER.equal;
  return a.significand < b.significand ? ORDER.less : ORDER.greater;
}

function orderOf(a: Unpacked, b: Unpacked): Order {
  if (a.kind === "zero" && b.kind === "zero") return ORDER.equal;
  if (a.negative !== b.negative) return a.negative ? ORDER.less : ORDER.greater;
  return a.negative ? magnitudes(b, a) : magnitudes(a, b);
}

const isUnordered = (value: Unpacked): boolean => isNan(value) || value.kind === "unsupported";
const isInvalid = ({ kind }: Unpacked): boolean => kind === "signaling" || kind === "unsupported";

/** Compares a with b. A NaN is an invalid operand; with `quiet` only a signaling one is. */
export function compare(format: Format, a: bigint, b: bigint, env: Environment, quiet: boolean): Order {
  const left = operand(format, a, env);
  const right = operand(format, b, env);
  if (isUnordered(left) || isUnordered(right)) {
    forgetDenormal(env);
    if (!quiet || isInvalid(left) || isInvalid(right)) env.flags |= EXCEPTION.INVALID;
    return ORDER.unordered;
  }
  meetsDenormal(env, left, right);
  return orderOf(left, right);
}

/** The lesser of a and b, as MINSS has it: b where either is a NaN, which is invalid, and where both are zero. */
export function minimum(format: Format, a: bigint, b: bigint, env: Environment): bigint {
  return compare(format, a, b, env, false) === ORDER.less ? a : b;
}

/** The greater of a and b, as MAXSS has it: b where either is a NaN, which is invalid, and where both are zero. */
export function maximum(format: Format, a: bigint, b: bigint, env: Environment): bigint {
  return compare(format, a, b, env, false) === ORDER.greater ? a : b;
}
