/**
 * Guest-physical to host-physical: the walk of nested translation, by VT-x's extended page tables or by AMD's nested ones.
 * The former are a loop over levels (`ept-levels.ts`); the latter are an ordinary walk of the host's paging mode, in which
 * everything the guest does is an access by the user, so `paging.ts` does it.
 *
 * Nested tables are read with level 0: what their entries translate are not linear addresses. As page tables, they are found
 * below 4 GiB only.
 * Spec: SDM Vol. 3C, "VMX Support for Address Translation"; AMD64 Vol. 2, "Nested Paging".
 */

import type { EptFeatures } from "./ept-levels.js";
import {
  EPT,
  EPT_RESERVED_TYPES,
  EPT_RIGHTS,
  EPT_TYPE_MASK,
  EPT_TYPE_SHIFT,
  eptFeatures,
  eptLevels,
} from "./ept-levels.js";
import { type ModelName, modelNames } from "./model.js";
import {
  type Access,
  entryOffset,
  newTranslation,
  type PagingState,
  PF,
  type PhysicalMemory,
  refuse as pageFault,
  type Translation,
  type Visit,
} from "./paging.js";
import { type Level, type PagingMode, PTE, pagingMode } from "./paging-levels.js";
import { newPointersOnDemand, type PointersOnDemand, translateOnDemand } from "./pointers-on-demand.js";
import type { SystemState } from "./state.js";

const WORD = 2 ** 32;
/** Bits 32 to 51 of an address, in a high word. */
const HIGH_ADDRESS = 0xfffff;
/** What is read where there is nothing. */
const OPEN_BUS = -1;

/** Extended page tables. */
export interface ExtendedPaging {
  readonly kind: "ept";
  /** Of the PML4 table: bits 12 to 31 of its address as a signed word, and 32 to 51. */
  readonly root: number;
  readonly rootHigh: number;
  /** Accessed and dirty flags are set, and walks of the guest's tables count as writes. */
  readonly accessedDirty: boolean;
  readonly executeOnly: boolean;
  /** The PML4 table, and those behind it. */
  readonly first: Level;
}

/** AMD's nested page tables. */
export interface HostPaging {
  readonly kind: "npt";
  /** nCR3 and the controls of the host; it has no PDPTE registers. */
  readonly state: PagingState;
  readonly mode: PagingMode;
}

/** How a guest's physical addresses are translated. */
export type NestedPaging = ExtendedPaging | HostPaging;

/** An access to guest-physical memory: a read unless it is one of these. */
export interface NestedAccess {
  readonly write: boolean;
  readonly fetch: boolean;
}

export interface NestedTranslation {
  /** Host-physical address, or -1 where the access is refused. */
  physical: number;
  /** If it is: the rights in all entries on the way, as those of an EPT entry; none if one is not present. */
  rights: number;
  /** If it is: an entry has a value that no entry may have. */
  misconfigured: boolean;
  /** If it is, by AMD's tables: the error code. */
  errorCode: number;
  /** What a walk by AMD's tables needs. */
  readonly host: HostWalk;
}

/** A walk of the host's paging mode: its outcome, and its memory, in which its tables have level 0. */
interface HostWalk extends PhysicalMemory {
  memory: PhysicalMemory | undefined;
  readonly translation: Translation;
  readonly pointers: PointersOnDemand;
}

function newHostWalk(): HostWalk {
  const walk: HostWalk = {
    memory: undefined,
    translation: newTranslation(),
    pointers: newPointersOnDemand(),
    read32: (physical) => walk.memory!.read32(physical, 0),
    write32: (physical, value) => walk.memory!.write32(physical, value),
  };
  return walk;
}

/** An empty one, to be filled by `translateNested`. */
export const newNestedTranslation = (): NestedTranslation => ({
  ...{ physical: 0, rights: 0, misconfigured: false, errorCode: 0 },
  host: newHostWalk(),
});

const levelsOf = Object.fromEntries(modelNames.map((name) => [name, eptLevels(eptFeatures[name])])) as Readonly<
  Record<ModelName, Level>
>;
/** Bit 6 of the EPT pointer. */
const ACCESSED_DIRTY = 64n;

/**
 * Extended paging as an EPT pointer says. VM entry has checked the pointer.
 * Spec: SDM Vol. 3C, "Extended-Page-Table Pointer (EPTP)".
 */
export function extendedPaging(
  model: ModelName,
  pointer: bigint,
  { executeOnly }: EptFeatures = eptFeatures[model],
  first = levelsOf[model],
): ExtendedPaging {
  return Object.freeze({
    kind: "ept",
    root: Number(BigInt.asIntN(32, pointer)) & 0xfffff000,
    rootHigh: Number(BigInt.asUintN(32, pointer >> 32n)) & HIGH_ADDRESS,
    accessedDirty: (pointer & ACCESSED_DIRTY) !== 0n,
    executeOnly,
    first,
  });
}

/** Nested paging by the tables at nCR3, in the paging mode that the host had at VMRUN. */
export function hostPaging(
  model: ModelName,
  { cr3, cr0, cr4, efer }: Pick<PagingState, "cr3" | "cr0" | "cr4" | "efer">,
): HostPaging {
  const state: PagingState = Object.freeze({ model, cr0, cr3, cr4, efer, pdptes: Object.freeze([]) });
  return Object.freeze({ kind: "npt", state, mode: pagingMode(state) });
}

/** How the physical addresses of the guest that runs are translated; undefined if they are the host's. */
export function nestedPagingOf({ model, virtualization }: SystemState): NestedPaging | undefined {
  if (virtualization?.kind === "vmx") {
    const pointer = virtualization.guest?.eptp;
    return pointer === undefined ? undefined : extendedPaging(model, pointer);
  }
  const nested = virtualization?.guest?.nested;
  return nested === undefined ? undefined : hostPaging(model, nested);
}

/**
 * Whether reading an entry of the guest's own tables is a write to nested translation.
 * Spec: SDM Vol. 3C, "Accessed and Dirty Flags for EPT"; AMD64 Vol. 2, "Nested Table Walk".
 */
export const walksWrite = (nested: NestedPaging): boolean => nested.kind === "npt" || nested.accessedDirty;

/**
 * Translates one access to guest-physical memory. With `setFlags` the accessed and dirty flags of the nested tables are set as
 * the processor does. Fills and returns `out`, which the caller owns.
 */
export function translateNested(
  memory: PhysicalMemory,
  nested: NestedPaging,
  guestPhysical: number,
  access: NestedAccess,
  setFlags: boolean,
  out: NestedTranslation,
  visit?: Visit,
): NestedTranslation {
  out.rights = 0;
  out.misconfigured = false;
  out.errorCode = 0;
  return nested.kind === "ept"
    ? byExtendedTables(memory, nested, guestPhysical, access, setFlags, out, visit)
    : byHostTables(memory, nested, guestPhysical, access, setFlags, out, visit);
}

function refuse(out: NestedTranslation, rights: number, misconfigured: boolean): NestedTranslation {
  out.physical = -1;
  out.rights = rights;
  out.misconfigured = misconfigured;
  return out;
}

/** Whether a present entry has a value that none may have. Spec: SDM Vol. 3C, "EPT Misconfigurations". */
function isMisconfigured(low: number, high: number, step: Level, isPage: boolean, executeOnly: boolean): boolean {
  const rights = low & EPT_RIGHTS;
  if ((rights & (EPT.R | EPT.W)) === EPT.W || (rights === EPT.X && !executeOnly)) return true;
  if ((high & step.reservedHigh) !== 0) return true;
  if (!isPage) return (low & step.reservedInTable) !== 0;
  const type = (low >>> EPT_TYPE_SHIFT) & EPT_TYPE_MASK;
  return (low & step.reservedInPage) !== 0 || (EPT_RESERVED_TYPES & (1 << type)) !== 0;
}

function byExtendedTables(
  memory: PhysicalMemory,
  nested: ExtendedPaging,
  guestPhysical: number,
  { write, fetch }: NestedAccess,
  setFlags: boolean,
  out: NestedTranslation,
  visit?: Visit,
): NestedTranslation {
  let step = nested.first;
  let table = nested.root;
  let tableHigh = nested.rootHigh;
  let rights: number = EPT_RIGHTS;
  /** The accessed flags of all entries above the page's. */
  let accessed: number = EPT.A;
  for (;;) {
    const address = ((table & 0xfffff000) | entryOffset(step, guestPhysical)) >>> 0;
    const low = tableHigh === 0 ? memory.read32(address, 0) | 0 : OPEN_BUS;
    const high = tableHigh === 0 ? memory.read32(address + 4, 0) | 0 : OPEN_BUS;
    if (visit !== undefined) visit(step, tableHigh * WORD + address, low, high);
    rights &= low;
    if ((low & EPT_RIGHTS) === 0) return refuse(out, 0, false);
    const isPage = (low & step.page) !== 0;
    if (isMisconfigured(low, high, step, isPage, nested.executeOnly)) return refuse(out, rights, true);
    if (!isPage) {
      accessed &= low;
      table = low;
      tableHigh = high & HIGH_ADDRESS;
      step = step.next;
      continue;
    }
    const wanted = write ? EPT.W : fetch ? EPT.X : EPT.R;
    if ((rights & wanted) === 0) return refuse(out, rights, false);
    if (setFlags && nested.accessedDirty) {
      if (accessed === 0) markTables(memory, nested, guestPhysical, step);
      const flags = write ? EPT.A | EPT.D : EPT.A;
      if ((low & flags) !== flags) memory.write32(address, low | flags);
    }
    const physical = ((low & ~step.offset) | (guestPhysical & step.offset)) >>> 0;
    out.physical = (high & HIGH_ADDRESS) * WORD + physical;
    return out;
  }
}

/** Sets the accessed flags of the entries that lead to the one at `last`, where they are missing: the walk once more. */
function markTables(memory: PhysicalMemory, { first, root }: ExtendedPaging, guestPhysical: number, last: Level): void {
  let table = root;
  for (let step = first; step !== last; step = step.next) {
    const address = ((table & 0xfffff000) | entryOffset(step, guestPhysical)) >>> 0;
    const low = memory.read32(address, 0);
    if ((low & EPT.A) === 0) memory.write32(address, low | EPT.A);
    table = low;
  }
}

// What the guest does, to the host's tables. WP, SMEP and SMAP are for the supervisor's accesses.
const READ: Access = Object.freeze({ write: false, user: true, fetch: false, ac: false });
const WRITE: Access = Object.freeze({ ...READ, write: true });
const FETCH: Access = Object.freeze({ ...READ, fetch: true });

function byHostTables(
  memory: PhysicalMemory,
  nested: HostPaging,
  guestPhysical: number,
  { write, fetch }: NestedAccess,
  setFlags: boolean,
  out: NestedTranslation,
  visit?: Visit,
): NestedTranslation {
  const { state, mode } = nested;
  const { host } = out;
  const { translation, pointers } = host;
  const access = write ? WRITE : fetch ? FETCH : READ;
  // Tables of 32-bit addresses map nothing above 4 GiB.
  if (!mode.long && guestPhysical >= WORD) {
    out.errorCode = pageFault(translation, state, access, 0).errorCode;
    return refuse(out, 0, false);
  }
  host.memory = memory;
  translateOnDemand(host, state, guestPhysical, access, setFlags, translation, pointers, visit, 0, mode);
  out.physical = translation.physical;
  if (out.physical >= 0) return out;
  out.errorCode = translation.errorCode;
  const why = out.errorCode & (PF.P | PF.RSVD);
  return refuse(out, why === PF.P ? rightsByHostTables(host, nested, guestPhysical) : 0, (why & PF.RSVD) !== 0);
}

/** The rights of a page that is there: the walk once more. */
function rightsByHostTables(host: HostWalk, { state, mode }: HostPaging, guestPhysical: number): number {
  let flags: number = PTE.W | PTE.U;
  let executable = true;
  const visit: Visit = (step, _address, low, high) => {
    if (step === mode.pointers) return;
    flags &= low;
    if (high < 0) executable = false;
  };
  translateOnDemand(host, state, guestPhysical, READ, false, host.translation, host.pointers, visit, 0, mode);
  if ((flags & PTE.U) === 0) return 0;
  return EPT.R | ((flags & PTE.W) === 0 ? 0 : EPT.W) | (executable ? EPT.X : 0);
}
