/** Reading tokens one after the other. */
import type { Token } from "./lexer.js";
import { fail, type Place } from "./place.js";

export interface Cursor {
  readonly tokens: readonly Token[];
  /** Behind the last token. */
  readonly end: Place;
  /** Labels that begin with a dot belong to this one. */
  readonly scope: string;
  /** "default rel" is in force. */
  readonly relative?: boolean;
  at: number;
}

export const peek = (cursor: Cursor, ahead = 0): Token | undefined => cursor.tokens[cursor.at + ahead];
export const placeOf = (cursor: Cursor): Place => peek(cursor)?.place ?? cursor.end;

/** The lower-case text of the next token if it is a word. */
export function peekWord(cursor: Cursor): string | undefined {
  const token = peek(cursor);
  return token?.kind === "word" ? token.text.toLowerCase() : undefined;
}

/** Reads the operator if it comes next. */
export function accept(cursor: Cursor, operator: string): boolean {
  const token = peek(cursor);
  if (token?.kind !== "operator" || token.text !== operator) return false;
  cursor.at++;
  return true;
}

export function expect(cursor: Cursor, operator: string): void {
  if (!accept(cursor, operator)) unexpected(cursor, `"${operator}"`);
}

export function unexpected(cursor: Cursor, wanted: string): never {
  const token = peek(cursor);
  return fail(placeOf(cursor), `${wanted} expected, not ${token ? JSON.stringify(token.text) : "the end of the line"}`);
}

export function expectEnd(cursor: Cursor): void {
  if (cursor.at < cursor.tokens.length) unexpected(cursor, "the end of the line");
}
