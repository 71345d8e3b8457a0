/**
 * The open value's page frames in the engine's memory. A frame gets a slot when it is first touched; slots stay filled
 * between values, and opening another value touches only frames that differ.
 */

import { writePages } from "../../state/page-map.js";
import { LONGEST_RUN, PAGE_SIZE, Page } from "../../state/pages.js";
import { PersistentMap } from "../../state/persistent-map.js";
import { SLOT_COUNT, SLOTS } from "./layout.js";

/** What is remembered of a slot. A slot with CODE, TABLE or ROM never gets a write tag in the TLB. */
export const SLOT = {
  /** Written since the last seal, as a whole. */
  DIRTY: 1,
  /** Instructions on it are decoded. */
  CODE: 2,
  /** The page walker has read it. */
  TABLE: 4,
  /** Stores do nothing. */
  ROM: 8,
  /** The page walker has read it as a nested table, of EPT or AMD-V. */
  NESTED: 16,
} as const;

interface Patch {
  readonly frame: number;
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

const EMPTY = new Uint8Array(0);
/** Free slots kept back, so that one instruction always finds room. */
const RESERVE = 64;

export class PageSlots {
  readonly bytes: Uint8Array;
  readonly flags = new Uint8Array(SLOT_COUNT);
  readonly #limit: number;
  readonly #view: DataView;
  /** Slot + 1 by frame; 0 is none. */
  #slotOf = new Int32Array(1024);
  readonly #frameOf = new Int32Array(SLOT_COUNT);
  #used = 0;
  #map = PersistentMap.empty<Page>();
  #dirty: number[] = [];
  #patches: Patch[] = [];

  /** `limit` slots are used at the most; fewer than there are is for tests. */
  constructor(buffer: ArrayBuffer, limit = SLOT_COUNT) {
    this.bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#limit = Math.min(limit, SLOT_COUNT);
  }

  /** Too few slots are left to go on: `evict` first. */
  get full(): boolean {
    return this.#used > this.#limit - RESERVE;
  }

  /** Slot of a frame, filled. */
  slot(frame: number): number {
    const known = frame < this.#slotOf.length ? this.#slotOf[frame]! : 0;
    if (known !== 0) return known - 1;
    if (frame >= this.#slotOf.length) {
      const grown = new Int32Array(Math.max(frame + 1, this.#slotOf.length * 2));
      grown.set(this.#slotOf);
      this.#slotOf = grown;
    }
    if (this.#used >= SLOT_COUNT) throw new RangeError("no page slot is left");
    const slot = this.#used++;
    this.#slotOf[frame] = slot + 1;
    this.#frameOf[slot] = frame;
    this.flags[slot] = 0;
    this.#fill(slot, this.#map.get(frame));
    return slot;
  }

  /** Slot of a frame that has one already, else -1. */
  filled(frame: number): number {
    return (frame < this.#slotOf.length ? this.#slotOf[frame]! : 0) - 1;
  }

  /** Copies bytes of a frame; one that has no slot gets none. */
  copyFrom(frame: number, offset: number, target: Uint8Array): void {
    const slot = this.filled(frame);
    if (slot < 0)
      target.set(
        this.#map
          .get(frame)
          ?.bytes()
          .subarray(offset, offset + target.length) ?? EMPTY,
      );
    else {
      const at = SLOTS + slot * PAGE_SIZE + offset;
      target.set(this.bytes.subarray(at, at + target.length));
    }
  }

  /** Writes bytes to a frame; one that has no slot gets none, and is written as a page. */
  copyTo(frame: number, offset: number, bytes: Uint8Array): void {
    const slot = this.filled(frame);
    if (slot < 0) {
      this.#map = writePages(this.#map, frame * PAGE_SIZE + offset, bytes);
      return;
    }
    this.bytes.set(bytes, SLOTS + slot * PAGE_SIZE + offset);
    this.markDirty(slot);
  }

  frameOf(slot: number): number {
    return this.#frameOf[slot]!;
  }

  #fill(slot: number, page: Page | undefined): void {
    const at = SLOTS + slot * PAGE_SIZE;
    if (page) page.copyTo(this.bytes, at);
    else this.bytes.fill(0, at, at + PAGE_SIZE);
  }

  /** The whole slot may be written from now on. */
  markDirty(slot: number): void {
    if ((this.flags[slot]! & SLOT.DIRTY) !== 0) return;
    this.flags[slot]! |= SLOT.DIRTY;
    this.#dirty.push(slot);
  }

  /** Writes up to 4 bytes inside a slot. With `asPatch` the next seal keeps them as a patch instead of a whole page. */
  write(slot: number, offset: number, size: number, value: number, asPatch: boolean): void {
    const at = SLOTS + slot * PAGE_SIZE + offset;
    if (size === 4) this.#view.setInt32(at, value, true);
    else if (size === 2) this.#view.setInt16(at, value, true);
    else this.bytes[at] = value;
    if (asPatch && (this.flags[slot]! & SLOT.DIRTY) === 0)
      this.#patches.push({ frame: this.#frameOf[slot]!, offset, size, value });
    else this.markDirty(slot);
  }

  /** The memory as a value. */
  seal(): PersistentMap<Page> {
    let map = this.#map;
    for (const { frame, offset, size, value } of this.#patches) {
      const slot = this.#slotOf[frame]! - 1;
      if ((this.flags[slot]! & SLOT.DIRTY) !== 0) continue;
      const page = Page.patch(map.get(frame), offset, size, value);
      if (page) map = map.set(frame, page);
      else this.markDirty(slot);
    }
    if (this.#patches.length > 0) this.#patches = [];
    if (this.#dirty.length > 0) {
      const frames = this.#dirty.map((slot) => this.#frameOf[slot]!).sort((a, b) => a - b);
      map = map.setAll(frames, this.#copy(frames));
      this.#dirty = [];
    }
    this.#map = map;
    return map;
  }

  /** Pages of dirty frames, which are clean from now on. Frames whose slots lie side by side are copied together. */
  #copy(frames: readonly number[]): Page[] {
    const pages: Page[] = [];
    for (let from = 0; from < frames.length; ) {
      const first = this.#slotOf[frames[from]!]! - 1;
      let count = 0;
      while (
        count < LONGEST_RUN &&
        from + count < frames.length &&
        this.#slotOf[frames[from + count]!]! - 1 === first + count
      ) {
        this.flags[first + count]! &= ~SLOT.DIRTY;
        count++;
      }
      for (const page of Page.copyRun(this.bytes, SLOTS + first * PAGE_SIZE, count)) pages.push(page);
      from += count;
    }
    return pages;
  }

  /** Makes `map` the open memory. Unsealed writes are lost. `changed` hears of every filled slot whose content changed. */
  open(map: PersistentMap<Page>, changed: (slot: number) => void): void {
    const refill = (frame: number): void => {
      const slot = this.filled(frame);
      if (slot < 0) return;
      this.#fill(slot, map.get(frame));
      changed(slot);
    };
    // What was written and never sealed has to go, too.
    const unsealed = [...this.#dirty.map((slot) => this.#frameOf[slot]!), ...this.#patches.map(({ frame }) => frame)];
    for (const slot of this.#dirty) this.flags[slot]! &= ~SLOT.DIRTY;
    this.#dirty = [];
    this.#patches = [];
    PersistentMap.compare(this.#map, map, refill);
    this.#map = map;
    for (const frame of unsealed) refill(frame);
  }

  /** Empties all slots, keeping what was written. Everything that remembers a slot must forget it. */
  evict(): void {
    this.seal();
    this.#slotOf.fill(0);
    this.#used = 0;
  }
}
