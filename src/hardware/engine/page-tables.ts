/**
 * Linear to physical for the engine: the walk, what is remembered on the way to a page table, and which page depends on
 * which entry. A page that the walker has read is kept out of what stores reach without asking (`Tlb.keepOut`).
 */
import { VmExit } from "../cpu/guest-operation.js";
import { NestedMemory } from "../cpu/nested-memory.js";
import { nestedPagingOf } from "../cpu/nested-paging.js";
import {
  newTranslation,
  PF,
  type PhysicalMemory,
  pageFaultRule,
  readsThrough,
  type Translation,
  translate,
} from "../cpu/paging.js";
import { type PagingMode, PTE, pagingMode } from "../cpu/paging-levels.js";
import { Fault, VECTOR } from "../cpu/processor.js";
import { CR0, CR4, FLAG, type SystemState } from "../cpu/state.js";
import type { SvmGuest } from "../svm/state.js";
import { BAIL, type BusMemory, type DecodedCode, OPEN_BUS } from "./bus-memory.js";
import { EFLAGS_REST, SLOT_COUNT, TABLE_OF_MANY } from "./layout.js";
import { crosses, frameOf, highOf, pageOf } from "./linear-address.js";
import { SLOT } from "./page-slots.js";
import { SIDES, type Side, SPECIAL, type Tlb } from "./tlb.js";

/** As many ranges as 4 GiB have of 2 MiB. */
const DIRECTORY_SIZE = 2048;
/** Which of the ranges a linear address is in; those that are 4 GiB apart share one. */
const rangeOf = (linear: number, { rangeShift }: PagingMode): number => (linear >>> rangeShift) & (DIRECTORY_SIZE - 1);
/** Of tables that translate no linear addresses. */
const NESTED_LEVEL = 0;
/** In `#readBy`, beside the sides: walks through nested tables. */
const BY_NESTED = 1 << SIDES.length;
/** A page that may not be read because there is none. */
export const NOT_PRESENT = -2;
/** Stands for no page: a number that none has. */
export const NO_PAGE = Number.NEGATIVE_INFINITY;

/** A save, another process and another processor give equal lists that are not the same. */
export const samePdptes = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((word, index) => word === b[index]));

/** Which nested tables there are, if any. */
type NestedRoot = bigint | NonNullable<SvmGuest["nested"]> | undefined;
const nestedRoot = ({ virtualization }: SystemState): NestedRoot =>
  virtualization?.kind === "vmx" ? virtualization.guest?.eptp : virtualization?.guest?.nested;

/** What is remembered of the walks of a side. */
interface Walks {
  readonly side: Side;
  /** The page-directory entries that walks have used, by the range of linear addresses they are for; 0: none is known. */
  readonly directory: Int32Array;
  /** The upper words of those addresses. */
  readonly directoryHigh: Int32Array;
  /** The slots of the page tables they lead to, or -1. */
  readonly directorySlots: Int32Array;
  /** Slots the walker has read since the last `forget`; of nested tables since nested ones were forgotten. */
  tableSlots: number[];
  nestedSlots: number[];
  /** The guest's memory where nested translation is between it and the machine's; undefined where nothing is. */
  guestMemory: NestedMemory | undefined;
  /** What the translations follow from, beside memory. */
  cr0: number;
  cr3: number;
  cr4: number;
  efer: number;
  pdptes: readonly number[];
  nested: NestedRoot;
}

const newWalks = (side: Side): Walks => ({
  side,
  directory: new Int32Array(DIRECTORY_SIZE),
  directoryHigh: new Int32Array(DIRECTORY_SIZE),
  directorySlots: new Int32Array(DIRECTORY_SIZE),
  tableSlots: [],
  nestedSlots: [],
  guestMemory: undefined,
  cr0: 0,
  cr3: 0,
  cr4: 0,
  efer: 0,
  pdptes: [],
  nested: undefined,
});

export class PageTables {
  /** Of the open value; the engine keeps it true. */
  system!: SystemState;
  /** Of the last walk. */
  readonly translation: Translation = newTranslation();

  readonly #i32: Int32Array;
  readonly #bus: BusMemory;
  readonly #tlb: Tlb;
  readonly #code: DecodedCode;
  /** Told of every page fault's address, for CR2. */
  readonly #pageFault: (linear: number) => void;
  readonly #walker: PhysicalMemory;
  readonly #access = { write: false, user: false, fetch: false, ac: false };
  /** Linear page number of the present walk. */
  #walked = 0;
  readonly #sides: readonly Walks[] = SIDES.map(newWalks);
  /** Of the side in use. */
  #walks = this.#sides[0]!;
  /** Linear page number that the first entry of the page table in a slot is for; see TABLE_OF_MANY. */
  readonly #tableOf = new Float64Array(SLOT_COUNT);
  /** How many bits the size of its entries has, and a bit for each side whose walks have read it, or BY_NESTED. */
  readonly #entryShiftOf = new Uint8Array(SLOT_COUNT);
  readonly #readBy = new Uint8Array(SLOT_COUNT);

  constructor(buffer: ArrayBuffer, bus: BusMemory, tlb: Tlb, code: DecodedCode, pageFault: (linear: number) => void) {
    this.#i32 = new Int32Array(buffer);
    this.#bus = bus;
    this.#tlb = tlb;
    this.#code = code;
    this.#pageFault = pageFault;
    this.#walker = {
      read32: (physical, level) => this.#readEntry(physical, level),
      write32: (physical, value) => {
        if (bus.inBlock && bus.isDecoded(bus.onBus(physical))) throw BAIL;
        bus.storeFlags(bus.onBus(physical), 4, value);
      },
    };
  }

  // ---- what is remembered -----------------------------------------------------------------------------------------

  /** Goes on with the side of the processor as it is: its own, or its guest's. Gives which one that is. */
  selectSide(): Side {
    // Before the first value there are no control registers yet.
    const system = this.system as SystemState | undefined;
    const side = system?.virtualization?.guest === undefined ? 0 : 1;
    this.#walks = this.#sides[side]!;
    return side;
  }

  /** Whether what is remembered of the side in use follows from the present control registers. */
  get areCurrent(): boolean {
    const { cr0, cr3, cr4, efer, pdptes } = this.system;
    const of = this.#walks;
    const nested = nestedRoot(this.system);
    // Under AMD's nested paging pointers are in memory alone.
    return (
      of.cr0 === cr0 &&
      of.cr3 === cr3 &&
      of.cr4 === cr4 &&
      of.efer === efer &&
      of.nested === nested &&
      (typeof nested === "object" || samePdptes(of.pdptes, pdptes))
    );
  }

  /**
   * Forgets all tables of a side; the one in use begins in the name of the present control registers. With `nested` nested tables as
   * well, which no control register of a guest has to do with.
   */
  forget(side: Side, nested: boolean): void {
    const walks = this.#sides[side]!;
    const system = this.system as SystemState | undefined;
    if (system !== undefined && walks === this.#walks) {
      walks.cr0 = system.cr0;
      walks.cr3 = system.cr3;
      walks.cr4 = system.cr4;
      walks.efer = system.efer;
      walks.pdptes = system.pdptes;
      this.#findGuest(walks, system);
    }
    if (nested) this.#forgetNested(walks);
    walks.directory.fill(0);
    for (const slot of walks.tableSlots) this.#release(slot, 1 << side);
    if (walks.tableSlots.length > 0) walks.tableSlots = [];
  }

  #forgetNested(walks: Walks): void {
    walks.guestMemory?.flush();
    for (const slot of walks.nestedSlots) {
      this.#bus.slots.flags[slot]! &= ~SLOT.NESTED;
      this.#release(slot, BY_NESTED);
    }
    if (walks.nestedSlots.length > 0) walks.nestedSlots = [];
  }

  #release(slot: number, by: number): void {
    this.#readBy[slot]! &= ~by;
    if (this.#readBy[slot] === 0) this.#bus.slots.flags[slot]! &= ~SLOT.TABLE;
  }

  #findGuest(walks: Walks, system: SystemState): void {
    const root = nestedRoot(system);
    if (root === walks.nested) return;
    this.#forgetNested(walks);
    walks.nested = root;
    const nested = nestedPagingOf(system);
    if (nested === undefined) walks.guestMemory = undefined;
    else if (walks.guestMemory === undefined) walks.guestMemory = new NestedMemory(this.#walker, nested);
    else walks.guestMemory.use(nested);
  }

  // ---- walks ------------------------------------------------------------------------------------------------------

  /** Physical address of an access, or -1 for a #PF, whose error code `translation` has. Throwing would cost more than the walk. */
  physical(linear: number, write: boolean, user: boolean, fetch = false): number {
    this.#setAccess(linear, write, user, fetch);
    const { physical } = this.#walk(linear, true);
    if (physical < 0) {
      this.#pageFault(linear);
      return -1;
    }
    return this.#bus.onBus(physical);
  }

  /** The same of what is looked at beside the program, which raises nothing and marks nothing as accessed. */
  lookedAt(linear: number, user: boolean): number {
    this.#setAccess(linear, false, user, false);
    const { physical } = this.#walk(linear, false);
    return physical < 0 ? -1 : this.#bus.onBus(physical);
  }

  /** The same; throws #PF. */
  translate(linear: number, write: boolean, user: boolean, fetch = false): number {
    const physical = this.physical(linear, write, user, fetch);
    if (physical >= 0) return physical;
    const { errorCode } = this.translation;
    throw new Fault(VECTOR.PF, errorCode, pageFaultRule(errorCode));
  }

  /** Physical address of a read while paging is off, whether it is or not. */
  unpaged(address: number): number {
    const { guestMemory } = this.#walks;
    if (guestMemory === undefined) return this.#bus.onBus(address);
    if (this.#bus.staleNested) guestMemory.flush();
    this.#setAccess(address, false, false, false);
    const system = { ...this.system, cr0: this.system.cr0 & ~CR0.PG };
    return this.#bus.onBus(guestMemory.translate(system, address, this.#access, true, this.translation).physical);
  }

  /** Where a write of generated code would go, or -1: sets no flags and raises nothing. */
  wouldWrite(linear: number): number {
    this.#setAccess(linear, true, this.#tlb.user, false);
    try {
      const { physical } = this.#walk(linear, false);
      return physical < 0 ? -1 : this.#bus.onBus(physical);
    } catch (thrown) {
      if (thrown instanceof VmExit) return -1;
      throw thrown;
    }
  }

  /** What the processor accesses at CPL 3 as the supervisor it accesses by itself: SMAP holds whatever EFLAGS.AC is. */
  #setAccess(linear: number, write: boolean, user: boolean, fetch: boolean): void {
    this.#access.write = write;
    this.#access.user = user;
    this.#access.fetch = fetch;
    this.#access.ac = (this.#i32[EFLAGS_REST >> 2]! & FLAG.AC) !== 0 && user === this.#tlb.user;
    this.#walked = pageOf(linear);
  }

  /** The walk for `#access`, from the page table on if the way there is known. */
  #walk(linear: number, setFlags: boolean): Translation {
    const { system, translation: into } = this;
    const { guestMemory } = this.#walks;
    const known = this.#knownDirectory(linear);
    const out =
      guestMemory === undefined
        ? translate(this.#walker, system, linear, this.#access, setFlags, into, undefined, known)
        : guestMemory.translate(system, linear, this.#access, setFlags, into, known);
    if (known === 0 && out.directoryEntry !== 0 && !this.#bus.stale) this.#remember(linear, out.directoryEntry);
    return out;
  }

  #remember(linear: number, directoryEntry: number): void {
    const bus = this.#bus;
    const range = rangeOf(linear, pagingMode(this.system));
    const table = this.#frameOfEntry(directoryEntry);
    const { directory, directoryHigh, directorySlots } = this.#walks;
    directory[range] = directoryEntry;
    directoryHigh[range] = highOf(linear);
    directorySlots[range] = table >= 0 && bus.isMemory(table) ? bus.slot(table) : -1;
  }

  /** Number of the frame that the low word of an entry leads to; of a guest's entry -1, unless it is known. */
  #frameOfEntry(entry: number): number {
    const { guestMemory } = this.#walks;
    if (guestMemory === undefined) return this.#bus.frameOfEntry(entry);
    const page = guestMemory.knownPage(entry >>> 12);
    return page < 0 ? -1 : this.#bus.onBus(page) >>> 12;
  }

  /** How the page table of an address was reached the last time; 0 if that is not known. */
  #knownDirectory(linear: number): number {
    if (this.#bus.stale) return 0;
    const range = rangeOf(linear, pagingMode(this.system));
    const { directory, directoryHigh } = this.#walks;
    return directoryHigh[range] === highOf(linear) ? directory[range]! : 0;
  }

  /**
   * The slot of a page that may be read, if the way to its page table is known and nothing is to be set or refused. Else -1, or
   * NOT_PRESENT where the entry says so.
   */
  slotToRead(linear: number, size: number, user: boolean): number {
    const bus = this.#bus;
    const mode = pagingMode(this.system);
    const range = rangeOf(linear, mode);
    const { directory, directoryHigh, directorySlots } = this.#walks;
    const directoryEntry = directory[range]!;
    const slot = directorySlots[range]!;
    if (directoryEntry === 0 || slot < 0 || directoryHigh[range] !== highOf(linear)) return -1;
    if (bus.stale || bus.slots.full || crosses(linear, size)) return -1;
    const { shift, mask } = mode.last;
    const at = (linear >>> shift) & mask;
    const entry = bus.readSlot(slot, at, 4);
    if ((entry & PTE.P) === 0) return NOT_PRESENT;
    const frame = this.#frameOfEntry(entry);
    const smap = (this.system.cr4 & CR4.SMAP) !== 0;
    const high = mode.wide ? bus.readSlot(slot, at + 4, 4) : 0;
    const plain = readsThrough(mode, directoryEntry, entry, high, user, smap);
    this.translation.userPage = user;
    return plain && frame >= 0 && bus.isMemory(frame) ? bus.slot(frame) : -1;
  }

  /** The #PF of a read for which `slotToRead` has given NOT_PRESENT. */
  refuseRead(linear: number, user: boolean): void {
    this.translation.physical = -1;
    this.translation.errorCode = user ? PF.U : 0;
    this.#pageFault(linear);
  }

  // ---- entries ----------------------------------------------------------------------------------------------------

  /** A page-table entry for the walker: from now on stores to that page are watched. */
  #readEntry(physical: number, level: number): number {
    const bus = this.#bus;
    const frame = frameOf(bus.onBus(physical));
    if (!bus.isMemory(frame)) return OPEN_BUS;
    const slot = bus.slot(frame);
    const offset = physical & 0xfff;
    const shift = this.#entryShift;
    const base = level === 1 ? this.#walked - (offset >> shift) : TABLE_OF_MANY;
    if ((bus.slots.flags[slot]! & SLOT.TABLE) === 0) {
      this.#tlb.keepOut(slot, SLOT.TABLE);
      this.#tableOf[slot] = base;
      this.#entryShiftOf[slot] = shift;
    }
    const by = level === NESTED_LEVEL ? BY_NESTED : 1 << this.#walks.side;
    const isNew = (this.#readBy[slot]! & by) === 0;
    if (isNew) this.#newTable(slot, by);
    if (isNew && this.#readBy[slot] !== 0) this.#serveMany(slot);
    else if (this.#tableOf[slot] !== base) this.#serveMany(slot);
    this.#readBy[slot]! |= by;
    return bus.readSlot(slot, offset, 4);
  }

  /** What has to be forgotten of a slot in time. */
  #newTable(slot: number, by: number): void {
    const { tableSlots, nestedSlots } = this.#walks;
    if (by !== BY_NESTED) {
      tableSlots.push(slot);
      return;
    }
    nestedSlots.push(slot);
    this.#bus.slots.flags[slot]! |= SLOT.NESTED;
  }

  /** More depends on the page table in a slot than one page for each entry. */
  #serveMany(slot: number): void {
    if (this.#tableOf[slot] === TABLE_OF_MANY) return;
    this.#tableOf[slot] = TABLE_OF_MANY;
    this.#tlb.dropWriteTags();
  }

  /** Entries of 4 bytes, or of 8 with PAE. */
  get #entryShift(): number {
    return (this.system.cr4 & CR4.PAE) !== 0 ? 3 : 2;
  }

  /** The linear page that generated code, which knows the side in use alone, may take the first entry of a page table to be for. */
  simpleTableOf(slot: number): number {
    const own = this.#entryShiftOf[slot] === 2 && this.#readBy[slot] === 1 << this.#walks.side;
    return own ? this.#tableOf[slot]! : TABLE_OF_MANY;
  }

  /** Number of the one page that depends on these bytes of a page table; NO_PAGE if more does, or code in use lies there. */
  pageOfEntry(slot: number, offset: number, size: number): number {
    const base = this.#tableOf[slot]!;
    const shift = this.#entryShiftOf[slot]!;
    if ((this.#bus.slots.flags[slot]! & SPECIAL) !== SLOT.TABLE || base === TABLE_OF_MANY) return NO_PAGE;
    const page = base + (offset >> shift);
    return offset >> shift !== (offset + size - 1) >> shift || this.#code.isFoundOn(page) ? NO_PAGE : page;
  }

  /** Stores to a page-table entry, and drops the one translation that depends on it. */
  storeEntry(slot: number, offset: number, size: number, value: number, page: number): void {
    this.#bus.slots.write(slot, offset, size, value, false);
    this.#tlb.drop(page);
  }
}
