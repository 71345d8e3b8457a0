/**
 * The paging modes as tables of levels: which bits of a linear address choose an entry of which table, when an entry is a
 * page, and which of its bits must be zero.
 * Spec: SDM Vol. 3A, "32-Bit Paging", "PAE Paging", "4-Level Paging", "Reserved Bits" of "Page-Fault Exceptions",
 * "Enumeration of Paging Features by CPUID".
 */
import { type ModelName, modelNames, models } from "./model.js";
import { CR4, EFER, type SystemState } from "./state.js";

export const PTE = { P: 1, W: 2, U: 4, PWT: 8, PCD: 16, A: 32, D: 64, PS: 128, G: 256 } as const;

export type PageTableName = "PML4 table" | "page-directory-pointer table" | "page directory" | "page table";

/** What of a processor model paging depends on. */
export interface PagingFeatures {
  /** Bits of a physical address (MAXPHYADDR). */
  readonly physicalBits: number;
  /** Pages of 4 MiB with 40-bit physical addresses. */
  readonly pse36: boolean;
  /** PAT: bit 7 of a page-table entry and bit 12 of a larger page's entry mean something. */
  readonly pat: boolean;
  /** Pages of 1 GiB. */
  readonly gigabytePages: boolean;
}

export interface Level {
  /** 4: PML4 table, 3: page-directory-pointer table, 2: page directory, 1: page table. */
  readonly level: number;
  readonly table: PageTableName;
  /** Bits of the linear address that choose the entry. */
  readonly bits: readonly [highest: number, lowest: number];
  /** The entry is chosen by bits above 31: `shift` is for bits 16 to 47 of the linear address. */
  readonly upper: boolean;
  /** From the linear address to the entry's offset in its table: shift right, then mask. */
  readonly shift: number;
  readonly mask: number;
  /** Flags that make an entry a page: PS, none, or all (P) where there is no further level. */
  readonly page: number;
  /** Low-word bits that must be zero in an entry that is a page, and in one that leads to a table. */
  readonly reservedInPage: number;
  readonly reservedInTable: number;
  /** High-word bits that must be zero in both. */
  readonly reservedHigh: number;
  /** The bits of a linear address that are the offset in a page of this level. */
  readonly offset: number;
  /** The level below; the last one has itself. */
  readonly next: Level;
}

export interface PagingMode {
  readonly name: "32-bit" | "PAE" | "4-level";
  /** Where a walk through memory begins: at CR3, or behind the PDPTE registers. */
  readonly first: Level;
  /** The page table. */
  readonly last: Level;
  /** The PDPTE registers, for those who watch a walk. */
  readonly pointers?: Level;
  /** Entries have 8 bytes. */
  readonly wide: boolean;
  /** Linear addresses have more than 32 bits. */
  readonly long: boolean;
  /** Linear addresses shifted right by this have a page table in common. */
  readonly rangeShift: 21 | 22;
  /** High-word bits that say of a page that it is above 4 GiB, or cannot be used: all but XD, where that means something. */
  readonly beyond: number;
}

type LevelParts = Pick<Level, "level" | "table" | "bits" | "page"> & Partial<Level> & { readonly wide: boolean };

/** A level by what its manual's table says: where the entry is, when it is a page, which bits are reserved. */
export function level({ wide, ...parts }: LevelParts): Level {
  const [highest, lowest] = parts.bits;
  const upper = lowest > 29;
  const described = {
    upper,
    shift: lowest - (upper ? 16 : 0) - (wide ? 3 : 2),
    mask: (2 ** (highest - lowest + 1) - 1) * (wide ? 8 : 4),
    reservedInPage: 0,
    reservedInTable: 0,
    reservedHigh: 0,
    offset: 2 ** lowest - 1,
    ...parts,
    bits: Object.freeze(parts.bits),
    next: parts.next as Level,
  };
  described.next ??= described;
  return Object.freeze(described);
}

/** Bits `low` to `high`; none if `low` is above. */
export const bitsFrom = (low: number, high: number): number =>
  low > high ? 0 : Number(BigInt.asIntN(32, (1n << BigInt(high + 1)) - (1n << BigInt(low))));
/** PAT in the entry of a page that is larger than 4 KiB. */
const LARGE_PAT = 1 << 12;
/** XD in the high word. */
export const XD = 1 << 31;

function mode32({ physicalBits, pse36, pat }: PagingFeatures, pse: boolean): PagingMode {
  // Without CR4.PSE no bit is reserved at all.
  const last = level({
    ...{ level: 1, table: "page table", bits: [21, 12], wide: false, page: PTE.P },
    reservedInPage: pse && !pat ? PTE.PS : 0,
  });
  const address = pse36 ? bitsFrom(Math.min(40, physicalBits) - 19, 21) : bitsFrom(13, 21);
  const first = level({
    ...{ level: 2, table: "page directory", bits: [31, 22], wide: false, page: pse ? PTE.PS : 0, next: last },
    reservedInPage: address | (pat ? 0 : LARGE_PAT),
  });
  return Object.freeze({ name: "32-bit", first, last, wide: false, long: false, rangeShift: 22, beyond: -1 });
}

/** The last two levels of 8-byte entries. */
function wideLevels({ pat }: PagingFeatures, reservedHigh: number): readonly [directory: Level, last: Level] {
  const last = level({
    ...{ level: 1, table: "page table", bits: [20, 12], wide: true, page: PTE.P, reservedHigh },
    reservedInPage: pat ? 0 : PTE.PS,
  });
  const directory = level({
    ...{ level: 2, table: "page directory", bits: [29, 21], wide: true, page: PTE.PS, reservedHigh, next: last },
    reservedInPage: bitsFrom(13, 20) | (pat ? 0 : LARGE_PAT),
  });
  return [directory, last];
}

const beyondOf = (executeDisable: boolean): number => (executeDisable ? ~XD : -1);

function modePae(features: PagingFeatures, executeDisable: boolean): PagingMode {
  const reservedHigh = bitsFrom(features.physicalBits - 32, 30) | (executeDisable ? 0 : XD);
  const [first, last] = wideLevels(features, reservedHigh);
  const pointers = level({
    ...{ level: 3, table: "page-directory-pointer table", bits: [31, 30], wide: true, page: 0, next: first },
  });
  return Object.freeze({
    ...{ name: "PAE", first, last, pointers, wide: true, long: false, rangeShift: 21 },
    beyond: beyondOf(executeDisable),
  });
}

function mode4(features: PagingFeatures, executeDisable: boolean): PagingMode {
  // Bits 52 to 62 are the software's.
  const reservedHigh = bitsFrom(features.physicalBits - 32, 19) | (executeDisable ? 0 : XD);
  const [directory, last] = wideLevels(features, reservedHigh);
  const { gigabytePages } = features;
  const pointers = level({
    ...{ level: 3, table: "page-directory-pointer table", bits: [38, 30], wide: true, reservedHigh, next: directory },
    page: gigabytePages ? PTE.PS : 0,
    reservedInPage: bitsFrom(13, 29) | (features.pat ? 0 : LARGE_PAT),
    reservedInTable: PTE.PS,
  });
  const first = level({
    ...{ level: 4, table: "PML4 table", bits: [47, 39], wide: true, page: 0, reservedHigh, next: pointers },
    reservedInTable: PTE.PS,
  });
  return Object.freeze({
    ...{ name: "4-level", first, last, wide: true, long: true, rangeShift: 21 },
    beyond: beyondOf(executeDisable),
  });
}

/** The modes of a processor with such features; an `executable` one is that without EFER.NXE. */
export function modesOf(features: PagingFeatures): {
  readonly plain: PagingMode;
  readonly pse: PagingMode;
  readonly pae: readonly [executable: PagingMode, executeDisable: PagingMode];
  readonly long: readonly [executable: PagingMode, executeDisable: PagingMode];
} {
  return Object.freeze({
    plain: mode32(features, false),
    pse: mode32(features, true),
    pae: Object.freeze([modePae(features, false), modePae(features, true)] as const),
    long: Object.freeze([mode4(features, false), mode4(features, true)] as const),
  });
}

function featuresOf(name: ModelName): PagingFeatures {
  const { features, physicalBits } = models[name];
  return Object.freeze({
    physicalBits,
    pse36: features.has("PSE36"),
    pat: features.has("PAT"),
    gigabytePages: features.has("PDPE1GB"),
  });
}

/** By model. */
export const pagingFeatures = Object.freeze(
  Object.fromEntries(modelNames.map((name) => [name, featuresOf(name)])),
) as Readonly<Record<ModelName, PagingFeatures>>;

const modes = Object.freeze(
  Object.fromEntries(modelNames.map((name) => [name, modesOf(pagingFeatures[name])])),
) as Readonly<Record<ModelName, ReturnType<typeof modesOf>>>;

type ModeBits = Pick<SystemState, "model" | "cr4" | "efer">;

/** The mode asked for last, and what it was of: it hardly ever changes. A cache of a pure function. */
let known: PagingMode = modes["486"].plain;
let knownModel: ModelName = "486";
let knownCr4 = 0;
let knownEfer = 0;

/** The paging mode, where CR0.PG is set. Spec: SDM Vol. 3A, "Paging Modes and Control Bits". */
export function pagingMode(system: ModeBits): PagingMode {
  const { model, cr4, efer } = system;
  if (cr4 === knownCr4 && efer === knownEfer && model === knownModel) return known;
  [knownModel, knownCr4, knownEfer, known] = [model, cr4, efer, modeOf(system)];
  return known;
}

function modeOf({ model, cr4, efer }: ModeBits): PagingMode {
  const of = modes[model];
  if ((efer & EFER.LMA) !== 0) return of.long[(efer & EFER.NXE) === 0 ? 0 : 1];
  if ((cr4 & CR4.PAE) !== 0) return of.pae[(efer & EFER.NXE) === 0 ? 0 : 1];
  return (cr4 & CR4.PSE) !== 0 ? of.pse : of.plain;
}

/** Bits that must be zero in a present PDPTE register: low and high word. */
export const pdpteReserved = (model: ModelName): readonly [low: number, high: number] => [
  0x1e6,
  bitsFrom(pagingFeatures[model].physicalBits - 32, 31),
];
