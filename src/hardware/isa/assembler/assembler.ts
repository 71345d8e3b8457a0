/**
 * Text in NASM's Intel syntax to bytes, from the same rows as everything else: there is no second table of opcodes.
 *
 * What a flat binary needs is here (labels, data, alignment, `times`, `equ`, `org`, `bits`, `%define` without
 * parameters). Left out on purpose: sections, linking, macros with parameters, floating point.
 */

import { VirtlabError } from "../../../state/error.js";
import type { CodeBits } from "../instruction.js";
import type { Cursor } from "./cursor.js";
import { layOut } from "./layout.js";
import { type Token, tokensOf } from "./lexer.js";
import { fail, type Place } from "./place.js";
import { parseStatement, type Statement } from "./statement.js";

export interface AssembleOptions {
  /** Operand and address size where the text begins, or 64 for 64-bit code. Default 32. */
  readonly bits?: CodeBits;
  /** Address of the first byte, if no `org` says another. Default 0. One of the upper half is negative. */
  readonly address?: number;
  /** Name of the text, for messages. */
  readonly name?: string;
}

/** A statement and what became of it. */
export interface ListingLine {
  /** Line of the text, from 1. */
  readonly line: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  /** The line as it is written, without indentation. */
  readonly text: string;
}

export interface Assembled {
  readonly bytes: Uint8Array;
  /** Address of the first byte. */
  readonly address: number;
  /** Labels with their addresses, and names with what `equ` gives them. A local label is "global.local". */
  readonly symbols: Readonly<Record<string, number>>;
  readonly listing: readonly ListingLine[];
}

/** Tokens that replace a name. */
type Definitions = Map<string, readonly Token[]>;
const MAX_TOKENS = 100_000;

/**
 * Assembles a text: Intel syntax as NASM reads it, with the encodings that NASM chooses. A jump to a plain number is
 * short where it can be, which NASM's is not. As in NASM, numbers have 64 bits, and `/` and `%` are unsigned (`//` and `%%` are signed).
 *
 * @throws VirtlabError "line:column: what, why" at the first mistake.
 * @example
 * assemble("mov al, 1\nint 0x80").bytes // => Uint8Array(4) [ 176, 1, 205, 128 ]
 * assemble("start: cli\n.wait: hlt\njmp .wait", { bits: 16, address: 0x7c00 }).symbols // => { start: 31744, 'start.wait': 31745 }
 */
export function assemble(text: string, options: AssembleOptions = {}): Assembled {
  const { bits = 32, address = 0, name } = options;
  if (bits !== 16 && bits !== 32 && bits !== 64)
    throw new VirtlabError(`assemble: bits is 16, 32 or 64, not ${String(bits)}`);
  const [lowest, highest] = bits === 64 ? [-(2 ** 47), 2 ** 47 - 1] : [0, 0xffffffff];
  if (!Number.isInteger(address) || address < lowest || address > highest)
    throw new VirtlabError(
      bits === 64
        ? `assemble: address is a canonical address as a whole number from -(2 ** 47) to 2 ** 47 - 1, not ${String(address)}`
        : `assemble: address is a whole number from 0 to 0xffffffff, not ${String(address)}`,
    );
  const lines = String(text).split(/\r?\n/);
  const statements = parseLines(lines, bits, name);
  const { places, bytes, symbols, start } = layOut(statements, address);
  const listing = statements.map(({ place }, index): ListingLine => {
    const { at, length } = places[index]!;
    return Object.freeze({
      line: place.line,
      address: start + at,
      bytes: bytes.slice(at, at + length),
      text: lines[place.line - 1]!.trim(),
    });
  });
  return Object.freeze({ bytes, address: start, symbols: Object.freeze(symbols), listing: Object.freeze(listing) });
}

function parseLines(lines: readonly string[], startBits: CodeBits, name: string | undefined): readonly Statement[] {
  const definitions: Definitions = new Map();
  const statements: Statement[] = [];
  let scope = "";
  let bits = startBits;
  let relative = false;
  lines.forEach((line, index) => {
    const tokens = tokensOf(line, index + 1, name);
    if (tokens.length === 0) return;
    if (tokens[0]!.text === "%") {
      define(tokens, definitions);
      return;
    }
    const end = { name, line: index + 1, column: line.length + 1 };
    const cursor: Cursor = { tokens: expanded(tokens, definitions), end, scope, relative, at: 0 };
    const statement = parseStatement(cursor, bits);
    statements.push(statement);
    const { label, body } = statement;
    if (label && body.kind !== "equ") scope = label.scope;
    if (body.kind === "bits") bits = bitsOf(statement);
    if (body.kind === "default") relative = body.relative;
  });
  return statements;
}

function bitsOf({ body, place }: Statement): CodeBits {
  const value = body.kind === "bits" && body.expression.kind === "number" ? body.expression.value : undefined;
  if (value === 16n) return 16;
  if (value === 32n) return 32;
  if (value === 64n) return 64;
  return fail(place, "bits is 16, 32 or 64");
}

/** `%define name value`. */
function define(tokens: readonly Token[], definitions: Definitions): void {
  const [sign, word, name, ...value] = tokens;
  if (word?.text.toLowerCase() !== "define")
    fail(sign!.place, `%${word?.text ?? ""} is not supported; of the preprocessor there is %define without parameters`);
  if (name?.kind !== "word") fail(word.place, "%define needs a name");
  const [open] = value;
  if (open?.text === "(" && open.place.column === name.place.column + name.text.length)
    fail(open.place, "%define with parameters is not supported");
  definitions.set(name.text, value);
}

/** The tokens with defined names replaced, at the place where the name stands. A name is not replaced in itself. */
function expanded(tokens: readonly Token[], definitions: Definitions): readonly Token[] {
  if (definitions.size === 0) return tokens;
  const result: Token[] = [];
  const expand = (list: readonly Token[], place: Place | undefined, within: readonly string[]): void => {
    for (const token of list) {
      const value = token.kind === "word" && !within.includes(token.text) ? definitions.get(token.text) : undefined;
      if (value) expand(value, place ?? token.place, [...within, token.text]);
      else result.push(place ? { ...token, place } : token);
      if (result.length > MAX_TOKENS) fail(place ?? token.place, "%define makes this line too long");
    }
  };
  expand(tokens, undefined, []);
  return result;
}
