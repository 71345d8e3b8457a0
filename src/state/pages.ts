/**
 * Immutable 4 KiB pages. A page is either whole, or a patch: another page with a few bytes written over. A step that
 * writes one word makes a patch of some tens of bytes instead of a copy of the page, so every step of a program can be
 * kept; after some patches in a row the next one is made whole.
 *
 * Whole pages lie side by side in slabs, because allocating one buffer a page costs more than filling it. Nothing hands
 * out a slab: bytes leave as copies.
 */
import { sha256 } from "./hash.js";

export const PAGE_SIZE = 4096;
const PAGES_PER_SLAB = 16;
/** Pages that share a buffer at the most: one of them that is kept keeps them all. */
export const LONGEST_RUN = 32;
/** Patches on top of each other before a page is made whole: bounds what reading a page costs. */
export const MAX_PATCHES = 64;

let slab = new Uint8Array(0);
let used = 0;

export class Page {
  /** Whole page: its slab and place. Patch: undefined. */
  readonly #slab: Uint8Array | undefined;
  readonly #offset: number;
  /** Patch: the page below, and up to 4 bytes at `#offset` as a little-endian number. */
  readonly #below: Page | undefined;
  readonly #size: number;
  readonly #value: number;
  /** Patches from here down to the whole page. */
  readonly #patches: number;

  private constructor(
    whole: Uint8Array | undefined,
    offset: number,
    below: Page | undefined,
    size: number,
    value: number,
  ) {
    this.#slab = whole;
    this.#offset = offset;
    this.#below = below;
    this.#size = size;
    this.#value = value;
    this.#patches = below === undefined ? 0 : below.#patches + 1;
  }

  /** A whole page from the 4096 bytes at `offset`, copied. */
  static copyFrom(bytes: Uint8Array, offset = 0): Page {
    return Page.copyRun(bytes, offset, 1)[0]!;
  }

  /** `count` whole pages that lie side by side from `offset`, copied in one go. */
  static copyRun(bytes: Uint8Array, offset: number, count: number): Page[] {
    const length = count * PAGE_SIZE;
    // A long run gets a buffer of its own, which is filled as it is made; for a short one that costs more than a slab.
    if (count >= PAGES_PER_SLAB / 2) return Page.#whole(bytes.slice(offset, offset + length), 0, count);
    if (used + length > slab.length) {
      slab = new Uint8Array(PAGES_PER_SLAB * PAGE_SIZE);
      used = 0;
    }
    slab.set(bytes.subarray(offset, offset + length), used);
    used += length;
    return Page.#whole(slab, used - length, count);
  }

  /** The pages of a buffer that nobody writes to any more. */
  static #whole(buffer: Uint8Array, offset: number, count: number): Page[] {
    const pages: Page[] = [];
    for (let index = 0; index < count; index++)
      pages.push(new Page(buffer, offset + index * PAGE_SIZE, undefined, 0, 0));
    return pages;
  }

  /** `below` (zeros, if undefined) with `size` bytes (1, 2 or 4) at `offset` replaced; undefined when it is time for a whole page. */
  static patch(below: Page | undefined, offset: number, size: number, value: number): Page | undefined {
    const base = below ?? zeroPage;
    return base.#patches >= MAX_PATCHES ? undefined : new Page(undefined, offset, base, size, value);
  }

  /** Copies the page's bytes to `target` at `at`. */
  copyTo(target: Uint8Array, at = 0): void {
    if (this.#below === undefined) {
      target.set(this.#slab!.subarray(this.#offset, this.#offset + PAGE_SIZE), at);
      return;
    }
    const chain: Page[] = [];
    let page: Page = this;
    while (page.#below !== undefined) {
      chain.push(page);
      page = page.#below;
    }
    page.copyTo(target, at);
    for (let index = chain.length - 1; index >= 0; index--) {
      const patch = chain[index]!;
      for (let byte = 0; byte < patch.#size; byte++)
        target[at + patch.#offset + byte] = (patch.#value >>> (8 * byte)) & 0xff;
    }
  }

  /** The page's 4096 bytes, as a copy. */
  bytes(): Uint8Array {
    const out = new Uint8Array(PAGE_SIZE);
    this.copyTo(out);
    return out;
  }

  #hash: Uint8Array | undefined;

  /** SHA-256 of the content, remembered. Callers do not hand it out. */
  hash(): Uint8Array {
    this.#hash ??= sha256(this.bytes());
    return this.#hash;
  }
}

/** The page that is all zeros: what a frame nobody has written holds. Memory maps leave it out. */
export const zeroPage = Page.copyFrom(new Uint8Array(PAGE_SIZE));
