/**
 * The TLB of the generated code: its parts, what lets an access through, and what is dropped when. It is invisible: a page
 * that holds page tables or decoded code never gets a write tag, so every store there asks.
 */
import { PAGE_SIZE } from "../../state/pages.js";
import {
  SLOTS,
  TLB_BASE,
  TLB_CARE_TAG,
  TLB_DELTA,
  TLB_EMPTY,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_INVALID,
  TLB_LONG_SUPERVISOR,
  TLB_LONG_USER,
  TLB_SIDE,
  TLB_SIDE_SIZE,
  TLB_SUPERVISOR,
  TLB_TABLE_OF,
  TLB_USER,
  TLB_WRITE_TAG,
} from "./layout.js";
import { crosses, highOf, pageOf } from "./linear-address.js";
import { type PageSlots, SLOT } from "./page-slots.js";
import type { WatchedData } from "./watched-data.js";

/** A page of these is never written without asking. */
export const SPECIAL = SLOT.CODE | SLOT.TABLE | SLOT.ROM;
/** TLB entries that are listed one by one, to be dropped one by one. */
const MOST_LISTED = 512;
/** Whose translations: the processor's own, or those of a guest of VT-x or AMD-V. Both are kept while the other is in use. */
export type Side = 0 | 1;
export const SIDES = [0, 1] as const;
/** The parts of the TLB on each side. In IA-32e mode TypeScript uses those with whole tags, whatever the code is. */
const PARTS = [TLB_SUPERVISOR, TLB_USER, TLB_LONG_SUPERVISOR, TLB_LONG_USER] as const;
const PART_SIZE = TLB_ENTRIES * TLB_ENTRY_SIZE;
const PART_SHIFT = Math.log2(PART_SIZE);
const partOf = (user: boolean, long: boolean): number =>
  long ? (user ? TLB_LONG_USER : TLB_LONG_SUPERVISOR) : user ? TLB_USER : TLB_SUPERVISOR;

/** What is in use of a side. */
interface Used {
  /** Addresses of entries, unless they are too many to list. */
  filled: number[] | undefined;
  /** The same of those that let stores through since the last seal. */
  writeTags: number[];
  /** A bit for each part. */
  parts: number;
}

/** Entries are named by their word index, tags by theirs; the read tag is an entry's first word. */
export class Tlb {
  readonly #i32: Int32Array;
  readonly #slots: PageSlots;
  readonly #watched: WatchedData;
  /** What `select` was told. */
  #selectedUser = false;
  #selectedLong = false;
  #side: Side = 0;
  readonly #used: readonly Used[] = SIDES.map(() => ({ filled: [], writeTags: [], parts: 0 }));

  constructor(buffer: ArrayBuffer, slots: PageSlots, watched: WatchedData) {
    this.#i32 = new Int32Array(buffer);
    this.#slots = slots;
    this.#watched = watched;
    this.#i32.fill(TLB_INVALID, TLB_SUPERVISOR >> 2, (TLB_EMPTY + PART_SIZE) >> 2);
  }

  // ---- what generated code uses -----------------------------------------------------------------------------------

  /** The side in use. What generated code uses of it is to be selected again. */
  get side(): Side {
    return this.#side;
  }

  set side(side: Side) {
    this.#side = side;
    this.#i32[TLB_SIDE >> 2] = side * TLB_SIDE_SIZE;
  }

  /** Whether accesses are those of a program. */
  get user(): boolean {
    return this.#selectedLong ? this.#selectedUser : this.#i32[TLB_BASE >> 2] === this.#side * TLB_SIDE_SIZE + TLB_USER;
  }

  /** Whose accesses generated code makes now: a program's or not, of 64-bit code or not; `watched` if none goes unseen. */
  select(user: boolean, long: boolean, watched: boolean): void {
    this.#selectedUser = user;
    this.#selectedLong = long;
    this.#i32[TLB_BASE >> 2] = watched ? TLB_EMPTY : this.#side * TLB_SIDE_SIZE + partOf(user, long);
  }

  // ---- entries ----------------------------------------------------------------------------------------------------

  /** The entry of an address; `long` in IA-32e mode. */
  entry(linear: number, user: boolean, long: boolean): number {
    return this.#entryIn(partOf(user, long), linear);
  }

  /** The same of the part that generated code uses now. */
  codeEntry(linear: number): number {
    return this.#entryIn(partOf(this.user, this.#selectedLong), linear);
  }

  #entryIn(part: number, linear: number): number {
    return (this.#side * TLB_SIDE_SIZE + part + ((linear >>> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE) >> 2;
  }

  #matches(tag: number, linear: number): boolean {
    return this.#i32[tag] === (linear & 0xfffff000) && this.#i32[tag + 1] === highOf(linear);
  }

  /** Whether the entry lets reads of an address through. */
  letsRead(entry: number, linear: number): boolean {
    return this.#matches(entry, linear);
  }

  letsWrite(entry: number, linear: number): boolean {
    return this.#matches(entry + (TLB_WRITE_TAG >> 2), linear);
  }

  /** Where an address that is let through lies in the engine's memory. */
  host(entry: number, linear: number): number {
    return (linear + this.#i32[entry + (TLB_DELTA >> 2)]!) | 0;
  }

  /** The slot of a page that may be written with care, if that is known; else -1. */
  slotToWrite(linear: number, size: number): number {
    const entry = this.codeEntry(linear);
    const page = linear & 0xfffff000;
    const known = this.#i32[entry + (TLB_CARE_TAG >> 2)] === page && this.#matches(entry, linear);
    if (!known || crosses(linear, size)) return -1;
    return (page + this.#i32[entry + (TLB_DELTA >> 2)]! - SLOTS) >> 12;
  }

  /**
   * Lets the generated code reach a page without asking. `tableOf` is the number of the linear page that the first entry is
   * for where the page is a page table.
   */
  fill(at: number, linear: number, slot: number, write: boolean, tableOf: number): void {
    const page = linear & 0xfffff000;
    const high = highOf(linear);
    let stores = write;
    if (!this.#watched.none) {
      const reads = this.#watched.readsCount(pageOf(linear));
      if (reads === true) return;
      if (reads === false) stores = false;
    }
    if (this.#i32[at] !== page || this.#i32[at + 1] !== high) {
      this.#i32[at + (TLB_WRITE_TAG >> 2)] = TLB_INVALID;
      this.#i32[at + (TLB_CARE_TAG >> 2)] = TLB_INVALID;
    }
    if (stores) this.#letStoresIn(at, page, high, slot, tableOf);
    if (this.#i32[at] === TLB_INVALID) this.#list(at << 2);
    this.#i32[at] = page;
    this.#i32[at + 1] = high;
    this.#i32[at + (TLB_DELTA >> 2)] = (SLOTS + slot * PAGE_SIZE - page) | 0;
  }

  #letStoresIn(at: number, page: number, high: number, slot: number, tableOf: number): void {
    const special = this.#slots.flags[slot]! & SPECIAL;
    if (special !== 0 && special !== SLOT.TABLE) return;
    this.#i32[at + ((special === 0 ? TLB_WRITE_TAG : TLB_CARE_TAG) >> 2)] = page;
    if (special === 0) this.#i32[at + (TLB_WRITE_TAG >> 2) + 1] = high;
    this.#i32[at + (TLB_TABLE_OF >> 2)] = tableOf;
    this.#used[this.#side]!.writeTags.push(at << 2);
    this.#slots.markDirty(slot);
  }

  /** An entry comes into use. */
  #list(entry: number): void {
    const used = this.#used[this.#side]!;
    used.parts |= 1 << ((entry - this.#side * TLB_SIDE_SIZE - TLB_SUPERVISOR) >> PART_SHIFT);
    if (used.filled && used.filled.push(entry) > MOST_LISTED) used.filled = undefined;
  }

  // ---- what is dropped --------------------------------------------------------------------------------------------

  #invalidate(entry: number): void {
    this.#i32[entry] = TLB_INVALID;
    this.#i32[entry + (TLB_WRITE_TAG >> 2)] = TLB_INVALID;
    this.#i32[entry + (TLB_CARE_TAG >> 2)] = TLB_INVALID;
  }

  /** Drops all translations of a side. */
  flush(side: Side): void {
    const used = this.#used[side]!;
    if (used.filled) {
      for (const entry of used.filled) this.#invalidate(entry >> 2);
    } else {
      PARTS.forEach((of, number) => {
        const part = side * TLB_SIDE_SIZE + of;
        if ((used.parts & (1 << number)) !== 0) this.#i32.fill(TLB_INVALID, part >> 2, (part + PART_SIZE) >> 2);
      });
    }
    used.filled = [];
    used.parts = 0;
    if (used.writeTags.length > 0) used.writeTags = [];
  }

  /** Drops the translations of one page, by its number, on both sides. */
  drop(page: number): void {
    const linear = page * PAGE_SIZE;
    for (const part of PARTS) {
      const here = this.#entryIn(part, linear);
      const there = here + ((1 - 2 * this.#side) * TLB_SIDE_SIZE) / 4;
      if (this.#matches(here, linear)) this.#invalidate(here);
      if (this.#matches(there, linear)) this.#invalidate(there);
    }
  }

  /** Lets no store through any more without asking. */
  dropWriteTags(): void {
    for (const used of this.#used) {
      for (const entry of used.writeTags) {
        this.#i32[(entry + TLB_WRITE_TAG) >> 2] = TLB_INVALID;
        this.#i32[(entry + TLB_CARE_TAG) >> 2] = TLB_INVALID;
      }
      if (used.writeTags.length > 0) used.writeTags = [];
    }
  }

  /** Takes a slot out of what stores reach without asking. */
  keepOut(slot: number, flag: number): void {
    const flags = this.#slots.flags[slot]!;
    if ((flags & flag) !== 0) return;
    this.#slots.flags[slot] = flags | flag;
    if ((flags & SLOT.DIRTY) !== 0) this.dropWriteTags();
  }
}
