/**
 * Which rows an instruction as it is written can be: by its name, and by the kinds and widths of its operands.
 *
 * Values play no part here: whether they fit is found when they are known (encoder.ts).
 */
import type { OperandSize } from "../code.js";
import { type CodeBits, type OperandCode, operandSizes, type Row } from "../instruction.js";
import {
  defaultSize,
  impliesMemory,
  registerTells,
  type Spelling,
  spellings,
  takesNumber,
  takesWord,
  widthNames,
} from "../names.js";
import { rows } from "../table/index.js";
import { isDirect, type OperandText, type ValueText } from "./operand.js";
import { fail, type Place } from "./place.js";

/** One way to encode an instruction. */
export interface Form {
  readonly row: Row;
  readonly size: OperandSize;
  /** The operand size is one of two, so a prefix may be needed. */
  readonly sized: boolean;
  /** In the order of the row. */
  readonly operands: readonly OperandText[];
  readonly addressSize: CodeBits | undefined;
  /** A WAIT comes before it. */
  readonly waits?: true;
  /** MOV of 32 bits for one of 64: the processor clears the upper half. */
  readonly zeroExtended?: true;
}

const bySpelling = new Map<string, Spelling[]>();
for (const spelling of rows.flatMap(spellings)) {
  const list = bySpelling.get(spelling.name);
  if (list) list.push(spelling);
  else bySpelling.set(spelling.name, [spelling]);
}
/** NOP is XCHG of the accumulator with itself. */
const NOP = rows.find(({ opcode }) => opcode === "90+r")!;
bySpelling.set("nop", [...(bySpelling.get("nop") ?? []), { name: "nop", row: NOP }]);

export const isMnemonic = (word: string): boolean => bySpelling.has(word);
export const mnemonics: readonly string[] = [...bySpelling.keys()];

export interface InstructionText {
  readonly place: Place;
  readonly mnemonic: string;
  readonly operands: readonly OperandText[];
  /** The operands as they are written. */
  readonly text: string;
  readonly bits: CodeBits;
  /** Sizes that prefixes (o16, a32) tell. */
  readonly size: CodeBits | undefined;
  readonly addressSize: CodeBits | undefined;
}

/** How an operand fits an operand code. `tells` is that it fits no other operand size. */
type Fit = "no" | "fits" | "tells" | "unsized";

interface Match {
  readonly form: Form;
  readonly told: boolean;
  /** Width of a memory operand that nothing tells. */
  readonly guessed: number | undefined;
}

/** Whether there is such an instruction in code of `bits`. */
const existsIn =
  (bits: CodeBits) =>
  ({ row: { where }, addressSize }: Spelling): boolean => {
    if (addressSize === (bits === 64 ? 16 : 64)) return false;
    return where === undefined || (where === "only64") === (bits === 64);
  };

/** Registers that only a REX prefix reaches. */
const needsRex = (operand: OperandText): boolean =>
  "number" in operand &&
  (operand.number > 7 || (operand.kind === "register" && (operand.size === 64 || !!operand.rex)));

/** All forms that take the operands; fails where there is none, or more than one meaning. */
export function formsOf(text: InstructionText): readonly Form[] {
  const { bits, place } = text;
  const spellingsHere = (bySpelling.get(text.mnemonic) ?? []).filter(existsIn(bits));
  if (spellingsHere.length === 0) return fail(place, `${text.mnemonic} is no instruction of ${bits}-bit code`);
  const outside = bits === 64 ? undefined : text.operands.find(needsRex);
  if (outside) fail(outside.place, "this register is one of 64-bit code; say bits 64 before it");
  const matches = spellingsHere.flatMap((spelling) => matchesOf(spelling, text));
  if (matches.length === 0) return noForm(text);
  const certain = matches.filter(({ guessed }) => guessed === undefined);
  const left = certain.length > 0 ? certain : matches.filter((match) => guess(match, text, matches));
  if (left.length === 0) return fail(text.place, `${text.mnemonic}: say ${widthsOf(matches)} before the [address]`);
  const chosen = left.filter(
    ({ form, told }) => !form.sized || told || form.size === (text.size ?? defaultSize(form.row, bits)),
  );
  if (chosen.length === 0) return noForm(text);
  const agreeing = chosen.filter(({ form }) => text.size === undefined || !form.sized || form.size === text.size);
  if (agreeing.length === 0) return fail(text.place, `${text.mnemonic}: o${text.size} contradicts name and operands`);
  return agreeing.map(({ form }) => form).sort((a, b) => Number(isPreferred(b)) - Number(isPreferred(a)));
}

/** Among forms of one length, NASM takes that with a byte extended by its sign, and of twice ST(0) that which names the first. */
const isPreferred = ({ row: { operands } }: Form): boolean =>
  operands.some(({ type }) => type === "bs") || (operands.length === 2 && operands[0]?.method === "ST");

/** A width that is not told: the only one there is, or for jumps that of the code. */
function guess({ form, guessed }: Match, { bits, size }: InstructionText, matches: readonly Match[]): boolean {
  if (form.row.group === "control transfer") return guessed === (size ?? bits);
  return matches.every((other) => other.guessed === guessed);
}

function widthsOf(matches: readonly Match[]): string {
  const widths = [...new Set(matches.map(({ guessed }) => guessed))].sort((a, b) => (a ?? 0) - (b ?? 0));
  const words = widths.map((width) => widthNames[width ?? 0]);
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function matchesOf(spelling: Spelling, text: InstructionText): readonly Match[] {
  const { row } = spelling;
  const sizes = operandSizes(row, text.bits);
  return arrangements(spelling, text).flatMap(({ operands, addressSize, zeroExtended }) =>
    sizes
      .filter((size) => spelling.size === undefined || size === spelling.size)
      .flatMap((size) => {
        const fit = fitOfAll(row, size, operands);
        if (fit === undefined || (text.bits === 64 && !isLongForm(row, size, operands, text))) return [];
        const waits = spelling.waits ? ({ waits: true } as const) : {};
        const extended = zeroExtended ? ({ zeroExtended } as const) : {};
        const form = { row, size, sized: sizes.length > 1, operands, addressSize, ...waits, ...extended };
        return [{ form, told: fit.tells || spelling.size !== undefined, guessed: fit.guessed }];
      }),
  );
}

/** What 64-bit code has in another way: 90 is NOP, and an address in the instruction has 64 bits or is asked for. */
function isLongForm(row: Row, size: OperandSize, operands: readonly OperandText[], text: InstructionText): boolean {
  if (row === NOP && size === 32 && operands.every((operand) => "number" in operand && operand.number === 0))
    return false;
  const memory = operands.find((operand) => operand.kind === "memory");
  if (memory === undefined) return true;
  if (row.modrm !== "none") return memory.width !== 64;
  return impliesMemory(row) || memory.width === 64 || (memory.addressSize ?? text.addressSize) === 32;
}

interface Arrangement {
  readonly operands: readonly OperandText[];
  readonly addressSize: CodeBits | undefined;
  readonly zeroExtended?: true;
}

/** The operands as the row has them: some are implied, left out, or in either order. */
function arrangements({ name, row, addressSize }: Spelling, text: InstructionText): readonly Arrangement[] {
  const { operands, place } = text;
  const as = (list: readonly OperandText[], size = addressSize): Arrangement => ({ operands: list, addressSize: size });
  const [first, second] = operands;
  if (name === "nop" && row === NOP) {
    const accumulator = { kind: "register", number: 0, size: text.size ?? text.bits, place } as const;
    return operands.length === 0 && text.bits !== 64 ? [as([accumulator, accumulator])] : [];
  }
  if (row.mnemonic === "MOV" && row.plusRegister && first?.kind === "register" && first.size === 64) {
    const narrow = { operands: [{ ...first, size: 32 as const }, second!], addressSize, zeroExtended: true as const };
    return second?.kind === "value" && !second.strict ? [narrow, as(operands)] : [as(operands)];
  }
  if (row.addressSized && second?.kind === "register" && second.number === 1 && second.size !== 8)
    return operands.length === 2 && addressSize === undefined ? [as([first!], second.size)] : [];
  if ((name === "aam" || name === "aad") && operands.length === 0) return [as([tenOf(place)])];
  if (operands.length === 2 && row.operands.some(isXmm0)) return [as([...operands, { kind: "xmm", number: 0, place }])];
  if (row.unit === "x87") return stackArrangements(row, operands, place).map((list) => as(list));
  if (row.mnemonic === "IMUL" && row.operands.length === 3 && operands.length === 2 && second?.kind === "value")
    return [as([first!, first!, second])];
  if (operands.length === 2 && first && second && second.kind !== "value") {
    // NASM has the first register of XCHG in the reg field, that of TEST in the r/m field.
    if (row.mnemonic === "XCHG") return [as([second, first]), as(operands)];
    if (row.mnemonic === "TEST") return [as(operands), as([second, first])];
  }
  return [as(operands)];
}

/** The third operand of a blend by XMM0, which may be left out. */
const isXmm0 = ({ name }: OperandCode): boolean => name === "XMM0";

/** ST(0) may be left out where it is one of two operands, and ST(1) where it is the other one. */
function stackArrangements(row: Row, operands: readonly OperandText[], place: Place): (readonly OperandText[])[] {
  const stack = (number: number): OperandText => ({ kind: "x87", number, place });
  const all = [operands];
  if (!row.operands.some(({ method }) => method === "ST")) return all;
  const [first] = row.operands;
  const complete = (other: OperandText): readonly OperandText[] =>
    row.operands.length === 1 ? [other] : first?.method === "ST" ? [other, stack(0)] : [stack(0), other];
  if (operands.length === 1 && row.operands.length === 2 && (first?.name === "ST0" || row.mnemonic.endsWith("P")))
    all.push(complete(operands[0]!));
  if (operands.length === 0 && takesNext.test(row.mnemonic)) all.push(complete(stack(1)));
  return all;
}
/** Without operands these mean ST(1). */
const takesNext = /^(FXCH|FU?COMP?I?P?|F(ADD|MUL|SUBR?|DIVR?)P)$/;

const tenOf = (place: Place): ValueText => ({
  kind: "value",
  place,
  size: undefined,
  strict: false,
  distance: undefined,
  expression: { kind: "number", value: 10n, place },
});

function fitOfAll(
  row: Row,
  size: OperandSize,
  operands: readonly OperandText[],
): { readonly tells: boolean; readonly guessed: number | undefined } | undefined {
  if (operands.length === 0 && impliesMemory(row)) return { tells: false, guessed: undefined };
  if (operands.length !== row.operands.length) return undefined;
  const fits = row.operands.map((code, index) => fitOf(row, code, size, operands[index]!));
  if (fits.includes("no")) return undefined;
  const tells = fits.includes("tells");
  const open = row.operands.find((_code, index) => fits[index] === "unsized");
  // A width before the number is that of the memory operand; a register is not (MOVZX).
  const told = row.operands.some(({ method }, index) => method === "I" && fits[index] === "tells");
  return { tells, guessed: open === undefined || told ? undefined : widthOf(open, size) };
}

/** Bits of an operand. */
export function widthOf(code: OperandCode, size: OperandSize): number {
  if (code.type === "y") return size === 64 ? 64 : 32;
  if (code.type === "yy") return size === 64 ? 128 : 64;
  return { b: 8, w: 16, d: 32, q: 64, t: 80, dq: 128 }[code.type === "dq" ? "dq" : (code.type[0] ?? "")] ?? size;
}

const when = (holds: boolean, fit: Fit = "fits"): Fit => (holds ? fit : "no");

/** Whether the operand fits; it tells the operand size if the code's width follows it. */
function fitOf(row: Row, code: OperandCode, size: OperandSize, operand: OperandText): Fit {
  const width = widthOf(code, size);
  const telling: Fit = ["v", "z", "p", "y"].includes(code.type) ? "tells" : "fits";
  switch (code.method) {
    case "E":
      if (operand.kind === "register") {
        if (operand.size === width) return telling;
        return when(code.type === "w" && operand.size >= 32 && readsSelector(row));
      }
      if (operand.kind !== "memory" || operand.far) return "no";
      if (takesWord(row)) return when(operand.size === undefined || operand.size === 16);
      if (operand.size !== undefined) return when(operand.size === width, telling);
      return registerTells(row, code.type) ? "fits" : "unsized";
    case "M":
      return fitOfMemory(row, code, size, operand);
    case "O":
      if (operand.kind !== "memory" || operand.far || !isDirect(operand)) return "no";
      return when(operand.size === undefined || operand.size === width);
    case "G":
    case "Z":
    case "R":
      return when(operand.kind === "register" && operand.size === width, telling);
    case "fixed":
      return fitOfFixed(code, width, operand, telling);
    case "I":
      return operand.kind === "value" && operand.distance === undefined
        ? fitOfImmediate(row, code, size, operand)
        : "no";
    case "J":
      if (operand.kind !== "value" || operand.distance === "far") return "no";
      if (operand.size !== undefined) return when(code.type === "z" && operand.size === size, "tells");
      return when(operand.distance !== (code.type === "b" ? "near" : "short"));
    case "A":
      if (operand.kind !== "far") return "no";
      return operand.size === undefined ? "fits" : when(operand.size === size, "tells");
    case "S":
      return when(operand.kind === "segment" && (code.type === "w" || operand.number === Number(code.type)));
    case "C":
      return when(operand.kind === "control");
    case "D":
      return when(operand.kind === "debug");
    case "ST":
      return when(operand.kind === "x87");
    case "V":
    case "U":
      return when(operand.kind === "xmm");
    case "P":
    case "N":
      return when(operand.kind === "mmx");
    case "W":
    case "Q":
      if (operand.kind === (code.method === "W" ? "xmm" : "mmx")) return "fits";
      return when(operand.kind === "memory" && !operand.far && (operand.size ?? width) === width);
    default:
      return "no";
  }
}

/** A selector in a wide register: its low 16 bits count. */
const readsSelector = ({ mnemonic }: Row): boolean => ["MOV", "LAR", "LSL"].includes(mnemonic);

function fitOfMemory(row: Row, code: OperandCode, size: OperandSize, operand: OperandText): Fit {
  if (operand.kind !== "memory") return "no";
  const jumps = row.mnemonic === "JMP" || row.mnemonic === "CALL";
  if (operand.far !== (code.type === "p" && jumps)) return "no";
  if (takesNumber(row)) return operand.size === undefined ? "unsized" : when(operand.size === widthOf(code, size));
  if (operand.size === undefined || code.type === "") return "fits";
  if (jumps) return when(operand.size === size, "tells");
  return when(operand.size === widthOf(code, size) && ["b", "w", "d", "q", "t", "dq", "yy"].includes(code.type));
}

function fitOfFixed(code: OperandCode, width: number, operand: OperandText, telling: Fit): Fit {
  if (code.name === "ST0") return when(operand.kind === "x87" && operand.number === 0);
  if (code.name === "XMM0") return when(operand.kind === "xmm" && operand.number === 0);
  if (code.name === "1") return when(operand.kind === "value" && operand.size === undefined && !operand.distance);
  const number = { AL: 0, AX: 0, rAX: 0, eAX: 0, CL: 1, DX: 2 }[code.name ?? ""];
  return when(operand.kind === "register" && operand.size === width && operand.number === number, telling);
}

/** A width before a number: the one it has, or that of a byte that is extended; it can tell that of a memory operand. */
function fitOfImmediate(row: Row, { type }: OperandCode, size: OperandSize, operand: ValueText): Fit {
  if (operand.size === undefined) return operand.strict && type === "bs" ? "no" : "fits";
  // What is extended to 64 bits lies there as 32.
  if (size === 64 && operand.size === 32 && (type === "z" || (type === "bs" && !operand.strict))) return "fits";
  if (type === "bs") return operand.size === 8 ? "fits" : when(operand.size === size && !operand.strict, "tells");
  const isOperand = row.operands[0]?.type === "b" && row.group !== "shift and rotate";
  if (type === "b") return when(operand.size === 8, isOperand ? "tells" : "fits");
  if (type === "z" && size === 64 && operand.strict) return "no";
  return when(operand.size === (type === "w" ? 16 : size), type === "w" ? "fits" : "tells");
}

function noForm({ place, mnemonic, operands, text, bits }: InstructionText): never {
  const all = (bySpelling.get(mnemonic) ?? []).filter(existsIn(bits)).map(({ row }) => row);
  const same = all.filter((row) => row.operands.length === operands.length);
  const takes = [...new Set((same.length > 0 ? same : all).map((row) => formText(row, bits)))];
  const given = operands.length === 0 ? "no operands" : `"${text}"`;
  return fail(place, `${mnemonic}: no form takes ${given}; its forms are ${takes.map((one) => `"${one}"`).join(" ")}`);
}

const methodTexts: Readonly<Record<OperandCode["method"], string>> = {
  E: "r/m",
  G: "r",
  Z: "r",
  R: "r",
  M: "m",
  I: "imm",
  J: "target",
  O: "[number]",
  S: "segment register",
  C: "control register",
  D: "debug register",
  A: "selector:offset",
  P: "mm",
  Q: "mm/m",
  N: "mm",
  V: "xmm",
  W: "xmm/m",
  U: "xmm",
  ST: "st(i)",
  X: "",
  Y: "",
  fixed: "",
};
const typeTexts: Readonly<Record<string, string>> = {
  b: "8",
  bs: "8",
  w: "16",
  d: "32",
  v: "16/32",
  z: "16/32",
  y: "32",
  yy: "64",
  q: "64",
};

/** The same in 64-bit code, where there is more. */
const wideTexts: Readonly<Record<string, string>> = { v: "16/32/64", y: "32/64", yy: "64/128" };

/** A row in the notation of instruction references: "r/m16/32, imm8". */
export function formText(row: Row, bits: CodeBits): string {
  const widths = bits === 64 ? { ...typeTexts, ...wideTexts } : typeTexts;
  const texts = row.operands.map(({ method, type, name }) => {
    if (name !== undefined) return name === "rAX" ? `ax/eax${bits === 64 ? "/rax" : ""}` : name.toLowerCase();
    return methodTexts[method] + ("EGZRMI".includes(method) ? (widths[type] ?? "") : "");
  });
  return [row.mnemonic.toLowerCase(), texts.filter((text) => text !== "").join(", ")].join(" ").trim();
}
