/** Bytes in a map of pages by number: what memory and disks are. An absent page is all zeros. */
import { PAGE_SIZE, Page, zeroPage } from "./pages.js";
import type { PersistentMap } from "./persistent-map.js";

export type PageMap = PersistentMap<Page>;

/** A copy of `length` bytes at `address`. */
export function readPages(pages: PageMap, address: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  const scratch = new Uint8Array(PAGE_SIZE);
  for (let at = 0; at < length; ) {
    const offset = (address + at) % PAGE_SIZE;
    const count = Math.min(length - at, PAGE_SIZE - offset);
    const page = pages.get(Math.floor((address + at) / PAGE_SIZE));
    if (page !== undefined) {
      if (count === PAGE_SIZE) page.copyTo(out, at);
      else {
        page.copyTo(scratch);
        out.set(scratch.subarray(offset, offset + count), at);
      }
    }
    at += count;
  }
  return out;
}

/** The map with bytes written at `address`. */
export function writePages(pages: PageMap, address: number, bytes: Uint8Array): PageMap {
  const numbers: number[] = [];
  const written: Page[] = [];
  const scratch = new Uint8Array(PAGE_SIZE);
  for (let at = 0; at < bytes.length; ) {
    const number = Math.floor((address + at) / PAGE_SIZE);
    const offset = (address + at) % PAGE_SIZE;
    const count = Math.min(bytes.length - at, PAGE_SIZE - offset);
    if (count === PAGE_SIZE) written.push(Page.copyFrom(bytes, at));
    else {
      (pages.get(number) ?? zeroPage).copyTo(scratch);
      scratch.set(bytes.subarray(at, at + count), offset);
      written.push(Page.copyFrom(scratch));
    }
    numbers.push(number);
    at += count;
  }
  return pages.setAll(numbers, written);
}
