/**
 * Memory as the processor sees it: linear addresses, the TLB of the generated code, and the slow paths behind it.
 *
 * The TLB is invisible: a page that holds page tables or decoded code never gets a write tag, so every store there comes
 * here and drops what depended on the old bytes. The generated code may make such a store only when its instruction runs
 * alone (`single`); otherwise it leaves before the instruction (EXIT.bail) and comes back with it alone.
 */

import type { Page } from "../../state/pages.js";
import { PAGE_SIZE } from "../../state/pages.js";
import type { PersistentMap } from "../../state/persistent-map.js";
import {
  newTranslation,
  type PhysicalMemory,
  pageFaultRule,
  readsThrough,
  type Translation,
  translate,
} from "../cpu/paging.js";
import { pagingMode } from "../cpu/paging-levels.js";
import { Fault, Unsupported, VECTOR } from "../cpu/processor.js";
import { checkAccess } from "../cpu/segment-checks.js";
import {
  ACCESS,
  CR4,
  FLAG,
  isCanonical,
  isLong,
  type Segment,
  type SystemState,
  segmentNumbered,
} from "../cpu/state.js";
import type { GuestMemory } from "../devices/guest-memory.js";
import type { RomRange } from "../state.js";
import {
  EFLAGS_REST,
  EXIT,
  EXIT_ERROR_CODE,
  EXIT_VECTOR,
  LONG_BASES,
  NO_VECTOR,
  SEGMENT_READABLE,
  SEGMENT_SIZE,
  SEGMENT_WRITABLE,
  SEGMENTS,
  SLOT_COUNT,
  SLOTS,
  SLOW_EXIT,
  SLOW_VALUE,
  TABLE_OF_MANY,
  TLB_BASE,
  TLB_CARE_TAG,
  TLB_DELTA,
  TLB_EMPTY,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  TLB_INVALID,
  TLB_LONG_SUPERVISOR,
  TLB_LONG_USER,
  TLB_SUPERVISOR,
  TLB_TABLE_OF,
  TLB_USER,
  TLB_WRITE_TAG,
} from "./layout.js";
import { PageSlots, SLOT } from "./page-slots.js";
import { type SlowPaths, STACK_ACCESS, WRITE_ACCESS } from "./slow-paths.js";
import { noStops, touched, type WatchHit, type Watchpoint, watchedPages } from "./stops.js";

/** Reads of physical addresses where there is nothing give all ones, as an open bus does. */
const OPEN_BUS = -1;
/** Stands for every page above 4 GiB, where there is nothing. RAM, ROM and devices lie elsewhere. */
const _NOWHERE = 0xffc00000;
/** TLB entries that are listed one by one, to be dropped one by one. */
const MOST_LISTED = 512;
/** Thrown in the middle of a block where the walker would change decoded instructions, or a register of a device lies. */
const BAIL = Symbol("the instruction must run alone");
/** A page of these is never written without asking. */
const SPECIAL = SLOT.CODE | SLOT.TABLE | SLOT.ROM;
const WORD = 2 ** 32;
/** The parts of the TLB. In IA-32e mode TypeScript uses those with whole tags, whatever the code is. */
const PARTS = [TLB_SUPERVISOR, TLB_USER, TLB_LONG_SUPERVISOR, TLB_LONG_USER] as const;
const FS = 4;
/** As many ranges as 4 GiB have of 2 MiB. */
const DIRECTORY_SIZE = 2048;
const partOf = (user: boolean, long: boolean): number =>
  long ? (user ? TLB_LONG_USER : TLB_LONG_SUPERVISOR) : user ? TLB_USER : TLB_SUPERVISOR;
/** Stands for no page: a number that none has. */
const NO_PAGE = Number.NEGATIVE_INFINITY;

const frameOf = (physical: number): number => (physical < WORD ? physical >>> 12 : Math.floor(physical / PAGE_SIZE));
/** Number of a linear page; negative in the upper half of canonical addresses. */
const pageOf = (linear: number): number => Math.floor(linear / PAGE_SIZE);
/** Upper word of a linear address: 0 but in long mode. */
const highOf = (linear: number): number => (linear - (linear >>> 0)) / WORD;

/** A save, another process and another processor give equal lists that are not the same. */
export const samePdptes = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((word, index) => word === b[index]));

/** What decoded code is to the address space: bytes that must not change unnoticed. */
export interface DecodedCode {
  /** Whether a store to these bytes of a slot hits decoded instructions. */
  hits(slot: number, offset: number, size: number): boolean;
  /** The slot's bytes changed: forget its blocks. */
  drop(slot: number): void;
  /** All translations changed: forget where code was found. */
  forget(): void;
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

export class AddressSpace {
  /** Of the open value; the engine keeps both true. */
  system!: SystemState;
  /** One instruction runs alone: it may store to code and page tables. */
  single = false;
  /** Stores are kept as patches of a single step. */
  patching = false;
  /** Accesses of more than a byte at addresses that are no multiple of their size raise #AC. */
  alignmentChecked = false;
  /** Sees every access through a segment, while there is one. */
  watch: ((linear: number, size: number, write: boolean) => void) | undefined;
  /** What an access raises where there is no memory. Unless given, `mapped` answers. */
  absent: ((physical: number) => Fault) | undefined;
  /**
   * The registers of devices. An instruction that touches one runs alone, so that its time is exact. Unless given, reads are
   * all ones and writes do nothing.
   */
  mapped: MemoryMapped | undefined;
  /** The fault behind an EXIT.fault of a slow path. */
  pendingFault: Fault | undefined;
  /** The watchpoint that was touched since `watchData`, or since it was taken back. */
  hit: WatchHit | undefined;
  #watchpoints: readonly Watchpoint[] = noStops.watchpoints;
  /** Linear pages that the TLB does not let stores through to, and whether loads are kept out, too. */
  #watchedPages = watchedPages(noStops.watchpoints);
  /** Told of every page fault's address, for CR2. */
  readonly #pageFault: (linear: number) => void;

  readonly #u8: Uint8Array;
  readonly #i32: Int32Array;
  readonly #view: DataView;
  readonly #slots: PageSlots;
  readonly #code: DecodedCode;
  readonly #walker: PhysicalMemory;
  readonly #translation: Translation = newTranslation();
  /** The page-directory entries that walks have used, by the range of linear addresses they are for; 0: none is known. */
  readonly #directory = new Int32Array(DIRECTORY_SIZE);
  /** The upper words of those addresses. */
  readonly #directoryHigh = new Int32Array(DIRECTORY_SIZE);
  readonly #access = { write: false, user: false, fetch: false, ac: false };
  /** What the translations follow from, beside memory. */
  readonly #translationsOf = { cr0: 0, cr3: 0, cr4: 0, efer: 0, pdptes: [] as readonly number[] };
  /** Linear page number that the first entry of the page table in a slot is for; see TABLE_OF_MANY. */
  readonly #tableOf = new Float64Array(SLOT_COUNT);
  /** Linear page number of the present walk. */
  #walked = 0;
  #frames = 0;
  #roms: readonly RomRange[] = [];
  /** Which bits of a physical address reach memory: all, or all but bit 20. */
  #addressLines = -1;
  /** A page table was written: translations are dropped behind the instruction, and not used before. */
  #stale = false;
  #wantsRoom = false;
  /** What `select` was told. */
  #selectedUser = false;
  #selectedLong = false;
  /** The generated code asks, and more instructions of its block may follow. */
  #inBlock = false;
  /** TLB entries in use, unless they are too many to list; of these the ones that let stores through since the last seal. */
  #filled: number[] | undefined;
  #writeTags: number[] = [];
  /** Slots the walker has read since the last flush. */
  #tableSlots: number[] = [];

  constructor(
    buffer: ArrayBuffer,
    slotLimit: number | undefined,
    code: DecodedCode,
    pageFault: (linear: number) => void,
  ) {
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#view = new DataView(buffer);
    this.#slots = new PageSlots(buffer, slotLimit);
    this.#code = code;
    this.#pageFault = pageFault;
    this.#walker = {
      read32: (physical, level) => this.#readEntry(physical, level),
      write32: (physical, value) => {
        if (this.#inBlock && this.#isDecoded(this.#onBus(physical))) throw BAIL;
        this.#storeInSlot(this.#onBus(physical), 4, value);
      },
    };
  }

  /** What the generated code calls when the TLB does not know. */
  readonly slowPaths: Omit<SlowPaths, "leave" | "system"> = {
    load: (linear, size) => this.#load(linear >>> 0, size, false),
    loadForWrite: (linear, size) => this.#load(linear >>> 0, size, true),
    store: (linear, size, value) => this.#store(linear >>> 0, size, value),
    segment: (segment, offset, access) => this.#segment(segment, offset >>> 0, access),
    loadLong: (linear, access) => this.#loadLong(linear, access, false),
    loadLongForWrite: (linear, access) => this.#loadLong(linear, access, true),
    storeLong: (linear, access, value) => this.#storeLong(linear, access, value),
    loadWide: (linear, size) => (this.#wraps(linear >>> 0, size) ? 0 : this.#loadWide(linear >>> 0, size, false)),
    storeWide: (linear, size) =>
      this.#wraps(linear >>> 0, size) ? this.#takeSlowExit() : this.#storeWide(linear >>> 0, size),
  };

  /** Whether accesses are those of a program. */
  get user(): boolean {
    return this.#selectedLong ? this.#selectedUser : this.#i32[TLB_BASE >> 2] === TLB_USER;
  }

  /** Whose accesses generated code makes now: a program's or not, of 64-bit code or not; `watched` if none goes unseen. */
  select(user: boolean, long: boolean, watched: boolean): void {
    this.#selectedUser = user;
    this.#selectedLong = long;
    this.#i32[TLB_BASE >> 2] = watched ? TLB_EMPTY : partOf(user, long);
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** Opens a memory. Translations survive if no page table differs and `keepTranslations` holds. */
  open(memory: PersistentMap<Page>, memorySize: number, roms: readonly RomRange[], keepTranslations: boolean): void {
    const frames = memorySize / PAGE_SIZE;
    let tables = frames !== this.#frames || !keepTranslations;
    this.#frames = frames;
    if (roms !== this.#roms && roms.length + this.#roms.length > 0) this.#evict();
    this.#roms = roms;
    this.#dropWriteTags();
    this.#slots.open(memory, (slot) => {
      const flags = this.#slots.flags[slot]!;
      if ((flags & SLOT.TABLE) !== 0) tables = true;
      if ((flags & SLOT.CODE) !== 0) this.#dropCode(slot);
    });
    if (tables) this.flush();
  }

  seal(): PersistentMap<Page> {
    this.#dropWriteTags();
    return this.#slots.seal();
  }

  /** After a run that was left by an error: nothing remembered can be trusted. */
  recover(): void {
    this.single = this.patching = this.#stale = false;
    this.pendingFault = undefined;
    this.#i32[SLOW_EXIT >> 2] = 0;
    this.#evict();
  }

  /** To be called where no instruction is half done: makes room if slots run out. */
  makeRoom(): void {
    if (this.#wantsRoom || this.#slots.full) this.#evict();
  }

  #evict(): void {
    this.#wantsRoom = false;
    this.#slots.evict();
    this.#slots.flags.fill(0);
    this.#tableSlots = [];
    this.#code.dropAll();
    this.flush();
  }

  // ---- translations -----------------------------------------------------------------------------------------------

  /** Drops all translations if they are of other control registers than the present ones. */
  flushIfChanged(): void {
    const { cr0, cr3, cr4, efer, pdptes } = this.system;
    const of = this.#translationsOf;
    const same =
      of.cr0 === cr0 && of.cr3 === cr3 && of.cr4 === cr4 && of.efer === efer && samePdptes(of.pdptes, pdptes);
    if (!same) this.flush();
  }

  /** Drops all translations. */
  flush(): void {
    // Before the first value there are no control registers yet.
    const system = this.system as SystemState | undefined;
    if (system !== undefined) {
      this.#translationsOf.cr0 = system.cr0;
      this.#translationsOf.cr3 = system.cr3;
      this.#translationsOf.cr4 = system.cr4;
      this.#translationsOf.efer = system.efer;
      this.#translationsOf.pdptes = system.pdptes;
    }
    if (this.#filled) {
      for (const entry of this.#filled) this.#invalidate(entry >> 2);
    } else this.#i32.fill(TLB_INVALID, TLB_SUPERVISOR >> 2, (TLB_EMPTY + TLB_ENTRIES * TLB_ENTRY_SIZE) >> 2);
    this.#filled = [];
    this.#directory.fill(0);
    if (this.#writeTags.length > 0) this.#writeTags = [];
    for (const slot of this.#tableSlots) this.#slots.flags[slot]! &= ~SLOT.TABLE;
    if (this.#tableSlots.length > 0) this.#tableSlots = [];
    this.#code.forget();
  }

  /** Empties the TLB entry at a word index. */
  #invalidate(entry: number): void {
    this.#i32[entry] = TLB_INVALID;
    this.#i32[entry + (TLB_WRITE_TAG >> 2)] = TLB_INVALID;
    this.#i32[entry + (TLB_CARE_TAG >> 2)] = TLB_INVALID;
  }

  /** The A20 gate: whether address line 20 is let through. */
  setA20(enabled: boolean): void {
    const lines = enabled ? -1 : ~(1 << 20);
    if (lines === this.#addressLines) return;
    this.#addressLines = lines;
    this.flush();
  }

  /** Lets the generated code check accesses through a segment. */
  loadSegment(number: number, { base, limit, access }: Segment): void {
    const code = (access & ACCESS.CODE) !== 0;
    const ordinary = !this.alignmentChecked && this.watch === undefined;
    const upward = access !== 0 && (code || (access & ACCESS.EXPAND_DOWN) === 0);
    const size = ordinary && upward ? Math.min(limit + 1, 0xffffffff) : 0;
    const at = (SEGMENTS + number * SEGMENT_SIZE) >> 2;
    const granted = (access & ACCESS.WRITABLE) !== 0;
    this.#i32[at] = base;
    if (number >= FS) {
      this.#i32[(LONG_BASES >> 2) + 2 * number] = base;
      this.#i32[(LONG_BASES >> 2) + 2 * number + 1] = highOf(base);
    }
    this.#i32[at + (SEGMENT_READABLE >> 2)] = !code || granted ? size : 0;
    this.#i32[at + (SEGMENT_WRITABLE >> 2)] = !code && granted ? size : 0;
  }

  /** What accesses are looked at for from now on: their pages are taken out of the TLB. */
  watchData(watchpoints: readonly Watchpoint[]): void {
    this.hit = undefined;
    if (watchpoints.length + this.#watchpoints.length === 0) return;
    this.#watchpoints = watchpoints;
    this.#watchedPages = watchedPages(watchpoints);
    for (const page of this.#watchedPages.keys()) {
      const entry = (page & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
      for (const part of PARTS) this.#invalidate((part + entry) >> 2);
    }
  }

  /** An access in the name of an instruction that is being executed in TypeScript or runs alone. */
  #look(linear: number, size: number, write: boolean): void {
    this.hit ??= touched(this.#watchpoints, linear, size, write);
  }

  /** Whether generated code must leave in front of this access, to make it alone. */
  #mustBeAlone(linear: number, size: number, write: boolean): boolean {
    if (!this.single) return touched(this.#watchpoints, linear, size, write) !== undefined;
    this.#look(linear, size, write);
    return false;
  }

  /** Behind an instruction: drops translations if it wrote a page table. */
  settle(): void {
    if (!this.#stale) return;
    this.#stale = false;
    this.flush();
  }

  #dropWriteTags(): void {
    for (const entry of this.#writeTags) {
      this.#i32[(entry + TLB_WRITE_TAG) >> 2] = TLB_INVALID;
      this.#i32[(entry + TLB_CARE_TAG) >> 2] = TLB_INVALID;
    }
    if (this.#writeTags.length > 0) this.#writeTags = [];
  }

  /** Physical address of an access, or -1 for a #PF, whose error code `#translation` has. Throwing would cost more than the walk. */
  #physical(linear: number, write: boolean, user: boolean, fetch = false): number {
    this.#setAccess(write, user, fetch);
    this.#walked = pageOf(linear);
    const { physical } = this.#walk(linear, true);
    if (physical < 0) {
      this.#pageFault(linear);
      return -1;
    }
    return this.#onBus(physical);
  }

  /** A physical address as it leaves the A20 gate. */
  #onBus(physical: number): number {
    return this.#addressLines === -1 ? physical : (physical & this.#addressLines) >>> 0;
  }

  /** What the processor accesses at CPL 3 as the supervisor it accesses by itself: SMAP holds whatever EFLAGS.AC is. */
  #setAccess(write: boolean, user: boolean, fetch: boolean): void {
    this.#access.write = write;
    this.#access.user = user;
    this.#access.fetch = fetch;
    this.#access.ac = (this.#i32[EFLAGS_REST >> 2]! & FLAG.AC) !== 0 && user === this.user;
  }

  /** The walk for `#access`, from the page table on if the way there is known. */
  #walk(linear: number, setFlags: boolean): Translation {
    const known = this.#knownDirectory(linear);
    const out = translate(
      this.#walker,
      this.system,
      linear,
      this.#access,
      setFlags,
      this.#translation,
      undefined,
      known,
    );
    if (known === 0 && out.directoryEntry !== 0 && !this.#stale) {
      const range = (linear >>> pagingMode(this.system).rangeShift) & (DIRECTORY_SIZE - 1);
      this.#directory[range] = out.directoryEntry;
      this.#directoryHigh[range] = highOf(linear);
    }
    return out;
  }

  /** How the page table of an address was reached the last time; 0 if that is not known. */
  #knownDirectory(linear: number): number {
    if (this.#stale) return 0;
    const range = (linear >>> pagingMode(this.system).rangeShift) & (DIRECTORY_SIZE - 1);
    return this.#directoryHigh[range] === highOf(linear) ? this.#directory[range]! : 0;
  }

  /** The same; throws #PF. */
  #translate(linear: number, write: boolean, user: boolean, fetch = false): number {
    const physical = this.#physical(linear, write, user, fetch);
    if (physical >= 0) return physical;
    const { errorCode } = this.#translation;
    throw new Fault(VECTOR.PF, errorCode, pageFaultRule(errorCode));
  }

  /** EXIT.fault of a #PF just met, as generated code raises it. */
  #raisePageFault(): number {
    this.#i32[EXIT_VECTOR >> 2] = VECTOR.PF;
    this.#i32[EXIT_ERROR_CODE >> 2] = this.#translation.errorCode;
    return EXIT.fault;
  }

  /** Whether there is RAM or ROM. */
  #isMemory(frame: number): boolean {
    return frame < this.#frames || this.#isRom(frame);
  }

  /** What is read where there is no memory. */
  #readMapped(physical: number, size: number): number {
    this.#checkMapped(physical);
    return this.mapped === undefined ? OPEN_BUS : this.mapped.read(physical, size);
  }

  #writeMapped(physical: number, size: number, value: number): void {
    this.#checkMapped(physical);
    this.mapped?.write(physical, size, value);
  }

  /** Throws unless an access where there is no memory may be made now. */
  #checkMapped(physical: number): void {
    if (this.absent !== undefined) throw this.absent(physical);
    if (this.mapped !== undefined && this.#inBlock) throw BAIL;
  }

  #isRom(frame: number): boolean {
    for (const { base, size } of this.#roms)
      if (frame * PAGE_SIZE >= base && frame * PAGE_SIZE < base + size) return true;
    return false;
  }

  #slot(frame: number): number {
    const slot = this.#slots.slot(frame);
    if (this.#roms.length > 0 && this.#isRom(frame)) this.#slots.flags[slot]! |= SLOT.ROM;
    return slot;
  }

  /** A page-table entry for the walker: from now on stores to that page are watched. */
  #readEntry(physical: number, level: number): number {
    const frame = frameOf(this.#onBus(physical));
    if (!this.#isMemory(frame)) return OPEN_BUS;
    const slot = this.#slot(frame);
    const base = level === 1 ? this.#walked - ((physical & 0xfff) >> this.#entryShift) : TABLE_OF_MANY;
    if ((this.#slots.flags[slot]! & SLOT.TABLE) === 0) {
      this.#watch(slot, SLOT.TABLE);
      this.#tableSlots.push(slot);
      this.#tableOf[slot] = base;
    } else if (this.#tableOf[slot] !== base && this.#tableOf[slot] !== TABLE_OF_MANY) {
      this.#tableOf[slot] = TABLE_OF_MANY;
      this.#dropWriteTags();
    }
    return this.#i32[(SLOTS + slot * PAGE_SIZE + (physical & 0xfff)) >> 2]!;
  }

  /** Entries of 4 bytes, or of 8 with PAE. */
  get #entryShift(): number {
    return (this.system.cr4 & CR4.PAE) !== 0 ? 3 : 2;
  }

  /** Number of the one page that depends on these bytes of a page table; NO_PAGE if more does, or code in use lies there. */
  #pageOfEntry(slot: number, offset: number, size: number): number {
    const base = this.#tableOf[slot]!;
    const shift = this.#entryShift;
    if ((this.#slots.flags[slot]! & SPECIAL) !== SLOT.TABLE || base === TABLE_OF_MANY) return NO_PAGE;
    const page = base + (offset >> shift);
    return offset >> shift !== (offset + size - 1) >> shift || this.#code.isFoundOn(page) ? NO_PAGE : page;
  }

  /** Stores to a page-table entry, and drops the one translation that depends on it. */
  #storeEntry(slot: number, offset: number, size: number, value: number, page: number): void {
    this.#slots.write(slot, offset, size, value, false);
    const linear = page * PAGE_SIZE;
    for (const part of PARTS) {
      const entry = this.#entryIn(part, linear);
      if (this.#matches(entry, linear)) this.#invalidate(entry);
    }
  }

  /** The slot of a page that may be read, if the way to its page table is known and nothing is to be set or refused; else -1. */
  #slotToRead(linear: number, size: number, user: boolean): number {
    const mode = pagingMode(this.system);
    const directoryEntry = this.#knownDirectory(linear);
    if (directoryEntry === 0 || this.#stale || this.#slots.full || (linear & 0xfff) + size > PAGE_SIZE) return -1;
    const table = (directoryEntry & this.#addressLines) >>> 12;
    if (!this.#isMemory(table)) return -1;
    const { shift, mask } = mode.last;
    const at = (SLOTS + this.#slot(table) * PAGE_SIZE + ((linear >>> shift) & mask)) >> 2;
    const entry = this.#i32[at]!;
    const frame = (entry & this.#addressLines) >>> 12;
    const smap = (this.system.cr4 & CR4.SMAP) !== 0;
    const plain = readsThrough(mode, directoryEntry, entry, mode.wide ? this.#i32[at + 1]! : 0, user, smap);
    this.#translation.userPage = user;
    return plain && this.#isMemory(frame) ? this.#slot(frame) : -1;
  }

  /** The slot of a page that may be written with care, if the TLB knows it; else -1. */
  #slotToWrite(linear: number, size: number): number {
    const entry = this.#codeEntry(linear);
    const page = linear & 0xfffff000;
    const known = this.#i32[entry + (TLB_CARE_TAG >> 2)] === page && this.#matches(entry, linear);
    if (!known || this.#stale || (linear & 0xfff) + size > PAGE_SIZE) return -1;
    return (page + this.#i32[entry + (TLB_DELTA >> 2)]! - SLOTS) >> 12;
  }

  /** Takes a slot out of what stores reach without asking. */
  #watch(slot: number, flag: number): void {
    const flags = this.#slots.flags[slot]!;
    if ((flags & flag) !== 0) return;
    this.#slots.flags[slot] = flags | flag;
    if ((flags & SLOT.DIRTY) !== 0) this.#dropWriteTags();
  }

  /** Lets the generated code reach a page without asking, by the TLB entry at a word index. */
  #fill(at: number, linear: number, slot: number, write: boolean, user: boolean): void {
    // Generated code does not look at EFLAGS.AC.
    if (!user && this.#translation.userPage && (this.system.cr4 & CR4.SMAP) !== 0) return;
    const entry = at << 2;
    const page = linear & 0xfffff000;
    const high = highOf(linear);
    if (this.#watchpoints.length > 0) {
      const reads = this.#watchedPages.get(pageOf(linear));
      if (reads === true) return;
      if (reads === false) write = false;
    }
    if (this.#i32[at] !== page || this.#i32[at + 1] !== high) {
      this.#i32[at + (TLB_WRITE_TAG >> 2)] = TLB_INVALID;
      this.#i32[at + (TLB_CARE_TAG >> 2)] = TLB_INVALID;
    }
    const special = this.#slots.flags[slot]! & SPECIAL;
    if (write && (special === 0 || special === SLOT.TABLE)) {
      this.#i32[at + ((special === 0 ? TLB_WRITE_TAG : TLB_CARE_TAG) >> 2)] = page;
      if (special === 0) this.#i32[at + (TLB_WRITE_TAG >> 2) + 1] = high;
      this.#i32[at + (TLB_TABLE_OF >> 2)] = this.#entryShift === 2 ? this.#tableOf[slot]! : TABLE_OF_MANY;
      this.#writeTags.push(entry);
      this.#slots.markDirty(slot);
    }
    if (this.#i32[at] === TLB_INVALID && this.#filled && this.#filled.push(entry) > MOST_LISTED)
      this.#filled = undefined;
    this.#i32[at] = page;
    this.#i32[at + 1] = high;
    this.#i32[at + (TLB_DELTA >> 2)] = (SLOTS + slot * PAGE_SIZE - page) | 0;
  }

  // ---- code -------------------------------------------------------------------------------------------------------

  /** Slot of the page that code at `linear` is fetched from; throws #PF. */
  codeSlot(linear: number): number {
    if (isLong(this.system) && !isCanonical(linear)) throw new Fault(VECTOR.GP, 0, "address-not-canonical");
    const physical = this.#translate(linear, false, this.user, true);
    const frame = frameOf(physical);
    if (!this.#isMemory(frame)) {
      this.#checkMapped(physical);
      throw new Unsupported(`code at physical address 0x${physical.toString(16)}, where there is no memory`);
    }
    const slot = this.#slot(frame);
    this.#watch(slot, SLOT.CODE);
    return slot;
  }

  /** Physical address that code at `linear` is fetched from; throws #PF. */
  codeAddress(linear: number): number {
    return this.#translate(linear, false, this.user, true);
  }

  codeByte(slot: number, offset: number): number {
    return this.#u8[SLOTS + slot * PAGE_SIZE + offset]!;
  }

  /**
   * Copies 16 bytes of code at `linear` to `target`, or less up to the end of the page, because reading the next one would mark
   * it as accessed. Gives their number: 0 where nothing can be read.
   */
  copyCode(linear: number, user: boolean, target: DataView): number {
    let host = 0;
    const entry = this.#tlbEntry(linear, user);
    if (this.#matches(entry, linear) && !this.#stale) host = (linear + this.#i32[entry + (TLB_DELTA >> 2)]!) | 0;
    else {
      const { cr2 } = this.system;
      const physical = this.#physical(linear, false, user);
      if (physical < 0) {
        this.pendingFault = undefined;
        this.#pageFault(cr2);
        return 0;
      }
      if (!this.#isMemory(frameOf(physical))) return 0;
      host = SLOTS + this.#slot(frameOf(physical)) * PAGE_SIZE + (physical & 0xfff);
    }
    const count = Math.min(16, PAGE_SIZE - (linear & 0xfff));
    if (count < 16) for (let at = 0; at < count; at++) target.setUint8(at, this.#u8[host + at]!);
    else for (let at = 0; at < 16; at += 4) target.setInt32(at, this.#view.getInt32(host + at, true), true);
    return count;
  }

  /** No code is decoded any more. */
  releaseCode(): void {
    const { flags } = this.#slots;
    for (let slot = 0; slot < flags.length; slot++) flags[slot]! &= ~SLOT.CODE;
  }

  #dropCode(slot: number): void {
    this.#code.drop(slot);
    this.#slots.flags[slot]! &= ~SLOT.CODE;
  }

  // ---- accesses by software in TypeScript -------------------------------------------------------------------------

  /** Value of `size` bytes at a linear address, sign-extended. Throws #PF. */
  read(linear: number, size: number, user: boolean): number {
    if (this.#watchpoints.length > 0) this.#look(linear, size, false);
    if ((linear & 0xfff) + size > PAGE_SIZE) return this.#readAcross(linear, size, false, user);
    const entry = this.#tlbEntry(linear, user);
    if (this.#matches(entry, linear) && !this.#stale)
      return this.#get((linear + this.#i32[entry + (TLB_DELTA >> 2)]!) | 0, size);
    const physical = this.#translate(linear, false, user);
    const frame = frameOf(physical);
    if (!this.#isMemory(frame)) return this.#readMapped(physical, size);
    const slot = this.#slot(frame);
    this.#fill(entry, linear, slot, false, user);
    return this.#readSlot(slot, physical & 0xfff, size);
  }

  write(linear: number, size: number, value: number, user: boolean): void {
    if (this.#watchpoints.length > 0) this.#look(linear, size, true);
    if ((linear & 0xfff) + size > PAGE_SIZE) {
      this.#writeAcross(linear, size, value, user);
      return;
    }
    const entry = this.#tlbEntry(linear, user);
    if (this.#matches(entry + (TLB_WRITE_TAG >> 2), linear) && !this.#stale) {
      const host = (linear + this.#i32[entry + (TLB_DELTA >> 2)]!) | 0;
      if (size === 4) this.#view.setInt32(host, value, true);
      else if (size === 2) this.#view.setInt16(host, value, true);
      else this.#u8[host] = value;
      return;
    }
    const physical = this.#translate(linear, true, user);
    this.#storePhysical(physical, size, value);
    const frame = frameOf(physical);
    if (!this.patching && this.#isMemory(frame)) this.#fill(entry, linear, this.#slot(frame), true, user);
  }

  /** Throws #PF unless at most a page of bytes can be written. */
  checkWrite(linear: number, size: number, user: boolean): void {
    if (this.hostAddress(linear, size, true, user) !== 0) return;
    if ((linear & 0xfff) + size > PAGE_SIZE) this.#parts(linear, size, true, user);
    else this.#translate(linear, true, user);
  }

  /** Where `size` bytes lie in the engine's memory, if the TLB knows and they are on one page; else 0. */
  hostAddress(linear: number, size: number, write: boolean, user: boolean): number {
    if ((linear & 0xfff) + size > PAGE_SIZE || this.#stale) return 0;
    const entry = this.#tlbEntry(linear, user);
    const known = this.#matches(write ? entry + (TLB_WRITE_TAG >> 2) : entry, linear);
    return known ? (linear + this.#i32[entry + (TLB_DELTA >> 2)]!) | 0 : 0;
  }

  /** Word index of the TLB entry of an address. */
  #tlbEntry(linear: number, user: boolean): number {
    return this.#entryIn(partOf(user, isLong(this.system)), linear);
  }

  /** The same of the part that generated code uses now. */
  #codeEntry(linear: number): number {
    return this.#entryIn(partOf(this.user, this.#selectedLong), linear);
  }

  #entryIn(part: number, linear: number): number {
    return (part + ((linear >>> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE) >> 2;
  }

  /** Whether the tag at a word index is that of an address. */
  #matches(tag: number, linear: number): boolean {
    return this.#i32[tag] === (linear & 0xfffff000) && this.#i32[tag + 1] === highOf(linear);
  }

  /** Linear address of an access through a segment; throws #GP(0) or #SS(0). */
  segmentAddress(segment: number, offset: number, size: number, write: boolean): number {
    const register = segmentNumbered(this.system.segments, segment);
    const { base, limit, access } = register;
    const upwardData = (access & (ACCESS.CODE | ACCESS.EXPAND_DOWN | ACCESS.WRITABLE)) === ACCESS.WRITABLE;
    if (!upwardData || offset + size - 1 > limit) checkAccess(segment, register, offset, size, write);
    const linear = (base + offset) >>> 0;
    // Of 16 bytes, whoever wants them aligned raises #GP.
    if (this.alignmentChecked && size < 16 && (linear & (Math.min(size, 4) - 1)) !== 0)
      throw new Fault(VECTOR.AC, 0, "data-not-aligned");
    if (this.watch !== undefined) this.watch(linear, size, write);
    return linear;
  }

  // ---- accesses by devices ----------------------------------------------------------------------------------------

  /** Memory as a master of the bus sees it. What depended on bytes it writes is dropped behind the instruction. */
  readonly guestMemory: GuestMemory = {
    read: (physical, length) => {
      const bytes = new Uint8Array(length).fill(0xff);
      this.#eachFrame(physical, length, (frame, offset, at, count) =>
        this.#slots.copyFrom(frame, offset, bytes.fill(0, at, at + count).subarray(at, at + count)),
      );
      return bytes;
    },
    write: (physical, bytes) => {
      this.#eachFrame(physical, bytes.length, (frame, offset, at, count) => {
        if (this.#isRom(frame)) return;
        const slot = this.#slots.filled(frame);
        const flags = slot < 0 ? 0 : this.#slots.flags[slot]!;
        this.#slots.copyTo(frame, offset, bytes.subarray(at, at + count));
        if ((flags & SLOT.TABLE) !== 0) this.#stale = true;
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
      if (this.#isMemory(frame)) visit(frame, offset, at, count);
      at += count;
    }
  }

  // ---- slow paths of the generated code ---------------------------------------------------------------------------

  #load(linear: number, size: number, forWrite: boolean): number {
    if (this.#watchpoints.length > 0 && this.#mustBeAlone(linear, size, false)) {
      this.#i32[SLOW_EXIT >> 2] = EXIT.bail;
      return 0;
    }
    const known = forWrite ? this.#slotToWrite(linear, size) : -1;
    if (known >= 0) return this.#readSlot(known, linear & 0xfff, size);
    const { user } = this;
    const plain = forWrite ? -1 : this.#slotToRead(linear, size, user);
    if (plain >= 0) {
      this.#fill(this.#codeEntry(linear), linear, plain, false, user);
      return this.#readSlot(plain, linear & 0xfff, size);
    }
    try {
      this.#inBlock = !this.single;
      if (!this.single && this.#slots.full) return this.#bail();
      if ((linear & 0xfff) + size > PAGE_SIZE) return this.#readAcross(linear, size, forWrite, user);
      const physical = this.#physical(linear, forWrite, user);
      if (physical < 0) {
        this.#i32[SLOW_EXIT >> 2] = this.#raisePageFault();
        return 0;
      }
      const frame = frameOf(physical);
      if (!this.#isMemory(frame)) return this.#readMapped(physical, size);
      const slot = this.#slot(frame);
      this.#fill(this.#codeEntry(linear), linear, slot, forWrite && !this.patching, user);
      return this.#readSlot(slot, physical & 0xfff, size);
    } catch (thrown) {
      this.#i32[SLOW_EXIT >> 2] = this.#exitFor(thrown);
      return 0;
    } finally {
      this.#inBlock = false;
    }
  }

  #store(linear: number, size: number, value: number): number {
    if (this.#watchpoints.length > 0 && this.#mustBeAlone(linear, size, true)) return EXIT.bail;
    const known = this.single || this.patching ? -1 : this.#slotToWrite(linear, size);
    const page = known < 0 ? NO_PAGE : this.#pageOfEntry(known, linear & 0xfff, size);
    if (page !== NO_PAGE) {
      this.#storeEntry(known, linear & 0xfff, size, value, page);
      return 0;
    }
    try {
      this.#inBlock = !this.single;
      if (!this.single && this.#slots.full) {
        this.#wantsRoom = true;
        return EXIT.bail;
      }
      if ((linear & 0xfff) + size > PAGE_SIZE) {
        if (!this.single) return EXIT.bail;
        this.#writeAcross(linear, size, value, this.user);
        return 0;
      }
      const special = this.single ? -1 : this.#slotToCareFor(linear, size);
      if (special >= 0) {
        const page = this.patching ? NO_PAGE : this.#pageOfEntry(special, linear & 0xfff, size);
        if (page === NO_PAGE) return EXIT.bail;
        // Only now that the store is certain: the instruction is executed again otherwise, and may have read the dirty flag.
        this.#physical(linear, true, this.user);
        this.#fill(this.#codeEntry(linear), linear, special, true, this.user);
        this.#storeEntry(special, linear & 0xfff, size, value, page);
        return 0;
      }
      const physical = this.#physical(linear, true, this.user);
      if (physical < 0) return this.#raisePageFault();
      const frame = frameOf(physical);
      if (!this.#isMemory(frame)) {
        this.#writeMapped(physical, size, value);
        return 0;
      }
      const slot = this.#slot(frame);
      const ordinary = (this.#slots.flags[slot]! & SPECIAL) === 0;
      this.#storePhysical(physical, size, value);
      if (ordinary && !this.patching) this.#fill(this.#codeEntry(linear), linear, slot, true, this.user);
      return 0;
    } catch (thrown) {
      return this.#exitFor(thrown);
    } finally {
      this.#inBlock = false;
    }
  }

  /**
   * The slot that a store changes where page tables or decoded instructions are, else -1. Found before the dirty flag is
   * set: the instruction may have to be executed again, and may have read that very flag before its store.
   */
  #slotToCareFor(linear: number, size: number): number {
    this.#setAccess(true, this.user, false);
    this.#walked = pageOf(linear);
    const { physical } = this.#walk(linear, false);
    if (physical < 0) return -1;
    const lines = this.#onBus(physical);
    if (!this.#isMemory(frameOf(lines))) {
      this.#checkMapped(lines);
      return -1;
    }
    const slot = this.#slot(frameOf(lines));
    const special = this.#slots.flags[slot]! & SPECIAL;
    if ((special & SLOT.ROM) !== 0) return -1;
    // Data beside code may be written inside of a block: nothing decoded is hit.
    const hits = (special & SLOT.TABLE) !== 0 || (special !== 0 && this.#code.hits(slot, lines & 0xfff, size));
    return hits ? slot : -1;
  }

  /** A load of 64-bit code; what is wider than 4 bytes is put into SLOW_VALUE. */
  #loadLong(linear: number, access: number, forWrite: boolean): number {
    const size = access & 31;
    if (this.#refusesLong(linear, size, access, forWrite)) {
      this.#i32[SLOW_EXIT >> 2] = EXIT.fault;
      return 0;
    }
    return size <= 4 ? this.#load(linear, size, forWrite) : this.#loadWide(linear, size, forWrite);
  }

  /** Puts more than 4 bytes into SLOW_VALUE. */
  #loadWide(linear: number, size: number, forWrite: boolean): number {
    if (!this.#wideReady(linear, size, forWrite)) return 0;
    for (let at = 0; at < size; at += 4) {
      this.#i32[(SLOW_VALUE + at) >> 2] = this.#load(linear + at, 4, forWrite);
      if (this.#i32[SLOW_EXIT >> 2] !== 0) return 0;
    }
    return 0;
  }

  #storeLong(linear: number, access: number, value: number): number {
    const size = access & 31;
    if (this.#refusesLong(linear, size, access, true)) return EXIT.fault;
    return size <= 4 ? this.#store(linear, size, value) : this.#storeWide(linear, size);
  }

  /** Stores more than 4 bytes out of SLOW_VALUE. */
  #storeWide(linear: number, size: number): number {
    // Nothing may be stored before it is certain that all can be, and without a word of doubt.
    if (!this.single && !this.#isOrdinary(linear, size)) return EXIT.bail;
    if (!this.#wideReady(linear, size, true)) return this.#takeSlowExit();
    for (let at = 0; at < size; at += 4) {
      const exit = this.#store(linear + at, 4, this.#i32[(SLOW_VALUE + at) >> 2]!);
      if (exit !== 0) return exit;
    }
    return 0;
  }

  /** Raises what reaching over the end of the 32-bit address space does. */
  #wraps(linear: number, size: number): boolean {
    if (linear + size <= 2 ** 32) return false;
    this.#i32[SLOW_EXIT >> 2] = this.#exitFor(new Fault(VECTOR.GP, 0));
    return true;
  }

  #takeSlowExit(): number {
    const exit = this.#i32[SLOW_EXIT >> 2]!;
    this.#i32[SLOW_EXIT >> 2] = 0;
    return exit;
  }

  /** Whether a store can be made word by word without leaving in its middle: on one page, without code or tables. */
  #isOrdinary(linear: number, size: number): boolean {
    if ((linear & 0xfff) + size > PAGE_SIZE || this.#watchpoints.length > 0) return false;
    this.#setAccess(true, this.user, false);
    this.#walked = pageOf(linear);
    const { physical } = this.#walk(linear, false);
    if (physical < 0) return true;
    const frame = frameOf(this.#onBus(physical));
    return this.#isMemory(frame) && (this.#slots.flags[this.#slot(frame)]! & SPECIAL) === 0;
  }

  /** Both pages of an access that crosses are there; else SLOW_EXIT says why. */
  #wideReady(linear: number, size: number, write: boolean): boolean {
    if ((linear & 0xfff) + size <= PAGE_SIZE) return true;
    if (write && !this.single) {
      this.#i32[SLOW_EXIT >> 2] = EXIT.bail;
      return false;
    }
    for (const part of [linear, linear + size - 1]) {
      if (this.#physical(part === linear ? linear : part - (part & 0xfff), write, this.user) >= 0) continue;
      this.#i32[SLOW_EXIT >> 2] = this.#raisePageFault();
      return false;
    }
    return true;
  }

  /** Raises what an access of 64-bit code does before any page is looked at. */
  #refusesLong(linear: number, size: number, access: number, write: boolean): boolean {
    let fault: Fault | undefined;
    if (!isCanonical(linear) || !isCanonical(linear + size - 1))
      fault = new Fault((access & STACK_ACCESS) !== 0 ? VECTOR.SS : VECTOR.GP, 0, "address-not-canonical");
    // Of 16 bytes, whoever wants them aligned raises #GP.
    else if (this.alignmentChecked && size < 16 && (linear & (Math.min(size, 8) - 1)) !== 0)
      fault = new Fault(VECTOR.AC, 0, "data-not-aligned");
    if (fault === undefined) {
      this.watch?.(linear, size, write);
      return false;
    }
    this.pendingFault = fault;
    this.#i32[EXIT_VECTOR >> 2] = NO_VECTOR;
    return true;
  }

  #segment(segment: number, offset: number, access: number): number {
    try {
      return this.segmentAddress(segment, offset, access & (WRITE_ACCESS - 1), (access & WRITE_ACCESS) !== 0) | 0;
    } catch (thrown) {
      this.#i32[SLOW_EXIT >> 2] = this.#exitFor(thrown);
      return 0;
    }
  }

  #bail(): number {
    this.#wantsRoom = true;
    this.#i32[SLOW_EXIT >> 2] = EXIT.bail;
    return 0;
  }

  #exitFor(thrown: unknown): number {
    if (thrown === BAIL) return EXIT.bail;
    if (!(thrown instanceof Fault)) throw thrown;
    this.pendingFault = thrown;
    this.#i32[EXIT_VECTOR >> 2] = NO_VECTOR;
    return EXIT.fault;
  }

  // ---- bytes ------------------------------------------------------------------------------------------------------

  #readSlot(slot: number, offset: number, size: number): number {
    return this.#get(SLOTS + slot * PAGE_SIZE + offset, size);
  }

  #get(at: number, size: number): number {
    if (size === 4) return this.#view.getInt32(at, true);
    return size === 2 ? this.#view.getInt16(at, true) : this.#view.getInt8(at);
  }

  /** Stores inside of a page, and drops what was remembered of the bytes. */
  #storePhysical(physical: number, size: number, value: number): void {
    const frame = frameOf(physical);
    if (!this.#isMemory(frame)) {
      this.#writeMapped(physical, size, value);
      return;
    }
    if ((this.#slots.flags[this.#slot(frame)]! & SLOT.TABLE) !== 0) this.#stale = true;
    this.#storeInSlot(physical, size, value);
  }

  #isDecoded(physical: number): boolean {
    const frame = frameOf(physical);
    return this.#isMemory(frame) && this.#code.hits(this.#slot(frame), physical & 0xfff, 4);
  }

  /** The same for the walker's own accessed and dirty flags, on which no translation depends. */
  #storeInSlot(physical: number, size: number, value: number): void {
    const frame = frameOf(physical);
    if (!this.#isMemory(frame)) return;
    const slot = this.#slot(frame);
    if ((this.#slots.flags[slot]! & SLOT.ROM) !== 0) return;
    const offset = physical & 0xfff;
    this.#slots.write(slot, offset, size, value, this.patching);
    if ((this.#slots.flags[slot]! & SLOT.CODE) !== 0 && this.#code.hits(slot, offset, size)) this.#dropCode(slot);
  }

  /**
   * Physical addresses of the two parts of an access over the end of a page. Both are checked before either is touched.
   * Over the end of the address space it is #GP(0), as beyond any limit.
   */
  #parts(linear: number, _size: number, write: boolean, user: boolean): (index: number) => number {
    const secondPage = linear - (linear & 0xfff) + PAGE_SIZE;
    if (secondPage > 0xffffffff && !isLong(this.system)) throw new Fault(VECTOR.GP, 0);
    const first = this.#translate(linear, write, user);
    const second = this.#translate(secondPage, write, user);
    if (!this.#isMemory(frameOf(first))) this.#checkMapped(first);
    if (!this.#isMemory(frameOf(second))) this.#checkMapped(second);
    const split = PAGE_SIZE - (linear & 0xfff);
    return (index) => (index < split ? first + index : second + index - split);
  }

  #readAcross(linear: number, size: number, forWrite: boolean, user: boolean): number {
    const part = this.#parts(linear, size, forWrite, user);
    let value = 0;
    for (let index = 0; index < size; index++) {
      const physical = part(index);
      const frame = frameOf(physical);
      const mapped = !this.#isMemory(frame);
      const byte = mapped ? this.#readMapped(physical, 1) : this.codeByte(this.#slot(frame), physical & 0xfff);
      value |= (byte & 0xff) << (8 * index);
    }
    return size === 2 ? (value << 16) >> 16 : value;
  }

  #writeAcross(linear: number, size: number, value: number, user: boolean): void {
    const part = this.#parts(linear, size, true, user);
    for (let index = 0; index < size; index++) this.#storePhysical(part(index), 1, value >>> (8 * index));
  }
}
