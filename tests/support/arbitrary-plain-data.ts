/** Random plain data for property tests. */
import fc from "fast-check";
import { isBytes, isPlainRecord, type PlainData } from "../../src/state/plain-data.js";

/** Trees of every kind of plain data, with difficult names, numbers and text. */
export function arbitraryPlainData(): fc.Arbitrary<PlainData> {
  const text = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.constantFrom("", "\ud800", "\udc00a", "\ufeff", "$bigint", "$$x", "__proto__", "a.b"),
  );
  const leaf: fc.Arbitrary<PlainData> = fc.oneof(
    fc.constantFrom<PlainData>(null, true, false, 0, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value)),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    fc.uint8Array({ maxLength: 5 }),
    text,
  );
  return fc.letrec<{ node: PlainData }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.array(tie("node"), { maxLength: 4 }),
      fc.dictionary(text, tie("node"), { maxKeys: 4 }) as fc.Arbitrary<PlainData>,
    ),
  })).node;
}

/** A deep copy with the fields of every record added in the reverse order, and an undefined one put in. */
export function cloneShuffled(value: PlainData): PlainData {
  if (typeof value !== "object" || value === null) return value;
  if (isBytes(value)) return value.slice();
  if (Array.isArray(value)) return value.map(cloneShuffled);
  if (!isPlainRecord(value)) return value;
  const entries = Object.entries(value).map(([name, field]) => [name, cloneShuffled(field as PlainData)] as const);
  return Object.fromEntries([["absent", undefined], ...entries.reverse()]) as PlainData;
}
