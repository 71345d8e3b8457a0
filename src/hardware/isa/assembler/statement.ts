/**
 * A line of tokens to a statement: label, `times`, prefixes, and an instruction or a directive.
 * Spec: NASM manual, "Layout of a NASM Source Line", "Pseudo-Instructions", "Assembler Directives".
 */
import type { CodeBits } from "../instruction.js";
import { segmentNames } from "../names.js";
import { accept, type Cursor, expectEnd, peek, peekWord, placeOf, unexpected } from "./cursor.js";
import type { Instruction } from "./encoder.js";
import { type Expression, parseExpression } from "./expression.js";
import { formsOf, isMnemonic, mnemonics } from "./forms.js";
import type { Token } from "./lexer.js";
import { isReserved, parseOperands } from "./operand.js";
import { fail, type Place } from "./place.js";

export type DataItem = { readonly bytes: Uint8Array } | { readonly expression: Expression };

export type Body =
  | { readonly kind: "instruction"; readonly instruction: Instruction }
  | { readonly kind: "data"; readonly unit: number; readonly items: readonly DataItem[] }
  | { readonly kind: "reserve"; readonly unit: number; readonly count: Expression }
  | { readonly kind: "align"; readonly boundary: Expression; readonly fill: Expression | number }
  | { readonly kind: "equ" | "org" | "bits"; readonly expression: Expression }
  | { readonly kind: "default"; readonly relative: boolean }
  | { readonly kind: "nothing" };

export interface Label {
  /** A local label has that of its scope in front. */
  readonly name: string;
  readonly place: Place;
  /** The label that local ones belong to from here on. */
  readonly scope: string;
}

export interface Statement {
  readonly place: Place;
  readonly label: Label | undefined;
  readonly times: Expression | undefined;
  readonly body: Body;
}

/** Bytes of an item by the letter of the directive: db, resw. */
const units: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8 };
const NOP = 0x90;

type Directive = (cursor: Cursor) => Body;

const directives: ReadonlyMap<string, Directive> = new Map<string, Directive>([
  ...Object.entries(units).flatMap(([letter, unit]): readonly [string, Directive][] => [
    [`d${letter}`, (cursor) => ({ kind: "data", unit, items: parseItems(cursor) })],
    [`res${letter}`, (cursor) => ({ kind: "reserve", unit, count: parseExpression(cursor) })],
  ]),
  ["align", (cursor) => parseAlign(cursor, NOP)],
  ["alignb", (cursor) => parseAlign(cursor, 0)],
  ["equ", (cursor) => ({ kind: "equ", expression: parseExpression(cursor) })],
  ["org", (cursor) => ({ kind: "org", expression: parseExpression(cursor) })],
  ["default", (cursor) => parseDefault(cursor)],
  ["bits", (cursor) => ({ kind: "bits", expression: parseExpression(cursor) })],
]);

interface Prefix {
  readonly byte?: number;
  readonly segment?: number;
  readonly size?: CodeBits;
  readonly addressSize?: CodeBits;
}
const prefixes: ReadonlyMap<string, Prefix> = new Map<string, Prefix>([
  ["lock", { byte: 0xf0 }],
  ...["rep", "repe", "repz"].map((name): [string, Prefix] => [name, { byte: 0xf3 }]),
  ...["repne", "repnz"].map((name): [string, Prefix] => [name, { byte: 0xf2 }]),
  ...segmentNames.map((name, segment): [string, Prefix] => [name, { segment }]),
  ["o16", { size: 16 }],
  ["o32", { size: 32 }],
  ["o64", { size: 64 }],
  ["a16", { addressSize: 16 }],
  ["a32", { addressSize: 32 }],
  ["a64", { addressSize: 64 }],
]);

const begins = (word: string | undefined): boolean =>
  word !== undefined && (isMnemonic(word) || directives.has(word) || prefixes.has(word) || word === "times");

/** Words of NASM that have no meaning here, and why. */
const withoutMeaning: Readonly<Record<string, string>> = {
  section: "there are no sections: the bytes are one after the other, as with -f bin",
  segment: "there are no sections: the bytes are one after the other, as with -f bin",
  global: "every label is in the symbols of the result",
  extern: "there is no linker: every symbol has to be in this text",
  incbin: "files are not read; put the bytes behind db",
};

export function parseStatement(cursor: Cursor, bits: CodeBits): Statement {
  const place = placeOf(cursor);
  const bracketed = peek(cursor)?.text === "[" && accept(cursor, "[");
  const label = bracketed ? undefined : parseLabel(cursor);
  const inner = label ? { ...cursor, scope: label.scope } : cursor;
  const times = parseTimes(inner);
  const body = parseBody(inner, bits);
  if (bracketed && !accept(inner, "]")) unexpected(inner, '"]"');
  expectEnd(inner);
  if (times && !["instruction", "data", "reserve"].includes(body.kind))
    fail(place, "times can repeat code and data only");
  if (body.kind === "equ" && !label) fail(place, "equ needs a name in front of it");
  return { place, label, times, body };
}

function parseTimes(cursor: Cursor): Expression | undefined {
  if (peekWord(cursor) !== "times") return undefined;
  cursor.at++;
  return parseExpression(cursor);
}

/** A name with a colon, or without one before something that begins a statement. */
function parseLabel(cursor: Cursor): Label | undefined {
  const token = peek(cursor);
  if (token?.kind !== "word") return undefined;
  const colon = peek(cursor, 1)?.text === ":";
  const word = token.text.toLowerCase();
  if (!colon && (begins(word) || !begins(peek(cursor, 1)?.text.toLowerCase()))) return undefined;
  if (isReserved(word)) return fail(token.place, `${token.text} cannot be a label, it is a word of the language`);
  cursor.at += colon ? 2 : 1;
  const local = token.text.startsWith(".");
  const name = local ? cursor.scope + token.text : token.text;
  return { name, place: token.place, scope: local ? cursor.scope : name };
}

function parseBody(cursor: Cursor, bits: CodeBits): Body {
  const token = peek(cursor);
  if (token === undefined) return { kind: "nothing" };
  const word = peekWord(cursor);
  if (word === undefined) return unexpected(cursor, "a label, an instruction or a directive");
  const directive = directives.get(word);
  if (directive) {
    cursor.at++;
    return directive(cursor);
  }
  return { kind: "instruction", instruction: parseInstruction(cursor, bits) };
}

function parseInstruction(cursor: Cursor, bits: CodeBits): Instruction {
  const bytes: number[] = [];
  let segment: number | undefined;
  let size: CodeBits | undefined;
  let addressSize: CodeBits | undefined;
  for (;;) {
    const prefix = prefixes.get(peekWord(cursor) ?? "");
    if (!prefix) break;
    cursor.at++;
    if (prefix.byte !== undefined) bytes.push(prefix.byte);
    segment = prefix.segment ?? segment;
    size = prefix.size ?? size;
    addressSize = prefix.addressSize ?? addressSize;
  }
  const token = peek(cursor);
  const mnemonic = peekWord(cursor);
  if (token === undefined || mnemonic === undefined) return unexpected(cursor, "an instruction");
  if (!isMnemonic(mnemonic)) return unknown(token);
  cursor.at++;
  const first = cursor.at;
  const operands = parseOperands(cursor);
  const text = textOf(cursor.tokens.slice(first, cursor.at));
  const written = { place: token.place, mnemonic, operands, text, bits, size, addressSize };
  return { ...written, prefixes: bytes, segment, forms: formsOf(written) };
}

function unknown({ text, place }: Token): never {
  const word = text.toLowerCase();
  const why = withoutMeaning[word];
  if (why !== undefined && Object.hasOwn(withoutMeaning, word)) return fail(place, `${text}: ${why}`);
  const names = [...mnemonics, ...directives.keys()];
  const [nearest] = names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .sort((a, b) => a.distance - b.distance);
  const hint = nearest && nearest.distance <= 2 ? `; the nearest is ${nearest.name}` : "";
  return fail(place, `no instruction or directive is called "${text}"${hint} (a label needs a colon)`);
}

/** Letters to insert, delete, replace or swap with their neighbour. Long words are not compared: none is as long. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : replaced;
      next.push(Math.min(replaced, swapped, row[j]! + 1, next[j - 1]! + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}

/** Tokens as a person would write them. */
function textOf(tokens: readonly Token[]): string {
  const isValue = ({ kind, text }: Token): boolean => kind !== "operator" || text.startsWith("$");
  return tokens
    .map((token, index) => {
      const before = tokens[index - 1];
      const apart = before && (before.text === "," || (isValue(before) && (isValue(token) || token.text === "[")));
      return apart ? ` ${token.text}` : token.text;
    })
    .join("");
}

function parseItems(cursor: Cursor): readonly DataItem[] {
  const items: DataItem[] = [];
  do {
    const token = peek(cursor);
    const after = peek(cursor, 1);
    // A string that is no part of an expression is its characters, however many.
    if (token?.kind === "string" && (after === undefined || after.text === ",")) {
      cursor.at++;
      items.push({ bytes: token.bytes });
    } else items.push({ expression: parseExpression(cursor) });
  } while (accept(cursor, ","));
  return items;
}

/** What an address without registers is in 64-bit code. */
function parseDefault(cursor: Cursor): Body {
  const word = peekWord(cursor);
  if (word !== "rel" && word !== "abs") return unexpected(cursor, "rel or abs");
  cursor.at++;
  return { kind: "default", relative: word === "rel" };
}

/** The fill of `align` is `db` with one value, or an instruction of one byte, which can only be NOP. */
function parseAlign(cursor: Cursor, fill: number): Body {
  const boundary = parseExpression(cursor);
  if (!accept(cursor, ",")) return { kind: "align", boundary, fill };
  const word = peekWord(cursor);
  if (word === "nop") {
    cursor.at++;
    return { kind: "align", boundary, fill: NOP };
  }
  if (word === "resb") {
    cursor.at++;
    if (peek(cursor)?.text === "1") cursor.at++;
    return { kind: "align", boundary, fill: 0 };
  }
  if (word === "db") cursor.at++;
  return { kind: "align", boundary, fill: parseExpression(cursor) };
}
