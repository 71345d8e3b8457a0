/**
 * Products and quotients of 128 bits in WebAssembly's 64: from halves of 32 bits, as on paper.
 * Spec: SDM Vol. 2B, "MUL—Unsigned Multiply"; Vol. 2A, "DIV—Unsigned Divide". Knuth, "The Art of Computer Programming",
 * Vol. 2, section 4.3.1 "The Classical Algorithms".
 */
import {
  add,
  and,
  below,
  binary,
  type Code,
  type Expr,
  eq,
  i32,
  i64,
  isZero,
  mul,
  ne,
  or,
  select,
  shl,
  shr,
  sub,
  unary,
  xor,
} from "../code.js";

const LOW = i64(0xffff_ffffn);

/** The upper 64 bits of an unsigned product of two 64-bit values. */
export function highProduct(c: Code, a: Expr, b: Expr): Expr {
  const [aLow, aHigh] = [c.let(and(a, LOW)), c.let(shr(a, i32(32)))];
  const [bLow, bHigh] = [c.let(and(b, LOW)), c.let(shr(b, i32(32)))];
  const middle = c.let(add(mul(aHigh, bLow), shr(mul(aLow, bLow), i32(32))));
  const other = c.let(add(mul(aLow, bHigh), and(middle, LOW)));
  return c.let(add(mul(aHigh, bHigh), add(shr(middle, i32(32)), shr(other, i32(32)))));
}

/** The same of a signed product. */
export function highSignedProduct(c: Code, a: Expr, b: Expr): Expr {
  const high = highProduct(c, a, b);
  const correction = add(
    select(binary("lt_s", a, i64(0n)), b, i64(0n)),
    select(binary("lt_s", b, i64(0n)), a, i64(0n)),
  );
  return c.let(sub(high, correction));
}

/**
 * Quotient and remainder of 128 bits by 64, unsigned, where the quotient has 64 bits: `high` is below the divisor. Both are
 * made normal first: the divisor's top bit is set.
 */
export function divideWide(c: Code, high: Expr, low: Expr, divisor: Expr): { quotient: Expr; remainder: Expr } {
  const shift = c.let(unary("i64.clz", divisor));
  const by = c.let(shl(divisor, shift));
  const [byHigh, byLow] = [c.let(shr(by, i32(32))), c.let(and(by, LOW))];
  // A shift by 64 is one by 0 in WebAssembly.
  const carried = select(ne(shift, i64(0n)), shr(low, sub(i64(64n), shift)), i64(0n));
  const rest = c.variable(or(shl(high, shift), carried));
  const below64 = c.let(shl(low, shift));
  const digit = (next: Expr): Expr => {
    const quotient = c.variable(binary("div_u", rest.value, byHigh));
    const left = c.variable(sub(rest.value, mul(quotient.value, byHigh)));
    const tooMuch = (): Expr =>
      or(
        ne(shr(quotient.value, i32(32)), i64(0n)),
        below(or(shl(left.value, i32(32)), next), mul(quotient.value, byLow)),
      );
    const lessen = (): void => {
      quotient.set(sub(quotient.value, i64(1n)));
      left.set(add(left.value, byHigh));
    };
    c.if(tooMuch(), () => {
      lessen();
      // The second time only while the remainder still is one digit.
      c.if(and(isZero(shr(left.value, i32(32))), tooMuch()), lessen);
    });
    rest.set(sub(or(shl(rest.value, i32(32)), next), mul(quotient.value, by)));
    return quotient.value;
  };
  const first = c.let(digit(c.let(shr(below64, i32(32)))));
  const second = c.let(digit(c.let(and(below64, LOW))));
  return { quotient: c.let(or(shl(first, i32(32)), second)), remainder: c.let(shr(rest.value, shift)) };
}

/** The absolute value of 128 bits. */
export function absolute(c: Code, high: Expr, low: Expr): { high: Expr; low: Expr; negative: Expr } {
  const negative = c.let(binary("lt_s", high, i64(0n)));
  const flippedLow = c.let(sub(i64(0n), low));
  const flippedHigh = c.let(sub(xor(high, i64(-1n)), select(eq(low, i64(0n)), i64(-1n), i64(0n))));
  return { high: c.let(select(negative, flippedHigh, high)), low: c.let(select(negative, flippedLow, low)), negative };
}
