/**
 * Linear to physical: the page walk, once, for the engine's TLB and for people who want to see it.
 *
 * A paging mode is a table of levels; the walk is one loop over them. 32-bit paging has two levels of 4-byte entries,
 * with pages of 4 MiB where CR4.PSE is set. PAE paging has two levels of 8-byte entries behind the four PDPTE registers,
 * with pages of 2 MiB. Left out, as the models have neither: PSE-36 and execute-disable.
 * Spec: SDM Vol. 3A, "32-Bit Paging", "PAE Paging", "Access Rights", "Accessed and Dirty Flags", "Page-Fault Exceptions".
 */
import type { RuleName } from "./rules.js";
import { CR0, CR4, type SystemState } from "./state.js";

export const PTE = { P: 1, W: 2, U: 4, PWT: 8, PCD: 16, A: 32, D: 64, PS: 128, G: 256 } as const;
/** Page-fault error code bits. */
export const PF = { P: 1, W: 2, U: 4, RSVD: 8 } as const;

/** Bits of an 8-byte entry's high word beyond 36-bit physical addresses. There is no execute-disable, so bit 63 is one. */
const RESERVED_HIGH = 0xfffffff0 | 0;
/** Bits that must be zero in a present PDPTE: low and high word. */
export const PDPTE_RESERVED_LOW = 0x1e6;
export const PDPTE_RESERVED_HIGH = RESERVED_HIGH;

export type PageTableName = "page-directory-pointer table" | "page directory" | "page table";

interface Level {
  /** 3: page-directory-pointer table, 2: page directory, 1: page table. */
  readonly level: number;
  readonly table: PageTableName;
  /** Bits of the linear address that choose the entry. */
  readonly bits: readonly [highest: number, lowest: number];
  /** From the linear address to the entry's offset in its table: shift right, then mask. */
  readonly shift: number;
  readonly mask: number;
  /** Flags that make an entry a page: PS, none, or all (P) where there is no further level. */
  readonly page: number;
  /** Low-word bits that must be zero in an entry that is a page. None has any where it leads to a table. */
  readonly reserved: number;
  /** The bits of a linear address that are the offset in a page of this level. */
  readonly offset: number;
  /** Entries have 8 bytes. */
  readonly wide: boolean;
  /** The level below; the last one has itself. */
  readonly next: Level;
}

function level(
  number: number,
  table: PageTableName,
  [highest, lowest]: readonly [number, number],
  wide: boolean,
  page: { readonly page: number; readonly reserved: number },
  next?: Level,
): Level {
  const size = wide ? 8 : 4;
  const described: Omit<Level, "next"> & { next: Level } = {
    level: number,
    table,
    bits: Object.freeze([highest, lowest] as const),
    shift: lowest - (wide ? 3 : 2),
    mask: ((1 << (highest - lowest + 1)) - 1) * size,
    ...page,
    offset: (1 << lowest) - 1,
    wide,
    next: next as Level,
  };
  described.next ??= described;
  return Object.freeze(described);
}

/** Bit 7 of a page-table entry is PAT, which the models lack: reserved wherever reserved bits are checked. */
const checkedTable = { page: PTE.P, reserved: PTE.PS };
/** The paging modes by their first level in memory. */
const plain = level(
  2,
  "page directory",
  [31, 22],
  false,
  { page: 0, reserved: 0 },
  level(1, "page table", [21, 12], false, { page: PTE.P, reserved: 0 }),
);
const withPse = level(
  2,
  "page directory",
  [31, 22],
  false,
  { page: PTE.PS, reserved: 0x003ff000 },
  level(1, "page table", [21, 12], false, checkedTable),
);
const pae = level(
  2,
  "page directory",
  [29, 21],
  true,
  { page: PTE.PS, reserved: 0x001ff000 },
  level(1, "page table", [20, 12], true, checkedTable),
);
/** The PDPTE registers, for those who watch: a walk begins below them. */
const pointerTable = level(3, "page-directory-pointer table", [31, 30], true, { page: 0, reserved: 0 }, pae);

/** Where nothing is: the page that stands for every physical address above 4 GiB. RAM, ROM and devices lie elsewhere. */
const NOWHERE = 0xffc00000 | 0;
/** What is read there. */
const OPEN_BUS = -1;
const WORD = 2 ** 32;

/** What a walk needs of physical memory. */
export interface PhysicalMemory {
  /** A word of an entry; `level` 1 is that of a page table. */
  read32(physical: number, level: number): number;
  write32(physical: number, value: number): void;
}

export interface Access {
  readonly write: boolean;
  readonly user: boolean;
}

export interface Translation {
  /** Physical address, or -1 when the access faults. Above 4 GiB it is one where there is nothing. */
  physical: number;
  /** Error code of the #PF when it does. */
  errorCode: number;
  /** The entry that led to the page table, once it is marked as accessed; 0 if there is none, or it has 8 bytes. */
  directoryEntry: number;
}

/** What a walk depends on. */
export type PagingState = Pick<SystemState, "cr0" | "cr3" | "cr4" | "pdptes">;

function refuse(out: Translation, { write, user }: Access, why: number): Translation {
  out.physical = -1;
  out.errorCode = why | (write ? PF.W : 0) | (user ? PF.U : 0);
  return out;
}

/**
 * Translates one access. With `setFlags` the accessed and dirty flags are set as the processor does; `visit` sees each
 * entry as it was read, the high word of a 4-byte one as 0. With `directoryEntry`, which a walk for the same range has
 * given before, the walk begins at the page table. Fills and returns `out`, which the caller owns (no allocation on the
 * way). Spec: SDM Vol. 3A, "Paging-Structure Caches".
 */
export function translate(
  memory: PhysicalMemory,
  system: PagingState,
  linear: number,
  access: Access,
  setFlags: boolean,
  out: Translation,
  visit?: (level: Level, address: number, low: number, high: number) => void,
  directoryEntry = 0,
): Translation {
  out.directoryEntry = 0;
  if ((system.cr0 & CR0.PG) === 0) {
    out.physical = linear >>> 0;
    out.errorCode = 0;
    return out;
  }
  let step = (system.cr4 & CR4.PAE) !== 0 ? pae : (system.cr4 & CR4.PSE) !== 0 ? withPse : plain;
  // Of the table that is read next: bits 12 to 31, and 32 to 35.
  let table = system.cr3;
  let tableHigh = 0;
  const { wide } = step;
  if (wide) {
    const index = (linear >>> 30) * 2;
    table = system.pdptes[index] ?? 0;
    tableHigh = system.pdptes[index + 1] ?? 0;
    visit?.(pointerTable, ((system.cr3 & ~31) >>> 0) + 4 * index, table, tableHigh);
    if ((table & PTE.P) === 0) return refuse(out, access, 0);
  }
  let rights = PTE.W | PTE.U;
  // The entry above the leaf, to be marked as accessed. There is one at the most: PDPTEs have no such flag.
  let upperAddress = 0;
  let upper = PTE.A as number;
  if (directoryEntry !== 0) {
    rights &= directoryEntry;
    table = upper = directoryEntry;
    step = step.next;
  }
  for (;;) {
    const address = (table & 0xfffff000) | ((linear >>> step.shift) & step.mask);
    const entry = tableHigh === 0 ? memory.read32(address >>> 0, step.level) | 0 : OPEN_BUS;
    let high = 0;
    if (wide) high = tableHigh === 0 ? memory.read32((address + 4) >>> 0, step.level) | 0 : OPEN_BUS;
    if (visit !== undefined) visit(step, (tableHigh >>> 0) * WORD + (address >>> 0), entry, high);
    if ((entry & PTE.P) === 0) return refuse(out, access, 0);
    rights &= entry;
    if ((entry & step.page) === 0) {
      if ((high & RESERVED_HIGH) !== 0) return refuse(out, access, PF.P | PF.RSVD);
      upperAddress = address;
      upper = entry;
      table = entry;
      tableHigh = high;
      step = step.next;
      continue;
    }
    if (((entry & step.reserved) | (high & RESERVED_HIGH)) !== 0) return refuse(out, access, PF.P | PF.RSVD);
    if (access.user && (rights & PTE.U) === 0) return refuse(out, access, PF.P);
    if (access.write && (rights & PTE.W) === 0 && (access.user || (system.cr0 & CR0.WP) !== 0))
      return refuse(out, access, PF.P);
    if (setFlags) {
      if ((upper & PTE.A) === 0) memory.write32(upperAddress >>> 0, upper | PTE.A);
      const wanted = access.write ? PTE.A | PTE.D : PTE.A;
      if ((entry & wanted) !== wanted) memory.write32(address >>> 0, entry | wanted);
    }
    if (setFlags && !wide && step.level === 1) out.directoryEntry = upper | PTE.A;
    const page = high === 0 ? entry : NOWHERE;
    out.physical = ((page & ~step.offset) | (linear & step.offset)) >>> 0;
    out.errorCode = 0;
    return out;
  }
}

/**
 * Whether a read finds its page by an entry of a page table, with nothing to be set or refused: what `translate` finds out
 * for most reads. `directoryEntry` led to the table.
 */
export const readsThrough = (directoryEntry: number, entry: number, user: boolean): boolean =>
  (entry & (PTE.P | PTE.A | PTE.PS)) === (PTE.P | PTE.A) && (!user || (entry & directoryEntry & PTE.U) !== 0);

export interface PageTableEntry {
  /** 3: page-directory-pointer table, 2: page directory, 1: page table. */
  readonly level: number;
  readonly table: PageTableName;
  /** Which entry of its table it is, and the bits of the linear address that say so. */
  readonly index: number;
  readonly bits: readonly [highest: number, lowest: number];
  /** Physical address of the entry. A PDPTE is a register: its address is where MOV to CR3 found it. */
  readonly address: number;
  /**
   * The whole entry, unsigned, of 4 bytes or, with PAE paging, of 8. Exact below 2^53; bits above are reserved and end the
   * walk.
   */
  readonly entry: number;
  readonly present: boolean;
  /** A pointer-table entry restricts nothing: it is writable and for the user. */
  readonly writable: boolean;
  readonly user: boolean;
  readonly writeThrough: boolean;
  readonly cacheDisabled: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  /** The PS flag of a directory entry, as it was read: whether that makes it a page is `leaf`. */
  readonly pageSize: boolean;
  readonly global: boolean;
  /** The entry is the page itself, not a table. */
  readonly leaf: boolean;
}

/** A page walk as a value. */
export interface PageWalk {
  readonly linear: number;
  readonly paging: boolean;
  readonly entries: readonly PageTableEntry[];
  /** Absent when the access faults. With PAE paging it may be above 4 GiB, where nothing is. */
  readonly physical?: number;
  /** Bytes of the page: 4096, 2 MiB or 4 MiB. Absent when the access faults, and without paging. */
  readonly pageBytes?: number;
  readonly fault?: { readonly vector: 14; readonly errorCode: number; readonly rule: RuleName };
}

/**
 * The check behind a #PF, from its error code.
 */
export function pageFaultRule(errorCode: number): RuleName {
  if ((errorCode & PF.P) === 0) return "page-not-present";
  return (errorCode & PF.RSVD) === 0 ? "page-rights" : "page-reserved-bits";
}

function entryOf(step: Level, linear: number, address: number, low: number, high: number): PageTableEntry {
  const has = (flag: number): boolean => (low & flag) !== 0;
  const pointer = step === pointerTable;
  const [highest, lowest] = step.bits;
  return Object.freeze({
    level: step.level,
    table: step.table,
    index: (linear >>> lowest) & (2 ** (highest - lowest + 1) - 1),
    bits: step.bits,
    address,
    entry: (high >>> 0) * WORD + (low >>> 0),
    present: has(PTE.P),
    writable: pointer || has(PTE.W),
    user: pointer || has(PTE.U),
    writeThrough: has(PTE.PWT),
    cacheDisabled: has(PTE.PCD),
    accessed: !pointer && has(PTE.A),
    dirty: !pointer && has(PTE.D),
    pageSize: !pointer && has(PTE.PS),
    global: !pointer && has(PTE.G),
    leaf: has(PTE.P) && has(step.page),
  });
}

/** Walks without touching anything: the accessed and dirty flags stay as they are. */
export function walk(memory: PhysicalMemory, system: PagingState, linear: number, access: Access): PageWalk {
  const entries: PageTableEntry[] = [];
  let offset = 0;
  let base = 0;
  const { physical, errorCode } = translate(
    memory,
    system,
    linear,
    access,
    false,
    { physical: 0, errorCode: 0, directoryEntry: 0 },
    (step, address, low, high) => {
      entries.push(entryOf(step, linear, address, low, high));
      offset = step.offset;
      base = (high >>> 0) * WORD + ((low & 0xfffff000 & ~step.offset) >>> 0);
    },
  );
  const paging = (system.cr0 & CR0.PG) !== 0;
  const result =
    physical < 0
      ? { fault: Object.freeze({ vector: 14, errorCode, rule: pageFaultRule(errorCode) } as const) }
      : paging
        ? { physical: base + ((linear & offset) >>> 0), pageBytes: offset + 1 }
        : { physical };
  return Object.freeze({ linear: linear >>> 0, paging, entries: Object.freeze(entries), ...result });
}
