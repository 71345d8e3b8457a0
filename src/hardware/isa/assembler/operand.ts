/**
 * Operands as they are written: registers, memory in brackets, values, far pointers.
 * Spec: NASM manual, "Effective Addresses", "STRICT: Inhibiting Optimization".
 */
import type { OperandSize } from "../code.js";
import type { CodeBits } from "../instruction.js";
import { registerNames, rexByteNames, segmentNames } from "../names.js";
import { accept, type Cursor, expect, peek, peekWord, placeOf } from "./cursor.js";
import { type Expression, hasRegister, parseExpression } from "./expression.js";
import { fail, type Place } from "./place.js";

/** Width that a keyword tells, in bits. */
export type Width = 8 | 16 | 32 | 48 | 64 | 80 | 128;

export interface MemoryText {
  readonly kind: "memory";
  readonly place: Place;
  readonly size: Width | undefined;
  readonly far: boolean;
  readonly address: Expression;
  /** Segment register that is named, in encoding order. */
  readonly segment: number | undefined;
  /** Width of the displacement, or of an address without registers, if a keyword in the brackets tells it. */
  readonly width: 8 | CodeBits | undefined;
  /** The address size that a keyword in the brackets tells (a32). */
  readonly addressSize: CodeBits | undefined;
  /** Counted from the next instruction ("rel"), in 64-bit code. */
  readonly relative: boolean;
  readonly noSplit: boolean;
}

export interface ValueText {
  readonly kind: "value";
  readonly place: Place;
  readonly size: Width | undefined;
  readonly strict: boolean;
  readonly distance: "short" | "near" | "far" | undefined;
  readonly expression: Expression;
}

export interface RegisterText {
  readonly kind: "register";
  readonly place: Place;
  readonly size: OperandSize;
  readonly number: number;
  /** SPL to DIL, which are encoded as AH to BH are without REX. */
  readonly rex?: true;
}

export type OperandText =
  | RegisterText
  | {
      readonly kind: "segment" | "control" | "debug" | "xmm" | "mmx" | "x87";
      readonly place: Place;
      readonly number: number;
    }
  | MemoryText
  | ValueText
  | {
      readonly kind: "far";
      readonly place: Place;
      readonly size: Width | undefined;
      readonly selector: Expression;
      readonly offset: Expression;
    };

export const widthWords: Readonly<Record<string, Width>> = {
  byte: 8,
  word: 16,
  dword: 32,
  fword: 48,
  qword: 64,
  tword: 80,
  oword: 128,
};
const distances = ["short", "near", "far"] as const;

const registers: ReadonlyMap<string, (place: Place) => OperandText> = new Map([
  ...([8, 16, 32, 64] as const).flatMap((size) =>
    registerNames[size].map(
      (name, number) => [name, (place: Place): OperandText => ({ kind: "register", size, number, place })] as const,
    ),
  ),
  ...rexByteNames
    .slice(4, 8)
    .map(
      (name, index) =>
        [
          name,
          (place: Place): OperandText => ({ kind: "register", size: 8, number: index + 4, rex: true, place }),
        ] as const,
    ),
  ...segmentNames.map(
    (name, number) => [name, (place: Place): OperandText => ({ kind: "segment", number, place })] as const,
  ),
  ...Array.from({ length: 16 }, (_, number) => number).flatMap((number) => [
    [`cr${number}`, (place: Place): OperandText => ({ kind: "control", number, place })] as const,
    [`xmm${number}`, (place: Place): OperandText => ({ kind: "xmm", number, place })] as const,
  ]),
  ...Array.from({ length: 8 }, (_, number) => number).flatMap((number) => [
    [`dr${number}`, (place: Place): OperandText => ({ kind: "debug", number, place })] as const,
    [`st${number}`, (place: Place): OperandText => ({ kind: "x87", number, place })] as const,
    [`mm${number}`, (place: Place): OperandText => ({ kind: "mmx", number, place })] as const,
  ]),
]);

/** Words that are no symbols. */
export const isReserved = (word: string): boolean =>
  registers.has(word) || Object.hasOwn(widthWords, word) || word === "strict" || distances.some((one) => one === word);

export function parseOperands(cursor: Cursor): readonly OperandText[] {
  if (peek(cursor) === undefined) return [];
  const operands = [parseOperand(cursor)];
  while (accept(cursor, ",")) operands.push(parseOperand(cursor));
  return operands;
}

function parseOperand(cursor: Cursor): OperandText {
  const place = placeOf(cursor);
  let size: Width | undefined;
  let strict = false;
  let distance: ValueText["distance"];
  for (;;) {
    const word = peekWord(cursor);
    if (word === undefined) break;
    const near = distances.find((one) => one === word);
    if (Object.hasOwn(widthWords, word)) size = widthWords[word];
    else if (word === "strict") strict = true;
    else if (near !== undefined) distance = near;
    else break;
    cursor.at++;
  }
  const register = registers.get(peekWord(cursor) ?? "")?.(placeOf(cursor));
  if (register !== undefined) {
    cursor.at++;
    if (size !== undefined && register.kind === "register" && register.size !== size)
      return fail(place, `this register has ${register.size} bits, not ${size}`);
    return register;
  }
  if (accept(cursor, "[")) return parseMemory(cursor, { place, size, far: distance === "far" });
  const expression = parseExpression(cursor);
  if (accept(cursor, ":")) return { kind: "far", place, size, selector: expression, offset: parseExpression(cursor) };
  return { kind: "value", place, size, strict, distance, expression };
}

type MemoryHead = Pick<MemoryText, "place" | "size" | "far">;

function parseMemory(cursor: Cursor, head: MemoryHead): MemoryText {
  let width: MemoryText["width"];
  let segment: number | undefined;
  let noSplit = false;
  let relative: boolean | undefined;
  let addressSize: CodeBits | undefined;
  for (;;) {
    const word = peekWord(cursor);
    const named = segmentNames.indexOf(word as "es");
    if (word === "byte" || word === "word" || word === "dword" || word === "qword")
      width = widthWords[word] as 8 | CodeBits;
    else if (word === "nosplit") noSplit = true;
    else if (word === "rel" || word === "abs") relative = word === "rel";
    else if (word !== undefined && Object.hasOwn(addressSizes, word)) addressSize = addressSizes[word];
    else if (named >= 0 && peek(cursor, 1)?.text === ":") {
      segment = named;
      cursor.at++;
    } else break;
    cursor.at++;
  }
  const address = parseExpression(cursor, true);
  expect(cursor, "]");
  relative = !hasRegister(address) && (relative ?? (cursor.relative === true && (segment ?? 0) < FS && width !== 64));
  return { kind: "memory", ...head, address, segment, width, noSplit, relative, addressSize };
}

/** With these segments "default rel" does nothing. */
const FS = 4;
const addressSizes: Readonly<Record<string, CodeBits>> = { a16: 16, a32: 32, a64: 64 };

/** An address that is a number: it can be in an instruction without a ModR/M byte. */
export const isDirect = (memory: MemoryText): boolean => !hasRegister(memory.address);
