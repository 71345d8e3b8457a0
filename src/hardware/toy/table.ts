/**
 * The toy's instruction set: sixteen instructions, each one row. Decoder, interpreter, assembler and disassembler follow
 * from this table, by the same code that makes x86's.
 *
 * Eight registers of 32 bits (r0 to r7) and a program counter, memory in bytes with the lowest byte of a word first. An
 * instruction is four bytes, at any address: what to do, then a byte for each register in the order of the text, or two
 * bytes for a number. The first digit of the first byte is the kind: 1 constants, 2 arithmetic, 3 memory, 4 control,
 * 5 the world outside. So `20 01 02 03` is `add r1, r2, r3`, and a byte that an instruction has no use for is zero.
 *
 * Operands: Gd, Rd, Zd are registers in bytes 1, 2, 3; Iw a signed number and Jw an address in bytes 2 and 3; Md memory
 * at the register in byte 2 plus the signed number in byte 3. Copying is `or r1, r2, r2`; there is no flag.
 */
import type { ProcessorPort } from "../cpu/processor.js";
import {
  add,
  and,
  below,
  type Code,
  type Expr,
  i32,
  isZero,
  less,
  mul,
  or,
  select,
  shl,
  shr,
  sub,
  xor,
} from "../isa/code.js";
import { type Definition, define } from "../isa/instruction.js";

/** What instructions without generated code work on: registers, one port that prints, and the end. */
export type ToyPort = Pick<ProcessorPort, "getRegister" | "portWrite" | "halt">;

/** The port whose bytes are the output. */
export const OUTPUT_PORT = 0;

const spec = "Toy, the comment above the table";
const DATA = "Gd Rd Zd";
const arithmetic =
  (operation: (a: Expr, b: Expr) => Expr): ((c: Code) => void) =>
  (c) =>
    c.write(0, c.let(operation(c.read(1), c.read(2))));

/** Left by 0 to 31, right by -1 to -31 with zeros moving in; everything else moves all bits out. */
function shift(value: Expr, count: Expr, c: Code): Expr {
  const back = c.let(sub(i32(0), count));
  return select(below(count, i32(32)), shl(value, count), select(below(back, i32(32)), shr(value, back), i32(0)));
}

const definitions: readonly Definition[] = [
  {
    mnemonic: "SET",
    group: "data transfer",
    summary: "Sets a register to a number from -32768 to 32767.",
    spec,
    forms: [["10", "Gd Iw"]],
    semantics: (c) => c.write(0, c.read(1)),
  },
  {
    mnemonic: "ADD",
    group: "arithmetic",
    summary: "Adds two registers.",
    spec,
    forms: [["20", DATA]],
    semantics: arithmetic(add),
  },
  {
    mnemonic: "SUB",
    group: "arithmetic",
    summary: "Subtracts the third register from the second.",
    spec,
    forms: [["21", DATA]],
    semantics: arithmetic(sub),
  },
  {
    mnemonic: "MUL",
    group: "arithmetic",
    summary: "Multiplies two registers and keeps the low 32 bits.",
    spec,
    forms: [["22", DATA]],
    semantics: arithmetic(mul),
  },
  {
    mnemonic: "AND",
    group: "logic",
    summary: "Sets the bits that are set in both registers.",
    spec,
    forms: [["23", DATA]],
    semantics: arithmetic(and),
  },
  {
    mnemonic: "OR",
    group: "logic",
    summary: "Sets the bits that are set in one of two registers, or in both.",
    spec,
    forms: [["24", DATA]],
    semantics: arithmetic(or),
  },
  {
    mnemonic: "XOR",
    group: "logic",
    summary: "Sets the bits that differ between two registers.",
    spec,
    forms: [["25", DATA]],
    semantics: arithmetic(xor),
  },
  {
    mnemonic: "SHIFT",
    group: "shift and rotate",
    summary: "Shifts the second register left by the third, or right if that is negative; zeros move in.",
    spec,
    forms: [["26", DATA]],
    semantics: (c) => c.write(0, c.let(shift(c.read(1), c.read(2), c))),
  },
  {
    mnemonic: "LOAD",
    group: "data transfer",
    summary: "Loads a word from memory.",
    spec,
    forms: [["30", "Gd Md"]],
    semantics: (c) => c.write(0, c.read(1)),
  },
  {
    mnemonic: "STORE",
    group: "data transfer",
    summary: "Stores a register as a word in memory.",
    spec,
    forms: [["31", "Md Gd"]],
    semantics: (c) => c.write(0, c.read(1)),
  },
  {
    mnemonic: "JUMP",
    group: "control transfer",
    summary: "Goes on at an address from 0 to 65535.",
    spec,
    forms: [["40", "Jw"]],
    endsBlock: true,
    semantics: (c) => c.branch(),
  },
  {
    mnemonic: "JZ",
    group: "control transfer",
    summary: "Goes on at an address if the register is zero.",
    spec,
    forms: [["41", "Gd Jw"]],
    semantics: (c) => c.branch(isZero(c.read(0))),
  },
  {
    mnemonic: "JN",
    group: "control transfer",
    summary: "Goes on at an address if the register is negative.",
    spec,
    forms: [["42", "Gd Jw"]],
    semantics: (c) => c.branch(less(c.read(0), i32(0))),
  },
  {
    mnemonic: "LINK",
    group: "control transfer",
    summary:
      "Goes on at the address in the register, which gets the address behind this instruction: a call, and a return.",
    spec,
    forms: [["43", "Gd"]],
    endsBlock: true,
    semantics: (c) => {
      const target = c.read(0);
      c.write(0, c.nextEip());
      c.jump(target);
    },
  },
  {
    mnemonic: "OUT",
    group: "input and output",
    summary: "Prints the low byte of the register.",
    spec,
    forms: [["50", "Gd"]],
    system: (port: ToyPort, { operands: [operand] }) => {
      if (operand?.kind === "register") port.portWrite(OUTPUT_PORT, 1, port.getRegister(operand.number) & 0xff);
    },
  },
  {
    mnemonic: "HALT",
    group: "miscellaneous",
    summary: "Stops the machine for good.",
    spec,
    forms: [["51"]],
    endsBlock: true,
    system: (port: ToyPort) => port.halt(),
  },
];

export const toyRows = Object.freeze(definitions.flatMap(define));
