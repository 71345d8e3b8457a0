import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentHash, hex, sha256 } from "./hash.js";

describe("sha256", () => {
  it("gives the digest the host's own SHA-256 gives, at every length and alignment", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(5), (bytes, offset) => {
        const view = bytes.subarray(Math.min(offset, bytes.length));
        expect(hex(sha256(view))).toBe(createHash("sha256").update(view).digest("hex"));
      }),
      { seed: 20263, numRuns: 100 },
    );
  });
});

describe("contentHash", () => {
  it("does not depend on the order of fields", () => {
    expect(contentHash({ a: 1, b: { c: 2n, d: "e" } })).toBe(contentHash({ b: { d: "e", c: 2n }, a: 1 }));
  });

  it("changes with any value", () => {
    expect(contentHash({ a: 1 })).not.toBe(contentHash({ a: 2 }));
    expect(contentHash({ a: 1 })).not.toBe(contentHash({ a: 1n }));
  });

  it("stays what it was in earlier versions", () => {
    const value = { eax: 1, name: "é", wide: -5n, list: [null, true, false], data: Uint8Array.of(1, 2) };
    expect(contentHash(value)).toBe("3e3381d3285219d027958d366f17838734aa56b219ebebce75dfb448a1ffcb95");
  });
});
