/** x87 arithmetic. Spec: SDM Vol. 1, "x87 FPU Basic Arithmetic Instructions", "Basic Arithmetic Instructions". */
import { STATUS } from "../../cpu/floating.js";
import {
  add,
  divide,
  type Environment,
  EXTENDED,
  extract,
  isStopped,
  multiply,
  remainder,
  roundToIntegral,
  scale,
  squareRoot,
  subtract,
} from "../../cpu/softfloat/index.js";
import {
  begin,
  getStack,
  INDEFINITE,
  isEmpty,
  numeric,
  ofTop,
  ofTwo,
  push,
  report,
  setConditions,
  setResult,
  setStack,
  stackFault,
} from "../../cpu/x87.js";
import { floatOperand, integerOperand, type OperandReader } from "../../cpu/x87-operands.js";
import { type Definition, define, type SystemInstruction } from "../instruction.js";
import { x87 } from "./x87-forms.js";

type Operation = typeof add;
const swapped =
  (operation: Operation): Operation =>
  (format, a, b, env) =>
    operation(format, b, a, env);

/** ST(0) becomes what the operation makes of it and the operand in memory. */
const withMemory = (operation: Operation, read: OperandReader): SystemInstruction =>
  numeric((port, instruction) => {
    const { floating } = port;
    const operand = read(port, instruction);
    setResult(floating, 0, [0], (env) => {
      const value = operand(env);
      return operation(EXTENDED, getStack(floating, 0), value, env);
    });
  });

/** The first operand becomes what the operation makes of both, which are ST(0) and ST(i) in either order. */
const withRegister = (operation: Operation, pops = 0): SystemInstruction =>
  numeric(({ floating }, { operands: [target, source] }) => {
    const to = target?.kind === "x87" ? target.number : 0;
    const from = source?.kind === "x87" ? source.number : 0;
    const result = (env: Environment): bigint =>
      operation(EXTENDED, getStack(floating, to), getStack(floating, from), env);
    setResult(floating, to, [to, from], result, pops);
  });

/** Spec: SDM Vol. 2A, "FPREM—Partial Remainder": bits 2, 1 and 0 of the quotient are C0, C3 and C1. */
const quotientBits = (quotient: bigint): number => {
  const low = Number(quotient & 7n);
  return ((low & 4) !== 0 ? STATUS.C0 : 0) | ((low & 2) !== 0 ? STATUS.C3 : 0) | ((low & 1) !== 0 ? STATUS.C1 : 0);
};

const remainderOf = (nearest: boolean): SystemInstruction =>
  numeric(({ floating }) => {
    floating.status &= ~STATUS.C2;
    if (isEmpty(floating, 0) || isEmpty(floating, 1)) {
      if (stackFault(floating, false)) setStack(floating, 0, INDEFINITE);
      return;
    }
    const env = begin(floating);
    const { bits, quotient } = remainder(EXTENDED, getStack(floating, 0), getStack(floating, 1), env, nearest);
    report(floating, env);
    if (isStopped(env)) return;
    setStack(floating, 0, bits);
    if (quotient === "partial") setConditions(floating, STATUS.C2);
    else if (quotient !== "none") setConditions(floating, quotientBits(quotient));
  });

const extracted: SystemInstruction = numeric(({ floating }) => {
  const underflow = isEmpty(floating, 0);
  if (underflow || !isEmpty(floating, 7)) {
    if (!stackFault(floating, !underflow)) return;
    setStack(floating, 0, INDEFINITE);
    push(floating, INDEFINITE);
    return;
  }
  const env = begin(floating);
  const { exponent, significand } = extract(EXTENDED, getStack(floating, 0), env);
  env.roundedUp = false;
  report(floating, env);
  if (isStopped(env)) return;
  setStack(floating, 0, exponent);
  push(floating, significand);
});

interface Kind {
  readonly name: string;
  readonly operation: Operation;
  readonly summary: string;
  readonly spec: string;
  /** The reg field with an operand in memory or ST(0) as the target; with ST(i) as the target. */
  readonly number: number;
  readonly reverse: number;
}

const hex = (value: number): string => value.toString(16).toUpperCase();
/** ModRM of a register form. */
const registers = (number: number): string => `${hex(0xc0 + 8 * number)}+i`;

/** The forms that each of the six basic operations has. */
function formsOf({ name, operation, summary, spec, number, reverse }: Kind): readonly Definition[] {
  const common = { ...x87, summary, spec };
  return [
    {
      ...common,
      mnemonic: `F${name}`,
      forms: [
        [`D8 /${number}`, "Md"],
        [`DC /${number}`, "Mq"],
      ],
      system: withMemory(operation, floatOperand),
    },
    {
      ...common,
      mnemonic: `FI${name}`,
      forms: [
        [`DA /${number}`, "Md"],
        [`DE /${number}`, "Mw"],
      ],
      system: withMemory(operation, integerOperand),
    },
    {
      ...common,
      mnemonic: `F${name}`,
      forms: [
        [`D8 ${registers(number)}`, "ST0 STi"],
        [`DC ${registers(reverse)}`, "STi ST0"],
      ],
      system: withRegister(operation),
    },
    {
      ...common,
      mnemonic: `F${name}P`,
      forms: [[`DE ${registers(reverse)}`, "STi ST0"]],
      system: withRegister(operation, 1),
    },
  ];
}

const kinds: readonly Kind[] = [
  {
    name: "ADD",
    operation: add,
    summary: "Adds.",
    spec: "SDM Vol. 2A, FADD/FADDP/FIADD—Add",
    number: 0,
    reverse: 0,
  },
  {
    name: "MUL",
    operation: multiply,
    summary: "Multiplies.",
    spec: "SDM Vol. 2A, FMUL/FMULP/FIMUL—Multiply",
    number: 1,
    reverse: 1,
  },
  {
    name: "SUB",
    operation: subtract,
    summary: "Subtracts the second operand from the first.",
    spec: "SDM Vol. 2A, FSUB/FSUBP/FISUB—Subtract",
    number: 4,
    reverse: 5,
  },
  {
    name: "SUBR",
    operation: swapped(subtract),
    summary: "Subtracts the first operand from the second.",
    spec: "SDM Vol. 2A, FSUBR/FSUBRP/FISUBR—Reverse Subtract",
    number: 5,
    reverse: 4,
  },
  {
    name: "DIV",
    operation: divide,
    summary: "Divides the first operand by the second.",
    spec: "SDM Vol. 2A, FDIV/FDIVP/FIDIV—Divide",
    number: 6,
    reverse: 7,
  },
  {
    name: "DIVR",
    operation: swapped(divide),
    summary: "Divides the second operand by the first.",
    spec: "SDM Vol. 2A, FDIVR/FDIVRP/FIDIVR—Reverse Divide",
    number: 7,
    reverse: 6,
  },
];

const definitions: readonly Definition[] = [
  ...kinds.flatMap(formsOf),
  {
    ...x87,
    mnemonic: "FCHS",
    summary: "Changes the sign of ST(0).",
    spec: "SDM Vol. 2A, FCHS—Change Sign",
    forms: [["D9 E0"]],
    system: ofTop((bits) => bits ^ EXTENDED.signBit),
  },
  {
    ...x87,
    mnemonic: "FABS",
    summary: "Clears the sign of ST(0).",
    spec: "SDM Vol. 2A, FABS—Absolute Value",
    forms: [["D9 E1"]],
    system: ofTop((bits) => bits & ~EXTENDED.signBit),
  },
  {
    ...x87,
    mnemonic: "FSQRT",
    summary: "Takes the square root of ST(0).",
    spec: "SDM Vol. 2A, FSQRT—Square Root",
    forms: [["D9 FA"]],
    system: ofTop((bits, env) => squareRoot(EXTENDED, bits, env)),
  },
  {
    ...x87,
    mnemonic: "FRNDINT",
    summary: "Rounds ST(0) to an integral value.",
    spec: "SDM Vol. 2A, FRNDINT—Round to Integer",
    forms: [["D9 FC"]],
    system: ofTop((bits, env) => roundToIntegral(EXTENDED, bits, env)),
  },
  {
    ...x87,
    mnemonic: "FSCALE",
    summary: "Multiplies ST(0) by two to the power of ST(1).",
    spec: "SDM Vol. 2A, FSCALE—Scale",
    forms: [["D9 FD"]],
    system: ofTwo((top, next, env) => scale(EXTENDED, top, next, env), 0, 0),
  },
  {
    ...x87,
    mnemonic: "FXTRACT",
    summary: "Replaces ST(0) by its exponent and pushes its significand.",
    spec: "SDM Vol. 2A, FXTRACT—Extract Exponent and Significand",
    forms: [["D9 F4"]],
    system: extracted,
  },
  {
    ...x87,
    mnemonic: "FPREM",
    summary: "Takes ST(1) off ST(0) as often as it goes in, or a part of that.",
    spec: "SDM Vol. 2A, FPREM—Partial Remainder",
    forms: [["D9 F8"]],
    system: remainderOf(false),
  },
  {
    ...x87,
    mnemonic: "FPREM1",
    summary: "The same with the quotient rounded to nearest, as IEEE 754 has it.",
    spec: "SDM Vol. 2A, FPREM1—Partial Remainder",
    forms: [["D9 F5"]],
    system: remainderOf(true),
  },
];

export const x87ArithmeticRows = definitions.flatMap(define);
