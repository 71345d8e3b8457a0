import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex, sha256 } from "./hash.js";
import { MAX_PATCHES, PAGE_SIZE, Page, zeroPage } from "./pages.js";

const filled = (byte: number): Uint8Array => new Uint8Array(PAGE_SIZE).fill(byte);
const sizes = [1, 2, 4] as const;

interface Write {
  readonly offset: number;
  readonly size: (typeof sizes)[number];
  readonly value: number;
}

/** Writes that stay inside of the page, with values that may be negative as the engine's are. */
const writes: fc.Arbitrary<Write[]> = fc.array(
  fc
    .record({
      offset: fc.oneof(fc.nat(PAGE_SIZE - 1), fc.constantFrom(0, 1, PAGE_SIZE - 4, PAGE_SIZE - 1)),
      size: fc.constantFrom(...sizes),
      value: fc.integer(),
    })
    .map((write) => ({ ...write, offset: Math.min(write.offset, PAGE_SIZE - write.size) })),
  { maxLength: 2 * MAX_PATCHES },
);

/** What the engine does: a patch, or a whole page when there are too many. */
function apply(page: Page | undefined, content: Uint8Array, { offset, size, value }: Write): Page {
  for (let index = 0; index < size; index++) content[offset + index] = (value >>> (8 * index)) & 0xff;
  return Page.patch(page, offset, size, value) ?? Page.copyFrom(content);
}

describe("Page", () => {
  it("copies the bytes it is made of, from an offset too", () => {
    const bytes = new Uint8Array(2 * PAGE_SIZE).fill(7, PAGE_SIZE);
    const page = Page.copyFrom(bytes, PAGE_SIZE);
    bytes.fill(9);
    expect(page.bytes()).toEqual(filled(7));
  });

  it("gives out copies: writing to them, or to what copyTo filled, changes no page", () => {
    const pages = [Page.copyFrom(filled(1)), Page.patch(Page.copyFrom(filled(2)), 10, 4, 0x01020304)!, zeroPage];
    const before = pages.map((page) => hex(page.hash()));
    for (const page of pages) {
      const out = page.bytes();
      out.fill(0xff);
      // A copy may be part of a larger buffer; whatever that buffer is, it is nobody's page.
      new Uint8Array(out.buffer).fill(0xff);
      const target = new Uint8Array(3 * PAGE_SIZE);
      page.copyTo(target, PAGE_SIZE);
      target.fill(0xff);
    }
    expect(pages.map((page) => hex(sha256(page.bytes())))).toEqual(before);
  });

  it("writes nothing around the place it is copied to", () => {
    const target = new Uint8Array(3 * PAGE_SIZE).fill(5);
    Page.copyFrom(filled(6)).copyTo(target, PAGE_SIZE);
    expect(target.subarray(0, PAGE_SIZE)).toEqual(filled(5));
    expect(target.subarray(PAGE_SIZE, 2 * PAGE_SIZE)).toEqual(filled(6));
    expect(target.subarray(2 * PAGE_SIZE)).toEqual(filled(5));
  });

  it("keeps pages apart that lie side by side", () => {
    const pages = Array.from({ length: 40 }, (_, index) => Page.copyFrom(filled(index)));
    pages.forEach((page, index) => {
      expect(Buffer.compare(page.bytes(), filled(index))).toBe(0);
    });
  });

  it("patches little-endian, and takes no patch for zeros from the page below", () => {
    const page = Page.patch(Page.patch(undefined, 0, 4, 0x04030201)!, 1, 2, 0)!;
    expect([...page.bytes().subarray(0, 5)]).toEqual([1, 0, 0, 4, 0]);
  });

  it(`refuses a patch on ${MAX_PATCHES} others, so that a page stays cheap to read`, () => {
    let page = Page.copyFrom(filled(0));
    for (let count = 1; count <= MAX_PATCHES; count++) page = Page.patch(page, count, 1, count)!;
    expect(page.bytes()[MAX_PATCHES]).toBe(MAX_PATCHES);
    expect(Page.patch(page, 0, 1, 1)).toBeUndefined();
  });

  it("never changes when it is patched, and holds what a plain array would", () => {
    fc.assert(
      fc.property(writes, (list) => {
        const content = new Uint8Array(PAGE_SIZE);
        let page: Page | undefined;
        const history: { page: Page; hash: string }[] = [];
        for (const write of list) {
          page = apply(page, content, write);
          expect(Buffer.compare(page.bytes(), content)).toBe(0);
          history.push({ page, hash: hex(sha256(content)) });
        }
        for (const { page: old, hash } of history) {
          expect(hex(sha256(old.bytes()))).toBe(hash);
          expect(hex(old.hash())).toBe(hash);
        }
      }),
      { seed: 64, numRuns: 40 },
    );
  });

  it("has the hash of its content, whether it is whole or patched", () => {
    const whole = Page.copyFrom(Uint8Array.from(filled(0), (_, index) => (index === 100 ? 1 : 0)));
    const patched = Page.patch(Page.patch(zeroPage, 100, 4, 0x7fffffff)!, 100, 4, 1)!;
    expect(hex(patched.hash())).toBe(hex(whole.hash()));
  });
});
