/**
 * The page tables of address spaces, in memory, in the form the processor walks: the lower half of a top table is a program's, the rest
 * is the kernel's and the same in all of them.
 * Spec: SDM Vol. 3A, "4-Level Paging".
 */

import { PTE } from "../../hardware/cpu/paging-levels.js";
import { highWord } from "../../hardware/cpu/quadwords.js";
import { PHYSICAL, PHYSICAL_SLOT, PLACE } from "../arch/layout.js";
import type { Work } from "../work.js";
import { dropFrame, linearOf, PAGE, takeZeroFrame } from "./frames.js";

/** Bit 63: no code is fetched. Kept as bit 31 of the upper word. */
const NO_EXECUTE = 0x8000_0000 | 0;

/** An entry of a page table taken apart. */
export interface PageEntry {
  readonly frame: number;
  /** PTE bits of the lower word. */
  readonly flags: number;
  readonly executable: boolean;
}

const pair = new Int32Array(2);
const FLAGS = 0xfff;
/** Of the linear address, from the top: bits above the index of each level. */
const SHIFTS = [39, 30, 21, 12] as const;
const indexOf = (linear: number, shift: number): number => Math.floor(linear / 2 ** shift) % 512;

function write(k: Work, at: number, low: number, high: number): void {
  pair[0] = low;
  pair[1] = high;
  k.port.writeWords(at, 2, false, pair);
}

const frameOfEntry = (low: number, high: number): number => ((low >>> 12) + (high & 0x000f_ffff) * 2 ** 20) % 2 ** 40;

/** A top table that has the kernel's part. */
export function newTop(k: Work): number {
  const frame = takeZeroFrame(k);
  write(k, linearOf(frame) + PHYSICAL_SLOT * 8, (PLACE.tables + PAGE) | PTE.P | PTE.W, 0);
  return frame;
}

/** Linear address of the lowest entry that translates an address, or 0 where a table on the way is missing. */
function entryAddress(k: Work, root: number, linear: number, tables?: { made: number }): number {
  let table = linearOf(root);
  for (const shift of SHIFTS) {
    const at = table + indexOf(linear, shift) * 8;
    if (shift === 12) return at;
    k.port.readPair(at);
    let { low, high } = k.port;
    if ((low & PTE.P) === 0) {
      if (tables === undefined) return 0;
      const frame = takeZeroFrame(k);
      tables.made++;
      low = (frame * PAGE) | 0 | PTE.P | PTE.W | PTE.U;
      high = highWord(frame * PAGE);
      write(k, at, low, high);
    }
    table = PHYSICAL + frameOfEntry(low, high) * PAGE;
  }
  return 0;
}

/** The entry for an address; undefined where nothing is mapped. */
export function entryOf(k: Work, root: number, linear: number): PageEntry | undefined {
  const at = entryAddress(k, root, linear);
  if (at === 0) return undefined;
  k.port.readPair(at);
  const { low, high } = k.port;
  if ((low & PTE.P) === 0) return undefined;
  return { frame: frameOfEntry(low, high), flags: low & FLAGS, executable: (high & NO_EXECUTE) === 0 };
}

/** What a page may be used for; without `user` by no program at all. */
export interface PageUse {
  readonly writable: boolean;
  readonly executable: boolean;
  readonly dirty?: boolean;
  readonly user?: boolean;
}

/** Maps a page. Gives how many tables were made for it. */
export function mapPage(
  k: Work,
  root: number,
  linear: number,
  frame: number,
  { writable, executable, dirty = false, user = true }: PageUse,
): number {
  const tables = { made: 0 };
  const at = entryAddress(k, root, linear, tables);
  const flags = PTE.P | PTE.A | (user ? PTE.U : 0) | (writable ? PTE.W : 0) | (dirty ? PTE.D : 0);
  write(k, at, (frame * PAGE) | 0 | flags, highWord(frame * PAGE) | (executable ? 0 : NO_EXECUTE));
  return tables.made;
}

/** Nothing is mapped at an address any more. Gives what was. */
export function unmapPage(k: Work, root: number, linear: number): PageEntry | undefined {
  const entry = entryOf(k, root, linear);
  if (entry !== undefined) write(k, entryAddress(k, root, linear), 0, 0);
  return entry;
}

/** Calls `visit` for every page that is mapped from `start` to `end`, by rising address, skipping what has no tables. */
export function eachPage(
  k: Work,
  root: number,
  start: number,
  end: number,
  visit: (linear: number, entry: PageEntry) => void,
): void {
  const words = new Int32Array(1024);
  const walk = (table: number, level: number, base: number): void => {
    const size = 2 ** SHIFTS[level]!;
    const first = Math.max(0, Math.floor((start - base) / size));
    const last = Math.min(level === 0 ? 255 : 511, Math.floor((end - 1 - base) / size));
    k.port.readWords(table + first * 8, (last - first + 1) * 2, false, words);
    // Tables below are read into the same words, so these are taken out first.
    const found: number[] = [];
    for (let at = 0; at <= last - first; at++)
      if ((words[at * 2]! & PTE.P) !== 0) found.push(first + at, words[at * 2]!, words[at * 2 + 1]!);
    for (let at = 0; at < found.length; at += 3) {
      const [index, low, high] = [found[at]!, found[at + 1]!, found[at + 2]!];
      const frame = frameOfEntry(low, high);
      if (level === 3) visit(base + index * size, { frame, flags: low & FLAGS, executable: (high & NO_EXECUTE) === 0 });
      else walk(linearOf(frame), level + 1, base + index * size);
    }
  };
  walk(linearOf(root), 0, 0);
}

/** Gives back all pages and tables of a space that nobody uses any more. */
export function dropAll(k: Work, root: number): void {
  const words = new Int32Array(1024);
  const walk = (table: number, level: number): void => {
    const count = level === 0 ? 256 : 512;
    k.port.readWords(linearOf(table), count * 2, false, words);
    const below: number[] = [];
    for (let index = 0; index < count; index++)
      if ((words[index * 2]! & PTE.P) !== 0) below.push(frameOfEntry(words[index * 2]!, words[index * 2 + 1]!));
    for (const frame of below) {
      if (level === 3) dropFrame(k, frame);
      else walk(frame, level + 1);
    }
    dropFrame(k, table);
  };
  walk(root, 0);
}
