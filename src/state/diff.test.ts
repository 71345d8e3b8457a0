import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryPlainData, cloneShuffled } from "../../tests/support/arbitrary-plain-data.js";
import { encodeCanonical } from "./canonical.js";
import { diffBytes, diffState, samePlain } from "./diff.js";
import { VirtlabError } from "./error.js";
import { hex } from "./hash.js";

const SEED = { seed: 20264, numRuns: 300 };

describe("diffState", () => {
  it("names each field that differs, in the order of the fields", () => {
    const a = { registers: { eax: 1, ebx: 2, eip: 0x100 }, channels: [{ count: 1 }, { count: 2 }], ticks: 5 };
    const b = { registers: { eax: 1, ebx: 3, eip: 0x102 }, channels: [{ count: 1 }, { count: 9 }], ticks: 5 };
    expect(diffState(a, b)).toEqual([
      { path: "registers.ebx", before: 2, after: 3 },
      { path: "registers.eip", before: 0x100, after: 0x102 },
      { path: "channels[1].count", before: 2, after: 9 },
    ]);
  });

  it("gives a field or item that came or went as one difference", () => {
    expect(diffState({ a: { b: 1 }, list: [1] }, { c: [2], list: [1, 2] })).toEqual([
      { path: "a", before: { b: 1 }, after: undefined },
      { path: "list[1]", before: undefined, after: 2 },
      { path: "c", before: undefined, after: [2] },
    ]);
  });

  it("shows what was appended to text that only grew", () => {
    expect(diffState({ output: "Hello" }, { output: "Hello, world" })).toEqual([
      { path: "output", before: "Hello", after: "Hello, world", appended: ", world" },
    ]);
    expect(diffState({ output: "Hello" }, { output: "Help" })[0]).not.toHaveProperty("appended");
  });

  it("gives one difference where the kind of value changed", () => {
    expect(diffState({ a: [1] }, { a: { 0: 1 } })).toEqual([{ path: "a", before: [1], after: { 0: 1 } }]);
    expect(diffState(1, 1n)).toEqual([{ path: "(root)", before: 1, after: 1n }]);
  });

  it("is empty exactly if the canonical forms are equal", () => {
    fc.assert(
      fc.property(arbitraryPlainData(), arbitraryPlainData(), (a, b) => {
        const equal = hex(encodeCanonical(a)) === hex(encodeCanonical(b));
        expect(diffState(a, b).length === 0).toBe(equal);
        expect(samePlain(a, b)).toBe(equal);
        expect(diffState(a, cloneShuffled(a))).toEqual([]);
      }),
      SEED,
    );
  });

  it("does not look into parts that are the same object", () => {
    const untouchable = new Proxy({}, { get: () => expect.unreachable(), ownKeys: () => expect.unreachable() });
    expect(diffState({ a: untouchable, b: 1 }, { a: untouchable, b: 2 })).toEqual([{ path: "b", before: 1, after: 2 }]);
  });

  it("holds copies, which a later change of the bytes does not reach", () => {
    const bytes = Buffer.from([1, 2]);
    const differences = diffState({ fifo: bytes }, { fifo: Uint8Array.of(1, 3) });
    bytes[0] = 9;
    expect(differences).toEqual([{ path: "fifo", before: Uint8Array.of(1, 2), after: Uint8Array.of(1, 3) }]);
    expect(Object.isFrozen(differences) && Object.isFrozen(differences[0])).toBe(true);
  });
});

describe("diffBytes", () => {
  it("joins runs with at most 3 equal bytes between them and no others", () => {
    const a = new Uint8Array(16);
    const b = Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0);
    expect(diffBytes(a, b, 0x1000)).toEqual([
      { address: 0x1001, before: new Uint8Array(5), after: Uint8Array.of(1, 0, 0, 0, 1) },
      { address: 0x100a, before: new Uint8Array(2), after: Uint8Array.of(1, 1) },
    ]);
  });

  it("makes the second from the first when written over it, and every run begins and ends with a difference", () => {
    const sparse = fc.uint8Array({ minLength: 40, maxLength: 40, max: 1 });
    fc.assert(
      fc.property(sparse, sparse, (a, b) => {
        const patched = a.slice();
        for (const { address, before, after } of diffBytes(a, b, 100)) {
          expect(patched.slice(address - 100, address - 100 + before.length)).toEqual(before);
          expect(before[0] !== after[0] && before.at(-1) !== after.at(-1)).toBe(true);
          patched.set(after, address - 100);
        }
        expect(patched).toEqual(b);
      }),
      SEED,
    );
  });

  it("holds copies, also of a Buffer", () => {
    const a = Buffer.from([1]);
    const runs = diffBytes(a, Uint8Array.of(2));
    a[0] = 9;
    expect(runs).toEqual([{ address: 0, before: Uint8Array.of(1), after: Uint8Array.of(2) }]);
  });

  it("refuses bytes of different lengths", () => {
    expect(() => diffBytes(new Uint8Array(1), new Uint8Array(2), 64)).toThrow(VirtlabError);
  });
});
