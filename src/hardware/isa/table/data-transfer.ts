/** Moves, exchanges, stack. Spec: SDM Vol. 1, "Data Transfer Instructions". */

import { type AccessSize, Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import {
  add,
  and,
  below,
  type Code,
  conditionNames,
  type Expr,
  eq,
  i32,
  or,
  sar,
  select,
  shl,
  shr,
  xor,
} from "../code.js";
import { type Definition, define } from "../instruction.js";
import { difference } from "./arithmetic.js";
import { intercepted } from "./common.js";

const ESP = 4;
const EBP = 5;
const transfer = { group: "data transfer" } as const;

const move = (c: Code): void => c.write(0, c.read(1));

function exchange(c: Code): void {
  const a = c.modify(0);
  const b = c.read(1);
  c.write(0, b);
  c.write(1, a);
}

function pop(c: Code): void {
  const value = c.cell("ss", c.stackTop(), c.size).value;
  const raised = c.stackTop(c.size / 8);
  if (c.isMemory(0)) {
    c.write(0, value);
    c.setStackTop(raised);
  } else {
    c.setStackTop(raised);
    c.write(0, value);
  }
}

function pushAll(c: Code): void {
  const bytes = c.size / 8;
  for (let number = 0; number < 8; number++)
    c.cell("ss", c.stackTop(-(number + 1) * bytes), c.size, "write").store(c.register(number, c.size));
  c.setStackTop(c.stackTop(-8 * bytes));
}

function popAll(c: Code): void {
  const bytes = c.size / 8;
  const values: [number, Expr][] = [];
  for (let number = 7; number >= 0; number--) {
    if (number !== ESP) values.push([number, c.cell("ss", c.stackTop((7 - number) * bytes), c.size).value]);
  }
  for (const [number, value] of values) c.setRegister(number, c.size, value);
  c.setStackTop(c.stackTop(8 * bytes));
}

function leave(c: Code): void {
  const frame = c.framePointer();
  const value = c.cell("ss", frame, c.size).value;
  c.setStackTop(add(frame, i32(c.size / 8)));
  c.setRegister(EBP, c.size, value);
}

function compareExchange(c: Code): void {
  const old = c.modify(0);
  const accumulator = c.register(0, c.size);
  const source = c.read(1);
  const { setFlags } = difference(c, accumulator, old);
  const equal = c.let(eq(accumulator, old));
  // Memory is written in either case. A register that keeps its value keeps its upper half, too.
  if (c.isMemory(0)) c.write(0, c.let(select(equal, source, old)));
  c.if(
    equal,
    () => c.isMemory(0) || c.write(0, source),
    () => c.setRegister(0, c.size, old),
  );
  setFlags();
}

/** Reads what will be written back: a page fault here is that of a write. */
export function readToModify(port: ProcessorPort, address: number, size: AccessSize, user: boolean): number {
  try {
    return port.readLinear(address, size, user);
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.vector !== VECTOR.PF) throw thrown;
    throw new Fault(VECTOR.PF, (thrown.errorCode ?? 0) | PAGE_FAULT_WRITE, thrown.rule);
  }
}
/** W/R in the error code. Spec: SDM Vol. 3A, "Page-Fault Error Code". */
const PAGE_FAULT_WRITE = 2;

const definitions: readonly Definition[] = [
  {
    ...transfer,
    mnemonic: "MOV",
    summary: "Copies the source to the destination.",
    spec: "SDM Vol. 2B, MOV—Move",
    forms: [
      ["88 /r", "Eb Gb"],
      ["89 /r", "Ev Gv"],
      ["8A /r", "Gb Eb"],
      ["8B /r", "Gv Ev"],
      ["A0", "AL Ob"],
      ["A1", "rAX Ov"],
      ["A2", "Ob AL"],
      ["A3", "Ov rAX"],
      ["B0+r", "Zb Ib"],
      ["B8+r", "Zv Iv"],
      ["C6 /0", "Eb Ib"],
      ["C7 /0", "Ev Iz"],
    ],
    semantics: move,
  },
  {
    ...transfer,
    mnemonic: "MOVZX",
    summary: "Copies a narrower source, filling with zeros.",
    spec: "SDM Vol. 2B, MOVZX—Move With Zero-Extend",
    forms: [["0F B6 /r", "Gv Eb"]],
    semantics: (c) => c.write(0, c.zeroExtend(c.read(1), 8)),
  },
  {
    ...transfer,
    mnemonic: "MOVZX",
    summary: "Copies a 16-bit source, filling with zeros.",
    spec: "SDM Vol. 2B, MOVZX—Move With Zero-Extend",
    forms: [["0F B7 /r", "Gv Ew"]],
    semantics: (c) => c.write(0, c.signExtend(c.zeroExtend(c.read(1), 16))),
  },
  {
    ...transfer,
    mnemonic: "MOVSX",
    summary: "Copies a narrower source, filling with its sign.",
    spec: "SDM Vol. 2B, MOVSX/MOVSXD—Move With Sign-Extension",
    forms: [
      ["0F BE /r", "Gv Eb"],
      ["0F BF /r", "Gv Ew"],
    ],
    semantics: move,
  },
  {
    ...transfer,
    mnemonic: "XCHG",
    summary: "Exchanges the two operands; atomic with memory.",
    spec: "SDM Vol. 2D, XCHG—Exchange Register/Memory With Register",
    forms: [
      ["86 /r", "Eb Gb"],
      ["87 /r", "Ev Gv"],
      ["90+r", "Zv rAX"],
    ],
    lock: true,
    semantics: exchange,
  },
  {
    ...transfer,
    mnemonic: "CMPXCHG",
    summary: "Stores the source if the destination equals the accumulator, else loads the accumulator.",
    spec: "SDM Vol. 2A, CMPXCHG—Compare and Exchange",
    forms: [
      ["0F B0 /r", "Eb Gb"],
      ["0F B1 /r", "Ev Gv"],
    ],
    needs: "I486",
    flags: { written: "OSZAPC" },
    lock: true,
    semantics: compareExchange,
  },
  {
    ...transfer,
    mnemonic: "XADD",
    summary: "Exchanges the operands and stores their sum.",
    spec: "SDM Vol. 2D, XADD—Exchange and Add",
    forms: [
      ["0F C0 /r", "Eb Gb"],
      ["0F C1 /r", "Ev Gv"],
    ],
    needs: "I486",
    flags: { written: "OSZAPC" },
    lock: true,
    semantics: (c) => {
      const a = c.modify(0);
      const b = c.read(1);
      const result = c.let(c.signExtend(add(a, b)));
      if (c.isMemory(0)) {
        c.write(0, result);
        c.write(1, a);
      } else {
        c.write(1, a);
        c.write(0, result);
      }
      c.flags({ result, carry: below(result, a), carries: xor(xor(a, b), result) });
    },
  },
  {
    ...transfer,
    mnemonic: "BSWAP",
    summary: "Reverses the bytes of a register of 32 or 64 bits.",
    spec: "SDM Vol. 2A, BSWAP—Byte Swap",
    forms: [["0F C8+r", "Zy"]],
    needs: "I486",
    semantics: (c) => {
      const a = c.modify(0);
      const byte = (from: number, to: number): Expr => shl(and(shr(a, i32(from)), i32(0xff)), i32(to));
      const bytes: Expr[] = [];
      for (let from = 0; from < c.size; from += 8) bytes.push(byte(from, c.size - 8 - from));
      c.write(0, bytes.reduce(or));
    },
  },
  {
    ...transfer,
    mnemonic: "PUSH",
    summary: "Stores the operand below the top of the stack.",
    spec: "SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack",
    forms: [
      ["50+r", "Zv"],
      ["68", "Iz"],
      ["6A", "Ibs"],
      ["FF /6", "Ev"],
    ],
    sized: true,
    in64: "defaults",
    semantics: (c) => c.push(c.read(0)),
  },
  {
    ...transfer,
    mnemonic: "POP",
    summary: "Loads the operand from the top of the stack.",
    spec: "SDM Vol. 2B, POP—Pop a Value From the Stack",
    forms: [
      ["58+r", "Zv"],
      ["8F /0", "Ev"],
    ],
    popsBeforeAddress: true,
    in64: "defaults",
    semantics: pop,
  },
  {
    ...transfer,
    mnemonic: "PUSHA",
    summary: "Pushes the eight general registers.",
    spec: "SDM Vol. 2B, PUSHA/PUSHAD—Push All General-Purpose Registers",
    forms: [["60", "", "not64"]],
    sized: true,
    semantics: pushAll,
  },
  {
    ...transfer,
    mnemonic: "POPA",
    summary: "Pops the general registers but ESP.",
    spec: "SDM Vol. 2B, POPA/POPAD—Pop All General-Purpose Registers",
    forms: [["61", "", "not64"]],
    sized: true,
    semantics: popAll,
  },
  {
    ...transfer,
    mnemonic: "CBW",
    summary: "Sign-extends AL to AX, AX to EAX, or EAX to RAX.",
    spec: "SDM Vol. 2A, CBW/CWDE/CDQE—Convert",
    forms: [["98"]],
    sized: true,
    semantics: (c) => c.setRegister(0, c.size, c.register(0, c.size === 16 ? 8 : c.size === 32 ? 16 : 32)),
  },
  {
    ...transfer,
    mnemonic: "CWD",
    summary: "Fills DX or EDX with the sign of the accumulator.",
    spec: "SDM Vol. 2A, CWD/CDQ/CQO—Convert",
    forms: [["99"]],
    sized: true,
    semantics: (c) => c.setRegister(2, c.size, sar(c.register(0, c.size), i32(c.size === 64 ? 63 : 31))),
  },
  {
    mnemonic: "LEA",
    group: "miscellaneous",
    summary: "Loads the address of the memory operand.",
    spec: "SDM Vol. 2A, LEA—Load Effective Address",
    forms: [["8D /r", "Gv M"]],
    semantics: (c) => c.write(0, c.signExtend(c.address())),
  },
  {
    mnemonic: "LEAVE",
    group: "control transfer",
    summary: "Leaves a stack frame: ESP from EBP, then pops EBP.",
    spec: "SDM Vol. 2A, LEAVE—High Level Procedure Exit",
    forms: [["C9"]],
    sized: true,
    in64: "defaults",
    semantics: leave,
  },
  {
    mnemonic: "XLAT",
    group: "miscellaneous",
    summary: "Loads AL from the table at EBX, indexed by AL.",
    spec: "SDM Vol. 2D, XLAT/XLATB—Table Look-up Translation",
    forms: [["D7"]],
    semantics: (c) =>
      c.setRegister(
        0,
        8,
        c.cell("operand", c.let(c.wrapAddress(add(c.pointer(3), c.asOffset(c.zeroExtend(c.register(0, 8), 8))))), 8)
          .value,
      ),
  },
  {
    mnemonic: "NOP",
    group: "miscellaneous",
    summary: "Does nothing, on this processor; on others some of these are hints.",
    spec: 'SDM Vol. 2B, NOP—No Operation; Vol. 2D, Appendix A, "Two-byte Opcode Map"',
    forms: ["1F", "19", "1A", "1B", "1C", "1D", "1E"].map((opcode) => [`0F ${opcode} /r`, "Ev"] as const),
    needs: "P6",
    semantics: () => {},
  },
  // NOPs of this processor that have names on newer ones, which programs use without asking.
  ...(
    [
      ["CLDEMOTE", "NP 0F 1C /0", "Mb", "SDM Vol. 2A, CLDEMOTE—Cache Line Demote"],
      [
        "ENDBR32",
        "F3 0F 1E FB",
        "",
        "SDM Vol. 2A, ENDBR32—Terminate an Indirect Branch in 32-bit and Compatibility Mode",
      ],
      ["ENDBR64", "F3 0F 1E FA", "", "SDM Vol. 2A, ENDBR64—Terminate an Indirect Branch in 64-bit Mode"],
      ["RDSSPD", "F3 0F 1E C8+i", "Ry", "SDM Vol. 2B, RDSSPD/RDSSPQ—Read Shadow Stack Pointer"],
    ] as const
  ).map(
    ([mnemonic, opcode, operands, spec]): Definition => ({
      mnemonic,
      group: "miscellaneous",
      summary: "Does nothing on this processor.",
      spec,
      forms: [[opcode, operands]],
      needs: "P6",
      semantics: () => {},
    }),
  ),
  {
    mnemonic: "NOP",
    group: "miscellaneous",
    summary: "Does nothing: XCHG of EAX with itself would clear the upper half of RAX.",
    spec: "SDM Vol. 2B, NOP—No Operation",
    forms: [["90", "", "only64"]],
    withoutRexB: true,
    semantics: () => {},
  },
  {
    ...transfer,
    mnemonic: "MOVSXD",
    summary: "Copies a 32-bit source, filling with its sign.",
    spec: "SDM Vol. 2B, MOVSX/MOVSXD—Move With Sign-Extension",
    forms: [["63 /r", "Gv Ed", "only64"]],
    semantics: move,
  },
  {
    mnemonic: "PAUSE",
    group: "miscellaneous",
    summary: "Does nothing, and says that this is a waiting loop.",
    spec: "SDM Vol. 2B, PAUSE—Spin Loop Hint",
    forms: [["F3 90"]],
    system: intercepted((port) => port.pause()),
    replay: (code) => {
      code.unlessLeaves("PAUSE");
      code.done();
    },
  },
  ...["PREFETCH", "PREFETCHW"].map(
    (mnemonic, digit): Definition => ({
      mnemonic,
      group: "miscellaneous",
      summary: "Says that a line of memory will be used soon; does nothing else.",
      spec: "SDM Vol. 2B, PREFETCHW—Prefetch Data Into Caches in Anticipation of a Write",
      forms: [[`0F 0D /${digit}`, "M"]],
      needs: "LM",
      semantics: () => {},
    }),
  ),
  {
    mnemonic: "UD2",
    group: "miscellaneous",
    summary: "Raises #UD.",
    spec: "SDM Vol. 2B, UD—Undefined Instruction",
    forms: [["0F 0B"]],
    needs: "P6",
    endsBlock: true,
    semantics: (c) => c.fault(6),
  },
  ...conditionNames.map(
    (name, code): Definition => ({
      ...transfer,
      mnemonic: `CMOV${name}`,
      summary: `Copies the source to the destination if condition ${name} holds; a source in memory is read in either case.`,
      spec: "SDM Vol. 2A, CMOVcc—Conditional Move",
      forms: [[`0F ${(0x40 + code).toString(16).toUpperCase()} /r`, "Gv Ev"]],
      needs: "CMOV",
      semantics: (c) => {
        const source = c.read(1);
        c.write(0, c.let(select(c.condition(code), source, c.read(0))));
      },
    }),
  ),
];

export const dataTransferRows = definitions.flatMap(define);
