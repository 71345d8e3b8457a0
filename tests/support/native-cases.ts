/**
 * Seeded cases for the comparison with the machine's own processor: one instruction each, with registers, flags and a
 * window of memory, made from the rows of the instruction table so that every operand lies where both can reach it.
 */
import type { OperandSize } from "../../src/hardware/isa/code.js";
import { operandSizes, type Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import { encode, has, type MemoryChoice } from "./encode.js";
import type { Random } from "./random.js";

/** Addresses that native-runner.c has, too. The window lies across the border of two pages. */
export const CODE = 0x00800000;
export const CODE_BYTES = 64;
export const WINDOW = 0x00810fc0;
export const WINDOW_BYTES = 128;

export const ARITHMETIC_FLAGS = 0x8d5;
const DIRECTION_FLAG = 0x400;
const flagBits: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 4, C: 1 };

export interface NativeForm {
  readonly row: Row;
  readonly size: OperandSize;
  readonly memory: boolean;
  readonly repeat: number | undefined;
}

export interface NativeCase {
  readonly form: NativeForm;
  readonly code: Uint8Array;
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly registers: readonly number[];
  readonly eflags: number;
  readonly window: Uint8Array;
  /** Flags whose value the manual leaves open. */
  readonly undefinedFlags: number;
}

/** Executed in TypeScript and allowed in any mode, with results that do not depend on the operating system. */
const userSystemRows = ["ENTER", "POPF", "CMPXCHG8B", "INTO", "ARPL", "WAIT"];

/** Everything that gives the same result in a user program and in the machine; the rest is about privilege or devices. */
function isComparable(row: Row, size: OperandSize): boolean {
  if (row.semantics === undefined)
    return userSystemRows.includes(row.mnemonic) && (size === 32 || row.mnemonic === "ARPL");
  // A 16-bit operand size cuts EIP to 16 bits, and nothing can be mapped there.
  if (row.group === "control transfer" && size === 16) return row.mnemonic === "LEAVE" || row.mnemonic === "BOUND";
  return true;
}

/** All forms that are compared: each row at each size, with its register and memory operands and its REP prefixes. */
export function nativeForms(): NativeForm[] {
  const forms: NativeForm[] = [];
  for (const row of rows) {
    for (const size of operandSizes(row)) {
      if (!isComparable(row, size)) continue;
      const memories = has(row, "E") ? [false, true] : [has(row, "M", "O", "X", "Y") || row.mnemonic === "XLAT"];
      const repeats = row.repeat === undefined ? [undefined] : [undefined, 0xf3, 0xf2];
      for (const memory of memories) for (const repeat of repeats) forms.push({ row, size, memory, repeat });
    }
  }
  return forms;
}

const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;
const ESP = 4;
const EBP = 5;
const ESI = 6;
const EDI = 7;
const stackUsers = ["PUSH", "POP", "PUSHA", "POPA", "PUSHF", "POPF", "CALL", "RET", "ENTER"];
const wholeShifts = ["SHL", "SHR", "SAR", "ROL", "ROR", "RCL", "RCR", "SHLD", "SHRD"];

/** Jumped over, or not: MOV EDX, imm32. */
const LANDMARK = 5;

export function nativeCase(form: NativeForm, random: Random): NativeCase {
  const { row, size, memory, repeat } = form;
  const registers = Array.from({ length: 8 }, () => random.interesting());
  const window = random.bytes(WINDOW_BYTES);
  const view = new DataView(window.buffer);
  const fixed = new Set<number>();
  const fix = (register: number, value: number): void => {
    registers[register] = value >>> 0;
    fixed.add(register);
  };
  /** Somewhere in the window with room on both sides; often right at the border of its two pages. */
  const somewhere = (): number => (random.once(3) ? 58 + random.below(8) : 40 + random.below(48));

  const { mnemonic } = row;
  if (stackUsers.includes(mnemonic)) fix(ESP, WINDOW + somewhere());
  if (mnemonic === "LEAVE" || mnemonic === "ENTER") fix(EBP, WINDOW + somewhere());
  if (mnemonic === "DIV" || mnemonic === "IDIV") prepareDividend(registers, size, random);
  if (mnemonic === "AAM" || mnemonic.startsWith("LOOP")) registers[ECX] = random.below(3);
  if (mnemonic === "JECXZ") registers[ECX] = random.below(2);
  if (mnemonic === "XLAT") fix(EBX, WINDOW + somewhere() - (registers[EAX]! & 0xff));
  if (row.group === "string") {
    fix(ESI, WINDOW + somewhere());
    fix(EDI, WINDOW + somewhere());
    if (repeat !== undefined) fix(ECX, random.below(9));
    if (random.once(2)) window.fill(random.below(2), 20, 100);
    if (random.once(2)) registers[EAX] = (random.below(2) * 0x01010101) >>> 0;
  }

  const register = random.below(8);
  const byteRegister = has(row, "Z", "G") ? register : 0;
  let count = random.once(4) ? random.below(256) : random.below(33);
  if (wholeShifts.includes(mnemonic)) {
    if (mnemonic.length === 4 && size === 16) count = random.below(17);
    registers[ECX] = (registers[ECX]! & ~0xff) | count;
    fixed.add(ECX);
  }
  const bitString = mnemonic.startsWith("BT") && memory && has(row, "G");
  if (bitString)
    fix(
      register,
      (size === 16 ? registers[register]! & 0xffff0000 : 0) + ((random.below(512) - 256) & (size === 16 ? 0xffff : -1)),
    );

  const place = somewhere();
  const target = memory ? chooseMemory(WINDOW + place, registers, fixed, random) : random.below(8);
  const distance = LANDMARK;
  const immediates = [
    row.operands.some(({ type, method }) => method === "I" && type === "b") ? count : random.interesting(),
    random.below(6),
  ];
  if (mnemonic === "ENTER") immediates[0] = random.below(24);
  if (mnemonic === "RET") immediates[0] = random.below(64);
  const prefixes: number[] = [];
  if (repeat !== undefined) prefixes.push(repeat);
  // An override that changes nothing where all segments are flat; CS may only be read.
  if (memory && random.once(6)) prefixes.push(random.pick([0x26, 0x2e, 0x36, 0x3e]));
  if ((row.lock || random.once(20)) && random.once(4)) prefixes.unshift(0xf0);
  const choice = { row, size, register: byteRegister, target, immediates, distance, address: WINDOW + place, prefixes };
  const length = encode(choice).length;
  const bytes = encode(choice);
  const code = new Uint8Array(CODE_BYTES).fill(0x90);
  code.set(bytes);
  code.set([0xba, 0x78, 0x56, 0x34, 0x12], length);

  // Indirect branches and returns lead behind the landmark.
  const landing = CODE + length + LANDMARK;
  if (mnemonic === "RET") view.setUint32(registers[ESP]! - WINDOW, landing, true);
  if ((mnemonic === "JMP" || mnemonic === "CALL") && has(row, "E")) {
    if (typeof target === "number") registers[target] = landing;
    else view.setUint32(place, landing, true);
  }
  if (mnemonic === "CMPXCHG8B" && random.once(2)) {
    view.setUint32(place, registers[EAX]!, true);
    view.setUint32(place + 4, registers[EDX]!, true);
  }
  if (mnemonic === "CMPXCHG" && random.once(2)) {
    if (typeof target === "number") registers[EAX] = registers[target]!;
    else view.setUint32(place, registers[EAX]!, true);
  }
  // Only what a program may change anywhere: no TF, no AC, no IOPL.
  if (mnemonic === "POPF")
    view.setUint32(registers[ESP]! - WINDOW, (random.word() & (ARITHMETIC_FLAGS | DIRECTION_FLAG)) | 0x202, true);

  const eflags = (random.word() & (ARITHMETIC_FLAGS | DIRECTION_FLAG)) | 0x202;
  const shiftCount = row.operands.some(({ name }) => name === "1") ? 1 : count & 31;
  return { form, code, registers, eflags, window, undefinedFlags: undefinedFlags(row, size, shiftCount) };
}

/** A dividend whose quotient fits, most of the time. */
function prepareDividend(registers: number[], size: OperandSize, random: Random): void {
  if (random.once(6)) return;
  const high = random.once(2) ? 0 : random.below(4) - 2;
  if (size === 8) registers[EAX] = (registers[EAX]! & 0xffff00ff) | ((high & 0xff) << 8);
  else registers[EDX] = size === 16 ? (registers[EDX]! & 0xffff0000) | (high & 0xffff) : high;
}

/** An operand at `address`: the displacement makes up for what the registers hold, or a register for the displacement. */
function chooseMemory(address: number, registers: number[], fixed: ReadonlySet<number>, random: Random): MemoryChoice {
  const base = random.once(6) ? -1 : random.below(8);
  const index = random.once(2) ? -1 : random.pick([0, 1, 2, 3, 5, 6, 7]);
  const scale = random.below(4);
  if (base >= 0 && base !== index && !fixed.has(base) && random.once(2)) {
    const displacement = random.once(4) ? 0 : random.below(256) - 128;
    registers[base] = (address - displacement - (index < 0 ? 0 : registers[index]! << scale)) >>> 0;
    return { base, index, scale, displacement, short: true };
  }
  const sum = (base < 0 ? 0 : registers[base]!) + (index < 0 ? 0 : registers[index]! << scale);
  return { base, index, scale, displacement: (address - sum) | 0, short: false };
}

/** Flags the manual leaves open, for the count that shifts and rotates have. */
function undefinedFlags(row: Row, size: OperandSize, count: number): number {
  const named = [...(row.flags?.undefined ?? "")].reduce((mask, letter) => mask | flagBits[letter]!, 0);
  if (!wholeShifts.includes(row.mnemonic)) return named;
  if (count === 0) return 0;
  // OF is defined for a count of 1; CF is not for SHL and SHR by the operand size or more.
  let mask = count === 1 ? named & ~flagBits["O"]! : named;
  if ((row.mnemonic === "SHL" || row.mnemonic === "SHR") && count >= size) mask |= flagBits["C"]!;
  return mask;
}
