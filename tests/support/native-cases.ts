/**
 * Seeded cases: one to four instructions with registers, flags, segments and a window of memory, made from the rows of
 * the instruction table. Most operands lie where they can be reached; some lie at borders, some anywhere.
 */
import type { CodeBits, Row } from "../../src/hardware/isa/instruction.js";
import { has, type MemoryChoice } from "./encode.js";
import { addressing16, bytesOf, type Choice, type Memory16, type Target } from "./native-encode.js";
import { ARITHMETIC_FLAGS, countedRows, DIRECTION_FLAG, flagEffect, undefinedBehind } from "./native-flags.js";
import { bytesOfParts, mayFollow, usualAlignment, x87Operand } from "./native-floating.js";
import { blankFloats, floatBytes, randomFloats } from "./native-floats.js";
import { comparedForms, type NativeForm, nativeForms, usesFloats } from "./native-forms.js";
import {
  CODE,
  CODE_BYTES,
  CODE_PAGES,
  codePlaces,
  DATA,
  isCode,
  NULL_SELECTOR,
  type PaletteSegment,
  palette,
  READ_ONLY,
  REAL,
  REAL_SHIFT,
  segmentOf,
  selectorOf,
  USER_CODE,
  USER_DATA,
  WINDOW,
  WINDOW_BYTES,
} from "./native-layout.js";
import type { Random } from "./random.js";

export { nativeForms };

export interface Step {
  readonly choice: Choice;
  /** Of a shift or rotate. */
  readonly count: number;
}

export interface FuzzCase {
  readonly steps: readonly Step[];
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly registers: readonly number[];
  readonly eflags: number;
  /** Selectors of ES CS SS DS FS GS. */
  readonly selectors: readonly number[];
  /** Offset of the first instruction in the code pages. */
  readonly start: number;
  readonly window: Uint8Array;
  /** x87, MMX and XMM registers as FXSAVE stores them. */
  readonly floats: Uint8Array;
}

export const EAX = 0;
export const ECX = 1;
const EDX = 2;
const EBX = 3;
const ESP = 4;
const EBP = 5;
const ESI = 6;
const EDI = 7;
const CS = 1;
const SS = 2;
const DS = 3;
const overrides = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const stackUsers = ["PUSH", "POP", "PUSHA", "POPA", "PUSHF", "POPF", "CALL", "RET", "ENTER"];
const decimalRows = [
  "DAA",
  "DAS",
  "AAA",
  "AAS",
  "AAM",
  "AAD",
  "CBW",
  "CWD",
  "MUL",
  "DIV",
  "IDIV",
  "CMPXCHG",
  "CMPXCHG8B",
];

export const codeSegment = (test: { readonly selectors: readonly number[] }): PaletteSegment =>
  segmentOf(test.selectors[CS]!)!;
export const codeBits = (test: { readonly selectors: readonly number[] }): CodeBits =>
  codeSegment(test).big ? 32 : 16;
export const startEip = (test: FuzzCase): number => CODE + test.start - codeSegment(test).base;

/** Everything about a case that is decided step by step. */
interface Draft {
  readonly random: Random;
  readonly selectors: readonly number[];
  readonly bits: CodeBits;
  readonly start: number;
  readonly steps: Step[];
  readonly registers: number[];
  /** What a register holds in front of the next step; undefined if only running would tell. */
  readonly values: (number | undefined)[];
  /** Registers whose first value a step relies on, or has overwritten. */
  readonly taken: Set<number>;
  readonly window: Uint8Array;
  undefinedFlags: number;
}

const rowOf = (mnemonic: string, opcode: string): Row =>
  nativeForms().find(({ row }) => row.mnemonic === mnemonic && row.opcode === opcode)!.row;
const loadRow = rowOf("MOV", "B8+r");
const compareRow = rowOf("CMP", "3D");

function append(draft: Draft, step: Step): void {
  draft.steps.push(step);
  draft.undefinedFlags = undefinedBehind(draft.undefinedFlags, flagEffect(step));
}

const plainChoice = (draft: Draft, row: Row, register: number, immediate: number): Choice => ({
  ...{ row, size: 32, codeBits: draft.bits, addressSize: draft.bits, register, target: 0, prefixes: [] },
  immediates: [immediate],
});

/** Makes a register hold a value in front of the next step: from the start, or by a MOV. */
function hold(draft: Draft, register: number, value: number): void {
  value >>>= 0;
  if (draft.values[register] === value) return void draft.taken.add(register);
  if (!draft.taken.has(register)) draft.registers[register] = value;
  else append(draft, { choice: plainChoice(draft, loadRow, register, value), count: 0 });
  draft.values[register] = value;
  draft.taken.add(register);
}

/** The same for the low half only, where 16 bits are what counts. */
function holdBits(draft: Draft, register: number, value: number, bits: CodeBits): void {
  hold(draft, register, bits === 32 ? value : (value & 0xffff) | (draft.random.word() & 0xffff0000));
}

const borders = [DATA, READ_ONLY, READ_ONLY + 0x1000, CODE, CODE + 0x1000, CODE + CODE_PAGES * 0x1000];

/** A linear address: in the window with room on both sides, often at the border of its pages; now and then elsewhere. */
function somewhere(random: Random, wildness = 16): number {
  if (random.once(wildness)) return random.pick(borders) + random.below(16) - 8;
  return WINDOW + (random.once(3) ? 58 + random.below(8) : 40 + random.below(48));
}

const baseOf = (draft: Draft, segment: number): number => segmentOf(draft.selectors[segment]!)?.base ?? 0;
const stackBits = (draft: Draft): CodeBits => (segmentOf(draft.selectors[SS]!)!.big ? 32 : 16);

function holdStack(draft: Draft, register: number): number {
  const linear = somewhere(draft.random, 10) & (draft.random.once(3) ? -1 : ~3);
  holdBits(draft, register, linear - baseOf(draft, SS), stackBits(draft));
  return linear;
}

/** A memory operand near `linear`, and its prefixes. Wild ones are rare: they only fault. */
function chooseMemory(
  draft: Draft,
  linear: number,
  addressSize: CodeBits,
): { target: Target; prefixes: number[]; offset: number } {
  const { random } = draft;
  const override = random.once(5) ? random.below(6) : -1;
  const prefixes = override < 0 ? [] : [overrides[override]!];
  const target = addressSize === 32 ? choose32(draft, linear, override) : choose16(draft, linear, override);
  const stack = "rm" in target && !target.absolute && addressing16[target.rm]!.includes(EBP);
  const offset = linear - baseOf(draft, override >= 0 ? override : stack ? SS : DS);
  return { target, prefixes, offset: addressSize === 16 ? offset & 0xffff : offset >>> 0 };
}

function choose32(draft: Draft, linear: number, override: number): MemoryChoice {
  const { random, values, taken } = draft;
  const base = random.once(6) ? -1 : random.below(8);
  const index = random.once(2) ? -1 : random.pick([0, 1, 2, 3, 5, 6, 7]);
  const scale = random.below(4);
  const segment = override >= 0 ? override : base === ESP || base === EBP ? SS : DS;
  const offset = linear - baseOf(draft, segment);
  const indexed = index < 0 ? 0 : values[index];
  if (random.once(40) || indexed === undefined || (base >= 0 && values[base] === undefined)) {
    const wild = random.once(4);
    return { base: wild ? base : -1, index: wild ? index : -1, scale, displacement: offset | 0, short: random.once(2) };
  }
  if (index >= 0) taken.add(index);
  if (base >= 0 && base !== index && !taken.has(base) && random.once(2)) {
    const displacement = random.once(4) ? 0 : random.below(256) - 128;
    hold(draft, base, offset - displacement - (indexed << scale) * (index < 0 ? 0 : 1));
    return { base, index, scale, displacement, short: true };
  }
  if (base >= 0) taken.add(base);
  const sum = (base < 0 ? 0 : values[base]!) + (index < 0 ? 0 : indexed << scale);
  return { base, index, scale, displacement: (offset - sum) | 0, short: false };
}

function choose16(draft: Draft, linear: number, override: number): Memory16 {
  const { random, values, taken } = draft;
  const rm = random.below(8);
  const registers = addressing16[rm]!;
  const segment = override >= 0 ? override : registers.includes(EBP) ? SS : DS;
  const offset = linear - baseOf(draft, segment);
  const first = registers[0]!;
  if (random.once(6) || registers.some((register) => values[register] === undefined))
    return {
      rm,
      displacement: linear - baseOf(draft, override >= 0 ? override : DS),
      displacementBytes: 2,
      absolute: true,
    };
  const rest = registers.length === 2 ? values[registers[1]!]! : 0;
  if (!taken.has(first) && random.once(2)) {
    const displacement = random.below(256) - 128;
    const displacementBytes = random.pick([0, 1] as const);
    const part = displacementBytes === 1 || rm === 6 ? displacement : 0;
    holdBits(draft, first, offset - part - rest, 16);
    for (const register of registers) taken.add(register);
    return { rm, displacement, displacementBytes, absolute: false };
  }
  for (const register of registers) taken.add(register);
  return { rm, displacement: offset - rest - values[first]!, displacementBytes: 2, absolute: false };
}

/** A dividend whose quotient fits, most of the time. */
function prepareDividend(draft: Draft, size: number): void {
  const { random, values } = draft;
  if (random.once(6)) return;
  const high = random.once(2) ? 0 : random.below(4) - 2;
  if (size === 8) hold(draft, EAX, ((values[EAX] ?? random.word()) & 0xffff00ff) | ((high & 0xff) << 8));
  else hold(draft, EDX, size === 16 ? ((values[EDX] ?? 0) & 0xffff0000) | (high & 0xffff) : high);
}

/** Registers an instruction may write beside its operands; too many are no harm. */
function impliedResults({ mnemonic, group }: Row): readonly number[] {
  if (mnemonic === "POPA") return [0, 1, 2, 3, 4, 5, 6, 7];
  if (stackUsers.includes(mnemonic) || mnemonic === "LEAVE") return [ESP, EBP];
  if (mnemonic.startsWith("LOOP") || /^PCMP[EI]STRI$/.test(mnemonic)) return [ECX];
  if (group === "string") return [EAX, ECX, ESI, EDI];
  return decimalRows.includes(mnemonic) ? [EAX, EDX] : [EAX];
}

function noteResults(draft: Draft, { row, register, target, size }: Choice): void {
  const write = (number: number): void => {
    draft.values[number] = undefined;
    draft.taken.add(number);
  };
  const part = (number: number): number => (size === 8 ? number & 3 : number);
  if (typeof target === "number" && has(row, "E", "R")) write(part(target));
  if (has(row, "G", "Z")) write(part(register));
  for (const number of impliedResults(row)) write(number);
}

/** Puts a value into the window where a step will find it. */
function place(draft: Draft, linear: number, value: number, bytes = 4): void {
  for (let index = 0; index < bytes; index++) {
    const at = linear - WINDOW + index;
    if (at >= 0 && at < WINDOW_BYTES) draft.window[at] = (value >>> (8 * index)) & 0xff;
  }
}

const codeLength = ({ steps }: Draft): number => steps.reduce((sum, { choice }) => sum + bytesOf(choice).length, 0);

/** How a step's operands are filled so that it does something: registers it implies, and what memory holds for it. */
function prepare(draft: Draft, { row, size, addressSize, repeat }: NativeForm): { stack: number } {
  const { random, window } = draft;
  const { mnemonic } = row;
  let stack = 0;
  if (stackUsers.includes(mnemonic)) stack = holdStack(draft, ESP);
  if (mnemonic === "LEAVE" || mnemonic === "ENTER") holdStack(draft, EBP);
  if (mnemonic === "DIV" || mnemonic === "IDIV") prepareDividend(draft, size);
  if (mnemonic.startsWith("LOOP")) holdBits(draft, ECX, random.below(4), addressSize);
  if (mnemonic === "JECXZ") holdBits(draft, ECX, random.below(2), addressSize);
  if (mnemonic.startsWith("MASKMOV")) holdBits(draft, EDI, somewhere(random) - baseOf(draft, DS), addressSize);
  if (mnemonic === "XLAT") {
    const al = (draft.values[EAX] ?? 0) & 0xff;
    draft.taken.add(EAX);
    holdBits(draft, EBX, somewhere(random) - baseOf(draft, DS) - al, addressSize);
  }
  if (row.group === "string") {
    holdBits(draft, ESI, somewhere(random) - baseOf(draft, DS), addressSize);
    holdBits(draft, EDI, somewhere(random) - baseOf(draft, 0), addressSize);
    if (repeat !== undefined) holdBits(draft, ECX, random.once(12) ? random.below(400) : random.below(9), addressSize);
    if (draft.steps.length === 0 && random.once(2)) window.fill(random.below(2), 20, 100);
    if (random.once(2) && !draft.taken.has(EAX)) hold(draft, EAX, random.below(2) * 0x01010101);
  }
  return { stack };
}

/** Segment registers that a program may load: all but CS, and SS is where the stack is. */
const loadable = [0, 3, 4, 5];
const selectable: Readonly<Record<string, readonly number[]>> = {
  S: [0, 1, 2, 3, 4, 5],
  C: [0, 2, 3, 4],
  D: [0, 1, 2, 3, 6, 7],
};

function chooseRegister(draft: Draft, row: Row): number {
  if (row.operands[0]?.method === "S" && has(row, "E")) return draft.random.pick(loadable);
  for (const [method, numbers] of Object.entries(selectable)) if (has(row, method)) return draft.random.pick(numbers);
  return draft.random.below(8);
}

/** The bytes jumped over, or not: MOV EDX, imm. */
function landmark(draft: Draft): Step {
  return { choice: plainChoice(draft, loadRow, EDX, 0x12345678), count: 0 };
}

function addStep(draft: Draft, form: NativeForm): void {
  const { row, size, addressSize, memory, repeat } = form;
  const { random } = draft;
  const { mnemonic } = row;
  if ((flagEffect({ choice: { row, size, prefixes: [] }, count: 1 }).needs & draft.undefinedFlags) !== 0)
    append(draft, { choice: plainChoice(draft, compareRow, 0, random.interesting()), count: 0 });
  const { stack } = prepare(draft, form);
  const register = chooseRegister(draft, row);
  const byImmediate = row.operands.some(({ method, type }) => method === "I" && type === "b");
  let count = random.once(4) ? random.below(256) : random.below(33);
  if (mnemonic.length === 4 && countedRows.includes(mnemonic) && size === 16) count = random.below(17);
  if (countedRows.includes(mnemonic) && !byImmediate) {
    if (has(row, "fixed") && row.operands.some(({ name }) => name === "1")) count = 1;
    else hold(draft, ECX, ((draft.values[ECX] ?? random.word()) & ~0xff) | count);
  }
  if (mnemonic.startsWith("BT") && memory && has(row, "G")) {
    const offset = random.below(512) - 256;
    if (register !== ESP) holdBits(draft, register, offset, size === 16 ? 16 : 32);
  }

  const address = aligned(random, row, somewhere(random));
  const prefixes: number[] = [];
  let target: Target = random.below(8);
  if (memory && has(row, "E", "M", "W", "Q")) {
    const chosen = chooseMemory(draft, address, addressSize);
    target = chosen.target;
    if (chosen.offset + bytesOfParts(row) > 2 ** addressSize) return;
    prefixes.push(...chosen.prefixes);
  } else if (memory && random.once(5)) prefixes.push(random.pick(overrides));
  if (repeat !== undefined) prefixes.push(repeat);
  // AMD's processors take LOCK MOV CR0 for MOV CR8.
  if (random.once(row.lock && memory ? 6 : 50) && !has(row, "C")) prefixes.unshift(0xf0);
  if (random.once(60)) prefixes.push(...Array.from({ length: random.below(12) }, () => 0x3e));

  const immediates = [byImmediate ? count : random.interesting(), random.once(4) ? random.below(32) : random.below(6)];
  if (mnemonic === "ENTER") immediates[0] = random.once(8) ? random.below(0x10000) : random.below(24);
  if (mnemonic === "RET") immediates[0] = random.below(64);
  const far = landmark(draft);
  const distance = bytesOf(far.choice).length;
  const relative = addressSize === 32 || has(row, "O") ? address - baseOf(draft, DS) : 0;
  const choice: Choice = {
    ...{ row, size, codeBits: draft.bits, addressSize, register, target, immediates, distance, prefixes },
    address: relative >>> 0,
  };
  const jumps = row.group === "control transfer" && (has(row, "J", "E") || mnemonic === "RET");
  if (jumps && !has(row, "J")) leadBehind(draft, choice, address, stack, distance);
  if (mnemonic === "CMPXCHG8B" && random.once(2)) {
    place(draft, address, draft.values[EAX] ?? 0);
    place(draft, address + 4, draft.values[EDX] ?? 0);
  }
  if (mnemonic === "CMPXCHG" && random.once(2)) {
    if (typeof target !== "number") place(draft, address, draft.values[EAX] ?? 0);
    else if (!draft.taken.has(EAX)) draft.registers[EAX] = draft.values[EAX] = draft.values[target] ?? 0;
  }
  if (row.group === "x87" && memory) {
    const { skip, bytes } = x87Operand(row, random);
    for (const [index, byte] of bytes.entries()) place(draft, address + skip + index, byte, 1);
  }
  // No TF, no NT, no AC, no ID: those outlive the case.
  if (mnemonic === "POPF")
    place(draft, stack, (random.word() & (ARITHMETIC_FLAGS | DIRECTION_FLAG | 0x33202)) | 2, size / 8);
  append(draft, { choice, count: countedRows.includes(mnemonic) ? count : 0 });
  noteResults(draft, choice);
  if (jumps) append(draft, far);
}

/** 16 bytes that must be aligned are, most of the time. */
const aligned = (random: Random, row: Row, address: number): number =>
  random.once(8) ? address : address & -usualAlignment(row);

/** Indirect branches and returns lead behind the landmark that follows them. */
function leadBehind(draft: Draft, choice: Choice, address: number, stack: number, distance: number): void {
  const { row, size, target } = choice;
  const landing = CODE - baseOf(draft, CS) + draft.start + codeLength(draft) + bytesOf(choice).length + distance;
  if (row.mnemonic === "RET") place(draft, stack, landing, size / 8);
  else if (typeof target !== "number") place(draft, address, landing, size / 8);
  else if (!draft.taken.has(target)) {
    draft.registers[target] = draft.values[target] = landing;
    draft.taken.add(target);
  } else place(draft, address, landing, size / 8);
}

const indices = palette.map((_, index) => index);
const dataSelectors = indices.filter((index) => !isCode(palette[index]!)).map(selectorOf);
const stackSelectors = dataSelectors.filter((selector) => !palette[selector >> 3]!.restricted);
const codeSelectors = indices.filter((index) => isCode(palette[index]!)).map(selectorOf);
/** Code that may be read: a selector of other code cannot be loaded. */
const readableCode = codeSelectors.filter((selector) => !palette[selector >> 3]!.restricted);

/** ES CS SS DS FS GS: all flat, or each one something else. */
function chooseSelectors(random: Random, segmented: boolean): number[] {
  if (!segmented) return [USER_DATA, USER_CODE, USER_DATA, USER_DATA, USER_DATA, USER_DATA];
  const data = (): number => {
    if (random.once(20)) return random.once(2) ? NULL_SELECTOR : random.pick(readableCode);
    return random.once(3) ? USER_DATA : random.pick(dataSelectors);
  };
  const code = random.once(4) ? USER_CODE : random.pick(codeSelectors);
  const stack = random.once(4) ? USER_DATA : random.pick(stackSelectors);
  return [data(), code, stack, data(), data(), data()];
}

/** Real-mode segments through which some data and stack are reached, at any offsets. */
function realSelectors(random: Random): number[] {
  const data = (): number =>
    REAL + ((WINDOW - REAL_SHIFT) >> 4) - (random.once(3) ? 0xffc - random.below(8) : random.below(0xff0));
  return [data(), REAL + (CODE - REAL_SHIFT) / 16 - random.pick([0, 0x80, 0x7ff]), data(), data(), data(), data()];
}

/** Where an indirect branch goes is in registers or memory, which instructions in front of it may have changed. */
const isIndirect = ({ row }: NativeForm): boolean =>
  row.group === "control transfer" && (row.mnemonic === "RET" || (has(row, "E") && !has(row, "J")));

const formsOf = (world: "user" | "real"): { first: NativeForm[]; further: NativeForm[] } => {
  const first = comparedForms(world);
  return { first, further: first.filter((form) => !isIndirect(form)) };
};
const userForms = formsOf("user");
const realForms = formsOf("real");

/** User mode in flat segments, in segments of the palette as well, or real mode. */
export type World = "flat" | "segments" | "real";

/** Case number `number` of a seed's `random`: the forms take turns as the first instruction of a case. */
export function fuzzCase(number: number, random: Random, world: World): FuzzCase {
  const forms = world === "real" ? realForms : userForms;
  const first = forms.first[number % forms.first.length]!;
  // Nothing lies at the addresses that 16 bits reach in flat segments.
  const segmented = world === "segments" && (first.addressSize === 16 ? !random.once(12) : random.once(2));
  const selectors = world === "real" ? realSelectors(random) : chooseSelectors(random, segmented);
  const bits: CodeBits = segmentOf(selectors[CS]!)!.big ? 32 : 16;
  const registers = Array.from({ length: 8 }, () => random.interesting());
  const start = random.once(3) ? random.pick(codePlaces) : codePlaces[0];
  const draft: Draft = {
    ...{ random, selectors, bits, start, steps: [], registers, values: [...registers], taken: new Set<number>() },
    ...{
      window: usesFloats(first.row) ? floatBytes(random, WINDOW_BYTES) : random.bytes(WINDOW_BYTES),
      undefinedFlags: 0,
    },
  };
  const count = random.once(2) ? 1 : 2 + random.below(3);
  for (let index = 0; index < count; index++) {
    const form = index === 0 ? first : random.pick(forms.further);
    if (!mayFollow(rowsOf(draft), form.row)) continue;
    addStep(draft, form);
    while (codeLength(draft) > CODE_BYTES) draft.steps.pop();
    if (draft.steps.length === 0) append(draft, { choice: plainChoice(draft, compareRow, 0, 0), count: 0 });
  }
  // Right in front of the end of the code pages, unless the case knows addresses in its code.
  const atEnd = start === codePlaces[2] && random.once(2) && !leads(draft);
  const room = atEnd ? CODE_BYTES - codeLength(draft) : 0;
  const eflags = (random.word() & (ARITHMETIC_FLAGS | DIRECTION_FLAG)) | 0x202;
  const { steps, window } = draft;
  const floats = steps.some(({ choice: { row } }) => usesFloats(row)) ? randomFloats(random) : blankFloats;
  return { steps, registers, eflags, selectors, start: start + room, window, floats };
}

const rowsOf = ({ steps }: Draft): Row[] => steps.map(({ choice: { row } }) => row);

/** Whether addresses of the case's own code are in its registers or memory. */
const leads = ({ steps }: Draft): boolean => steps.some(({ choice: { row } }) => row.group === "control transfer");
