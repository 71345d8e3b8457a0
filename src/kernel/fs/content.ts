/**
 * The bytes of a file in memory, by pages. A page that was written or mapped is a frame of the machine; one that came with the root and
 * was not touched since lies in the store, a disk that no drive shows, and is a negative number. An absent page is zeros.
 */
import { readDisk } from "../../hardware/disk.js";
import { E } from "../errno.js";
import { dropFrame, linearOf, PAGE, takeFrame, takeZeroFrame } from "../mm/frames.js";
import type { Table } from "../state.js";
import type { Work } from "../work.js";

export type Pages = Table<number>;

/** A page of the store as it stands in a table of pages. */
export const storedPage = (page: number): number => -1 - page;

function readStored(k: Work, entry: number, offset: number, length: number): Uint8Array {
  return readDisk(k.access.disks[k.state.initial.store!]!, (-1 - entry) * PAGE + offset, length);
}

/** Bytes of pages, all of which lie in the file. */
export function readPages(k: Work, pages: Pages, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const within = (offset + at) % PAGE;
    const count = Math.min(length - at, PAGE - within);
    const entry = pages.get(Math.floor((offset + at) / PAGE));
    if (entry !== undefined && entry >= 0)
      k.port.readBytes(linearOf(entry) + within, bytes.subarray(at, at + count), false);
    else if (entry !== undefined) bytes.set(readStored(k, entry, within, count), at);
    at += count;
  }
  return bytes;
}

/** The page as a frame of the machine, which it is from now on. Throws ENOMEM. */
export function residentPage(k: Work, pages: Pages, index: number): { readonly pages: Pages; readonly frame: number } {
  const entry = pages.get(index);
  if (entry !== undefined && entry >= 0) return { pages, frame: entry };
  const frame = entry === undefined ? takeZeroFrame(k) : takeFrame(k);
  if (entry !== undefined) k.port.writeBytes(linearOf(frame), readStored(k, entry, 0, PAGE), false);
  return { pages: pages.set(index, frame), frame };
}

/** Writes bytes; gives the pages, and how many bytes found room. */
export function writePages(
  k: Work,
  before: Pages,
  offset: number,
  bytes: Uint8Array,
): { readonly pages: Pages; readonly written: number } {
  let pages = before;
  let at = 0;
  while (at < bytes.length) {
    const within = (offset + at) % PAGE;
    const count = Math.min(bytes.length - at, PAGE - within);
    try {
      const resident = residentPage(k, pages, Math.floor((offset + at) / PAGE));
      pages = resident.pages;
      k.port.writeBytes(linearOf(resident.frame) + within, bytes.subarray(at, at + count), false);
    } catch (thrown) {
      if (thrown === E.ENOMEM && at > 0) break;
      throw thrown === E.ENOMEM ? E.ENOSPC : thrown;
    }
    at += count;
  }
  return { pages, written: at };
}

/** The pages of a file that has so many bytes from now on; what lies behind its new end is zeros. */
export function resizePages(k: Work, before: Pages, size: number): Pages {
  let pages = before;
  const first = Math.ceil(size / PAGE);
  for (const [index, entry] of before.entries()) {
    if (index < first) continue;
    if (entry >= 0) dropFrame(k, entry);
    pages = pages.set(index, undefined);
  }
  const last = Math.floor(size / PAGE);
  if (size % PAGE === 0 || pages.get(last) === undefined) return pages;
  const resident = residentPage(k, pages, last);
  k.port.writeBytes(linearOf(resident.frame) + (size % PAGE), new Uint8Array(PAGE - (size % PAGE)), false);
  return resident.pages;
}

/** Bytes become zeros: whole pages go. */
export function punchPages(k: Work, before: Pages, start: number, end: number): Pages {
  let pages = before;
  const [first, last] = [Math.ceil(start / PAGE), Math.floor(end / PAGE)];
  const clear = (from: number, to: number): void => {
    const index = Math.floor(from / PAGE);
    if (from >= to || pages.get(index) === undefined) return;
    const resident = residentPage(k, pages, index);
    pages = resident.pages;
    k.port.writeBytes(linearOf(resident.frame) + (from % PAGE), new Uint8Array(to - from), false);
  };
  if (first > last) {
    clear(start, end);
    return pages;
  }
  clear(start, first * PAGE);
  clear(last * PAGE, end);
  for (const [index, entry] of before.entries()) {
    if (index < first || index >= last) continue;
    if (entry >= 0) dropFrame(k, entry);
    pages = pages.set(index, undefined);
  }
  return pages;
}

const counts = new WeakMap<Pages, number>();

/** How many pages there are. */
export function countPages(pages: Pages): number {
  let count = counts.get(pages);
  if (count === undefined) {
    count = 0;
    for (const _ of pages.entries()) count++;
    counts.set(pages, count);
  }
  return count;
}

/** The first byte from a place on that is in a page, or in none. */
export function extentIn(pages: Pages, from: number, size: number, wanted: "data" | "hole"): number | undefined {
  const there = wanted === "data";
  for (let at = from; at < size; at = (Math.floor(at / PAGE) + 1) * PAGE)
    if ((pages.get(Math.floor(at / PAGE)) !== undefined) === there) return at;
  return there ? undefined : size;
}
