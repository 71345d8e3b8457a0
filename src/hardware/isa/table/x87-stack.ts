/** x87 instructions that move what is in registers, or the stack itself. Spec: SDM Vol. 1, "x87 FPU Data Transfer Instructions", "x87 FPU Control Instructions". */
import type { FloatingRegisters } from "../../cpu/floating.js";
import { FLAG } from "../../cpu/state.js";
import {
  free,
  getStack,
  INDEFINITE,
  isEmpty,
  moveTop,
  numeric,
  pop,
  setC1,
  setStack,
  stackFault,
  stackIndex,
} from "../../cpu/x87.js";
import { type Definition, define, type SystemInstruction } from "../instruction.js";
import { x87 } from "./x87-forms.js";

const exchanging: SystemInstruction = numeric(({ floating }, { operands }) => {
  const other = stackIndex(operands);
  if (isEmpty(floating, 0) || isEmpty(floating, other)) {
    if (!stackFault(floating, false)) return;
    for (const index of [0, other]) if (isEmpty(floating, index)) setStack(floating, index, INDEFINITE);
  } else setC1(floating, false);
  const top = getStack(floating, 0);
  setStack(floating, 0, getStack(floating, other));
  setStack(floating, other, top);
});

const conditionalMove = (flags: number, wanted: boolean): SystemInstruction =>
  numeric((port, { operands: [, source] }) => {
    const { floating } = port;
    const from = source?.kind === "x87" ? source.number : 0;
    if (isEmpty(floating, 0) || isEmpty(floating, from)) {
      if (stackFault(floating, false)) setStack(floating, 0, INDEFINITE);
      return;
    }
    if (((port.getEflags() & flags) !== 0) === wanted) setStack(floating, 0, getStack(floating, from));
  });

function rotate(floating: FloatingRegisters, by: number): void {
  setC1(floating, false);
  moveTop(floating, by);
}

/** FXCH has more encodings than the manual lists. Spec: AMD64 Vol. 3, "x87 Opcodes". */
const definitions: readonly Definition[] = [
  {
    ...x87,
    mnemonic: "FXCH",
    summary: "Exchanges ST(0) and ST(i).",
    spec: "SDM Vol. 2A, FXCH—Exchange Register Contents",
    forms: [
      ["D9 C8+i", "STi"],
      ["DD C8+i", "STi"],
      ["DF C8+i", "STi"],
    ],
    system: exchanging,
  },
  {
    ...x87,
    mnemonic: "FFREE",
    summary: "Marks ST(i) as empty.",
    spec: "SDM Vol. 2A, FFREE—Free Floating-Point Register",
    forms: [["DD C0+i", "STi"]],
    system: numeric(({ floating }, { operands }) => {
      setC1(floating, false);
      free(floating, stackIndex(operands));
    }),
  },
  {
    ...x87,
    mnemonic: "FFREEP",
    summary: "Marks ST(i) as empty and pops.",
    spec: 'SDM Vol. 3B, "Undocumented Opcodes" (opcode DF C0; AMD64 Vol. 3, "x87 Opcodes")',
    forms: [["DF C0+i", "STi"]],
    system: numeric(({ floating }, { operands }) => {
      setC1(floating, false);
      free(floating, stackIndex(operands));
      pop(floating);
    }),
  },
  {
    ...x87,
    mnemonic: "FINCSTP",
    summary: "Moves the top of the stack up; no register becomes empty.",
    spec: "SDM Vol. 2A, FINCSTP—Increment Stack-Top Pointer",
    forms: [["D9 F7"]],
    system: numeric(({ floating }) => rotate(floating, 1)),
  },
  {
    ...x87,
    mnemonic: "FDECSTP",
    summary: "Moves the top of the stack down; no register is filled.",
    spec: "SDM Vol. 2A, FDECSTP—Decrement Stack-Top Pointer",
    forms: [["D9 F6"]],
    system: numeric(({ floating }) => rotate(floating, -1)),
  },
  {
    ...x87,
    mnemonic: "FNOP",
    summary: "Does nothing.",
    spec: "SDM Vol. 2A, FNOP—No Operation",
    forms: [["D9 D0"]],
    system: numeric(() => {}),
  },
  ...(
    [
      ["FCMOVB", "DA C0+i", FLAG.CF, true],
      ["FCMOVE", "DA C8+i", FLAG.ZF, true],
      ["FCMOVBE", "DA D0+i", FLAG.CF | FLAG.ZF, true],
      ["FCMOVU", "DA D8+i", FLAG.PF, true],
      ["FCMOVNB", "DB C0+i", FLAG.CF, false],
      ["FCMOVNE", "DB C8+i", FLAG.ZF, false],
      ["FCMOVNBE", "DB D0+i", FLAG.CF | FLAG.ZF, false],
      ["FCMOVNU", "DB D8+i", FLAG.PF, false],
    ] as const
  ).map(
    ([mnemonic, opcode, flags, wanted]): Definition => ({
      ...x87,
      mnemonic,
      summary: "Copies ST(i) to ST(0) if the flags are so.",
      spec: "SDM Vol. 2A, FCMOVcc—Floating-Point Conditional Move",
      forms: [[opcode, "ST0 STi"]],
      needs: ["FPU", "CMOV"],
      system: conditionalMove(flags, wanted),
    }),
  ),
];

export const x87StackRows = definitions.flatMap(define);
