/** x87 loads, stores, constants, exchanges and conditional moves. Spec: SDM Vol. 1, "x87 FPU Data Transfer Instructions", "x87 FPU Load Constant Instructions". */

import { storeAddress, storeBitsAt } from "../../cpu/floating-memory.js";
import {
  type Environment,
  EXCEPTION,
  EXTENDED,
  narrow,
  ROUNDING,
  roundConstant,
  toDecimal,
  toInteger,
  unmasked,
} from "../../cpu/softfloat/index.js";
import {
  begin,
  getStack,
  INDEFINITE,
  isEmpty,
  numeric,
  pop,
  push,
  pushResult,
  report,
  setC1,
  setStack,
  stackFault,
  stackIndex,
} from "../../cpu/x87.js";
import {
  formatOf,
  integerOperand,
  loadedDecimal,
  loadedFloat,
  memoryWidth,
  type OperandReader,
} from "../../cpu/x87-operands.js";
import { type Definition, define, type SystemInstruction } from "../instruction.js";
import { x87 } from "./x87-forms.js";

const loading = (read: OperandReader): SystemInstruction =>
  numeric((port, instruction) => pushResult(port.floating, read(port, instruction)));

/** What ST(0) is in memory, and what stands there for an empty register. */
interface Target {
  readonly of: (bits: bigint, width: number, env: Environment) => bigint;
  readonly indefinite: (width: number) => bigint;
}

const asFloat: Target = {
  of: (bits, width, env) => (width === EXTENDED.width ? bits : narrow(EXTENDED, formatOf(width), bits, env)),
  indefinite: (width) => (width === EXTENDED.width ? INDEFINITE : formatOf(width).indefinite),
};
const asInteger: Target = {
  of: (bits, width, env) => toInteger(EXTENDED, bits, width as 16 | 32 | 64, env),
  indefinite: (width) => 1n << BigInt(width - 1),
};
const asTruncated: Target = {
  ...asInteger,
  of: (bits, width, env) => {
    env.rounding = ROUNDING.zero;
    return asInteger.of(bits, width, env);
  },
};
const asDecimal: Target = {
  of: (bits, _width, env) => toDecimal(EXTENDED, bits, env),
  indefinite: () => 0xffffc000000000000000n,
};

/** A number that does not fit in memory is not stored while that is unmasked; one that is only inexact is. */
const KEEPS_FROM_STORING: number = EXCEPTION.INVALID | EXCEPTION.OVERFLOW | EXCEPTION.UNDERFLOW;

/** What is not stored is not inexact either. */
function forgetRounding(env: Environment): void {
  env.flags &= ~EXCEPTION.PRECISION;
  env.roundedUp = false;
}

const storing = (target: Target, pops: number): SystemInstruction =>
  numeric((port, instruction) => {
    const { floating } = port;
    const width = memoryWidth(instruction);
    // Memory comes first, also where an exception will keep it as it is.
    const linear = storeAddress(port, instruction, width);
    if (isEmpty(floating, 0)) {
      const masked = (floating.control & EXCEPTION.INVALID) !== 0;
      if (masked) storeBitsAt(port, linear, width, target.indefinite(width));
      stackFault(floating, false);
      if (masked) pop(floating, pops);
      return;
    }
    const env = begin(floating);
    const bits = target.of(getStack(floating, 0), width, env);
    const stores = (unmasked(env) & KEEPS_FROM_STORING) === 0;
    if (!stores) forgetRounding(env);
    if (stores) storeBitsAt(port, linear, width, bits);
    report(floating, env);
    if (stores) pop(floating, pops);
  });

/** Copies ST(0) to ST(i). */
const storingRegister = (pops: number): SystemInstruction =>
  numeric(({ floating }, { operands: [target] }) => {
    const to = target?.kind === "x87" ? target.number : 0;
    if (isEmpty(floating, 0)) {
      if (!stackFault(floating, false)) return;
      setStack(floating, to, INDEFINITE);
    } else {
      setC1(floating, false);
      setStack(floating, to, getStack(floating, 0));
    }
    pop(floating, pops);
  });

const loadingRegister: SystemInstruction = numeric(({ floating }, { operands }) => {
  const from = stackIndex(operands);
  // An empty register counts before a full stack.
  if (isEmpty(floating, from)) {
    if (stackFault(floating, false)) push(floating, INDEFINITE);
    return;
  }
  const bits = getStack(floating, from);
  pushResult(floating, () => bits);
});

/** Constants with more bits than a register has, so that they can be rounded: significand, and its exponent. */
const constants: readonly (readonly [
  name: string,
  modrm: string,
  what: string,
  significand: bigint,
  exponent: number,
])[] = [
  ["FLD1", "E8", "1", 1n, 0],
  ["FLDL2T", "E9", "the logarithm of 10 to base 2", 0xd49a784bcd1b8afe492bn, -78],
  ["FLDL2E", "EA", "the logarithm of e to base 2", 0xb8aa3b295c17f0bbbe87n, -79],
  ["FLDPI", "EB", "pi", 0xc90fdaa22168c234c4c6n, -78],
  ["FLDLG2", "EC", "the logarithm of 2 to base 10", 0x9a209a84fbcff7988f89n, -81],
  ["FLDLN2", "ED", "the natural logarithm of 2", 0xb17217f7d1cf79abc9e3n, -80],
];

const loadingConstant = (significand: bigint, exponent: number): SystemInstruction =>
  numeric(({ floating }) => pushResult(floating, (env) => roundConstant(EXTENDED, exponent, significand, env)));

/** FSTP has more encodings than the manual lists. Spec: AMD64 Vol. 3, "x87 Opcodes". */
const definitions: readonly Definition[] = [
  {
    ...x87,
    mnemonic: "FLD",
    summary: "Pushes a floating-point number.",
    spec: "SDM Vol. 2A, FLD—Load Floating-Point Value",
    forms: [
      ["D9 /0", "Md"],
      ["DD /0", "Mq"],
      ["DB /5", "Mt"],
    ],
    system: loading(loadedFloat),
  },
  {
    ...x87,
    mnemonic: "FLD",
    summary: "Pushes a copy of ST(i).",
    spec: "SDM Vol. 2A, FLD—Load Floating-Point Value",
    forms: [["D9 C0+i", "STi"]],
    system: loadingRegister,
  },
  {
    ...x87,
    mnemonic: "FILD",
    summary: "Pushes an integer.",
    spec: "SDM Vol. 2A, FILD—Load Integer",
    forms: [
      ["DF /0", "Mw"],
      ["DB /0", "Md"],
      ["DF /5", "Mq"],
    ],
    system: loading(integerOperand),
  },
  {
    ...x87,
    mnemonic: "FBLD",
    summary: "Pushes a decimal number.",
    spec: "SDM Vol. 2A, FBLD—Load Binary Coded Decimal",
    forms: [["DF /4", "Mt"]],
    system: loading(loadedDecimal),
  },
  {
    ...x87,
    mnemonic: "FST",
    summary: "Stores ST(0).",
    spec: "SDM Vol. 2A, FST/FSTP—Store Floating-Point Value",
    forms: [
      ["D9 /2", "Md"],
      ["DD /2", "Mq"],
    ],
    system: storing(asFloat, 0),
  },
  {
    ...x87,
    mnemonic: "FST",
    summary: "Copies ST(0) to ST(i).",
    spec: "SDM Vol. 2A, FST/FSTP—Store Floating-Point Value",
    forms: [["DD D0+i", "STi"]],
    system: storingRegister(0),
  },
  {
    ...x87,
    mnemonic: "FSTP",
    summary: "Pops into memory.",
    spec: "SDM Vol. 2A, FST/FSTP—Store Floating-Point Value",
    forms: [
      ["D9 /3", "Md"],
      ["DD /3", "Mq"],
      ["DB /7", "Mt"],
    ],
    system: storing(asFloat, 1),
  },
  {
    ...x87,
    mnemonic: "FSTP",
    summary: "Copies ST(0) to ST(i) and pops.",
    spec: "SDM Vol. 2A, FST/FSTP—Store Floating-Point Value",
    forms: [
      ["DD D8+i", "STi"],
      ["DF D0+i", "STi"],
      ["DF D8+i", "STi"],
    ],
    system: storingRegister(1),
  },
  {
    ...x87,
    mnemonic: "FIST",
    summary: "Stores ST(0) as an integer.",
    spec: "SDM Vol. 2A, FIST/FISTP—Store Integer",
    forms: [
      ["DF /2", "Mw"],
      ["DB /2", "Md"],
    ],
    system: storing(asInteger, 0),
  },
  {
    ...x87,
    mnemonic: "FISTP",
    summary: "Pops an integer into memory.",
    spec: "SDM Vol. 2A, FIST/FISTP—Store Integer",
    forms: [
      ["DF /3", "Mw"],
      ["DB /3", "Md"],
      ["DF /7", "Mq"],
    ],
    system: storing(asInteger, 1),
  },
  {
    ...x87,
    mnemonic: "FBSTP",
    summary: "Pops a decimal number into memory.",
    spec: "SDM Vol. 2A, FBSTP—Store BCD Integer and Pop",
    forms: [["DF /6", "Mt"]],
    system: storing(asDecimal, 1),
  },
  ...constants.map(
    ([mnemonic, modrm, what, significand, exponent]): Definition => ({
      ...x87,
      mnemonic,
      summary: `Pushes ${what}.`,
      spec: "SDM Vol. 2A, FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant",
      forms: [[`D9 ${modrm}`]],
      system: loadingConstant(significand, exponent),
    }),
  ),
  {
    ...x87,
    mnemonic: "FLDZ",
    summary: "Pushes 0.",
    spec: "SDM Vol. 2A, FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant",
    forms: [["D9 EE"]],
    system: numeric(({ floating }) => pushResult(floating, () => 0n)),
  },
  {
    ...x87,
    mnemonic: "FISTTP",
    summary: "Pops an integer into memory, rounded towards zero.",
    spec: "SDM Vol. 2A, FISTTP—Store Integer With Truncation",
    forms: [
      ["DF /1", "Mw"],
      ["DB /1", "Md"],
      ["DD /1", "Mq"],
    ],
    needs: ["FPU", "SSE3"],
    system: storing(asTruncated, 1),
  },
];

export const x87TransferRows = definitions.flatMap(define);
