/** Binary and decimal arithmetic. Spec: SDM Vol. 1, "Binary Arithmetic Instructions" and "Decimal Arithmetic Instructions". */
import {
  add,
  and,
  below,
  belowEqual,
  binary,
  type Code,
  type Expr,
  eq,
  i32,
  i64,
  isZero,
  less,
  mul,
  narrow,
  ne,
  or,
  sar,
  select,
  shl,
  shr,
  sub,
  widen,
  widenUnsigned,
  xor,
} from "../code.js";
import { type Definition, define } from "../instruction.js";
import { absolute, divideWide, highProduct, highSignedProduct } from "./wide.js";

const ALL = { written: "OSZAPC" };

/** The eight arithmetic and logic encodings that start at `base` in the opcode map, plus their immediate group. */
export function aluForms(base: number, digit: number): Definition["forms"] {
  const byte = (offset: number): string => (base + offset).toString(16).toUpperCase().padStart(2, "0");
  return [
    [`${byte(0)} /r`, "Eb Gb"],
    [`${byte(1)} /r`, "Ev Gv"],
    [`${byte(2)} /r`, "Gb Eb"],
    [`${byte(3)} /r`, "Gv Ev"],
    [byte(4), "AL Ib"],
    [byte(5), "rAX Iz"],
    [`80 /${digit}`, "Eb Ib"],
    [`82 /${digit}`, "Eb Ib", "not64"],
    [`81 /${digit}`, "Ev Iz"],
    [`83 /${digit}`, "Ev Ibs"],
  ];
}

/** A truth value as wide as the operands. */
const wide = (c: Code, value: Expr): Expr => (c.size === 64 ? widenUnsigned(value) : value);

function sum(c: Code, a: Expr, b: Expr, carryIn?: Expr): void {
  const result = c.let(c.signExtend(carryIn ? add(add(a, b), wide(c, carryIn)) : add(a, b)));
  const carry = c.let(carryIn ? select(carryIn, belowEqual(result, a), below(result, a)) : below(result, a));
  c.write(0, result);
  c.flags({ result, carry, carries: xor(xor(a, b), result) });
}

/** Flags of a - b - borrow; gives the result. */
export function difference(c: Code, a: Expr, b: Expr, borrow?: Expr): { result: Expr; setFlags: () => void } {
  const result = c.let(c.signExtend(borrow ? sub(sub(a, b), wide(c, borrow)) : sub(a, b)));
  const carry = borrow ? select(borrow, belowEqual(a, b), below(a, b)) : below(a, b);
  return { result, setFlags: () => c.flags({ result, carry, carries: xor(xor(a, b), result) }) };
}

function subtract(c: Code, a: Expr, b: Expr, borrow?: Expr): void {
  const { result, setFlags } = difference(c, a, b, borrow);
  c.write(0, result);
  setFlags();
}

/** INC and DEC leave CF alone, so OF is expressed against the CF that stays. */
function bump(c: Code, by: 1 | -1): void {
  const a = c.modify(0);
  const result = c.let(c.signExtend(add(a, i32(by))));
  const wrapped = by === 1 ? isZero(result) : isZero(a);
  const carries = c.let(
    xor(xor(xor(a, i32(1)), result), shl(wide(c, xor(c.carry(), wrapped)), i32(c.size === 64 ? 63 : 31))),
  );
  c.write(0, result);
  c.flags({ result, carries });
}

/** Products: the low half in AL/AX/EAX, the high half in AH/DX/EDX; CF = OF = the high half says something. */
function multiply(c: Code, signed: boolean): void {
  const a = c.register(0, c.size);
  const b = c.read(0);
  const extend = (value: Expr): Expr => (signed ? value : c.zeroExtend(value));
  if (c.size === 64) {
    const low = c.let(mul(a, b));
    const high = signed ? highSignedProduct(c, a, b) : highProduct(c, a, b);
    c.setRegister(0, 64, low);
    c.setRegister(2, 64, high);
    c.flags({ carry: ne(high, signed ? sar(low, i32(63)) : i32(0)), carries: i32(0) });
    return;
  }
  if (c.size === 32) {
    const product = c.let(binary("mul", signed ? widen(a) : widenUnsigned(a), signed ? widen(b) : widenUnsigned(b)));
    const low = c.let(narrow(product));
    const high = c.let(narrow(binary("shr_u", product, i64(32n))));
    c.setRegister(0, 32, low);
    c.setRegister(2, 32, high);
    c.flags({ carry: ne(high, signed ? sar(low, i32(31)) : i32(0)), carries: i32(0) });
    return;
  }
  const product = c.let(mul(extend(a), extend(b)));
  if (c.size === 8) c.setRegister(0, 16, product);
  else {
    c.setRegister(0, 16, product);
    c.setRegister(2, 16, shr(product, i32(16)));
  }
  c.flags({ carry: ne(product, signed ? c.signExtend(product) : c.zeroExtend(product)), carries: i32(0) });
}

function signedProduct(c: Code, a: Expr, b: Expr): void {
  if (c.size === 64) {
    const low = c.let(mul(a, b));
    const high = highSignedProduct(c, a, b);
    c.write(0, low);
    c.flags({ carry: ne(high, sar(low, i32(63))), carries: i32(0) });
    return;
  }
  if (c.size === 32) {
    const product = c.let(binary("mul", widen(a), widen(b)));
    const low = c.let(narrow(product));
    c.write(0, low);
    c.flags({ carry: binary("ne", widen(low), product), carries: i32(0) });
    return;
  }
  const product = c.let(mul(a, b));
  c.write(0, c.signExtend(product));
  c.flags({ carry: ne(product, c.signExtend(product)), carries: i32(0) });
}

const DIVIDE_ERROR = 0;

/** RDX:RAX by 64 bits: as magnitudes, with the signs put on afterwards. */
function divideLong(c: Code, divisor: Expr, signed: boolean): void {
  const [high, low] = [c.register(2, 64), c.register(0, 64)];
  const dividend = signed ? absolute(c, high, low) : { high, low, negative: i32(0) };
  const divisorNegative = c.let(signed ? less(divisor, i64(0n)) : i32(0));
  const by = c.let(select(divisorNegative, sub(i64(0n), divisor), divisor));
  c.if(belowEqual(by, dividend.high), () => c.fault(DIVIDE_ERROR));
  const { quotient, remainder } = divideWide(c, dividend.high, dividend.low, by);
  const negative = c.let(xor(dividend.negative, divisorNegative));
  const result = c.let(select(negative, sub(i64(0n), quotient), quotient));
  // A magnitude of 2^63 has room only with a minus.
  if (signed) c.if(and(ne(quotient, i64(0n)), ne(less(result, i64(0n)), negative)), () => c.fault(DIVIDE_ERROR));
  c.setRegister(0, 64, result);
  c.setRegister(2, 64, c.let(select(dividend.negative, sub(i64(0n), remainder), remainder)));
}

function divide(c: Code, signed: boolean): void {
  const divisor = c.read(0);
  c.if(isZero(divisor), () => c.fault(DIVIDE_ERROR));
  if (c.size === 64) {
    divideLong(c, divisor, signed);
    return;
  }
  if (c.size === 32) {
    const dividend = c.let(
      binary("or", binary("shl", widenUnsigned(c.register(2, 32)), i64(32n)), widenUnsigned(c.register(0, 32))),
    );
    const by = c.let(signed ? widen(divisor) : widenUnsigned(divisor));
    if (signed) {
      // The one quotient WebAssembly cannot represent either: it would trap.
      const lowest = i64(-(1n << 63n));
      c.if(and(binary("eq", by, i64(-1n)), binary("eq", dividend, lowest)), () => c.fault(DIVIDE_ERROR));
    }
    const quotient = c.let(binary(signed ? "div_s" : "div_u", dividend, by));
    const low = c.let(narrow(quotient));
    c.if(binary("ne", quotient, signed ? widen(low) : widenUnsigned(low)), () => c.fault(DIVIDE_ERROR));
    const remainder = c.let(narrow(binary(signed ? "rem_s" : "rem_u", dividend, by)));
    c.setRegister(0, 32, low);
    c.setRegister(2, 32, remainder);
    return;
  }
  const dividend = c.let(
    c.size === 8
      ? signed
        ? c.register(0, 16)
        : c.zeroExtend(c.register(0, 16), 16)
      : or(shl(c.register(2, 16), i32(16)), c.zeroExtend(c.register(0, 16), 16)),
  );
  const by = c.let(signed ? divisor : c.zeroExtend(divisor));
  if (signed && c.size === 16) {
    c.if(and(eq(by, i32(-1)), eq(dividend, i32(-0x80000000))), () => c.fault(DIVIDE_ERROR));
  }
  const quotient = c.let(binary(signed ? "div_s" : "div_u", dividend, by));
  c.if(ne(quotient, signed ? c.signExtend(quotient) : c.zeroExtend(quotient)), () => c.fault(DIVIDE_ERROR));
  const remainder = c.let(binary(signed ? "rem_s" : "rem_u", dividend, by));
  if (c.size === 8) c.setRegister(0, 16, or(c.zeroExtend(quotient), shl(remainder, i32(8))));
  else {
    c.setRegister(0, 16, quotient);
    c.setRegister(2, 16, remainder);
  }
}

/** DAA and DAS. Spec: SDM Vol. 2A, "DAA—Decimal Adjust AL After Addition", pseudo-code. */
function decimalAdjust(c: Code, sign: 1 | -1): void {
  const al = c.let(c.zeroExtend(c.register(0, 8), 8));
  const carryIn = c.let(c.carry());
  const halfIn = and(shr(c.carries(), i32(4)), i32(1));
  const half = c.let(or(halfIn, binary("gt_u", and(al, i32(15)), i32(9))));
  const high = c.let(or(carryIn, binary("gt_u", al, i32(0x99))));
  const fixed = c.let(add(add(al, mul(half, i32(6 * sign))), mul(high, i32(0x60 * sign))));
  const result = c.let(c.signExtend(fixed, 8));
  // DAS also sets CF when subtracting 6 borrows, even if 60H is not subtracted.
  const carry = sign === 1 ? high : or(high, and(half, below(al, i32(6))));
  c.setRegister(0, 8, result);
  c.flags({ result, carry: c.let(carry), carries: shl(half, i32(4)) });
  c.flags({ carries: or(shl(half, i32(4)), shl(c.carry(), i32(31))) });
}

/** AAA and AAS. */
function asciiAdjust(c: Code, sign: 1 | -1): void {
  const ax = c.let(c.register(0, 16));
  const halfIn = and(shr(c.carries(), i32(4)), i32(1));
  const adjust = c.let(or(halfIn, binary("gt_u", and(ax, i32(15)), i32(9))));
  const moved = c.let(select(adjust, add(ax, i32(0x106 * sign)), ax));
  c.setRegister(0, 16, and(moved, i32(0xff0f)));
  c.flags({ carry: adjust, carries: or(shl(adjust, i32(4)), shl(adjust, i32(31))) });
}

const definitions: readonly Definition[] = [
  {
    mnemonic: "ADD",
    group: "arithmetic",
    summary: "Adds the source to the destination.",
    spec: "SDM Vol. 2A, ADD—Add",
    forms: aluForms(0x00, 0),
    flags: ALL,
    lock: true,
    semantics: (c) => {
      const a = c.modify(0);
      sum(c, a, c.read(1));
    },
  },
  {
    mnemonic: "ADC",
    group: "arithmetic",
    summary: "Adds the source and CF to the destination.",
    spec: "SDM Vol. 2A, ADC—Add With Carry",
    forms: aluForms(0x10, 2),
    flags: ALL,
    lock: true,
    semantics: (c) => {
      const a = c.modify(0);
      sum(c, a, c.read(1), c.let(c.carry()));
    },
  },
  {
    mnemonic: "SUB",
    group: "arithmetic",
    summary: "Subtracts the source from the destination.",
    spec: "SDM Vol. 2B, SUB—Subtract",
    forms: aluForms(0x28, 5),
    flags: ALL,
    lock: true,
    semantics: (c) => {
      const a = c.modify(0);
      subtract(c, a, c.read(1));
    },
  },
  {
    mnemonic: "SBB",
    group: "arithmetic",
    summary: "Subtracts the source and CF from the destination.",
    spec: "SDM Vol. 2B, SBB—Integer Subtraction With Borrow",
    forms: aluForms(0x18, 3),
    flags: ALL,
    lock: true,
    semantics: (c) => {
      const a = c.modify(0);
      subtract(c, a, c.read(1), c.let(c.carry()));
    },
  },
  {
    mnemonic: "CMP",
    group: "arithmetic",
    summary: "Sets the flags of destination minus source.",
    spec: "SDM Vol. 2A, CMP—Compare Two Operands",
    forms: aluForms(0x38, 7),
    flags: ALL,
    semantics: (c) => {
      const a = c.read(0);
      difference(c, a, c.read(1)).setFlags();
    },
  },
  {
    mnemonic: "INC",
    group: "arithmetic",
    summary: "Adds 1; CF stays.",
    spec: "SDM Vol. 2A, INC—Increment by 1",
    forms: [
      ["FE /0", "Eb"],
      ["FF /0", "Ev"],
      ["40+r", "Zv", "not64"],
    ],
    flags: { written: "OSZAP" },
    lock: true,
    semantics: (c) => bump(c, 1),
  },
  {
    mnemonic: "DEC",
    group: "arithmetic",
    summary: "Subtracts 1; CF stays.",
    spec: "SDM Vol. 2A, DEC—Decrement by 1",
    forms: [
      ["FE /1", "Eb"],
      ["FF /1", "Ev"],
      ["48+r", "Zv", "not64"],
    ],
    flags: { written: "OSZAP" },
    lock: true,
    semantics: (c) => bump(c, -1),
  },
  {
    mnemonic: "NEG",
    group: "arithmetic",
    summary: "Replaces the operand by zero minus the operand.",
    spec: "SDM Vol. 2B, NEG—Two's Complement Negation",
    forms: [
      ["F6 /3", "Eb"],
      ["F7 /3", "Ev"],
    ],
    flags: ALL,
    lock: true,
    semantics: (c) => subtract(c, i32(0), c.modify(0)),
  },
  {
    mnemonic: "MUL",
    group: "arithmetic",
    summary: "Multiplies the accumulator, unsigned.",
    spec: "SDM Vol. 2B, MUL—Unsigned Multiply",
    forms: [
      ["F6 /4", "Eb"],
      ["F7 /4", "Ev"],
    ],
    flags: { written: "OSZAPC", undefined: "SZAP" },
    semantics: (c) => multiply(c, false),
  },
  {
    mnemonic: "IMUL",
    group: "arithmetic",
    summary: "Multiplies the accumulator, signed.",
    spec: "SDM Vol. 2A, IMUL—Signed Multiply",
    forms: [
      ["F6 /5", "Eb"],
      ["F7 /5", "Ev"],
    ],
    flags: { written: "OSZAPC", undefined: "SZAP" },
    semantics: (c) => multiply(c, true),
  },
  {
    mnemonic: "IMUL",
    group: "arithmetic",
    summary: "Multiplies two operands, signed, keeping the low half.",
    spec: "SDM Vol. 2A, IMUL—Signed Multiply",
    forms: [["0F AF /r", "Gv Ev"]],
    flags: { written: "OSZAPC", undefined: "SZAP" },
    semantics: (c) => {
      const a = c.read(0);
      signedProduct(c, a, c.read(1));
    },
  },
  {
    mnemonic: "IMUL",
    group: "arithmetic",
    summary: "Multiplies an operand by an immediate, signed, keeping the low half.",
    spec: "SDM Vol. 2A, IMUL—Signed Multiply",
    forms: [
      ["69 /r", "Gv Ev Iz"],
      ["6B /r", "Gv Ev Ibs"],
    ],
    flags: { written: "OSZAPC", undefined: "SZAP" },
    semantics: (c) => {
      const a = c.read(1);
      signedProduct(c, a, c.read(2));
    },
  },
  {
    mnemonic: "DIV",
    group: "arithmetic",
    summary: "Divides the double-width accumulator, unsigned.",
    spec: "SDM Vol. 2A, DIV—Unsigned Divide",
    forms: [
      ["F6 /6", "Eb"],
      ["F7 /6", "Ev"],
    ],
    flags: { written: "OSZAPC", undefined: "OSZAPC" },
    semantics: (c) => divide(c, false),
  },
  {
    mnemonic: "IDIV",
    group: "arithmetic",
    summary: "Divides the double-width accumulator, signed.",
    spec: "SDM Vol. 2A, IDIV—Signed Divide",
    forms: [
      ["F6 /7", "Eb"],
      ["F7 /7", "Ev"],
    ],
    flags: { written: "OSZAPC", undefined: "OSZAPC" },
    semantics: (c) => divide(c, true),
  },
  {
    mnemonic: "DAA",
    group: "arithmetic",
    summary: "Adjusts AL after adding packed decimals.",
    spec: "SDM Vol. 2A, DAA—Decimal Adjust AL After Addition",
    forms: [["27", "", "not64"]],
    flags: { written: "OSZAPC", undefined: "O" },
    semantics: (c) => decimalAdjust(c, 1),
  },
  {
    mnemonic: "DAS",
    group: "arithmetic",
    summary: "Adjusts AL after subtracting packed decimals.",
    spec: "SDM Vol. 2A, DAS—Decimal Adjust AL After Subtraction",
    forms: [["2F", "", "not64"]],
    flags: { written: "OSZAPC", undefined: "O" },
    semantics: (c) => decimalAdjust(c, -1),
  },
  {
    mnemonic: "AAA",
    group: "arithmetic",
    summary: "Adjusts AX after adding unpacked decimals.",
    spec: "SDM Vol. 2A, AAA—ASCII Adjust After Addition",
    forms: [["37", "", "not64"]],
    flags: { written: "OSZAPC", undefined: "OSZP" },
    semantics: (c) => asciiAdjust(c, 1),
  },
  {
    mnemonic: "AAS",
    group: "arithmetic",
    summary: "Adjusts AX after subtracting unpacked decimals.",
    spec: "SDM Vol. 2A, AAS—ASCII Adjust AL After Subtraction",
    forms: [["3F", "", "not64"]],
    flags: { written: "OSZAPC", undefined: "OSZP" },
    semantics: (c) => asciiAdjust(c, -1),
  },
  {
    mnemonic: "AAM",
    group: "arithmetic",
    summary: "Splits AL into quotient (AH) and remainder (AL) by the immediate.",
    spec: "SDM Vol. 2A, AAM—ASCII Adjust AX After Multiply",
    forms: [["D4", "Ib", "not64"]],
    flags: { written: "OSZAPC", undefined: "OAC" },
    semantics: (c) => {
      const base = c.let(c.zeroExtend(c.read(0), 8));
      c.if(isZero(base), () => c.fault(DIVIDE_ERROR));
      const al = c.let(c.zeroExtend(c.register(0, 8), 8));
      const result = c.let(c.signExtend(binary("rem_u", al, base), 8));
      c.setRegister(0, 16, or(shl(binary("div_u", al, base), i32(8)), c.zeroExtend(result, 8)));
      c.flags({ result, carry: i32(0), carries: i32(0) });
    },
  },
  {
    mnemonic: "AAD",
    group: "arithmetic",
    summary: "Joins AH times the immediate and AL in AL, and clears AH.",
    spec: "SDM Vol. 2A, AAD—ASCII Adjust AX Before Division",
    forms: [["D5", "Ib", "not64"]],
    flags: { written: "OSZAPC", undefined: "OAC" },
    semantics: (c) => {
      const result = c.let(c.signExtend(add(c.register(0, 8), mul(c.register(4, 8), c.read(0))), 8));
      c.setRegister(0, 16, c.zeroExtend(result, 8));
      c.flags({ result, carry: i32(0), carries: i32(0) });
    },
  },
];

export const arithmeticRows = definitions.flatMap(define);
