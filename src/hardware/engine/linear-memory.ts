/**
 * Memory by linear addresses, for software in TypeScript: what a fault would stop is checked before anything is done. An
 * access that crosses pages is made byte by byte.
 */
import { PAGE_SIZE } from "../../state/pages.js";
import { Fault, VECTOR } from "../cpu/processor.js";
import { CR4, isLong } from "../cpu/state.js";
import type { BusMemory } from "./bus-memory.js";
import { TABLE_OF_MANY } from "./layout.js";
import { crosses, frameOf, nextPage } from "./linear-address.js";
import { NO_PAGE, type PageTables } from "./page-tables.js";
import type { Tlb } from "./tlb.js";
import type { WatchedData } from "./watched-data.js";

export class LinearMemory {
  /** What `readPair` read, signed. */
  low = 0;
  high = 0;

  constructor(
    readonly bus: BusMemory,
    readonly tlb: Tlb,
    readonly tables: PageTables,
    readonly watched: WatchedData,
  ) {}

  get #long(): boolean {
    return isLong(this.tables.system);
  }

  /** The TLB entry of an address. */
  #entry(linear: number, user: boolean): number {
    return this.tlb.entry(linear, user, this.#long);
  }

  /** Value of `size` bytes at a linear address, sign-extended. Throws #PF. */
  read(linear: number, size: number, user: boolean): number {
    const { bus, tlb } = this;
    if (!this.watched.none) this.watched.look(linear, size, false);
    if (crosses(linear, size)) return this.readAcross(linear, size, false, user);
    const entry = this.#entry(linear, user);
    if (tlb.letsRead(entry, linear) && !bus.stale) return bus.read(tlb.host(entry, linear), size);
    const physical = this.tables.translate(linear, false, user);
    const frame = frameOf(physical);
    if (!bus.isMemory(frame)) return bus.readMapped(physical, size);
    const slot = bus.slot(frame);
    this.letIn(entry, linear, slot, false, user);
    return bus.readSlot(slot, physical & 0xfff, size);
  }

  /** A dword as it is read while paging is off, inside of a page. */
  readUnpaged(address: number): number {
    const { bus } = this;
    const physical = this.tables.unpaged(address);
    return bus.isMemory(frameOf(physical)) ? bus.load(physical) : bus.readMapped(physical, 4);
  }

  write(linear: number, size: number, value: number, user: boolean): void {
    const { bus, tlb } = this;
    if (!this.watched.none) this.watched.look(linear, size, true);
    if (crosses(linear, size)) {
      this.writeAcross(linear, size, value, user);
      return;
    }
    const entry = this.#entry(linear, user);
    if (tlb.letsWrite(entry, linear) && !bus.stale) {
      bus.write(tlb.host(entry, linear), size, value);
      return;
    }
    const physical = this.tables.translate(linear, true, user);
    if (this.#storesEntry(physical, size, value)) return;
    bus.store(physical, size, value);
    const frame = frameOf(physical);
    if (!bus.patching && bus.isMemory(frame)) this.letIn(entry, linear, bus.slot(frame), true, user);
  }

  /** Stores to an entry of a page table that one page depends on: that translation is dropped, and no other. */
  #storesEntry(physical: number, size: number, value: number): boolean {
    const { bus, tables } = this;
    const frame = frameOf(physical);
    if (bus.patching || bus.stale || !bus.isMemory(frame)) return false;
    const slot = bus.slot(frame);
    const page = tables.pageOfEntry(slot, physical & 0xfff, size);
    if (page === NO_PAGE) return false;
    tables.storeEntry(slot, physical & 0xfff, size, value, page);
    return true;
  }

  /** Throws #PF unless at most a page of bytes can be written. */
  checkWrite(linear: number, size: number, user: boolean): void {
    if (this.#hostAddress(linear, size, true, user) !== 0) return;
    if (crosses(linear, size)) this.#parts(linear, true, user);
    else this.tables.translate(linear, true, user);
  }

  /** Where `size` bytes lie in the engine's memory, if the TLB knows and they are on one page; else 0. */
  #hostAddress(linear: number, size: number, write: boolean, user: boolean): number {
    const { tlb } = this;
    if (crosses(linear, size) || this.bus.stale) return 0;
    const entry = this.#entry(linear, user);
    const known = write ? tlb.letsWrite(entry, linear) : tlb.letsRead(entry, linear);
    return known ? tlb.host(entry, linear) : 0;
  }

  // ---- words ------------------------------------------------------------------------------------------------------

  /** A linear address so many bytes behind another. */
  #after(linear: number, bytes: number): number {
    return this.#long ? linear + bytes : (linear + bytes) >>> 0;
  }

  /** Reads two words, as the supervisor. */
  readPair(linear: number): void {
    const host = this.#hostAddress(linear, 8, false, false);
    if (host !== 0) {
      this.low = this.bus.read(host, 4);
      this.high = this.bus.read(host + 4, 4);
      return;
    }
    this.low = this.read(linear, 4, false);
    this.high = this.read(this.#after(linear, 4), 4, false);
  }

  readWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    let host = this.#hostAddress(linear, count * 4, false, user);
    let index = 0;
    if (host === 0 && count > 0) {
      // The first one lets the page in.
      words[index++] = this.read(linear, 4, user);
      host = this.#hostAddress(linear, count * 4, false, user);
    }
    for (; index < count; index++)
      words[index] =
        host !== 0 ? this.bus.read(host + 4 * index, 4) : this.read(this.#after(linear, 4 * index), 4, user);
  }

  /** The last word first, as pushes do. */
  writeWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    const host = this.#hostAddress(linear, count * 4, true, user);
    for (let index = count - 1; index >= 0; index--) {
      if (host !== 0) this.bus.write(host + 4 * index, 4, words[index]!);
      else this.write(this.#after(linear, 4 * index), 4, words[index]!, user);
    }
  }

  // ---- bytes, page by page ----------------------------------------------------------------------------------------

  readBytes(linear: number, bytes: Uint8Array, user: boolean): void {
    const { bus, tables } = this;
    if (!this.watched.none) this.watched.look(linear, bytes.length, false);
    for (let at = 0; at < bytes.length; ) {
      const from = this.#after(linear, at);
      const part = bytes.subarray(at, at + Math.min(bytes.length - at, PAGE_SIZE - (from & 0xfff)));
      at += part.length;
      const host = this.#hostAddress(from, part.length, false, user);
      if (host !== 0) part.set(bus.slots.bytes.subarray(host, host + part.length));
      else this.#copyFrom(tables.translate(from, false, user), part);
    }
  }

  #copyFrom(physical: number, part: Uint8Array): void {
    const { bus } = this;
    if (bus.isMemory(frameOf(physical))) bus.slots.copyFrom(frameOf(physical), physical & 0xfff, part.fill(0));
    else for (let index = 0; index < part.length; index++) part[index] = bus.readMapped(physical + index, 1);
  }

  writeBytes(linear: number, bytes: Uint8Array, user: boolean): void {
    const { bus, tables } = this;
    if (!this.watched.none) this.watched.look(linear, bytes.length, true);
    for (let at = 0; at < bytes.length; ) {
      const to = this.#after(linear, at);
      const part = bytes.subarray(at, at + Math.min(bytes.length - at, PAGE_SIZE - (to & 0xfff)));
      at += part.length;
      const host = this.#hostAddress(to, part.length, true, user);
      if (host !== 0) bus.slots.bytes.set(part, host);
      else this.#copyTo(tables.translate(to, true, user), part);
    }
  }

  #copyTo(physical: number, part: Uint8Array): void {
    const { bus } = this;
    if (bus.isMemory(frameOf(physical))) bus.guestMemory.write(physical, part);
    else for (const [index, byte] of part.entries()) bus.writeMapped(physical + index, 1, byte);
  }

  // ---- what slow paths share --------------------------------------------------------------------------------------

  /** Lets the generated code reach a page without asking. */
  letIn(entry: number, linear: number, slot: number, write: boolean, user: boolean): void {
    const { tables } = this;
    // Generated code does not look at EFLAGS.AC.
    if (!user && tables.translation.userPage && (tables.system.cr4 & CR4.SMAP) !== 0) return;
    this.tlb.fill(entry, linear, slot, write, write ? tables.simpleTableOf(slot) : TABLE_OF_MANY);
  }

  /**
   * Physical addresses of the two parts of an access over the end of a page. Both are checked before either is touched.
   * Over the end of the address space it is #GP(0), as beyond any limit.
   */
  #parts(linear: number, write: boolean, user: boolean): (index: number) => number {
    const { bus, tables } = this;
    const secondPage = nextPage(linear);
    if (secondPage > 0xffffffff && !this.#long) throw new Fault(VECTOR.GP, 0);
    const first = tables.translate(linear, write, user);
    const second = tables.translate(secondPage, write, user);
    if (!bus.isMemory(frameOf(first))) bus.checkMapped(first);
    if (!bus.isMemory(frameOf(second))) bus.checkMapped(second);
    const split = PAGE_SIZE - (linear & 0xfff);
    return (index) => (index < split ? first + index : second + index - split);
  }

  readAcross(linear: number, size: number, forWrite: boolean, user: boolean): number {
    const { bus } = this;
    const part = this.#parts(linear, forWrite, user);
    let value = 0;
    for (let index = 0; index < size; index++) {
      const physical = part(index);
      const frame = frameOf(physical);
      const byte = bus.isMemory(frame) ? bus.byteIn(bus.slot(frame), physical & 0xfff) : bus.readMapped(physical, 1);
      value |= (byte & 0xff) << (8 * index);
    }
    return size === 2 ? (value << 16) >> 16 : value;
  }

  writeAcross(linear: number, size: number, value: number, user: boolean): void {
    const part = this.#parts(linear, true, user);
    for (let index = 0; index < size; index++) this.bus.store(part(index), 1, value >>> (8 * index));
  }
}
