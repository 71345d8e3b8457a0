/**
 * Linear to physical: the page walk, once, for the engine's TLB and for people who want to see it (`page-walk.ts`).
 *
 * A paging mode is a table of levels (`paging-levels.ts`); the walk is one loop over them. Entries are one or two signed
 * words, linear addresses are signed in 4-level paging and unsigned else, physical addresses are numbers below 2^52.
 * Page tables are found below 4 GiB only: RAM ends there, and elsewhere there is nothing to be read.
 *
 * For the engine: `translate` wants the access as { write, user, fetch, ac }, where `user` is false for what the processor
 * reads by itself at CPL 3 (descriptors, gates, a TSS), and `ac` says that EFLAGS.AC is set and the access is not one of
 * those. A walk that set its flags gives `directoryEntry`, one word from which the next walk in the same range
 * (`linear` shifted by `rangeShift` of `pagingMode`) begins at the page table, in all modes; `readsThrough` needs no walk
 * at all. `userPage` tells whether SMAP may forbid the translation to the supervisor as soon as EFLAGS.AC is clear.
 * Spec: SDM Vol. 3A, "Access Rights", "Accessed and Dirty Flags", "Page-Fault Exceptions".
 */
import { type Level, type PagingMode, PTE, pagingMode } from "./paging-levels.js";
import type { RuleName } from "./rules.js";
import { CR0, CR4, EFER, type SystemState } from "./state.js";

/** Page-fault error code bits. */
export const PF = { P: 1, W: 2, U: 4, RSVD: 8, I: 16 } as const;

/** In `directoryEntry`, where an entry of 4 bytes has nothing: XD of an entry on the way to the page table. */
const NO_EXECUTE = 1 << 9;
/** What is read where there is nothing. */
const OPEN_BUS = -1;
const WORD = 2 ** 32;
/** Bits 32 to 51 of an address, in a high word. */
const HIGH_ADDRESS = 0xfffff;
/** Bits 13 to 20 of an entry for 4 MiB are bits 32 to 39 of its address; reserved bits are zero by then. */
const PSE36_SHIFT = 13;
const PSE36_MASK = 0xff;

/** What a walk needs of physical memory. */
export interface PhysicalMemory {
  /** A word of an entry; `level` 1 is that of a page table, 0 one of a table that translates no linear addresses. */
  read32(physical: number, level: number): number;
  write32(physical: number, value: number): void;
  /** Told of an entry at or above 4 GiB, which reads as ones: guest-physical memory may refuse the access. */
  reachAbove?(physical: number): void;
}

export interface Access {
  readonly write: boolean;
  /** Made at CPL 3, and not by the processor itself, which reads descriptors, gates and the TSS as the supervisor. */
  readonly user: boolean;
  /** Of an instruction. */
  readonly fetch: boolean;
  /** EFLAGS.AC is set, and the access is not one that the processor makes by itself: SMAP lets it through. */
  readonly ac: boolean;
}

export interface Translation {
  /** Physical address, or -1 when the access faults. */
  physical: number;
  /** Error code of the #PF when it does. */
  errorCode: number;
  /** All entries let CPL 3 through: the page is one for the user. */
  userPage: boolean;
  /**
   * How the page table was reached, once all on the way is marked as accessed: its address, W, U and NO_EXECUTE as they come
   * from the entries above it. 0 if there is no page table.
   */
  directoryEntry: number;
}

/** An empty one, to be filled by `translate`. */
export const newTranslation = (): Translation => ({ physical: 0, errorCode: 0, userPage: false, directoryEntry: 0 });

/** What a walk depends on. */
export type PagingState = Pick<SystemState, "model" | "cr0" | "cr3" | "cr4" | "efer" | "pdptes">;

/** Sees each entry as it was read, the high word of a 4-byte one as 0. */
export type Visit = (level: Level, address: number, low: number, high: number) => void;

/** Makes `out` a #PF. `why`: P and RSVD of its error code. */
export function refuse(out: Translation, { cr4, efer }: PagingState, access: Access, why: number): Translation {
  const { write, user, fetch } = access;
  const executeDisable = (cr4 & CR4.PAE) !== 0 && (efer & EFER.NXE) !== 0;
  const asFetch = fetch && (executeDisable || (cr4 & CR4.SMEP) !== 0);
  out.physical = -1;
  out.errorCode = why | (write ? PF.W : 0) | (user ? PF.U : 0) | (asFetch ? PF.I : 0);
  return out;
}

/** Whether rights from all levels let an access through. Spec: SDM Vol. 3A, "Determination of Access Rights". */
function permits({ cr0, cr4 }: PagingState, access: Access, rights: number, noExecute: boolean): boolean {
  const { write, user, fetch, ac } = access;
  if (fetch && noExecute) return false;
  const userPage = (rights & PTE.U) !== 0;
  const writable = (rights & PTE.W) !== 0;
  if (user) return userPage && (writable || !write);
  if (write && !writable && (cr0 & CR0.WP) !== 0) return false;
  if (!userPage) return true;
  return fetch ? (cr4 & CR4.SMEP) === 0 : ac || (cr4 & CR4.SMAP) === 0;
}

/** Offset of the entry that a linear address chooses in a table. */
export const entryOffset = (step: Level, linear: number): number =>
  ((step.upper ? Math.floor(linear / 65536) : linear) >>> step.shift) & step.mask;

/**
 * Translates one access. With `setFlags` the accessed and dirty flags are set as the processor does. `directoryEntry` is
 * what a walk for the same range has given before, and `mode` what follows from `system`. Fills and returns `out`, which the caller owns (no allocation on the
 * way).
 */
export function translate(
  memory: PhysicalMemory,
  system: PagingState,
  linear: number,
  access: Access,
  setFlags: boolean,
  out: Translation,
  visit?: Visit,
  directoryEntry = 0,
  mode = pagingMode(system),
): Translation {
  out.errorCode = 0;
  out.directoryEntry = 0;
  out.userPage = false;
  if ((system.cr0 & CR0.PG) === 0) {
    out.physical = linear >>> 0;
    return out;
  }
  const { wide } = mode;
  let step = mode.first;
  // Of the table that is read next: bits 12 to 31, and 32 to 51.
  let table: number;
  let tableHigh = 0;
  let rights: number = PTE.W | PTE.U;
  let noExecute = false;
  /** The accessed flags of all entries above the page's. */
  let accessed: number = PTE.A;
  if (directoryEntry !== 0) {
    step = mode.last;
    table = directoryEntry;
    rights = directoryEntry;
    noExecute = (directoryEntry & NO_EXECUTE) !== 0;
  } else if (mode.pointers !== undefined) {
    const index = (linear >>> 30) * 2;
    table = system.pdptes[index] ?? 0;
    tableHigh = (system.pdptes[index + 1] ?? 0) & HIGH_ADDRESS;
    visit?.(mode.pointers, ((system.cr3 & ~31) >>> 0) + 4 * index, table, tableHigh);
    if ((table & PTE.P) === 0) return refuse(out, system, access, 0);
  } else {
    table = system.cr3 | 0;
    if (mode.long && system.cr3 >= WORD) tableHigh = Math.floor(system.cr3 / WORD);
  }
  for (;;) {
    const address = (table & 0xfffff000) | entryOffset(step, linear);
    if (tableHigh !== 0) memory.reachAbove?.(tableHigh * WORD + (address >>> 0));
    const entry = tableHigh === 0 ? memory.read32(address >>> 0, step.level) | 0 : OPEN_BUS;
    let high = 0;
    if (wide) high = tableHigh === 0 ? memory.read32((address + 4) >>> 0, step.level) | 0 : OPEN_BUS;
    if (visit !== undefined) visit(step, tableHigh * WORD + (address >>> 0), entry, high);
    if ((entry & PTE.P) === 0) return refuse(out, system, access, 0);
    const isPage = (entry & step.page) !== 0;
    const reserved = isPage ? step.reservedInPage : step.reservedInTable;
    if (((entry & reserved) | (high & step.reservedHigh)) !== 0) return refuse(out, system, access, PF.P | PF.RSVD);
    const above = rights & (PTE.W | PTE.U);
    const noExecuteAbove = noExecute;
    rights = above & entry;
    // Where XD means nothing it is reserved.
    noExecute = noExecuteAbove || high < 0;
    if (!isPage) {
      accessed &= entry;
      table = entry;
      tableHigh = high & HIGH_ADDRESS;
      step = step.next;
      continue;
    }
    if (!permits(system, access, rights, noExecute)) return refuse(out, system, access, PF.P);
    if (setFlags) {
      if (accessed === 0) markTables(memory, system, mode, linear, step);
      const wanted = access.write ? PTE.A | PTE.D : PTE.A;
      if ((entry & wanted) !== wanted) memory.write32(address >>> 0, entry | wanted);
      if (step === mode.last && tableHigh === 0)
        out.directoryEntry = (table & 0xfffff000) | PTE.P | PTE.A | above | (noExecuteAbove ? NO_EXECUTE : 0);
    }
    out.userPage = (rights & PTE.U) !== 0;
    const pageHigh = wide ? high & HIGH_ADDRESS : step === mode.last ? 0 : (entry >>> PSE36_SHIFT) & PSE36_MASK;
    const physical = ((entry & ~step.offset) | (linear & step.offset)) >>> 0;
    out.physical = pageHigh === 0 ? physical : pageHigh * WORD + physical;
    return out;
  }
}

/** Sets the accessed flags of the entries that lead to the one at `last`, where they are missing: the walk once more. */
function markTables(memory: PhysicalMemory, system: PagingState, mode: PagingMode, linear: number, last: Level): void {
  let table = mode.pointers === undefined ? system.cr3 | 0 : (system.pdptes[(linear >>> 30) * 2] ?? 0);
  for (let step = mode.first; step !== last; step = step.next) {
    const address = ((table & 0xfffff000) | entryOffset(step, linear)) >>> 0;
    const entry = memory.read32(address, step.level);
    if ((entry & PTE.A) === 0) memory.write32(address, entry | PTE.A);
    table = entry;
  }
}

/**
 * Whether a read finds its page below 4 GiB by an entry of a page table (`high` is 0 for one of 4 bytes), with nothing to be
 * set or refused: what `translate` finds out for most reads. `directoryEntry` led to the table. `smap`: CR4.SMAP holds
 * for the access.
 */
export const readsThrough = (
  { beyond }: PagingMode,
  directoryEntry: number,
  entry: number,
  high: number,
  user: boolean,
  smap: boolean,
): boolean =>
  (entry & (PTE.P | PTE.A | PTE.PS)) === (PTE.P | PTE.A) &&
  (high & beyond) === 0 &&
  (!(user || smap) || user === ((entry & directoryEntry & PTE.U) !== 0));

/**
 * The check behind a #PF, as far as its error code tells: of rights it does not tell which (see `page-walk.ts`).
 */
export function pageFaultRule(errorCode: number): RuleName {
  if ((errorCode & PF.P) === 0) return "page-not-present";
  return (errorCode & PF.RSVD) === 0 ? "page-rights" : "page-reserved-bits";
}

/** The check that refuses an access by the rights of all levels. `noExecute`: one of them has XD set. */
export function refusedBy(system: PagingState, access: Access, rights: number, noExecute: boolean): RuleName {
  if (access.fetch && noExecute) return "page-execute-disable";
  const readOnly = access.write && (rights & PTE.W) === 0 && (system.cr0 & CR0.WP) !== 0;
  if (access.user || readOnly) return "page-rights";
  return access.fetch ? "page-user-code" : "page-user-data";
}
