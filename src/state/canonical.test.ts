import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryPlainData, cloneShuffled } from "../../tests/support/arbitrary-plain-data.js";
import { encodeCanonical } from "./canonical.js";
import { samePlain } from "./diff.js";
import { VirtlabError } from "./error.js";
import { hex } from "./hash.js";

const SEED = { seed: 20261, numRuns: 300 };

describe("The canonical form", () => {
  it("is the same whatever order the fields were added in, at every level", () => {
    fc.assert(
      fc.property(arbitraryPlainData(), (value) => {
        expect(encodeCanonical(cloneShuffled(value))).toEqual(encodeCanonical(value));
      }),
      SEED,
    );
  });

  it("differs for values that differ", () => {
    fc.assert(
      fc.property(arbitraryPlainData(), arbitraryPlainData(), (a, b) => {
        expect(hex(encodeCanonical(a)) === hex(encodeCanonical(b))).toBe(samePlain(a, b));
      }),
      SEED,
    );
  });

  it("keeps apart values that look alike", () => {
    const alike = [
      null,
      false,
      0,
      0n,
      "",
      "0",
      [],
      {},
      [[]],
      [null],
      ["ab"],
      ["a", "b"],
      { a: null },
      { a: "b" },
      ["a", null],
      new Uint8Array(),
      Uint8Array.of(0),
      -1,
      -1n,
      "\ud800",
      "\ufffd",
      "\ud800\udc00",
      "\ufeff",
      "é",
      "e\u0301",
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      5e-324,
      { "": 0 },
      { __proto__: null, a: 0 },
      { a: { b: 0 } },
    ];
    const encodings = alike.map((value) => hex(encodeCanonical(value)));
    expect(new Set(encodings).size).toBe(alike.length);
  });

  it("takes a field that is undefined as absent", () => {
    expect(encodeCanonical({ a: 1, b: undefined })).toEqual(encodeCanonical({ a: 1 }));
  });

  it("takes records and bytes of another context as its own", () => {
    const foreign = runInNewContext("({ a: [1, new Uint8Array([7])] })");
    expect(encodeCanonical(foreign)).toEqual(encodeCanonical({ a: [1, Uint8Array.of(7)] }));
  });

  it("takes a field called __proto__ for a field", () => {
    expect(encodeCanonical(JSON.parse('{"__proto__": 1}'))).not.toEqual(encodeCanonical({}));
  });

  it.each([
    [{ timer: [{ count: Number.NaN }] }, /^timer\[0\]\.count is not plain data: NaN/],
    [{ a: -0 }, /^a is not plain data: -0/],
    [{ a: [1, undefined] }, /^a\[1\] is not plain data: undefined/],
    [{ a: () => 1 }, /^a is not plain data: a function/],
    [{ "a.b": new Map() }, /^\["a\.b"\] is not plain data: an instance of Map/],
    [new Date(0), /^\(root\) is not plain data: an instance of Date/],
    [{ a: new Uint16Array(2) }, /^a is not plain data: an instance of Uint16Array/],
    [{ a: Symbol.iterator }, /^a is not plain data: a symbol/],
    [{ [Symbol.iterator]: 1 }, /^\(root\) is not plain data: it has a field named by a symbol/],
  ])("refuses %o with the path of what it cannot hold", (value, message) => {
    expect(() => encodeCanonical(value)).toThrow(VirtlabError);
    expect(() => encodeCanonical(value)).toThrow(message);
  });

  it("refuses a value that contains itself", () => {
    const loop: { next?: unknown } = {};
    loop.next = loop;
    expect(() => encodeCanonical(loop)).toThrow(/contains itself/);
  });
});
