/**
 * What answers at physical addresses: RAM and ROM, whose pages lie in slots, registers of devices, or nothing; and the A20
 * gate in front of them. Whoever changes bytes here has what depended on them dropped.
 */
import type { Page } from "../../state/pages.js";
import { PAGE_SIZE } from "../../state/pages.js";
import type { PersistentMap } from "../../state/persistent-map.js";
import type { Fault } from "../cpu/processor.js";
import type { GuestMemory } from "../devices/guest-memory.js";
import type { RomRange } from "../state.js";
import { SLOTS } from "./layout.js";
import { frameOf } from "./linear-address.js";
import { PageSlots, SLOT } from "./page-slots.js";
import type { Side } from "./tlb.js";

/** Reads of physical addresses where there is nothing give all ones, as an open bus does. */
export const OPEN_BUS = -1;
/** Thrown in the middle of a block where the walker would change decoded instructions, or a register of a device lies. */
export const BAIL = Symbol("the instruction must run alone");
/** The address line that the A20 gate holds low. */
const LINE_20 = 1 << 20;

/** What decoded code is to the memory it was decoded from: bytes that must not change unnoticed. */
export interface DecodedCode {
  /** Whether a store to these bytes of a slot hits decoded instructions. */
  hits(slot: number, offset: number, size: number): boolean;
  /** The slot's bytes changed: forget its blocks. */
  drop(slot: number): void;
  /** All translations of a side changed: forget where code was found by them. */
  forget(side: Side): void;
  /** Whether code was found on a linear page, by its number, since all was forgotten. */
  isFoundOn(page: number): boolean;
  /** All slots were emptied. */
  dropAll(): void;
}

/** What answers at physical addresses where there is neither RAM nor ROM. Sizes are 1, 2 or 4; values sign-extended. */
export interface MemoryMapped {
  read(physical: number, size: number): number;
  write(physical: number, size: number, value: number): void;
}

export class BusMemory {
  readonly slots: PageSlots;
  /** What an access raises where there is no memory. Unless given, `mapped` answers. */
  absent: ((physical: number) => Fault) | undefined;
  /**
   * The registers of devices. An instruction that touches one runs alone, so that its time is exact. Unless given, reads are
   * all ones and writes do nothing.
   */
  mapped: MemoryMapped | undefined;
  /** Stores are kept as patches of a single step. */
  patching = false;
  /** The generated code asks, and more instructions of its block may follow. */
  inBlock = false;
  /** A page table was written: translations are dropped behind the instruction, and not used before. */
  stale = false;
  /** A nested one among them. */
  staleNested = false;

  readonly #u8: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #view: DataView;
  readonly #code: DecodedCode;
  #frames = 0;
  #roms: readonly RomRange[] = [];
  /** Bits of a physical address that do not get through. */
  #held = 0;

  constructor(buffer: ArrayBuffer, slotLimit: number | undefined, code: DecodedCode) {
    this.#u8 = new Uint8Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#view = new DataView(buffer);
    this.slots = new PageSlots(buffer, slotLimit);
    this.#code = code;
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** What there will be; gives whether it is as much RAM as there was. Slots of other ROMs are to be emptied by then. */
  setRanges(memorySize: number, roms: readonly RomRange[]): boolean {
    const frames = memorySize / PAGE_SIZE;
    const same = frames === this.#frames;
    this.#frames = frames;
    this.#roms = roms;
    return same;
  }

  /** Whether slots know of the same ROMs. */
  hasRoms(roms: readonly RomRange[]): boolean {
    return roms === this.#roms || roms.length + this.#roms.length === 0;
  }

  /** Makes a memory the open one; gives whether a page that the walker has read is another. */
  open(memory: PersistentMap<Page>): boolean {
    let tables = false;
    this.slots.open(memory, (slot) => {
      const flags = this.slots.flags[slot]!;
      if ((flags & SLOT.TABLE) !== 0) tables = true;
      if ((flags & SLOT.CODE) !== 0) this.#dropCode(slot);
    });
    return tables;
  }

  /** Empties all slots. Everything that remembers one must forget it. */
  evict(): void {
    this.slots.evict();
    this.slots.flags.fill(0);
  }

  /** The A20 gate: whether address line 20 is let through, or held low. Gives whether anything is new. */
  setA20(enabled: boolean): boolean {
    const held = enabled ? 0 : LINE_20;
    if (held === this.#held) return false;
    this.#held = held;
    return true;
  }

  // ---- what there is ----------------------------------------------------------------------------------------------

  /** A physical address as it leaves the A20 gate. */
  onBus(physical: number): number {
    return this.#held === 0 ? physical : physical - (physical & this.#held);
  }

  /** Number of the frame below 4 GiB that the low word of an entry of a page table leads to. */
  frameOfEntry(entry: number): number {
    return (entry & ~this.#held) >>> 12;
  }

  /** Whether there is RAM or ROM. */
  isMemory(frame: number): boolean {
    return frame < this.#frames || this.#isRom(frame);
  }

  #isRom(frame: number): boolean {
    for (const { base, size } of this.#roms)
      if (frame * PAGE_SIZE >= base && frame * PAGE_SIZE < base + size) return true;
    return false;
  }

  /** Slot of a frame, filled. */
  slot(frame: number): number {
    const slot = this.slots.slot(frame);
    if (this.#roms.length > 0 && this.#isRom(frame)) this.slots.flags[slot]! |= SLOT.ROM;
    return slot;
  }

  /** Throws unless an access where there is no memory may be made now. */
  checkMapped(physical: number): void {
    if (this.absent !== undefined) throw this.absent(physical);
    if (this.mapped !== undefined && this.inBlock) throw BAIL;
  }

  /** What is read where there is no memory. */
  readMapped(physical: number, size: number): number {
    this.checkMapped(physical);
    return this.mapped === undefined ? OPEN_BUS : this.mapped.read(physical, size);
  }

  writeMapped(physical: number, size: number, value: number): void {
    this.checkMapped(physical);
    this.mapped?.write(physical, size, value);
  }

  // ---- bytes ------------------------------------------------------------------------------------------------------

  /** Value at an address in the engine's memory, sign-extended. */
  read(host: number, size: number): number {
    if (size === 4) return this.#view.getInt32(host, true);
    return size === 2 ? this.#view.getInt16(host, true) : this.#view.getInt8(host);
  }

  readSlot(slot: number, offset: number, size: number): number {
    return this.read(SLOTS + slot * PAGE_SIZE + offset, size);
  }

  /** A byte, unsigned. */
  byteIn(slot: number, offset: number): number {
    return this.#u8[SLOTS + slot * PAGE_SIZE + offset]!;
  }

  /** Stores where nothing depends on the bytes: the TLB has a write tag for their page. */
  write(host: number, size: number, value: number): void {
    if (size === 4) this.#view.setInt32(host, value, true);
    else if (size === 2) this.#view.setInt16(host, value, true);
    else this.#u8[host] = value;
  }

  /** A dword inside of a page, sign-extended; all ones where there is no memory. */
  load(physical: number): number {
    const frame = frameOf(physical);
    return this.isMemory(frame) ? this.readSlot(this.slot(frame), physical & 0xfff, 4) : OPEN_BUS;
  }

  /** Dwords at an aligned address and behind it, inside of a page. */
  loadWords(physical: number, words: Uint32Array): void {
    const frame = frameOf(physical);
    if (!this.isMemory(frame)) {
      words.fill(OPEN_BUS);
      return;
    }
    const from = (SLOTS + this.slot(frame) * PAGE_SIZE + (physical & 0xffc)) >> 2;
    words.set(this.#u32.subarray(from, from + words.length));
  }

  /** Stores inside of a page, and drops what was remembered of the bytes. */
  store(physical: number, size: number, value: number): void {
    const frame = frameOf(physical);
    if (!this.isMemory(frame)) {
      this.writeMapped(physical, size, value);
      return;
    }
    this.#tableWritten(this.slots.flags[this.slot(frame)]!);
    this.storeFlags(physical, size, value);
  }

  /** Bytes of a slot with these flags were written, which may be those of a page table. */
  #tableWritten(flags: number): void {
    if ((flags & SLOT.TABLE) !== 0) this.stale = true;
    if ((flags & SLOT.NESTED) !== 0) this.staleNested = true;
  }

  /** The same for the walker's own accessed and dirty flags, on which no translation depends. */
  storeFlags(physical: number, size: number, value: number): void {
    const frame = frameOf(physical);
    if (!this.isMemory(frame)) return;
    const slot = this.slot(frame);
    if ((this.slots.flags[slot]! & SLOT.ROM) !== 0) return;
    const offset = physical & 0xfff;
    this.slots.write(slot, offset, size, value, this.patching);
    if ((this.slots.flags[slot]! & SLOT.CODE) !== 0 && this.#code.hits(slot, offset, size)) this.#dropCode(slot);
  }

  /** Whether the word at an address is part of decoded instructions. */
  isDecoded(physical: number): boolean {
    const frame = frameOf(physical);
    return this.isMemory(frame) && this.#code.hits(this.slot(frame), physical & 0xfff, 4);
  }

  #dropCode(slot: number): void {
    this.#code.drop(slot);
    this.slots.flags[slot]! &= ~SLOT.CODE;
  }

  /** No code is decoded any more. */
  releaseCode(): void {
    const { flags } = this.slots;
    for (let slot = 0; slot < flags.length; slot++) flags[slot]! &= ~SLOT.CODE;
  }

  // ---- accesses by devices ----------------------------------------------------------------------------------------

  /** Memory as a master of the bus sees it. What depended on bytes it writes is dropped behind the instruction. */
  readonly guestMemory: GuestMemory = {
    read: (physical, length) => {
      const bytes = new Uint8Array(length).fill(0xff);
      this.#eachFrame(physical, length, (frame, offset, at, count) =>
        this.slots.copyFrom(frame, offset, bytes.fill(0, at, at + count).subarray(at, at + count)),
      );
      return bytes;
    },
    write: (physical, bytes) => {
      this.#eachFrame(physical, bytes.length, (frame, offset, at, count) => {
        if (this.#isRom(frame)) return;
        const slot = this.slots.filled(frame);
        const flags = slot < 0 ? 0 : this.slots.flags[slot]!;
        this.slots.copyTo(frame, offset, bytes.subarray(at, at + count));
        this.#tableWritten(flags);
        if ((flags & SLOT.CODE) !== 0 && this.#code.hits(slot, offset, count)) this.#dropCode(slot);
      });
    },
  };

  /** The parts of a range that lie in memory, by frame. */
  #eachFrame(
    physical: number,
    length: number,
    visit: (frame: number, offset: number, at: number, count: number) => void,
  ): void {
    for (let at = 0; at < length; ) {
      const frame = Math.floor((physical + at) / PAGE_SIZE);
      const offset = (physical + at) % PAGE_SIZE;
      const count = Math.min(length - at, PAGE_SIZE - offset);
      if (this.isMemory(frame)) visit(frame, offset, at, count);
      at += count;
    }
  }
}
