/**
 * Plain data: what the state of a machine is made of apart from its memory pages.
 *
 * Records are known by the names of their fields only, so the order in which fields were added counts for nothing.
 * Persistent maps are what large tables are kept in. Left out on purpose: other class instances, maps, sets, functions, dates and typed arrays other than Uint8Array; a state
 * that needs one keeps it as a record.
 */
import { VirtlabError } from "./error.js";
import { PersistentMap } from "./persistent-map.js";

/**
 * A value that can be hashed, saved and compared. A record field whose value is `undefined` counts as absent. Numbers
 * are any but NaN and -0: the first equals nothing and the second compares equal to 0 while being another value.
 */
export type PlainData =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PlainData[]
  | PersistentMap<PlainData>
  | { readonly [name: string]: PlainData | undefined };

/** A record of plain data. */
export type PlainRecord = { readonly [name: string]: PlainData | undefined };

/** One step of the way from the root of a tree to a value: a field name or an array index. */
export type PathPart = string | number;

/** Deeper trees are refused; a value that contains itself is found this way too. */
const DEEPEST = 200;

/**
 * A path as people write it: `channels[0].count`. A name that cannot stand after a dot is quoted in brackets; the
 * empty path is written "(root)".
 */
export function formatPath(path: readonly PathPart[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!/^[^\s.[\]"]+$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text === "" ? "(root)" : text;
}

// The next two also know bytes and records of another context, such as a notebook cell's: `instanceof` does not.

/** Whether `value` is a Uint8Array. */
export function isBytes(value: unknown): value is Uint8Array {
  if (value instanceof Uint8Array) return true;
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]";
}

/** Whether `value` is a table of plain data. */
export const isTable = (value: unknown): value is PersistentMap<PlainData> => value instanceof PersistentMap;

/** Whether `value` is a record: an object that is nobody's instance. Its fields are not looked at. */
export function isPlainRecord(value: unknown): value is PlainRecord {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || isForeignObjectPrototype(prototype);
}

function isForeignObjectPrototype(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty");
}

/** Throws the error for a value at `path` that is not plain data. */
export function refuse(path: readonly PathPart[], reason: string): never {
  throw new VirtlabError(`${formatPath(path)} is not plain data: ${reason}`);
}

/** What a value that is not plain data is, in words. */
export function describe(value: unknown): string {
  if (value === undefined) return "undefined";
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an object with a prototype of its own";
}

/** Gives the number back, or throws if plain data cannot have it. */
export function checkNumber(value: number, path: readonly PathPart[]): number {
  if (Number.isNaN(value)) refuse(path, "NaN equals nothing, not even itself");
  if (Object.is(value, -0)) refuse(path, "-0 cannot be told from 0 by comparing");
  return value;
}

/** Throws if `path` is deeper than plain data may be. */
export function checkDepth(path: readonly PathPart[]): void {
  if (path.length > DEEPEST) refuse(path.slice(0, 4), `nested deeper than ${DEEPEST} levels, or it contains itself`);
}

/** Names of the fields that are present, in code-unit order. */
export function presentNames(record: PlainRecord, path: readonly PathPart[]): string[] {
  if (Object.getOwnPropertySymbols(record).length > 0) refuse(path, "it has a field named by a symbol");
  return Object.keys(record)
    .filter((name) => record[name] !== undefined)
    .sort();
}
