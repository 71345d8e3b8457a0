/** Logic, shifts and rotates. Spec: SDM Vol. 1, "Logical Instructions" and "Shift and Rotate Instructions". */
import {
  add,
  and,
  binary,
  type Code,
  type Expr,
  i32,
  i64,
  narrow,
  or,
  sar,
  select,
  shl,
  shr,
  sub,
  unary,
  widenUnsigned,
  xor,
} from "../code.js";
import { type Definition, define } from "../instruction.js";
import { aluForms } from "./arithmetic.js";

const LOGIC_FLAGS = { written: "OSZAPC", undefined: "A" };

function logicFlags(c: Code, result: Expr): void {
  c.flags({ result, carry: i32(0), carries: i32(0) });
}

function logic(operation: (a: Expr, b: Expr) => Expr): (c: Code) => void {
  return (c) => {
    const a = c.modify(0);
    const result = c.let(operation(a, c.read(1)));
    c.write(0, result);
    logicFlags(c, result);
  };
}

const SIGN = i32(-0x80000000);
/** The sign of a value, as bit 31. */
const top = (value: Expr): Expr => and(value.type === "i64" ? narrow(shr(value, i32(32))) : value, SIGN);
/** Counts are taken modulo 32, and modulo 64 with 64-bit operands. */
const countMask = (c: Code): Expr => i32(c.size === 64 ? 63 : 31);

/**
 * Shift and rotate counts are masked; a count of 0 changes no flag. OF is defined for counts of 1 only; for
 * others it gets the value the same formula gives, which is what Intel's processors do for shifts.
 */
function counted(apply: (c: Code, a: Expr, count: Expr) => { result: Expr; setFlags: () => void }): (c: Code) => void {
  return (c) => {
    const a = c.modify(0);
    const count = c.let(and(c.read(1), countMask(c)));
    const { result, setFlags } = apply(c, a, count);
    c.write(0, result);
    c.if(count, setFlags);
  };
}

const shiftLeft = counted((c, a, count) => {
  const whole = c.size >= 32;
  const wide = c.let(whole ? a : shl(c.zeroExtend(a), count));
  const result = c.let(whole ? shl(a, count) : c.signExtend(wide));
  const carry = whole ? and(shr(a, sub(i32(c.size), count)), i32(1)) : and(shr(wide, i32(c.size)), i32(1));
  return { result, setFlags: () => c.flags({ result, carry, carries: top(result) }) };
});

const shiftRight = counted((c, a, count) => {
  const value = c.let(c.zeroExtend(a));
  const result = c.let(c.signExtend(shr(value, count)));
  const carry = c.let(narrow(and(shr(value, sub(count, i32(1))), i32(1))));
  const overflow = top(c.signExtend(xor(result, shl(result, i32(1)))));
  return { result, setFlags: () => c.flags({ result, carry, carries: xor(overflow, shl(carry, i32(31))) }) };
});

const shiftRightArithmetic = counted((c, a, count) => {
  const result = c.let(sar(a, count));
  const carry = c.let(narrow(and(sar(a, sub(count, i32(1))), i32(1))));
  return { result, setFlags: () => c.flags({ result, carry, carries: shl(carry, i32(31)) }) };
});

/** Rotates touch CF and OF only; `exclusive` is OF xor CF in bit 31. AF keeps its bit. */
function rotateFlags(c: Code, carry: Expr, exclusive: Expr): void {
  c.flags({ carry, carries: or(and(c.carries(), i32(16)), top(exclusive)) });
}

const rotateLeft = counted((c, a, count) => {
  const value = c.zeroExtend(a);
  const turn = c.let(and(count, i32(c.size - 1)));
  const result = c.let(
    c.size >= 32 ? binary("rotl", a, count) : c.signExtend(or(shl(value, turn), shr(value, sub(i32(c.size), turn)))),
  );
  return { result, setFlags: () => rotateFlags(c, and(result, i32(1)), result) };
});

const rotateRight = counted((c, a, count) => {
  const value = c.zeroExtend(a);
  const turn = c.let(and(count, i32(c.size - 1)));
  const result = c.let(
    c.size >= 32 ? binary("rotr", a, count) : c.signExtend(or(shr(value, turn), shl(value, sub(i32(c.size), turn)))),
  );
  return { result, setFlags: () => rotateFlags(c, shr(top(result), i32(31)), c.signExtend(shl(result, i32(1)))) };
});

/** RCL and RCR of 64 bits: CF comes between the two parts that the count makes of the operand. */
function turnLong(c: Code, a: Expr, count: Expr, left: boolean): { result: Expr; carry: Expr } {
  const other = c.let(sub(i32(64), count));
  const between = shl(widenUnsigned(c.carry()), left ? sub(count, i32(1)) : other);
  const turned = left ? or(shl(a, count), shr(shr(a, i32(1)), other)) : or(shr(a, count), shl(shl(a, i32(1)), other));
  const carry = c.let(narrow(and(shr(a, left ? other : sub(count, i32(1))), i32(1))));
  return { result: c.let(select(count, or(turned, between), a)), carry };
}

/** RCL and RCR turn the operand with CF as one more bit: 9, 17, 33 or 65 bits. */
function rotateThroughCarry(left: boolean): (c: Code) => void {
  return counted((c, a, count) => {
    if (c.size === 64) {
      const { result, carry } = turnLong(c, a, count, left);
      const differs = xor(result, shl(result, i32(1)));
      const exclusive = left ? top(result) : xor(top(differs), shl(carry, i32(31)));
      return { result, setFlags: () => rotateFlags(c, carry, exclusive) };
    }
    const width = c.size + 1;
    const turn = c.let(c.size === 32 ? count : binary("rem_u", count, i32(width)));
    const wide = (value: Expr): Expr => widenUnsigned(value);
    const value = c.let(binary("or", binary("shl", wide(c.carry()), i64(BigInt(c.size))), wide(c.zeroExtend(a))));
    const near = wide(turn);
    const far = wide(sub(i32(width), turn));
    const turned = c.let(
      left
        ? binary("or", binary("shl", value, near), binary("shr_u", value, far))
        : binary("or", binary("shr_u", value, near), binary("shl", value, far)),
    );
    const result = c.let(c.signExtend(narrow(turned)));
    const carry = c.let(and(narrow(binary("shr_u", turned, i64(BigInt(c.size)))), i32(1)));
    // RCL: OF = top bit xor CF, so OF xor CF is the top bit. RCR: OF = the two top bits xored.
    const exclusive = left ? result : xor(xor(result, c.signExtend(shl(result, i32(1)))), shl(carry, i32(31)));
    return { result, setFlags: () => rotateFlags(c, carry, exclusive) };
  });
}

/** SHLD and SHRD. With 16-bit operands and counts over 16 the result is undefined; here the pair is shifted on. */
function doubleShift(left: boolean): (c: Code) => void {
  return (c) => {
    const a = c.modify(0);
    const b = c.read(1);
    const count = c.let(and(c.read(2), countMask(c)));
    if (c.size === 64) {
      const other = c.let(sub(i32(63), count));
      const result = c.let(
        left ? or(shl(a, count), shr(shr(b, i32(1)), other)) : or(shr(a, count), shl(shl(b, i32(1)), other)),
      );
      const carry = c.let(narrow(and(shr(a, left ? sub(i32(64), count) : sub(count, i32(1))), i32(1))));
      const overflow = c.let(top(xor(result, a)));
      c.write(0, result);
      c.if(count, () => c.flags({ result, carry, carries: xor(overflow, shl(carry, i32(31))) }));
      return;
    }
    const bits = BigInt(c.size);
    const wideA = widenUnsigned(c.zeroExtend(a));
    const wideB = widenUnsigned(c.zeroExtend(b));
    const by = widenUnsigned(count);
    const moved = c.let(
      left
        ? binary("shl", binary("or", binary("shl", wideA, i64(bits)), wideB), by)
        : binary("shr_u", binary("or", binary("shl", wideB, i64(bits)), wideA), by),
    );
    const result = c.let(c.signExtend(narrow(left ? binary("shr_u", moved, i64(bits)) : moved)));
    const carryWide = left
      ? c.size === 32
        ? shr(a, sub(i32(32), count))
        : narrow(binary("shr_u", moved, i64(2n * bits)))
      : shr(c.zeroExtend(a), sub(count, i32(1)));
    const carry = c.let(and(carryWide, i32(1)));
    const overflow = c.let(top(xor(result, a)));
    c.write(0, result);
    c.if(count, () => c.flags({ result, carry, carries: xor(overflow, shl(carry, i32(31))) }));
  };
}

const shiftForms = (digit: number): [string, string][] => [
  [`D0 /${digit}`, "Eb 1"],
  [`D1 /${digit}`, "Ev 1"],
  [`C0 /${digit}`, "Eb Ib"],
  [`C1 /${digit}`, "Ev Ib"],
  [`D2 /${digit}`, "Eb CL"],
  [`D3 /${digit}`, "Ev CL"],
];
const SHIFT_FLAGS = { written: "OSZAPC", undefined: "OA" };
const ROTATE_FLAGS = { written: "OC", undefined: "O" };
const shift = { group: "shift and rotate" } as const;
const logical = { group: "logic" } as const;

/**
 * Bit tests: a register bit offset is taken modulo the operand size with a register operand, and reaches beyond the
 * operand in memory. CF is the old bit; the other flags stay (ZF is defined to).
 */
function bitTest(change?: (value: Expr, bit: Expr) => Expr): (c: Code) => void {
  return (c) => {
    const index = c.read(1);
    const position = c.let(and(index, i32(c.size - 1)));
    const bit = c.let(shl(one(c), position));
    if (!c.isMemory(0)) {
      const value = change ? c.modify(0) : c.read(0);
      if (change) c.write(0, change(value, bit));
      bitFlag(c, and(shr(value, position), i32(1)));
      return;
    }
    const units = sar(index, i32(Math.log2(c.size)));
    const distance = shl(c.asOffset(units, "signed"), i32(Math.log2(c.size / 8)));
    const offset = c.let(c.wrapAddress(add(c.address(), distance)));
    const cell = c.cell("operand", offset, c.size, change ? "modify" : "read");
    if (change) cell.store(c.let(change(cell.value, bit)));
    bitFlag(c, and(shr(cell.value, position), i32(1)));
  };
}

/** An immediate bit offset is always taken modulo the operand size. */
function bitTestImmediate(change?: (value: Expr, bit: Expr) => Expr): (c: Code) => void {
  return (c) => {
    const value = change ? c.modify(0) : c.read(0);
    const position = c.let(and(c.read(1), i32(c.size - 1)));
    if (change) c.write(0, c.let(change(value, shl(one(c), position))));
    bitFlag(c, and(shr(value, position), i32(1)));
  };
}

/** 1, as wide as the operands. */
const one = (c: Code): Expr => (c.size === 64 ? i64(1n) : i32(1));

function bitFlag(c: Code, bit: Expr): void {
  const carry = c.let(narrow(bit));
  // OF is undefined but kept: OF xor CF changes with CF.
  c.flags({ carry, carries: xor(c.carries(), shl(xor(carry, c.carry()), i32(31))) });
}

const bitChanges = {
  BT: undefined,
  BTS: (value: Expr, bit: Expr) => or(value, bit),
  BTR: (value: Expr, bit: Expr) => and(value, xor(bit, i32(-1))),
  BTC: (value: Expr, bit: Expr) => xor(value, bit),
} as const;
const bitRows: readonly (readonly [keyof typeof bitChanges, string, number, string])[] = [
  ["BT", "A3", 4, "Copies a bit to CF."],
  ["BTS", "AB", 5, "Copies a bit to CF and sets it."],
  ["BTR", "B3", 6, "Copies a bit to CF and clears it."],
  ["BTC", "BB", 7, "Copies a bit to CF and complements it."],
];
const BIT_FLAGS = { written: "OSAPC", undefined: "OSAP" };

/** BSF and BSR: a zero source sets ZF and leaves the destination, as all processors do though the manual leaves it open. */
function bitScan(find: (value: Expr) => Expr): (c: Code) => void {
  return (c) => {
    const source = c.let(c.zeroExtend(c.read(1)));
    // All of it, also the upper half that a result of 32 bits would clear.
    c.if(source, () => c.write(0, find(source)));
    c.flags({ result: source, carry: i32(0), carries: i32(0) });
  };
}

const definitions: readonly Definition[] = [
  {
    ...logical,
    mnemonic: "AND",
    summary: "Bitwise AND into the destination.",
    spec: "SDM Vol. 2A, AND—Logical AND",
    forms: aluForms(0x20, 4),
    flags: LOGIC_FLAGS,
    lock: true,
    semantics: logic(and),
  },
  {
    ...logical,
    mnemonic: "OR",
    summary: "Bitwise OR into the destination.",
    spec: "SDM Vol. 2B, OR—Logical Inclusive OR",
    forms: aluForms(0x08, 1),
    flags: LOGIC_FLAGS,
    lock: true,
    semantics: logic(or),
  },
  {
    ...logical,
    mnemonic: "XOR",
    summary: "Bitwise exclusive OR into the destination.",
    spec: "SDM Vol. 2D, XOR—Logical Exclusive OR",
    forms: aluForms(0x30, 6),
    flags: LOGIC_FLAGS,
    lock: true,
    semantics: logic(xor),
  },
  {
    ...logical,
    mnemonic: "NOT",
    summary: "Complements every bit; no flag changes.",
    spec: "SDM Vol. 2B, NOT—One's Complement Negation",
    forms: [
      ["F6 /2", "Eb"],
      ["F7 /2", "Ev"],
    ],
    lock: true,
    semantics: (c) => {
      const a = c.modify(0);
      c.write(0, xor(a, i32(-1)));
    },
  },
  {
    mnemonic: "TEST",
    group: "bit and byte",
    summary: "Sets the flags of a bitwise AND.",
    spec: "SDM Vol. 2B, TEST—Logical Compare",
    forms: [
      ["84 /r", "Eb Gb"],
      ["85 /r", "Ev Gv"],
      ["A8", "AL Ib"],
      ["A9", "rAX Iz"],
      ["F6 /0", "Eb Ib"],
      ["F7 /0", "Ev Iz"],
      ["F6 /1", "Eb Ib"],
      ["F7 /1", "Ev Iz"],
    ],
    flags: LOGIC_FLAGS,
    semantics: (c) => {
      const a = c.read(0);
      logicFlags(c, c.let(and(a, c.read(1))));
    },
  },
  {
    ...shift,
    mnemonic: "ROL",
    summary: "Rotates left.",
    spec: "SDM Vol. 2B, RCL/RCR/ROL/ROR—Rotate",
    forms: shiftForms(0),
    flags: ROTATE_FLAGS,
    semantics: rotateLeft,
  },
  {
    ...shift,
    mnemonic: "ROR",
    summary: "Rotates right.",
    spec: "SDM Vol. 2B, RCL/RCR/ROL/ROR—Rotate",
    forms: shiftForms(1),
    flags: ROTATE_FLAGS,
    semantics: rotateRight,
  },
  {
    ...shift,
    mnemonic: "RCL",
    summary: "Rotates left through CF.",
    spec: "SDM Vol. 2B, RCL/RCR/ROL/ROR—Rotate",
    forms: shiftForms(2),
    flags: ROTATE_FLAGS,
    semantics: rotateThroughCarry(true),
  },
  {
    ...shift,
    mnemonic: "RCR",
    summary: "Rotates right through CF.",
    spec: "SDM Vol. 2B, RCL/RCR/ROL/ROR—Rotate",
    forms: shiftForms(3),
    flags: ROTATE_FLAGS,
    semantics: rotateThroughCarry(false),
  },
  {
    ...shift,
    mnemonic: "SHL",
    summary: "Shifts left.",
    spec: "SDM Vol. 2B, SAL/SAR/SHL/SHR—Shift",
    forms: [...shiftForms(4), ...shiftForms(6)],
    flags: SHIFT_FLAGS,
    semantics: shiftLeft,
  },
  {
    ...shift,
    mnemonic: "SHR",
    summary: "Shifts right, filling with zeros.",
    spec: "SDM Vol. 2B, SAL/SAR/SHL/SHR—Shift",
    forms: shiftForms(5),
    flags: SHIFT_FLAGS,
    semantics: shiftRight,
  },
  {
    ...shift,
    mnemonic: "SAR",
    summary: "Shifts right, filling with the sign.",
    spec: "SDM Vol. 2B, SAL/SAR/SHL/SHR—Shift",
    forms: shiftForms(7),
    flags: SHIFT_FLAGS,
    semantics: shiftRightArithmetic,
  },
  {
    ...shift,
    mnemonic: "SHLD",
    summary: "Shifts left, filling with the bits of a second register.",
    spec: "SDM Vol. 2B, SHLD—Double Precision Shift Left",
    forms: [
      ["0F A4 /r", "Ev Gv Ib"],
      ["0F A5 /r", "Ev Gv CL"],
    ],
    flags: SHIFT_FLAGS,
    semantics: doubleShift(true),
  },
  {
    ...shift,
    mnemonic: "SHRD",
    summary: "Shifts right, filling with the bits of a second register.",
    spec: "SDM Vol. 2B, SHRD—Double Precision Shift Right",
    forms: [
      ["0F AC /r", "Ev Gv Ib"],
      ["0F AD /r", "Ev Gv CL"],
    ],
    flags: SHIFT_FLAGS,
    semantics: doubleShift(false),
  },
  ...bitRows.flatMap(([mnemonic, opcode, digit, summary]): Definition[] => {
    const common = {
      mnemonic,
      group: "bit and byte",
      summary,
      spec: `SDM Vol. 2A, ${mnemonic}—Bit Test`,
      flags: BIT_FLAGS,
      lock: mnemonic !== "BT",
    } as const;
    return [
      { ...common, forms: [[`0F ${opcode} /r`, "Ev Gv"]], semantics: bitTest(bitChanges[mnemonic]) },
      { ...common, forms: [[`0F BA /${digit}`, "Ev Ib"]], semantics: bitTestImmediate(bitChanges[mnemonic]) },
    ];
  }),
  {
    mnemonic: "BSF",
    group: "bit and byte",
    summary: "Finds the lowest set bit.",
    spec: "SDM Vol. 2A, BSF—Bit Scan Forward",
    forms: [["0F BC /r", "Gv Ev"]],
    flags: { written: "OSZAPC", undefined: "OSAPC" },
    semantics: bitScan((value) => unary(value.type === "i64" ? "i64.ctz" : "i32.ctz", value)),
  },
  {
    mnemonic: "BSR",
    group: "bit and byte",
    summary: "Finds the highest set bit.",
    spec: "SDM Vol. 2A, BSR—Bit Scan Reverse",
    forms: [["0F BD /r", "Gv Ev"]],
    flags: { written: "OSZAPC", undefined: "OSAPC" },
    semantics: bitScan((value) =>
      value.type === "i64" ? sub(i32(63), unary("i64.clz", value)) : sub(i32(31), unary("i32.clz", value)),
    ),
  },
];

export const logicRows = definitions.flatMap(define);
