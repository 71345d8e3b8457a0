/**
 * A line of text to tokens: words, numbers in NASM's notations, strings, operators.
 * Spec: NASM manual, "Constants": "Numeric Constants", "Character Strings".
 */
import { fail, type Place } from "./place.js";

export type Token = { readonly place: Place; readonly text: string } & (
  | { readonly kind: "word" | "operator" }
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "string"; readonly bytes: Uint8Array }
);

/** Longest first. */
const OPERATORS = [
  ...["<=>", "<<<", ">>>", "<<", ">>", "<=", ">=", "==", "!=", "<>", "//", "%%", "&&", "||", "^^", "$$"],
  ..."+-*/%&|^~!<>=()[],:$",
];
const WORD = /[A-Za-z_.?@][\w.?@$#~]*/y;
const NUMBER = /\$?\d[\w.]*/y;
const BLANK = /[ \t\r\f\v]+/y;
/** More digits than 64 bits have in any notation, with a margin for zeros and underscores. */
const MAX_DIGITS = 200;

/** Tokens of one line; a semicolon begins a comment. */
export function tokensOf(text: string, line: number, name: string | undefined): readonly Token[] {
  const tokens: Token[] = [];
  const match = (pattern: RegExp, from: number): string | undefined => {
    pattern.lastIndex = from;
    return pattern.exec(text)?.[0];
  };
  for (let at = 0; at < text.length; ) {
    const place = { name, line, column: at + 1 };
    const character = text[at]!;
    if (character === ";") break;
    const blank = match(BLANK, at);
    if (blank !== undefined) {
      at += blank.length;
      continue;
    }
    const token = tokenAt();
    tokens.push(token);
    at += token.text.length;

    function tokenAt(): Token {
      if (character === "'" || character === '"' || character === "`") return stringToken(text, at, place);
      const word = match(WORD, at);
      if (word !== undefined) return { kind: "word", text: word, place };
      const digits = match(NUMBER, at);
      if (digits !== undefined) return { kind: "number", text: digits, value: numberValue(digits, place), place };
      const operator = OPERATORS.find((one) => text.startsWith(one, at));
      if (operator !== undefined) return { kind: "operator", text: operator, place };
      return fail(place, `${JSON.stringify(character)} means nothing here`);
    }
  }
  return tokens;
}

/** Notations with what BigInt reads before their digits. The first that fits counts. */
const NOTATIONS: readonly (readonly [pattern: RegExp, prefix: string])[] = [
  [/^(\d[\da-f]*)h$/, "0x"],
  [/^0[xh]([\da-f]+)$/, "0x"],
  [/^\$([\da-f]+)$/, "0x"],
  [/^0[by]([01]+)$/, "0b"],
  [/^([01]+)[by]$/, "0b"],
  [/^0[oq]([0-7]+)$/, "0o"],
  [/^([0-7]+)[oq]$/, "0o"],
  [/^0[dt](\d+)$/, ""],
  [/^(\d+)[dt]?$/, ""],
];

function numberValue(text: string, place: Place): bigint {
  if (/^[\d_]+\./.test(text)) return fail(place, `${text}: floating-point numbers are not supported`);
  const plain = text.toLowerCase().replaceAll("_", "");
  if (plain.length > MAX_DIGITS) return fail(place, "this number has more than 64 bits");
  for (const [pattern, prefix] of NOTATIONS) {
    const digits = pattern.exec(plain)?.[1];
    if (digits === undefined) continue;
    const value = BigInt(prefix + digits);
    if (value >= 1n << 64n) return fail(place, `${text} has more than 64 bits`);
    return value;
  }
  return fail(
    place,
    `${text} is no number; hexadecimal is written 0x1f or 1fh, binary 0b101 or 101b, octal 0o17 or 17q`,
  );
}

const utf8 = new TextEncoder();
const escapes: Readonly<Record<string, number>> = {
  "'": 39,
  '"': 34,
  "`": 96,
  "\\": 92,
  "?": 63,
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  e: 27,
};
const ESCAPE = /\\(?:([0-7]{1,3})|x([\da-fA-F]{1,2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/y;

/** Backquotes know the escapes of C; the other quotes know none. */
function stringToken(text: string, start: number, place: Place): Token {
  const quote = text[start]!;
  const bytes: number[] = [];
  let at = start + 1;
  while (at < text.length && text[at] !== quote) {
    if (quote === "`" && text[at] === "\\") {
      ESCAPE.lastIndex = at;
      const found = ESCAPE.exec(text);
      if (!found) return fail(place, "the string has no end");
      bytes.push(...escapedBytes(found, { ...place, column: at + 1 }));
      at += found[0].length;
    } else {
      const character = String.fromCodePoint(text.codePointAt(at)!);
      bytes.push(...utf8.encode(character));
      at += character.length;
    }
  }
  if (at >= text.length) return fail(place, `the string has no end: ${quote} is missing`);
  return { kind: "string", text: text.slice(start, at + 1), bytes: Uint8Array.from(bytes), place };
}

function escapedBytes([all, octal, byte, short, long, letter]: RegExpExecArray, place: Place): Iterable<number> {
  if (octal !== undefined) return [Number.parseInt(octal, 8) & 0xff];
  if (byte !== undefined) return [Number.parseInt(byte, 16)];
  if (letter !== undefined) return [escapes[letter] ?? fail(place, `${all} is no escape`)];
  const code = Number.parseInt(short ?? long ?? "", 16);
  if (code > 0x10ffff) return fail(place, `${all} is no character`);
  return utf8.encode(String.fromCodePoint(code));
}
