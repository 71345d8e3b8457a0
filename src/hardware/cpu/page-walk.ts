/**
 * A page walk as a value: every entry that a translation reads, and what it comes to. Nothing is touched.
 * Spec: SDM Vol. 3A, "32-Bit Paging", "PAE Paging", "4-Level Paging".
 */
import type { NestedWalk } from "./nested-walk.js";
import {
  type Access,
  newTranslation,
  type PagingState,
  type PhysicalMemory,
  pageFaultRule,
  refusedBy,
  translate,
} from "./paging.js";
import { type Level, type PageTableName, type PagingMode, PTE, pagingMode, XD } from "./paging-levels.js";
import type { RuleName } from "./rules.js";
import { CR0, isCanonical } from "./state.js";

export type { PageTableName } from "./paging-levels.js";

export interface PageTableEntry {
  /** 4: PML4 table, 3: page-directory-pointer table, 2: page directory, 1: page table. */
  readonly level: number;
  readonly table: PageTableName;
  /** Which entry of its table it is, and the bits of the linear address that say so. */
  readonly index: number;
  readonly bits: readonly [highest: number, lowest: number];
  /** Physical address of the entry. A PDPTE of PAE paging is a register: its address is where MOV to CR3 found it. */
  readonly address: number;
  /** Bits 0 to 51 of the entry, unsigned: address and flags. All of an entry of 4 bytes. */
  readonly entry: number;
  /** The whole entry as its two words, unsigned; of an entry of 4 bytes the high one is 0. */
  readonly words: readonly [low: number, high: number];
  /** Bytes of the entry: 4 or 8. */
  readonly bytes: 4 | 8;
  readonly present: boolean;
  /** A pointer-table entry of PAE paging restricts nothing: it is writable and for the user. */
  readonly writable: boolean;
  readonly user: boolean;
  readonly writeThrough: boolean;
  readonly cacheDisabled: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  /** The PS flag of a directory's or a pointer table's entry, as it was read: whether that makes it a page is `leaf`. */
  readonly pageSize: boolean;
  readonly global: boolean;
  /** XD, bit 63, where EFER.NXE gives it its meaning: no code is fetched from what the entry leads to. */
  readonly executeDisable: boolean;
  /** The entry is the page itself, not a table. */
  readonly leaf: boolean;
}

/** A page walk as a value. */
export interface PageWalk {
  /** Unsigned with 32-bit and PAE paging; with 4-level paging a signed number of 48 bits. */
  readonly linear: number;
  readonly paging: boolean;
  /** Which entries there are; absent without paging. */
  readonly mode?: PagingMode["name"];
  readonly entries: readonly PageTableEntry[];
  /** Absent when the access faults. It may be above 4 GiB, where nothing is. */
  readonly physical?: number;
  /** Bytes of the page: 4096, 2 MiB, 4 MiB or 1 GiB. Absent when the access faults, and without paging. */
  readonly pageBytes?: number;
  /** #PF, or #GP(0) for an address that is not canonical. */
  readonly fault?: { readonly vector: 13 | 14; readonly errorCode: number; readonly rule: RuleName };
  /**
   * In a guest with nested paging: the walk in both dimensions. The addresses of `entries` are guest-physical then, and
   * `physical` is the host's; where nested translation refuses the access there is neither `physical` nor a `fault`.
   */
  readonly nested?: NestedWalk;
}

const WORD = 2 ** 32;
const HIGH_ADDRESS = 0xfffff;

/** An entry as a walk met it. */
export interface Visited {
  readonly step: Level;
  readonly address: number;
  readonly low: number;
  readonly high: number;
}

/** Bits of an address, of which there may be more than 32. */
export function bitsOf(linear: number, [highest, lowest]: readonly [number, number]): number {
  const size = 2 ** (highest - lowest + 1);
  return ((Math.floor(linear / 2 ** lowest) % size) + size) % size;
}

/** An entry of a paging mode as a value. */
export function entryOf(mode: PagingMode, linear: number, { step, address, low, high }: Visited): PageTableEntry {
  const has = (flag: number): boolean => (low & flag) !== 0;
  const pointer = step === mode.pointers;
  return Object.freeze({
    level: step.level,
    table: step.table,
    index: bitsOf(linear, step.bits),
    bits: step.bits,
    address,
    entry: ((high & HIGH_ADDRESS) >>> 0) * WORD + (low >>> 0),
    words: Object.freeze([low >>> 0, high >>> 0] as const),
    bytes: mode.wide ? 8 : 4,
    present: has(PTE.P),
    writable: pointer || has(PTE.W),
    user: pointer || has(PTE.U),
    writeThrough: has(PTE.PWT),
    cacheDisabled: has(PTE.PCD),
    accessed: !pointer && has(PTE.A),
    dirty: !pointer && has(PTE.D),
    pageSize: !pointer && has(PTE.PS),
    global: !pointer && has(PTE.G),
    executeDisable: !pointer && (mode.beyond & XD) === 0 && high < 0,
    leaf: has(PTE.P) && has(step.page),
  });
}

/** The rule behind a fault of a walk: its error code does not tell which of the rights it was. */
export function ruleOf(system: PagingState, access: Access, errorCode: number, visited: readonly Visited[]): RuleName {
  const rule = pageFaultRule(errorCode);
  if (rule !== "page-rights") return rule;
  const inMemory = visited.filter(({ step }) => step !== pagingMode(system).pointers);
  const rights = inMemory.reduce((both, { low }) => both & low, PTE.W | PTE.U);
  return refusedBy(
    system,
    access,
    rights,
    inMemory.some(({ high }) => high < 0),
  );
}

/** Walks without touching anything: the accessed and dirty flags stay as they are. */
export function walk(memory: PhysicalMemory, system: PagingState, address: number, access: Access): PageWalk {
  if ((system.cr0 & CR0.PG) === 0) {
    const linear = address >>> 0;
    return Object.freeze({ linear, paging: false, entries: Object.freeze([]), physical: linear });
  }
  const mode = pagingMode(system);
  const linear = mode.long ? address : address >>> 0;
  const common = { linear, paging: true, mode: mode.name };
  if (mode.long && !isCanonical(linear)) {
    const fault = Object.freeze({ vector: 13, errorCode: 0, rule: "address-not-canonical" } as const);
    return Object.freeze({ ...common, entries: Object.freeze([]), fault });
  }
  const visited: Visited[] = [];
  const { physical, errorCode } = translate(
    memory,
    system,
    linear,
    access,
    false,
    newTranslation(),
    (step, at, low, high) => visited.push({ step, address: at, low, high }),
  );
  const entries = Object.freeze(visited.map((one) => entryOf(mode, linear, one)));
  if (physical >= 0) {
    const { offset } = visited.at(-1)!.step;
    return Object.freeze({ ...common, entries, physical, pageBytes: offset + 1 });
  }
  const rule = ruleOf(system, access, errorCode, visited);
  return Object.freeze({ ...common, entries, fault: Object.freeze({ vector: 14, errorCode, rule } as const) });
}
