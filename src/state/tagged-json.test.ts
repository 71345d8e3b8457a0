import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryPlainData, cloneShuffled } from "../../tests/support/arbitrary-plain-data.js";
import { encodeCanonical } from "./canonical.js";
import { VirtlabError } from "./error.js";
import { fromTaggedJson, toTaggedJson } from "./tagged-json.js";

const SEED = { seed: 20262, numRuns: 300 };

describe("Tagged JSON", () => {
  it("gives any plain data back after being written as text and parsed", () => {
    fc.assert(
      fc.property(arbitraryPlainData(), (value) => {
        const back = fromTaggedJson(JSON.parse(JSON.stringify(toTaggedJson(value))));
        expect(encodeCanonical(back)).toEqual(encodeCanonical(value));
      }),
      SEED,
    );
  });

  it("is the same text whatever order the fields were added in", () => {
    fc.assert(
      fc.property(arbitraryPlainData(), (value) => {
        expect(JSON.stringify(toTaggedJson(cloneShuffled(value)))).toBe(JSON.stringify(toTaggedJson(value)));
      }),
      SEED,
    );
  });

  it("writes what JSON has no type for as a tag, and doubles the $ of a name", () => {
    const value = { cr3: 2n ** 63n, data: Uint8Array.of(0, 255), never: Number.POSITIVE_INFINITY, $x: 1 };
    expect(toTaggedJson(value)).toEqual({
      $$x: 1,
      cr3: { $bigint: "9223372036854775808" },
      data: { $bytes: "00ff" },
      never: { $number: "Infinity" },
    });
  });

  it.each([
    '{"a": {"$bigint": "1.5"}}',
    '{"a": {"$bytes": "0"}}',
    '{"a": {"$bytes": "zz"}}',
    '{"a": {"$other": "1"}}',
    '{"a": {"$bigint": "1", "b": 2}}',
    '{"a": -0}',
  ])("refuses %s, which is never written, with its path", (text) => {
    expect(() => fromTaggedJson(JSON.parse(text))).toThrow(VirtlabError);
    expect(() => fromTaggedJson(JSON.parse(text))).toThrow(/^a is not plain data/);
  });

  it("refuses a value it cannot write, with its path", () => {
    expect(() => toTaggedJson({ a: [Number.NaN] })).toThrow(/^a\[0\] is not plain data: NaN/);
    expect(() => toTaggedJson({ a: [undefined] })).toThrow(/^a\[0\] is not plain data: undefined/);
  });
});
