/** EFLAGS in generated code: how conditions and the register follow from the words of `layout.ts`, and these from it. */
import { add, and, i32, isZero, or, shl, shr, unary, xor } from "../isa/code.js";
import type { Frame } from "./handler.js";
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
