/**
 * What the operands of an instruction are tried with: the value that its register, its memory operand and the top of the
 * stack hold. Selectors for what has to do with segments, control-register values and flags for what has to do with those.
 */
import type { InstructionGroup } from "../../hardware/isa/instruction.js";
import { DATA, SELECTORS, STACK, TARGET } from "./layout.js";
import type { Bits } from "./tables.js";
import { controlRegisters, type WorldOptions } from "./worlds.js";

/** The first word of an operand, and the one behind it. */
export interface Content {
  readonly first: number;
  readonly second: number;
}

const NO_SELECTOR = 0;
const selectors: readonly number[] = [
  ...[NO_SELECTOR, SELECTORS.systemData, SELECTORS.userCode, SELECTORS.userData],
  ...[SELECTORS.otherUserCode, SELECTORS.otherUserData, SELECTORS.conforming],
  ...[SELECTORS.sometimes, SELECTORS.callGate, SELECTORS.spareTask, SELECTORS.table],
];
/** IOPL 3, interrupts enabled. */
const FLAGS = 0x3202;
const OPERAND_BYTES = 0x40;
const USER_DATA = SELECTORS.userData;

/** Both halves of the first word are the selector: 16-bit instructions find it behind an offset of two bytes. */
const ofSelector = (selector: number): Content => ({ first: selector * 0x1_0001, second: selector });
/** Registers of 64 bits have an upper half of zeros; else what follows is a number, the upper one of two bounds. */
const ofValue = (value: number, bits: Bits): Content => ({ first: value, second: bits === 64 ? 0 : 0x7fff });

/** Groups whose operands may name something: a segment, a register of the system, flags. Others work on numbers. */
const naming: readonly InstructionGroup[] = [
  ...(["data transfer", "control transfer", "flag control", "input and output", "miscellaneous", "system"] as const),
];

/** What instructions of a group are tried with. */
export function contentsOf(options: WorldOptions, group: InstructionGroup): readonly Content[] {
  const all = allContents(options);
  return naming.includes(group) ? all : [all[0]!, all[3]!, all.at(-1)!];
}

function allContents(options: WorldOptions): readonly Content[] {
  const { cr0, cr4 } = controlRegisters(options, 0);
  return [...selectors.map(ofSelector), ...[cr0, cr4, FLAGS].map((value) => ofValue(value, options.bits))];
}

/**
 * The bytes from the stack on: what is popped, the address of the instruction, and the memory operand. What is popped
 * behind the first two words is good as flags, as a stack pointer and as a stack segment. In 64-bit code the words may
 * also be popped by halves.
 */
export function contentBytes({ first, second }: Content, target: number, bits: Bits): Uint8Array {
  const view = new DataView(new ArrayBuffer(DATA - STACK + OPERAND_BYTES));
  const put = (at: number, value: number): void => view.setUint32(at, value, true);
  const halves = bits === 64 ? [first, second, second, 0] : [first, second];
  [...halves, ...Array.from({ length: bits === 64 ? 6 : 3 }, () => USER_DATA)].forEach(
    (word, index) => void put(4 * index, word),
  );
  put(TARGET - STACK, target);
  const operand = DATA - STACK;
  put(operand, first);
  put(operand + 4, second);
  put(operand + 8, second);
  return new Uint8Array(view.buffer);
}
