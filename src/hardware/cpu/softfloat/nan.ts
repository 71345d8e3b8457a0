/**
 * Which NaN an operation gives.
 * Spec: SDM Vol. 1, "Operating on SNaNs and QNaNs", tables "Rules for Handling NaNs" and "Masked Responses to the Invalid
 * Arithmetic Operation".
 */
import { type Environment, EXCEPTION } from "./environment.js";
import { type Format, isNan, quietNaN, type Unpacked } from "./format.js";

/** An invalid operation. */
export function invalid(format: Format, env: Environment): bigint {
  env.flags |= EXCEPTION.INVALID;
  return format.indefinite;
}

const quieted = (format: Format, { negative, significand }: Unpacked): bigint =>
  quietNaN(format, negative, significand);

/** x87 prefers a quiet NaN to a signaling one, then the larger significand, then the positive sign. */
function larger(a: Unpacked, b: Unpacked): Unpacked {
  if (!isNan(b)) return a;
  if (!isNan(a)) return b;
  if (a.kind !== b.kind) return a.kind === "quiet" ? a : b;
  if (a.significand !== b.significand) return a.significand > b.significand ? a : b;
  return a.negative ? b : a;
}

const first = (a: Unpacked, b: Unpacked): Unpacked => (isNan(a) ? a : b);

/** Beside a NaN a denormal operand is not reported, which one that was widened has been already. */
export function forgetDenormal(env: Environment): void {
  env.flags &= ~EXCEPTION.DENORMAL;
}

/** The result of an operation of which an operand is a NaN or unsupported; undefined if none is. */
export function nanOf(format: Format, a: Unpacked, b: Unpacked, env: Environment): bigint | undefined {
  const isUnsupported = a.kind === "unsupported" || b.kind === "unsupported";
  if (!isUnsupported && !isNan(a) && !isNan(b)) return undefined;
  forgetDenormal(env);
  if (isUnsupported) return invalid(format, env);
  if (a.kind === "signaling" || b.kind === "signaling") env.flags |= EXCEPTION.INVALID;
  return quieted(format, env.unit === "x87" ? larger(a, b) : first(a, b));
}
