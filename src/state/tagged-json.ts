/**
 * Plain data as JSON, for saving: what JSON has no type for is written as a record with one field whose name begins
 * with "$". Fields are sorted by name, so equal data give equal text.
 */

import { PersistentMap } from "./persistent-map.js";
import {
  checkDepth,
  checkNumber,
  describe,
  isBytes,
  isPlainRecord,
  isTable,
  type PathPart,
  type PlainData,
  presentNames,
  refuse,
} from "./plain-data.js";

/** Plain data in the types JSON has. */
export type TaggedJson = null | boolean | number | string | TaggedJson[] | { [name: string]: TaggedJson };

/**
 * Plain data in JSON's own types, with fields sorted by name: a bigint becomes `{"$bigint": "-12"}`, bytes
 * `{"$bytes": "00ff"}`, a table `{"$table": [[1, "a"]]}`, an infinity `{"$number": "Infinity"}`; the "$" of a name that begins with one is doubled.
 * Throws a VirtlabError that names the path of anything that is not plain data.
 */
export function toTaggedJson(value: unknown): TaggedJson {
  return toTagged(value, []);
}

function toTagged(value: unknown, path: PathPart[]): TaggedJson {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") {
    return Number.isFinite(checkNumber(value, path)) ? value : { $number: String(value) };
  }
  if (typeof value === "bigint") return { $bigint: value.toString() };
  if (isBytes(value)) return { $bytes: bytesToText(value) };
  checkDepth(path);
  if (Array.isArray(value)) return Array.from(value, (item, index) => toTagged(item, [...path, index]));
  if (isTable(value))
    return { $table: Array.from(value.entries(), ([key, item]) => [key, toTagged(item, [...path, key])]) };
  if (!isPlainRecord(value)) refuse(path, describe(value));
  // fromEntries defines fields: a field called "__proto__" stays a field.
  return Object.fromEntries(
    presentNames(value, path).map((name) => [
      name.startsWith("$") ? `$${name}` : name,
      toTagged(value[name], [...path, name]),
    ]),
  );
}

/** Plain data from its tagged form. Throws a VirtlabError that names the path of anything `toTaggedJson` never writes. */
export function fromTaggedJson(json: unknown): PlainData {
  return fromTagged(json, []);
}

function fromTagged(json: unknown, path: PathPart[]): PlainData {
  if (json === null || typeof json === "boolean" || typeof json === "string") return json;
  if (typeof json === "number") return checkNumber(json, path);
  checkDepth(path);
  if (Array.isArray(json)) return json.map((item, index) => fromTagged(item, [...path, index]));
  if (!isPlainRecord(json)) refuse(path, describe(json));
  const entries = Object.entries(json);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && /^\$[^$]/.test(first[0])) return fromTag(first[0], first[1], path);
  return Object.fromEntries(
    entries.map(([name, field]) => {
      if (name.startsWith("$") && !name.startsWith("$$")) refuse(path, `unknown tag ${JSON.stringify(name)}`);
      const plainName = name.startsWith("$") ? name.slice(1) : name;
      return [plainName, fromTagged(field, [...path, plainName])];
    }),
  );
}

function fromTag(tag: string, text: unknown, path: PathPart[]): PlainData {
  if (tag === "$table" && Array.isArray(text)) return tableFrom(text, path);
  if (typeof text === "string") {
    if (tag === "$bigint" && /^(0|-?[1-9]\d*)$/.test(text)) return BigInt(text);
    if (tag === "$number" && /^-?Infinity$/.test(text)) return Number(text);
    if (tag === "$bytes" && /^([0-9a-f]{2})*$/.test(text)) return textToBytes(text);
  }
  refuse(path, `damaged or unknown tag ${JSON.stringify(tag)}`);
}

function tableFrom(entries: readonly unknown[], path: PathPart[]): PersistentMap<PlainData> {
  const keys: number[] = [];
  const values: PlainData[] = [];
  for (const entry of entries) {
    const [key, value] = Array.isArray(entry) && entry.length === 2 ? entry : [];
    if (!Number.isSafeInteger(key) || key < 0 || key <= (keys.at(-1) ?? -1)) refuse(path, "damaged table");
    keys.push(key);
    values.push(fromTagged(value, [...path, key]));
  }
  return PersistentMap.empty<PlainData>().setAll(keys, values);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function bytesToText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

function textToBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = Number.parseInt(text.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}
