/**
 * Seeded cases of 64-bit code: one to four instructions with registers, flags and a window of memory, made from the rows of
 * the instruction table, as native-cases.ts makes them of 16- and 32-bit code. Code and data lie below 4 GiB and, once
 * more, far above.
 */
import { resetFloating } from "../../src/hardware/cpu/floating.js";
import { includes } from "../../src/hardware/cpu/model.js";
import type { OperandSize } from "../../src/hardware/isa/code.js";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { rows } from "../../src/hardware/isa/table/index.js";
import { has } from "./encode.js";
import { ARITHMETIC_FLAGS, countedRows, DIRECTION_FLAG, flagEffect, undefinedBehind } from "./native-flags.js";
import { mayFollow, usualAlignment, x87Operand } from "./native-floating.js";
import { floatBytes, imageOf, randomFloats } from "./native-floats.js";
import { usesFloats } from "./native-forms.js";
import { CODE, CODE_BYTES, codePlaces, DATA, READ_ONLY, WINDOW, WINDOW_BYTES } from "./native-layout.js";
import { type Choice64, encode64, type Memory64, sizesIn64 } from "./native64-encode.js";
import type { Random } from "./random.js";

/** Where code and data lie a second time. */
export const HIGH = 0x1234_0000_0000n;
/** Bases of FS and GS. */
export const FS_BASE = BigInt(DATA + 0x123);
export const GS_BASE = HIGH + BigInt(DATA + 0x800);

export interface Step64 {
  readonly choice: Choice64;
  /** Of a shift or rotate. */
  readonly count: number;
}

export interface Case64 {
  readonly steps: readonly Step64[];
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8 to R15, unsigned. */
  readonly registers: readonly bigint[];
  readonly rflags: number;
  /** Whether the code is run where it lies far above. */
  readonly high: boolean;
  /** Offset of the first instruction in the code pages. */
  readonly start: number;
  readonly window: Uint8Array;
  readonly floats: Uint8Array;
}

export const XMM_COUNT = 16;
const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;
const MASK = (1n << 64n) - 1n;

/** Executed in TypeScript and allowed to a program, with results that do not depend on the operating system. */
const plainRows = ["ENTER", "POPF", "CMPXCHG8B", "CMPXCHG16B", "CLFLUSH"];

function isComparable(row: Row): boolean {
  if (row.where === "not64" || has(row, "S", "C", "D", "A")) return false;
  if (row.group === "x87") return includes("max", row.needs);
  if (row.unit !== undefined) return true;
  return row.semantics !== undefined || plainRows.includes(row.mnemonic);
}

interface Form64 {
  readonly row: Row;
  readonly size: OperandSize;
  readonly memory: boolean;
  readonly repeat: number | undefined;
}

const implied = (row: Row): boolean => has(row, "X", "Y") || row.mnemonic === "XLAT";

export const forms64: readonly Form64[] = rows.filter(isComparable).flatMap((row) =>
  sizesIn64(row).flatMap((size) =>
    (has(row, "E", "W", "Q") ? [false, true] : [has(row, "M", "O") || implied(row)]).flatMap((memory) =>
      (row.repeat === undefined ? [undefined] : [undefined, 0xf3, 0xf2]).map((repeat) => ({
        row,
        size,
        memory,
        repeat,
      })),
    ),
  ),
);

interface Draft {
  readonly random: Random;
  readonly steps: Step64[];
  readonly registers: bigint[];
  /** What registers hold in front of the next step; undefined if only running would tell. */
  readonly values: (bigint | undefined)[];
  readonly taken: Set<number>;
  readonly window: Uint8Array;
  readonly high: boolean;
  rip: bigint;
  undefinedFlags: number;
}

export const codeBase = (high: boolean): bigint => (high ? HIGH : 0n) + BigInt(CODE);
export const startRip = ({ high, start }: Pick<Case64, "high" | "start">): bigint => codeBase(high) + BigInt(start);

export const bytesOfCase = (test: Case64): number[] => {
  const bytes: number[] = [];
  for (const { choice } of test.steps) bytes.push(...encode64(choice, startRip(test) + BigInt(bytes.length)));
  return bytes;
};

/** Number of the step that begins at an address, -1 if none does. */
export function stepAt64(test: Case64, rip: bigint): number {
  let at = startRip(test);
  for (let index = 0; index < test.steps.length; index++) {
    if (at === rip) return index;
    at += BigInt(encode64(test.steps[index]!.choice, at).length);
  }
  return -1;
}

const quad = (random: Random): bigint => {
  const wide = (BigInt(random.word()) << 32n) | BigInt(random.word());
  switch (random.below(5)) {
    case 0:
      return BigInt(random.interesting());
    case 1:
      return BigInt.asUintN(64, BigInt.asIntN(32, BigInt(random.interesting())));
    case 2:
      return BigInt.asUintN(64, (1n << BigInt(random.below(64))) - BigInt(random.below(2)));
    default:
      return wide;
  }
};

/** A linear address: in the window, often at the border of its pages; now and then elsewhere. */
function somewhere(random: Random, alignment: number): bigint {
  const base = random.once(3) ? 0n : HIGH;
  if (random.once(24)) {
    const borders = [DATA, READ_ONLY, READ_ONLY + 0x1000, CODE];
    return base + BigInt(random.pick(borders) + random.below(16) - 8);
  }
  // Not canonical, or right in front of it.
  if (random.once(48)) return (1n << 47n) - BigInt(random.below(16)) + BigInt(random.below(2)) * BigInt(random.word());
  const at = WINDOW + (random.once(3) ? 58 + random.below(8) : 40 + random.below(48));
  return base + BigInt(random.once(8) ? at : at & ~(alignment - 1));
}

function hold(draft: Draft, register: number, value: bigint): boolean {
  const wanted = BigInt.asUintN(64, value);
  if (draft.values[register] === wanted) {
    draft.taken.add(register);
    return true;
  }
  if (draft.taken.has(register)) return false;
  draft.registers[register] = draft.values[register] = wanted;
  draft.taken.add(register);
  return true;
}

const segmentPrefixes = [0x26, 0x2e, 0x36, 0x3e];

/** A memory operand at `linear`, and its prefixes; undefined where none can be made. */
function chooseMemory(
  draft: Draft,
  linear: bigint,
  addressSize: 32 | 64,
): { target: Memory64; prefixes: number[] } | undefined {
  const { random, values, taken, high } = draft;
  const none = { base: -1, index: -1, scale: 0, displacement: 0, relative: false, linear };
  const based = random.once(12) ? random.pick([0x64, 0x65] as const) : undefined;
  const segmentBase = based === undefined ? 0n : based === 0x64 ? FS_BASE : GS_BASE;
  const prefixes = based === undefined ? (random.once(8) ? [random.pick(segmentPrefixes)] : []) : [based];
  const offset = BigInt.asUintN(64, linear - segmentBase);
  // With 32 bits of address only what lies below is reached; the rest faults or wraps.
  const distance = BigInt.asIntN(64, linear - draft.rip);
  if (
    based === undefined &&
    random.once(4) &&
    distance > -0x7fff0000n &&
    distance < 0x7fff0000n &&
    high === linear > 0xffffffffn
  )
    return { target: { ...none, relative: true }, prefixes };
  if (random.once(6) && offset < 0x80000000n) return { target: { ...none, displacement: Number(offset) }, prefixes };
  const base = random.below(16);
  const index = random.once(2) ? -1 : random.pick([0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  const scale = random.below(4);
  const indexed = index < 0 ? 0n : values[index];
  if (indexed === undefined || index === base) return undefined;
  const displacement = random.once(3) ? 0 : random.once(2) ? random.below(256) - 128 : random.word() | 0;
  const scaled = index < 0 ? 0n : indexed << BigInt(scale);
  const wanted = offset - scaled - BigInt(displacement);
  if (index >= 0) taken.add(index);
  const value = addressSize === 32 ? (BigInt(random.word()) << 32n) | BigInt.asUintN(32, wanted) : wanted;
  if (!hold(draft, base, value)) return undefined;
  return { target: { ...none, base, index, scale, displacement }, prefixes };
}

/** Registers an instruction may write beside its operands; too many are no harm. */
function impliedResults({ mnemonic, group }: Row): readonly number[] {
  if (mnemonic.startsWith("LOOP")) return [RCX];
  if (group === "string") return [RAX, RCX, RSI, RDI];
  return [RAX, RCX, RDX, RSP, RBP];
}

function noteResults(draft: Draft, { row, register, target, size, rex }: Choice64): void {
  const write = (number: number): void => {
    draft.values[number] = undefined;
    draft.taken.add(number);
  };
  const byte = has(row, "E", "G", "Z") && row.operands.some(({ type }) => type === "b") && !rex;
  const part = (number: number): number => (byte && size === 8 && number < 8 ? number & 3 : number);
  if (typeof target === "number" && has(row, "E", "R")) write(part(target));
  if (has(row, "G", "Z")) write(part(register));
  for (const number of impliedResults(row)) write(number);
}

function place(draft: Draft, linear: bigint, value: bigint, bytes: number): void {
  const low = Number(BigInt.asUintN(32, linear)) - WINDOW;
  for (let index = 0; index < bytes; index++)
    if (low + index >= 0 && low + index < WINDOW_BYTES)
      draft.window[low + index] = Number((value >> BigInt(8 * index)) & 0xffn);
}

const stackUsers = ["PUSH", "POP", "PUSHF", "POPF", "CALL", "RET", "ENTER"];

function append(draft: Draft, step: Step64): void {
  draft.steps.push(step);
  draft.rip += BigInt(encode64(step.choice, draft.rip).length);
  draft.undefinedFlags = undefinedBehind(draft.undefinedFlags, flagEffect(step));
}

const rowOf = (mnemonic: string, opcode: string): Row =>
  rows.find((row) => row.mnemonic === mnemonic && row.opcode === opcode)!;
const plain = { addressSize: 64, register: 0, target: 0, distance: 0, address: 0n, prefixes: [], rex: false } as const;
const compare = (random: Random): Step64 => ({
  choice: { ...plain, row: rowOf("CMP", "3D"), size: 32, immediates: [BigInt(random.interesting())] },
  count: 0,
});
/** The bytes jumped over, or not. */
const landmark: Step64 = {
  choice: { ...plain, row: rowOf("MOV", "B8+r"), size: 32, register: RDX, immediates: [0x12345678n] },
  count: 0,
};
const LANDMARK_BYTES = encode64(landmark.choice, 0n).length;

/** Adds a step of a form; gives whether that was possible. */
function addStep(draft: Draft, { row, size, memory, repeat }: Form64): boolean {
  const { random } = draft;
  const { mnemonic } = row;
  if ((flagEffect({ choice: { row, size, prefixes: [] }, count: 1 }).needs & draft.undefinedFlags) !== 0)
    append(draft, compare(random));
  const aligns = usualAlignment(row);
  const addressSize = random.once(12) ? 32 : 64;
  const linear = somewhere(random, memory && mnemonic === "CMPXCHG16B" ? 16 : aligns);
  let stack = 0n;
  if (stackUsers.includes(mnemonic)) {
    stack = somewhere(random, random.once(3) ? 1 : 8);
    if (!hold(draft, RSP, stack)) return false;
  }
  if ((mnemonic === "LEAVE" || mnemonic === "ENTER") && !hold(draft, RBP, somewhere(random, 8))) return false;
  if (mnemonic.startsWith("LOOP") || mnemonic === "JECXZ") {
    const above = addressSize === 32 ? BigInt(random.word()) << 32n : 0n;
    if (!hold(draft, RCX, above | BigInt(random.below(3)))) return false;
  }
  if (implied(row) || mnemonic.startsWith("MASKMOV")) {
    const pointer = (): bigint => somewhere(random, 1);
    if (mnemonic === "XLAT") {
      if (draft.values[RAX] === undefined || !hold(draft, 3, pointer() - (draft.values[RAX]! & 0xffn))) return false;
      draft.taken.add(RAX);
    } else if (!hold(draft, RSI, pointer()) || !hold(draft, RDI, pointer())) return false;
    if (repeat !== undefined && !hold(draft, RCX, BigInt(random.below(9)))) return false;
  }
  const byImmediate = row.operands.some(({ method, type }) => method === "I" && type === "b");
  let count = random.once(4) ? random.below(256) : random.below(65);
  if (countedRows.includes(mnemonic)) {
    if (row.operands.some(({ name }) => name === "1")) count = 1;
    else if (mnemonic.length === 4 && size === 16) count = random.below(17);
    if (row.operands.some(({ name }) => name === "CL")) {
      const above = (draft.values[RCX] ?? 0n) & ~0xffn;
      if (!hold(draft, RCX, above | BigInt(count))) return false;
    }
  }
  const mmx = has(row, "P", "Q", "N");
  const numbers = mmx ? 8 : 16;
  let register = random.below(numbers);
  if (mnemonic.startsWith("BT") && memory && has(row, "G")) {
    const wanted = BigInt(random.below(512) - 256);
    const above = size === 64 ? 0n : quad(random) << BigInt(size);
    register = random.pick([RDX, 3, RSI, RDI, 8, 9, 10, 15]);
    if (!hold(draft, register, size === 64 ? wanted : above | BigInt.asUintN(size, wanted))) return false;
  }
  const prefixes: number[] = [];
  let target: Choice64["target"] = random.below(numbers);
  if (memory && has(row, "E", "M", "W", "Q")) {
    const chosen = chooseMemory(draft, linear, addressSize);
    if (chosen === undefined) return false;
    target = chosen.target;
    prefixes.push(...chosen.prefixes);
  }
  if (repeat !== undefined) prefixes.push(repeat);
  if (random.once(row.lock && memory ? 6 : 60)) prefixes.unshift(0xf0);
  const immediates = [byImmediate ? BigInt(count) : quad(random), BigInt(random.below(8))];
  if (mnemonic === "ENTER") immediates[0] = BigInt(random.below(24));
  if (mnemonic === "RET") immediates[0] = BigInt(random.below(64));
  const rex = random.once(3) && !(mmx && random.once(2));
  const choice: Choice64 = {
    ...{ row, size, addressSize, register, target, immediates, prefixes, rex },
    ...{ distance: LANDMARK_BYTES, address: addressSize === 32 ? BigInt.asUintN(32, linear) : linear },
  };
  const jumps = row.group === "control transfer" && (has(row, "J", "E") || mnemonic === "RET");
  const landing = draft.rip + BigInt(encode64(choice, draft.rip).length + LANDMARK_BYTES);
  if (jumps && !has(row, "J")) {
    if (mnemonic === "RET") place(draft, stack, landing, 8);
    else if (typeof target !== "number") place(draft, linear, landing, 8);
    else if (!hold(draft, target, landing)) return false;
  }
  if (mnemonic.startsWith("CMPXCHG") && random.once(2) && draft.values[RAX] !== undefined)
    place(draft, linear, draft.values[RAX]!, mnemonic === "CMPXCHG" ? size / 8 : 4);
  if (row.group === "x87" && memory) {
    const { skip, bytes } = x87Operand(row, random);
    for (const [index, byte] of bytes.entries()) place(draft, linear + BigInt(skip + index), BigInt(byte), 1);
  }
  if (mnemonic === "POPF") {
    const flags = (random.word() & (ARITHMETIC_FLAGS | DIRECTION_FLAG | 0x33202)) | 2;
    place(draft, stack, BigInt(flags >>> 0), 8);
  }
  append(draft, { choice, count: countedRows.includes(mnemonic) ? count : 0 });
  noteResults(draft, choice);
  if (jumps) append(draft, landmark);
  return true;
}

export const blankFloats64: Uint8Array = imageOf({ ...resetFloating, control: 0x37f, tags: 0xffff }, XMM_COUNT);

/** Where an indirect branch goes is in registers or memory, which instructions in front of it may have changed. */
const isIndirect = ({ row }: Form64): boolean =>
  row.group === "control transfer" && (row.mnemonic === "RET" || (has(row, "E") && !has(row, "J")));
const further = forms64.filter((form) => !isIndirect(form));

/** Case number `number` of a seed's `random`: the forms take turns as the first instruction. */
export function case64(number: number, random: Random): Case64 {
  const first = forms64[number % forms64.length]!;
  for (;;) {
    const registers = Array.from({ length: 16 }, () => quad(random));
    const high = random.once(2);
    const start = random.once(3) ? random.pick(codePlaces) : codePlaces[0];
    const floating = usesFloats(first.row);
    const draft: Draft = {
      ...{ random, steps: [], registers, values: [...registers], taken: new Set<number>(), high },
      window: floating ? floatBytes(random, WINDOW_BYTES) : random.bytes(WINDOW_BYTES),
      ...{ rip: codeBase(high) + BigInt(start), undefinedFlags: 0 },
    };
    if (!addStep(draft, first)) continue;
    const count = random.once(2) ? 1 : 2 + random.below(3);
    for (let index = 1; index < count; index++) {
      const before = draft.steps.length;
      const { rip, undefinedFlags } = draft;
      const form = random.pick(further);
      if (
        !mayFollow(
          draft.steps.map(({ choice: { row } }) => row),
          form.row,
        )
      )
        continue;
      addStep(draft, form);
      if (draft.rip - startRip({ high, start }) <= BigInt(CODE_BYTES - 16)) continue;
      draft.steps.length = before;
      draft.rip = rip;
      draft.undefinedFlags = undefinedFlags;
      break;
    }
    const { steps, window } = draft;
    const rflags = (random.word() & (ARITHMETIC_FLAGS | DIRECTION_FLAG)) | 0x202;
    const floats = steps.some(({ choice: { row } }) => usesFloats(row))
      ? randomFloats(random, XMM_COUNT)
      : blankFloats64;
    return { steps, registers: registers.map((value) => value & MASK), rflags, high, start, window, floats };
  }
}
