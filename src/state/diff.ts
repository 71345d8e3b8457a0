/**
 * What differs between two states: fields by name, bytes by address.
 *
 * A list of differences, smallest first place that differs, in the order in which the states have their fields. Left
 * out on purpose: finding things that moved (an array is compared index by index), and knowing what a field means.
 */
import { VirtlabError } from "./error.js";
import { PersistentMap } from "./persistent-map.js";
import { formatPath, isBytes, isPlainRecord, isTable, type PathPart, type PlainData } from "./plain-data.js";

/** One place where two states differ. `before` or `after` is undefined where the field is absent. */
export interface StateDifference {
  /** The way to the field by name: "registers.eax", "channels[0].count"; "(root)" if the whole is another value. */
  readonly path: string;
  readonly before: PlainData | undefined;
  readonly after: PlainData | undefined;
  /** What was appended, if `before` and `after` are text that only grew (such as the output of a serial port). */
  readonly appended?: string;
}

/** A run of bytes that differ. */
export interface BytesDifference {
  /** Address of the first byte: `base` plus its offset. */
  readonly address: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Equal bytes between two runs are shown as part of one run if they are at most this many. */
const WIDEST_GAP = 3;

/**
 * The places at which plain data `a` and `b` differ, as a frozen list; an empty one if they are equal. Parts that are
 * the same object in both are skipped without looking inside, so states that share structure compare in the size of
 * what changed. A field that is undefined counts as absent. The list holds copies: it never changes later.
 */
export function diffState(a: unknown, b: unknown): readonly StateDifference[] {
  const differences: StateDifference[] = [];
  compare(a, b, [], (path, before, after) => {
    const place = { path: formatPath(path), before: copyPlain(before), after: copyPlain(after) };
    const grew = typeof before === "string" && typeof after === "string" && after.startsWith(before);
    differences.push(Object.freeze(grew ? { ...place, appended: after.slice(before.length) } : place));
    return true;
  });
  return Object.freeze(differences);
}

/** Whether two values are equal plain data, or the very same object. */
export function samePlain(a: unknown, b: unknown): boolean {
  return compare(a, b, [], () => false);
}

/** Calls `differs` for each difference until it answers false; returns whether the walk came to its end. */
function compare(
  a: unknown,
  b: unknown,
  path: PathPart[],
  differs: (path: readonly PathPart[], before: PlainData | undefined, after: PlainData | undefined) => boolean,
): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let index = 0; index < Math.max(a.length, b.length); index++) {
      if (!compareAt(index, a[index], b[index])) return false;
    }
    return true;
  }
  if (isBytes(a) && isBytes(b)) {
    return sameBytes(a, b) || differs(path, a, b);
  }
  if (isTable(a) && isTable(b)) {
    let goOn = true;
    PersistentMap.compare(a, b, (key, before, after) => {
      goOn &&= compareAt(key, before, after);
    });
    return goOn;
  }
  if (isPlainRecord(a) && isPlainRecord(b)) {
    for (const name of Object.keys(a)) {
      if (!compareAt(name, a[name], Object.hasOwn(b, name) ? b[name] : undefined)) return false;
    }
    for (const name of Object.keys(b)) {
      if (!Object.hasOwn(a, name) && !compareAt(name, undefined, b[name])) return false;
    }
    return true;
  }
  return differs(path, a as PlainData | undefined, b as PlainData | undefined);

  function compareAt(part: PathPart, before: unknown, after: unknown): boolean {
    if (Object.is(before, after)) return true;
    path.push(part);
    const goOn = compare(before, after, path, differs);
    path.pop();
    return goOn;
  }
}

function copyPlain(value: PlainData | undefined): PlainData | undefined {
  if (typeof value !== "object" || value === null) return value;
  if (isBytes(value)) return new Uint8Array(value);
  if (Array.isArray(value)) return Object.freeze(value.map((item) => copyPlain(item) as PlainData));
  if (isTable(value))
    return Object.freeze(
      Object.fromEntries(Array.from(value.entries(), ([key, item]) => [String(key), copyPlain(item)])),
    );
  if (!isPlainRecord(value)) return value;
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copyPlain(field)])));
}

// Not `bytes.slice`: the slice of a Node Buffer is a view.
function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index]) return false;
  }
  return true;
}

/**
 * The runs of bytes that differ between `a` and `b` (of one length), lowest address first; `base` is the address of
 * their first byte. Runs with at most 3 equal bytes between them are given as one. The runs are copies.
 * Throws a VirtlabError if the lengths differ.
 */
export function diffBytes(a: Uint8Array, b: Uint8Array, base = 0): readonly BytesDifference[] {
  if (a === b) return [];
  if (a.length !== b.length) {
    throw new VirtlabError(`cannot compare ${a.length} with ${b.length} bytes at address ${base}: lengths differ`);
  }
  const runs: BytesDifference[] = [];
  let start = -1;
  let end = -1;
  const close = () => {
    if (start >= 0) runs.push({ address: base + start, before: copy(a, start, end), after: copy(b, start, end) });
  };
  for (let index = 0; index < a.length; index++) {
    if (a[index] === b[index]) continue;
    if (start < 0 || index - end > WIDEST_GAP) {
      close();
      start = index;
    }
    end = index + 1;
  }
  close();
  return Object.freeze(runs.map((run) => Object.freeze(run)));
}
