/**
 * Text to toy instructions, from the toy's table. A statement a line: `label:`, an instruction or data, `; comment`.
 * Numbers and strings are written as for x86; a value is a number, a character, a label, or a sum of such.
 */
import type { Assembled, ListingLine } from "../isa/assembler/assembler.js";
import {
  accept,
  type Cursor,
  expect,
  expectEnd,
  peek,
  peekWord,
  placeOf,
  unexpected,
} from "../isa/assembler/cursor.js";
import { type Token, tokensOf } from "../isa/assembler/lexer.js";
import { fail, type Place } from "../isa/assembler/place.js";
import type { Row } from "../isa/instruction.js";
import { encodeToy, type Field, type Layout, LENGTH, layoutOf, REGISTER_COUNT } from "./encoding.js";
import { toyRows } from "./table.js";

export interface AssembleToyOptions {
  /** Address of the first byte. Default 0. */
  readonly address?: number;
  /** Name of the text, for messages. */
  readonly name?: string;
}

/** A sum of numbers and labels. */
interface Sum {
  readonly place: Place;
  readonly terms: readonly { readonly sign: 1 | -1; readonly token: Token }[];
}
interface Operand {
  readonly register?: number;
  readonly sum?: Sum;
}
type Body =
  | { readonly kind: "instruction"; readonly row: Row; readonly operands: readonly Operand[] }
  | { readonly kind: "data"; readonly width: 1 | 4; readonly items: readonly (Uint8Array | Sum)[] };
interface Statement {
  readonly line: number;
  readonly address: number;
  readonly body: Body;
}
type Symbols = Readonly<Record<string, number>>;

const rowsByName = new Map(toyRows.map((row) => [row.mnemonic.toLowerCase(), row]));
/** Bytes of an item of each directive. */
const directives: ReadonlyMap<string, 1 | 4> = new Map([
  ["db", 1],
  ["dd", 4],
]);
const REGISTER = new RegExp(`^r[0-${REGISTER_COUNT - 1}]$`);
const ANY_WORD = { least: -0x80000000, greatest: 0xffffffff };
const ANY_BYTE = { least: -0x80, greatest: 0xff };

/**
 * Assembles a text for the toy machine.
 *
 * @throws VirtlabError "line:column: what, why" at the first mistake.
 * @example
 * assembleToy("again: jz r1, again").bytes // => Uint8Array(4) [ 65, 1, 0, 0 ]
 */
export function assembleToy(text: string, options: AssembleToyOptions = {}): Assembled {
  const { address = 0, name } = options;
  const lines = String(text).split(/\r?\n/);
  const symbols: Record<string, number> = Object.create(null);
  const statements: Statement[] = [];
  let at = address;
  lines.forEach((line, index) => {
    const end = { name, line: index + 1, column: line.length + 1 };
    const cursor: Cursor = { tokens: tokensOf(line, index + 1, name), end, scope: "", at: 0 };
    while (peek(cursor, 1)?.text === ":") defineLabel(cursor, symbols, at);
    if (peek(cursor) === undefined) return;
    const body = parseBody(cursor);
    expectEnd(cursor);
    statements.push({ line: index + 1, address: at, body });
    at += sizeOf(body);
  });
  const bytes = new Uint8Array(at - address);
  const listing = statements.map((statement): ListingLine => {
    const own = bytesOf(statement.body, symbols);
    bytes.set(own, statement.address - address);
    return Object.freeze({
      line: statement.line,
      address: statement.address,
      bytes: own,
      text: lines[statement.line - 1]!.trim(),
    });
  });
  return Object.freeze({ bytes, address, symbols: Object.freeze({ ...symbols }), listing: Object.freeze(listing) });
}

function defineLabel(cursor: Cursor, symbols: Record<string, number>, address: number): void {
  const token = peek(cursor)!;
  const word = token.text.toLowerCase();
  if (token.kind !== "word") unexpected(cursor, "a label");
  if (REGISTER.test(word) || rowsByName.has(word) || directives.has(word))
    fail(token.place, `"${token.text}" has a meaning already and cannot be a label`);
  if (token.text in symbols) fail(token.place, `the label "${token.text}" is there already`);
  symbols[token.text] = address;
  cursor.at += 2;
}

function parseBody(cursor: Cursor): Body {
  const token = peek(cursor)!;
  const word = peekWord(cursor) ?? "";
  const row = rowsByName.get(word);
  const width = directives.get(word);
  if (row === undefined && width === undefined)
    fail(token.place, `no instruction is called "${token.text}" (there are ${[...rowsByName.keys()].join(", ")})`);
  cursor.at++;
  if (row === undefined) return { kind: "data", width: width!, items: parseItems(cursor) };
  const operands = layoutOf(row).map((layout, index) => {
    if (index > 0) expect(cursor, ",");
    return parseOperand(cursor, layout);
  });
  return { kind: "instruction", row, operands };
}

function parseOperand(cursor: Cursor, { register, number }: Layout): Operand {
  if (register === undefined) return { sum: parseSum(cursor) };
  if (number === undefined) return { register: parseRegister(cursor) };
  expect(cursor, "[");
  const base = parseRegister(cursor);
  const sign = peek(cursor)?.text;
  const sum = sign === "+" || sign === "-" ? parseSum(cursor) : undefined;
  expect(cursor, "]");
  return sum === undefined ? { register: base } : { register: base, sum };
}

function parseRegister(cursor: Cursor): number {
  const word = peekWord(cursor) ?? "";
  if (!REGISTER.test(word)) unexpected(cursor, `a register (r0 to r${REGISTER_COUNT - 1})`);
  cursor.at++;
  return Number(word.slice(1));
}

function parseSum(cursor: Cursor): Sum {
  const place = placeOf(cursor);
  const terms: { sign: 1 | -1; token: Token }[] = [];
  let sign: 1 | -1 = accept(cursor, "-") ? -1 : 1;
  if (sign === 1) accept(cursor, "+");
  for (;;) {
    const token = peek(cursor);
    if (token === undefined || token.kind === "operator" || REGISTER.test(token.text.toLowerCase()))
      return unexpected(cursor, "a number or a label");
    cursor.at++;
    terms.push({ sign, token });
    if (accept(cursor, "+")) sign = 1;
    else if (accept(cursor, "-")) sign = -1;
    else return { place, terms };
  }
}

function parseItems(cursor: Cursor): readonly (Uint8Array | Sum)[] {
  const items: (Uint8Array | Sum)[] = [];
  do {
    const token = peek(cursor);
    const after = peek(cursor, 1)?.text;
    if (token?.kind === "string" && (after === undefined || after === ",")) {
      cursor.at++;
      items.push(token.bytes);
    } else items.push(parseSum(cursor));
  } while (accept(cursor, ","));
  return items;
}

const padded = (length: number, width: number): number => Math.ceil(length / width) * width;

function sizeOf(body: Body): number {
  if (body.kind === "instruction") return LENGTH;
  const { width, items } = body;
  return items.reduce((sum, item) => sum + (item instanceof Uint8Array ? padded(item.length, width) : width), 0);
}

function bytesOf(body: Body, symbols: Symbols): Uint8Array {
  if (body.kind === "instruction") {
    const layouts = layoutOf(body.row);
    const operands = body.operands.map(({ register = 0, sum }, index) => ({
      register,
      number: sum === undefined ? 0 : sumOf(sum, symbols, layouts[index]!.number!),
    }));
    return encodeToy(body.row, operands);
  }
  const { width, items } = body;
  const bytes = new Uint8Array(sizeOf(body));
  let at = 0;
  for (const item of items) {
    if (item instanceof Uint8Array) {
      bytes.set(item, at);
      at += padded(item.length, width);
    } else {
      const value = sumOf(item, symbols, width === 1 ? ANY_BYTE : ANY_WORD);
      for (let byte = 0; byte < width; byte++) bytes[at++] = (value >> (8 * byte)) & 0xff;
    }
  }
  return bytes;
}

function sumOf(
  { place, terms }: Sum,
  symbols: Symbols,
  { least, greatest }: Pick<Field, "least" | "greatest">,
): number {
  const value = terms.reduce((sum, { sign, token }) => sum + sign * termValue(token, symbols), 0);
  if (value < least || value > greatest) fail(place, `${value} does not fit here: ${least} to ${greatest} do`);
  return value;
}

function termValue(token: Token, symbols: Symbols): number {
  if (token.kind === "number") return Number(token.value);
  if (token.kind !== "string") return symbols[token.text] ?? fail(token.place, `there is no label "${token.text}"`);
  if (token.bytes.length !== 1) fail(token.place, "only one character is a number");
  return token.bytes[0]!;
}
