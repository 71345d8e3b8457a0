/** EFLAGS in generated code: how conditions and the register follow from the words of `layout.ts`, and these from it. */
import { add, and, type FlagSource, i32, isZero, narrow, or, shl, shr, truth, unary, xor } from "../isa/code.js";
import type { Frame } from "./dispatch.js";
import type { Handler } from "./handler.js";
import { EFLAGS_REST } from "./layout.js";
import { type Expr, type Local, load } from "./wasm.js";

/** Truth value of condition 0 to 15. Spec: SDM Vol. 1, "EFLAGS Condition Codes". */
export function condition({ result, sign, carry, carries }: Frame, code: number): Expr {
  const overflow = (): Expr => xor(shr(carries, i32(31)), carry);
  const lessThan = (): Expr => xor(shr(xor(sign, carries), i32(31)), carry);
  const base = [
    overflow,
    (): Expr => carry,
    (): Expr => isZero(result),
    (): Expr => or(carry, isZero(result)),
    (): Expr => shr(sign, i32(31)),
    (): Expr => isZero(and(unary("i32.popcnt", and(sign, i32(0xff))), i32(1))),
    lessThan,
    (): Expr => or(lessThan(), isZero(result)),
  ][code >> 1]!();
  return (code & 1) === 0 ? base : isZero(base);
}

/** All of EFLAGS. */
export function eflags(frame: Frame): Expr {
  const { result, sign, carry, carries } = frame;
  const at = (bit: Expr, position: number): Expr => shl(bit, i32(position));
  return [
    carry,
    i32(2),
    at(condition(frame, 10), 2),
    and(carries, i32(16)),
    at(isZero(result), 6),
    at(shr(sign, i32(31)), 7),
    at(xor(shr(carries, i32(31)), carry), 11),
    load("i32", i32(EFLAGS_REST)),
  ].reduce((a, b) => or(a, b));
}

/** Sets the arithmetic flags, all of them, from a value of EFLAGS. */
export function setArithmeticFlags({ body, result, sign, carry, carries }: Frame, value: Local): void {
  body.set(carry, and(value, i32(1)));
  body.set(carries, or(and(value, i32(16)), shl(xor(and(shr(value, i32(11)), i32(1)), carry), i32(31))));
  body.set(result, isZero(and(value, i32(64))));
  body.set(sign, add(shl(and(value, i32(128)), i32(24)), isZero(and(value, i32(4)))));
}

/** What of the carries of 64 bits is kept: bit 63 as bit 31, and bit 4. */
const folded = (carries: Expr): Expr =>
  carries.type === "i64"
    ? or(and(narrow(shr(carries, i32(32))), i32(-0x80000000)), and(narrow(carries), i32(16)))
    : carries;

/** Sets flags from what an operation made; those whose source is absent stay. */
export function setFlags(handler: Handler, { result, carry, carries }: FlagSource): void {
  const { frame } = handler;
  const { body } = frame;
  // All are evaluated before any is set: the new ones may be written in terms of the old.
  const values = [carry && narrow(carry), carries && folded(carries)].map((value) => value && handler.let(value));
  if (result?.type === "i64") {
    const wide = handler.let(result);
    body.set(frame.sign, or(and(narrow(shr(wide, i32(32))), i32(-0x80000000)), and(narrow(wide), i32(0xff))));
    body.set(frame.result, truth(wide));
  } else if (result) {
    body.set(frame.sign, result);
    body.set(frame.result, frame.sign);
  }
  if (values[0]) body.set(frame.carry, values[0]);
  if (values[1]) body.set(frame.carries, values[1]);
}

/** Sets SF, ZF, AF, PF and CF from the low byte of EFLAGS; OF stays. */
export function setLowFlags(handler: Handler, value: Expr): void {
  const { frame } = handler;
  const { body } = frame;
  const bits = handler.let(value);
  const overflow = handler.let(xor(shr(frame.carries, i32(31)), frame.carry));
  body.set(frame.carry, and(bits, i32(1)));
  body.set(frame.carries, or(and(bits, i32(16)), shl(xor(overflow, frame.carry), i32(31))));
  body.set(frame.result, isZero(and(bits, i32(64))));
  body.set(frame.sign, or(shl(and(bits, i32(128)), i32(24)), isZero(and(bits, i32(4)))));
}
