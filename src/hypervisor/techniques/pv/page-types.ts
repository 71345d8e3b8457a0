/**
 * What each frame of a guest is used as, and how often: a page table, a page directory, descriptors, or writable memory, and never
 * two of these at once. So a table that was looked at is never written but by the hypervisor.
 *
 * A frame has a type as long as something uses it as that; the first use looks at all entries of a table, and the last one lets go
 * of what they name. A pin is a use.
 * Spec: Barham et al., "Xen and the Art of Virtualization", 2003, "Physical memory".
 */
import { baseOf, limitOf } from "../../../hardware/cpu/descriptors.js";
import { PTE } from "../../../hardware/cpu/paging-levels.js";
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { ACCESS, dplOf } from "../../../hardware/cpu/state.js";
import { PAGE } from "../../host.js";
import { PLACE, TOP } from "../../layout.js";
import type { PvOwn } from "./state.js";

export const TYPE = { none: 0, table: 1, directory: 2, descriptors: 3, writable: 4 } as const;
export type FrameType = (typeof TYPE)[keyof typeof TYPE];

/** A word of the list: how often, whether pinned, as what. */
const COUNT = 0x0fff_ffff;
const PINNED = 0x1000_0000;
const TYPE_SHIFT = 29;

const ENTRIES = 1024;
/** The directory's entries from here on are the hypervisor's, in every directory. */
const FIRST_OWN = TOP / 0x40_0000;
/** Large pages and global ones are not for guests. */
const FORBIDDEN = PTE.PS | PTE.G;

type Words = Pick<ProcessorPort, "readPhysical" | "writePhysical">;
type Frames = Pick<PvOwn, "first" | "pages" | "types" | "shared" | "block">;

const frameOf = (entry: number): number => entry >>> 12;
const isTable = (type: number): boolean => type === TYPE.table || type === TYPE.directory;

/** A segment that may be loaded in an outer ring: code or data, not of ring 0, and all of it below the hypervisor. */
export function isHarmless(low: number, high: number): boolean {
  const access = (high >>> 8) & 0xf0ff;
  if ((access & ACCESS.PRESENT) === 0) return true;
  const expandsDown = (access & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) === ACCESS.EXPAND_DOWN;
  if ((access & ACCESS.S) === 0 || dplOf(access) === 0 || expandsDown) return false;
  return baseOf(low, high) + limitOf(low, high) < TOP;
}

export class PageTypes {
  readonly #port: Words;
  readonly #frames: Frames;

  constructor(port: Words, frames: Frames) {
    this.#port = port;
    this.#frames = frames;
  }

  /** Whether a frame is the guest's own. */
  owns(frame: number): boolean {
    const { first, pages } = this.#frames;
    return frame >= first && frame < first + pages;
  }

  /** The hypervisor's, but for this guest to see. */
  #isShown(frame: number): boolean {
    const { shared, block } = this.#frames;
    return frame * PAGE === shared || frame * PAGE === block;
  }

  #word(frame: number): number {
    return this.#port.readPhysical(this.#frames.types + 4 * (frame - this.#frames.first));
  }

  #setWord(frame: number, word: number): void {
    this.#port.writePhysical(this.#frames.types + 4 * (frame - this.#frames.first), word >>> 0);
  }

  typeOf(frame: number): FrameType {
    return this.owns(frame) ? ((this.#word(frame) >>> TYPE_SHIFT) as FrameType) : TYPE.none;
  }

  /** How often a frame is used as what it is. */
  usesOf(frame: number): number {
    return this.owns(frame) ? this.#word(frame) & COUNT : 0;
  }

  isPinned(frame: number): boolean {
    return this.owns(frame) && (this.#word(frame) & PINNED) !== 0;
  }

  /** One use more; false, and nothing is changed, where the frame cannot be that. */
  get(frame: number, type: FrameType): boolean {
    if (!this.owns(frame)) return false;
    const word = this.#word(frame);
    if ((word & COUNT) !== 0) {
      if (word >>> TYPE_SHIFT !== type) return false;
      this.#setWord(frame, word + 1);
      return true;
    }
    // While its entries are looked at it is one already: it cannot map itself.
    this.#setWord(frame, type * 2 ** TYPE_SHIFT + 1);
    if (this.#isSound(frame, type)) return true;
    this.#setWord(frame, 0);
    return false;
  }

  /** One use less. */
  put(frame: number): void {
    const word = this.#word(frame);
    if ((word & COUNT) > 1) {
      this.#setWord(frame, word - 1);
      return;
    }
    const type = word >>> TYPE_SHIFT;
    if (isTable(type)) this.#release(frame, type, this.#guestEntries(type));
    this.#setWord(frame, 0);
  }

  #guestEntries(type: number): number {
    return type === TYPE.directory ? FIRST_OWN : ENTRIES;
  }

  #isSound(frame: number, type: number): boolean {
    if (type === TYPE.descriptors) return this.#hasHarmlessDescriptors(frame);
    if (!isTable(type)) return true;
    const count = this.#guestEntries(type);
    for (let index = 0; index < count; index++) {
      if (this.#getEntry(type, this.#port.readPhysical(frame * PAGE + 4 * index))) continue;
      this.#release(frame, type, index);
      return false;
    }
    for (let index = count; index < ENTRIES; index++)
      this.#port.writePhysical(frame * PAGE + 4 * index, this.#port.readPhysical(PLACE.tables + 4 * index));
    return true;
  }

  #hasHarmlessDescriptors(frame: number): boolean {
    for (let at = frame * PAGE; at < (frame + 1) * PAGE; at += 8)
      if (!isHarmless(this.#port.readPhysical(at), this.#port.readPhysical(at + 4))) return false;
    return true;
  }

  #release(frame: number, type: number, count: number): void {
    for (let index = 0; index < count; index++) this.#putEntry(type, this.#port.readPhysical(frame * PAGE + 4 * index));
  }

  /** The use that an entry makes of the frame it names. */
  #getEntry(type: number, entry: number): boolean {
    if ((entry & PTE.P) === 0) return true;
    if ((entry & FORBIDDEN) !== 0) return false;
    const frame = frameOf(entry);
    if (type === TYPE.directory) return this.get(frame, TYPE.table);
    if (this.#isShown(frame)) return true;
    return (entry & PTE.W) === 0 ? this.owns(frame) : this.get(frame, TYPE.writable);
  }

  #putEntry(type: number, entry: number): void {
    if ((entry & PTE.P) === 0) return;
    const frame = frameOf(entry);
    if (type === TYPE.directory) this.put(frame);
    else if ((entry & PTE.W) !== 0 && !this.#isShown(frame)) this.put(frame);
  }

  /** Makes a frame a table or a directory until it is released; false, and nothing is changed, where it cannot be that. */
  pin(frame: number, type: FrameType): boolean {
    if (this.isPinned(frame) || !this.get(frame, type)) return false;
    this.#setWord(frame, this.#word(frame) + PINNED);
    return true;
  }

  unpin(frame: number): boolean {
    if (!this.isPinned(frame)) return false;
    this.#setWord(frame, this.#word(frame) - PINNED);
    this.put(frame);
    return true;
  }

  /** Writes an entry of a table or directory; false, and nothing is changed, where it may not be. */
  update(physical: number, entry: number): boolean {
    const frame = frameOf(physical);
    const type = this.typeOf(frame);
    const index = (physical >>> 2) & (ENTRIES - 1);
    if (!isTable(type) || index >= this.#guestEntries(type) || !this.#getEntry(type, entry)) return false;
    const before = this.#port.readPhysical(physical);
    this.#port.writePhysical(physical, entry >>> 0);
    this.#putEntry(type, before);
    return true;
  }
}
