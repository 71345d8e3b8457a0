/**
 * A page walk in two dimensions as a value: every reference to memory that the translation of a guest's linear address makes
 * with nothing remembered, in order. Nothing is touched.
 * Spec: SDM Vol. 3C, "EPT Translation Mechanism"; AMD64 Vol. 2, "Nested Paging".
 */
import { EPT, EPT_RIGHTS, EPT_TYPE_MASK, EPT_TYPE_SHIFT } from "./ept-levels.js";
import type { NestedFault } from "./guest-operation.js";
import { nestedFault } from "./nested-memory.js";
import {
  type NestedAccess,
  type NestedPaging,
  newNestedTranslation,
  translateNested,
  walksWrite,
} from "./nested-paging.js";
import {
  bitsOf,
  entryOf,
  type PageTableEntry,
  type PageTableName,
  type PageWalk,
  ruleOf,
  type Visited,
} from "./page-walk.js";
import { type Access, newTranslation, type PagingState, type PhysicalMemory, translate, type Visit } from "./paging.js";
import { type Level, type PagingMode, pagingMode } from "./paging-levels.js";
import { newPointersOnDemand, translateOnDemand } from "./pointers-on-demand.js";
import type { RuleName } from "./rules.js";
import { CR0, isCanonical } from "./state.js";

const WORD = 2 ** 32;
const HIGH_ADDRESS = 0xfffff;

/** An entry of the extended page tables. */
export interface ExtendedEntry {
  /** 4: PML4 table, 3: page-directory-pointer table, 2: page directory, 1: page table. */
  readonly level: number;
  readonly table: PageTableName;
  /** Which entry of its table it is, and the bits of the guest-physical address that say so. */
  readonly index: number;
  readonly bits: readonly [highest: number, lowest: number];
  /** Host-physical address of the entry. */
  readonly address: number;
  /** Bits 0 to 51 of the entry: address and flags. */
  readonly entry: number;
  readonly words: readonly [low: number, high: number];
  readonly bytes: 8;
  /** Any of the rights is given. */
  readonly present: boolean;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  /** Of a page: 0 uncacheable, 1 write combining, 4 write-through, 5 write-protected, 6 write-back. */
  readonly memoryType: number;
  readonly ignorePat: boolean;
  /** Where the EPT pointer gives them their meaning. */
  readonly accessed: boolean;
  readonly dirty: boolean;
  /** The entry is the page itself, not a table. */
  readonly leaf: boolean;
}

/** One reference to memory. */
export type NestedReference =
  /** An entry of the guest's own tables; `entry.address` is guest-physical, and `hostAddress` where that is. */
  | {
      readonly dimension: "guest";
      readonly level: number;
      readonly hostAddress: number;
      readonly entry: PageTableEntry;
    }
  /** An entry of the nested tables, on the way from the guest-physical address `of`; `entry.address` is host-physical. */
  | {
      readonly dimension: "host";
      readonly level: number;
      readonly of: number;
      readonly entry: PageTableEntry | ExtendedEntry;
    };

/** A page walk in two dimensions as a value. */
export interface NestedWalk {
  /** As that of a `PageWalk`. */
  readonly linear: number;
  /** The guest's paging mode; absent without paging. */
  readonly mode?: PagingMode["name"];
  readonly kind: NestedPaging["kind"];
  /** What is read from memory, in order. With n levels by m it is (n+1)(m+1)-1 of them at most. */
  readonly references: readonly NestedReference[];
  readonly count: number;
  /** A guest's PDPTE register where PAE paging begins with one: it is no reference to memory. */
  readonly pointer?: PageTableEntry;
  /** Absent when the guest's own tables refuse the access, or were not all read. */
  readonly guestPhysical?: number;
  /** Host-physical address; absent when the access is refused. */
  readonly physical?: number;
  /** The guest's own: #PF, or #GP(0) for an address that is not canonical. */
  readonly fault?: { readonly vector: 13 | 14; readonly errorCode: number; readonly rule: RuleName };
  /** What nested translation refused: the guest is left. */
  readonly exit?: NestedFault;
}

/** Ends a walk that nested translation has refused. */
class Refused {
  constructor(readonly fault: NestedFault) {}
}

function extendedEntry(guestPhysical: number, step: Level, address: number, low: number, high: number): ExtendedEntry {
  const has = (flag: number): boolean => (low & flag) !== 0;
  return Object.freeze({
    level: step.level,
    table: step.table,
    index: bitsOf(guestPhysical, step.bits),
    bits: step.bits,
    address,
    entry: ((high & HIGH_ADDRESS) >>> 0) * WORD + (low >>> 0),
    words: Object.freeze([low >>> 0, high >>> 0] as const),
    bytes: 8,
    present: has(EPT_RIGHTS),
    read: has(EPT.R),
    write: has(EPT.W),
    execute: has(EPT.X),
    memoryType: (low >>> EPT_TYPE_SHIFT) & EPT_TYPE_MASK,
    ignorePat: has(EPT.IPAT),
    accessed: has(EPT.A),
    dirty: has(EPT.D),
    leaf: has(EPT_RIGHTS) && has(step.page),
  });
}

/** The references of one walk, as they come. */
class Recorder implements PhysicalMemory {
  readonly references: NestedReference[] = [];
  /** Entries of the guest's, for the rule behind a fault. */
  readonly visited: Visited[] = [];
  /** The entry whose low word was read last, at its guest-physical and its host-physical address. */
  #entryAt = -1;
  #hostAt = 0;

  constructor(
    readonly memory: PhysicalMemory,
    readonly nested: NestedPaging,
    readonly mode: PagingMode | undefined,
    readonly linear: number,
  ) {}

  /** Where a guest-physical address is, with the references that find it. */
  locate(guestPhysical: number, access: NestedAccess, ofWalk: boolean): number {
    const { nested, linear } = this;
    const visit: Visit = (step, address, low, high) => {
      const entry =
        nested.kind === "ept"
          ? extendedEntry(guestPhysical, step, address, low, high)
          : entryOf(nested.mode, guestPhysical, { step, address, low, high });
      this.references.push(Object.freeze({ dimension: "host", level: step.level, of: guestPhysical, entry }));
    };
    const out = translateNested(this.memory, nested, guestPhysical, access, false, newNestedTranslation(), visit);
    if (out.physical < 0) throw new Refused(nestedFault(nested, out, access, { guestPhysical, linear, ofWalk }));
    return out.physical;
  }

  read32(guestPhysical: number, level: number): number {
    // The high word of an entry comes with its low one.
    const isHigh = this.mode!.wide && guestPhysical === this.#entryAt + 4;
    if (!isHigh) this.#reach(guestPhysical);
    const physical = this.#hostAt + (guestPhysical - this.#entryAt);
    return physical < WORD ? this.memory.read32(physical, level) : -1;
  }

  write32(): void {}

  reachAbove(guestPhysical: number): void {
    this.#reach(guestPhysical);
  }

  /** The guest's entry, as it was read. */
  readonly visit: Visit = (step, address, low, high) => {
    const seen = { step, address, low, high };
    this.visited.push(seen);
    const { mode, nested, linear } = this;
    if (step === mode!.pointers && nested.kind === "ept") return;
    const entry = entryOf(mode!, linear, seen);
    this.references.push(Object.freeze({ dimension: "guest", level: step.level, hostAddress: this.#hostAt, entry }));
  };

  #reach(guestPhysical: number): void {
    const access = { write: walksWrite(this.nested), fetch: false };
    this.#hostAt = this.locate(guestPhysical, access, true);
    this.#entryAt = guestPhysical;
  }
}

/** The guest's own part of a walk in two dimensions, as a page walk. */
export function pageWalkOf(nested: NestedWalk): PageWalk {
  const { linear, mode, pointer, references, physical, fault } = nested;
  const read = references.flatMap((one) => (one.dimension === "guest" ? [one.entry] : []));
  const entries = pointer === undefined ? read : [pointer, ...read];
  const [, lowest] = entries.at(-1)?.bits ?? [];
  return Object.freeze({
    linear,
    paging: mode !== undefined,
    ...(mode === undefined ? {} : { mode }),
    entries: Object.freeze(entries),
    ...(physical === undefined ? {} : { physical }),
    ...(physical === undefined || lowest === undefined ? {} : { pageBytes: 2 ** lowest }),
    ...(fault === undefined ? {} : { fault }),
    nested,
  });
}

/**
 * Walks both dimensions without touching anything: all flags stay as they are. `memory` is host-physical.
 */
export function walkNested(
  memory: PhysicalMemory,
  system: PagingState,
  nested: NestedPaging,
  address: number,
  access: Access,
): NestedWalk {
  const paging = (system.cr0 & CR0.PG) !== 0;
  const mode = paging ? pagingMode(system) : undefined;
  const linear = mode?.long ? address : address >>> 0;
  const recorder = new Recorder(memory, nested, mode, linear);
  const outcome =
    mode?.long && !isCanonical(linear)
      ? { fault: Object.freeze({ vector: 13, errorCode: 0, rule: "address-not-canonical" } as const) }
      : outcomeOf(recorder, system, access);
  const { references, visited } = recorder;
  const [first] = visited;
  const pointer = first !== undefined && nested.kind === "ept" && first.step === mode?.pointers ? first : undefined;
  return Object.freeze({
    linear,
    kind: nested.kind,
    ...(mode === undefined ? {} : { mode: mode.name }),
    references: Object.freeze(references),
    count: references.length,
    ...(pointer === undefined ? {} : { pointer: entryOf(mode!, linear, pointer) }),
    ...outcome,
  });
}

function outcomeOf(
  recorder: Recorder,
  system: PagingState,
  access: Access,
): Pick<NestedWalk, "guestPhysical" | "physical" | "fault" | "exit"> {
  const { nested, linear, visit, visited } = recorder;
  const out = newTranslation();
  let guestPhysical: number | undefined;
  try {
    if (nested.kind === "ept") translate(recorder, system, linear, access, false, out, visit);
    else translateOnDemand(recorder, system, linear, access, false, out, newPointersOnDemand(), visit);
    if (out.physical < 0) {
      const { errorCode } = out;
      const rule = ruleOf(system, access, errorCode, visited);
      return { fault: Object.freeze({ vector: 14, errorCode, rule } as const) };
    }
    guestPhysical = out.physical;
    return { guestPhysical, physical: recorder.locate(guestPhysical, access, false) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ...(guestPhysical === undefined ? {} : { guestPhysical }), exit: error.fault };
  }
}
