/**
 * String instructions. With a REP prefix each iteration is one step: it re-dispatches its own record, so an
 * interruption between iterations finds ECX, ESI and EDI as the manual says. ES and DS are the operands' segments.
 * Spec: SDM Vol. 1, "String Instructions"; Vol. 2B, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix".
 */
import { add, and, type Code, type Expr, i32, isZero, ne, sub } from "../code.js";
import { type Definition, define } from "../instruction.js";
import { difference } from "./arithmetic.js";

const ECX = 1;
const ESI = 6;
const EDI = 7;

/** What one iteration does; gives the truth value that ends REPE or REPNE repetition, if the instruction compares. */
type Iteration = (c: Code, advance: (register: number) => void) => { compare?: () => void };

const advanceBy = (c: Code) => {
  const step = c.let(c.direction());
  return (register: number): void => c.setPointer(register, add(c.pointer(register), step));
};

const movs: Iteration = (c, advance) => {
  const value = c.cell("operand", c.pointer(ESI), c.size).value;
  c.cell("es", c.pointer(EDI), c.size, "write").store(value);
  advance(ESI);
  advance(EDI);
  return {};
};

const stos: Iteration = (c, advance) => {
  c.cell("es", c.pointer(EDI), c.size, "write").store(c.register(0, c.size));
  advance(EDI);
  return {};
};

const lods: Iteration = (c, advance) => {
  const value = c.cell("operand", c.pointer(ESI), c.size).value;
  c.setRegister(0, c.size, value);
  advance(ESI);
  return {};
};

const cmps: Iteration = (c, advance) => {
  const a = c.cell("operand", c.pointer(ESI), c.size).value;
  const b = c.cell("es", c.pointer(EDI), c.size).value;
  advance(ESI);
  advance(EDI);
  return { compare: difference(c, a, b).setFlags };
};

const scas: Iteration = (c, advance) => {
  const a = c.register(0, c.size);
  const b = c.cell("es", c.pointer(EDI), c.size).value;
  advance(EDI);
  return { compare: difference(c, a, b).setFlags };
};

const once =
  (iteration: Iteration) =>
  (c: Code): void => {
    iteration(c, advanceBy(c)).compare?.();
  };

const repeated =
  (iteration: Iteration) =>
  (c: Code, while_: "E" | "NE"): void => {
    const count = c.pointer(ECX);
    c.if(count, () => {
      const { compare } = iteration(c, advanceBy(c));
      const left = c.let(sub(count, i32(1)));
      c.setPointer(ECX, left);
      compare?.();
      const more: Expr = ne(left, i32(0));
      c.repeatIf(compare ? and(more, while_ === "E" ? c.condition(4) : isZero(c.condition(4))) : more);
    });
  };

const row = (
  mnemonic: string,
  iteration: Iteration,
  repeat: "rep" | "repe",
  summary: string,
  page: string,
  forms: [string, string][],
): Definition => ({
  mnemonic,
  group: "string",
  summary,
  spec: `SDM Vol. 2, ${page}`,
  forms,
  ...(repeat === "repe" ? { flags: { written: "OSZAPC" } } : {}),
  repeat,
  semantics: once(iteration),
  repeated: repeated(iteration),
});

const definitions: readonly Definition[] = [
  row(
    "MOVS",
    movs,
    "rep",
    "Copies from ESI to EDI and advances both.",
    "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ—Move Data From String to String",
    [
      ["A4", "Yb Xb"],
      ["A5", "Yv Xv"],
    ],
  ),
  row(
    "CMPS",
    cmps,
    "repe",
    "Compares at ESI and EDI and advances both.",
    "CMPS/CMPSB/CMPSW/CMPSD/CMPSQ—Compare String Operands",
    [
      ["A6", "Xb Yb"],
      ["A7", "Xv Yv"],
    ],
  ),
  row(
    "STOS",
    stos,
    "rep",
    "Stores the accumulator at EDI and advances it.",
    "STOS/STOSB/STOSW/STOSD/STOSQ—Store String",
    [
      ["AA", "Yb AL"],
      ["AB", "Yv rAX"],
    ],
  ),
  row(
    "LODS",
    lods,
    "rep",
    "Loads the accumulator from ESI and advances it.",
    "LODS/LODSB/LODSW/LODSD/LODSQ—Load String",
    [
      ["AC", "AL Xb"],
      ["AD", "rAX Xv"],
    ],
  ),
  row("SCAS", scas, "repe", "Compares the accumulator at EDI and advances it.", "SCAS/SCASB/SCASW/SCASD—Scan String", [
    ["AE", "AL Yb"],
    ["AF", "rAX Yv"],
  ]),
];

export const stringRows = definitions.flatMap(define);
