import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryPlainData } from "../../tests/support/arbitrary-plain-data.js";
import { encodeCanonical } from "./canonical.js";
import { VirtlabError } from "./error.js";
import { sha256 } from "./hash.js";
import { decodeSave, encodeSave, type SavedState } from "./save-format.js";

const PAGE = 4096;

function pageOf(pattern: number): Uint8Array {
  return Uint8Array.from({ length: PAGE }, (_, index) => (pattern === 0 ? 0 : (index * pattern) >> 3));
}

function sample(change: Partial<SavedState> = {}): SavedState {
  const state = { registers: { eax: 1, cr3: 5n }, serial: "Hello\n" };
  const pages = [
    [0, pageOf(0)],
    [1, pageOf(3)],
    [7, pageOf(3)],
    [8, pageOf(5)],
  ] as const;
  return { kind: "virtlab machine", version: 1, state, pages, hash: "ab12", ...change };
}

function refusal(bytes: Uint8Array): string {
  try {
    decodeSave(bytes, "a.save");
  } catch (error) {
    expect(error).toBeInstanceOf(VirtlabError);
    return (error as Error).message;
  }
  return "";
}

/** The save with its header replaced and its checksum made good. */
function withHeader(save: Uint8Array, change: (header: Record<string, unknown>) => unknown, tail = 0): Uint8Array {
  const length = new DataView(save.buffer).getUint32(12, true);
  const header = JSON.parse(new TextDecoder().decode(save.subarray(24, 24 + length)));
  const text = new TextEncoder().encode(JSON.stringify(change(header)));
  const rest = save.subarray(24 + length, -32);
  const bytes = new Uint8Array(24 + text.length + rest.length + tail + 32);
  const view = new DataView(bytes.buffer);
  bytes.set(save.subarray(0, 24));
  bytes.set(text, 24);
  bytes.set(rest, 24 + text.length);
  view.setUint32(12, text.length, true);
  view.setBigUint64(16, BigInt(bytes.length), true);
  bytes.set(sha256(bytes.subarray(0, -32)), bytes.length - 32);
  return bytes;
}

describe("A save", () => {
  it("gives back state, pages and hash", () => {
    const pages = fc.array(fc.tuple(fc.nat(3), fc.nat(6)), { maxLength: 150 }).map((list) => {
      let frame = 0;
      return list.map(([gap, pattern]) => {
        frame += gap + 1;
        return [frame, pageOf(pattern)] as const;
      });
    });
    fc.assert(
      fc.property(arbitraryPlainData(), pages, (state, savedPages) => {
        const loaded = decodeSave(encodeSave(sample({ state, pages: savedPages })));
        expect(encodeCanonical(loaded.state)).toEqual(encodeCanonical(state));
        expect(loaded.pages.map(([frame]) => frame)).toEqual(savedPages.map(([frame]) => frame));
        expect(loaded.pages.every(([, bytes], index) => Buffer.compare(bytes, savedPages[index]![1]) === 0)).toBe(true);
        expect(loaded).toMatchObject({ kind: "virtlab machine", version: 1, hash: "ab12" });
      }),
      { seed: 20265, numRuns: 30 },
    );
  });

  it("is the same bytes for the same content", () => {
    const state = { serial: "Hello\n", registers: { cr3: 5n, eax: 1 } };
    expect(encodeSave(sample({ state }))).toEqual(encodeSave(sample()));
  });

  it("stores each content once", () => {
    const random = Uint8Array.from({ length: PAGE }, (_, index) => Math.imul(index + 1, 2654435761) >>> 13);
    const save = encodeSave(sample({ pages: Array.from({ length: 500 }, (_, frame) => [frame, random.slice()]) }));
    expect(save.length).toBeLessThan(2 * PAGE);
  });

  it("is read from the middle of another buffer too", () => {
    const save = encodeSave(sample());
    const wide = new Uint8Array(save.length + 20).fill(0xaa);
    wide.set(save, 7);
    expect(decodeSave(wide.subarray(7, 7 + save.length))).toEqual(decodeSave(save));
  });

  it("cannot be written with pages of a wrong size, frames out of order or in an unknown version", () => {
    expect(() => encodeSave(sample({ pages: [[3, new Uint8Array(100)]] }))).toThrow(/frame 3 has 100 bytes/);
    expect(() =>
      encodeSave(
        sample({
          pages: [
            [3, pageOf(0)],
            [3, pageOf(0)],
          ],
        }),
      ),
    ).toThrow(/frame 3 is out of order/);
    expect(() => encodeSave(sample({ version: 2 }))).toThrow(/version 2/);
    expect(() => encodeSave(sample({ state: { a: Number.NaN } }))).toThrow(/^a is not plain data/);
  });
});

describe("A damaged save", () => {
  const save = encodeSave(sample());

  it("is refused in one line, whichever bit was flipped", () => {
    fc.assert(
      fc.property(fc.nat(save.length - 1), fc.nat(7), (index, bit) => {
        const damaged = save.slice();
        damaged[index]! ^= 1 << bit;
        expect(refusal(damaged)).toMatch(/^a\.save: offset \d+: [^\n]+$/);
      }),
      { seed: 20266, numRuns: 500 },
    );
    for (let index = 0; index < 24; index++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = save.slice();
        damaged[index]! ^= 1 << bit;
        expect(refusal(damaged)).toMatch(/^a\.save: offset \d+: [^\n]+$/);
      }
    }
  });

  it("is refused at every length it may be cut to", () => {
    for (let length = 0; length < save.length; length++) {
      expect(refusal(save.subarray(0, length))).toMatch(length === 0 ? /empty/ : /truncated/);
    }
  });

  it("is refused with the reason and the offset of what is wrong", () => {
    const changed = (offset: number, value: number) => {
      const bytes = save.slice();
      bytes[offset] = value;
      return bytes;
    };
    expect(refusal(new TextEncoder().encode("#!/bin/sh\n"))).toBe(
      "a.save: offset 0: not a virtlab save: wrong magic number",
    );
    expect(refusal(changed(8, 2))).toBe(
      "a.save: offset 8: written in version 2 of the format, newer than the 1 known here",
    );
    expect(refusal(changed(8, 0))).toMatch(/offset 8: there is no version 0/);
    expect(refusal(new Uint8Array([...save, 1]))).toBe(
      `a.save: offset ${save.length}: trailing bytes: a save of ${save.length} bytes ends here`,
    );
    expect(refusal(changed(15, 1))).toMatch(/offset 12: a header of \d+ bytes is longer than the file/);
    expect(refusal(changed(60, save[60]! ^ 1))).toBe(
      `a.save: offset ${save.length - 32}: checksum mismatch: the contents are damaged`,
    );
  });

  it("is refused also if its checksum was made to fit", () => {
    const states = (change: object) => withHeader(save, (header) => ({ ...header, ...change }));
    const piece = (header: Record<string, unknown>, name: string) => header[name] as { stored: number; length: number };
    expect(refusal(withHeader(save, (header) => header))).toBe("");
    expect(refusal(withHeader(save, () => 5))).toMatch(/offset 24: the header is not a JSON object/);
    expect(refusal(states({ kind: "other" }))).toMatch(/"kind"/);
    expect(refusal(states({ hash: 5 }))).toMatch(/"hash"/);
    expect(refusal(states({ contents: -1 }))).toMatch(/"contents"/);
    expect(refusal(states({ contents: 2 }))).toMatch(/table of frames is damaged/);
    expect(refusal(states({ contents: 9 }))).toMatch(/number of pages/);
    expect(refusal(states({ state: { stored: 1, length: 2 ** 40 } }))).toMatch(/"state"/);
    expect(refusal(states({ pages: [{ stored: 99999, length: PAGE }] }))).toMatch(/the pages is longer than the file/);
    expect(refusal(states({ pages: [] }))).toMatch(/trailing bytes/);
    expect(
      refusal(withHeader(save, (header) => ({ ...header, state: { ...piece(header, "state"), length: 5 } }))),
    ).toMatch(/compressed data of the state is damaged/);
    expect(refusal(withHeader(save, (header) => header, 3))).toMatch(/trailing bytes/);
  });
});
