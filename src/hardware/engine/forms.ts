/**
 * Forms and handlers: a form is what a handler can be made for once, a row's semantics at one operand size with one kind
 * of each operand. Forms that are alike for the generated code share a handler.
 */
import type { OperandSize } from "../isa/code.js";
import type { OperandCode, Row } from "../isa/instruction.js";

/**
 * The memory operand of a form: none, base + displacement, base + index + displacement, the general case: through its
 * segment, with an address of whatever size; or, in 64-bit code, relative to the next instruction.
 */
export type MemoryForm = "none" | "simple" | "indexed" | "segment" | "relative";
export const memoryForms: readonly MemoryForm[] = ["none", "simple", "indexed", "segment", "relative"];
export type RepeatForm = "once" | "E" | "NE";
export const repeatForms: readonly RepeatForm[] = ["once", "E", "NE"];
const sizes: readonly OperandSize[] = [8, 16, 32, 64];

/** Handlers that belong to no instruction; `apart` is that of all forms whose code is in a function of its own. */
export const HANDLER = { miss: 0, stop: 1, system: 2, goto: 3, apart: 4 } as const;
export const FIRST_FORM = 5;

export interface Form {
  readonly row: Row;
  readonly size: OperandSize;
  readonly memory: MemoryForm;
  readonly repeat: RepeatForm;
}

/** The forms of an instruction set. */
export interface FormTable {
  /** The form of each handler, from handler FIRST_FORM on. */
  readonly forms: readonly Form[];
  /** How many handlers the interpreter has. */
  readonly handlerCount: number;
  /** The handler of a decoded form. */
  readonly handlerOf: (row: Row, size: OperandSize, memory: MemoryForm, repeat: RepeatForm) => number;
}

const formKey = (size: OperandSize, memory: MemoryForm, repeat: RepeatForm): number =>
  (sizes.indexOf(size) * memoryForms.length + memoryForms.indexOf(memory)) * repeatForms.length +
  repeatForms.indexOf(repeat);

/** Forms that are alike for an interpreter: same semantics, size, operand kinds. */
function sharedKey({ row, size, memory, repeat }: Form, semanticsNumber: number): string {
  const { unit, unaligned } = row;
  const kind = ({ method, type, name }: OperandCode, position: number): string => {
    if ("WQ".includes(method) || (method === "M" && unit !== undefined))
      return memory === "none" ? method + type : `${memory}${type}`;
    // In 64-bit code its address has 64 bits.
    if (method === "O") return `O${memory}${type[0]}`;
    if (method === "E" || method === "M") return memory === "none" ? `r${type[0]}` : `${memory}${type[0]}`;
    if ("VUPN".includes(method)) return method + type;
    if (method === "I" || name === "1") return size === 64 ? `i${type}` : "i";
    if (position === 2 && method === "fixed") return name!;
    return method === "J" ? "j" : method === "X" || method === "Y" ? method : `r${type[0]}`;
  };
  return [semanticsNumber, size, memory, repeat, unit, unaligned, ...row.operands.map(kind)].join();
}

/** The forms of these rows, each of which comes in some operand sizes and with some kinds of memory operand. */
export function formsOf(
  rows: readonly Row[],
  sizesOf: (row: Row) => readonly OperandSize[],
  memoryFormsOf: (row: Row) => readonly MemoryForm[],
): FormTable {
  const handlers: Form[] = [];
  const shared = new Map<string, number>();
  const numbers = new Map<unknown, number>();
  const byRow = new Map<Row, Int16Array>();
  for (const row of rows) {
    const table = new Int16Array(sizes.length * memoryForms.length * repeatForms.length).fill(HANDLER.system);
    byRow.set(row, table);
    const meaning = row.semantics ?? row.replay;
    if (!meaning) continue;
    if (!numbers.has(meaning)) numbers.set(meaning, numbers.size);
    for (const size of sizesOf(row)) {
      for (const memory of memoryFormsOf(row)) {
        for (const repeat of repeatForms) {
          if (repeat !== "once" && !row.repeat) continue;
          if (repeat === "NE" && row.repeat === "rep") continue;
          const form = { row, size, memory, repeat };
          const key = sharedKey(form, numbers.get(meaning)!);
          let handler = shared.get(key);
          if (handler === undefined) {
            handler = FIRST_FORM + handlers.length;
            handlers.push(form);
            shared.set(key, handler);
          }
          table[formKey(size, memory, repeat)] = handler;
          if (repeat === "E" && row.repeat === "rep") table[formKey(size, memory, "NE")] = handler;
        }
      }
    }
  }
  return {
    forms: handlers,
    handlerCount: FIRST_FORM + handlers.length,
    handlerOf: (row, size, memory, repeat) => byRow.get(row)![formKey(size, memory, repeat)]!,
  };
}
