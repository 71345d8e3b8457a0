/**
 * PAE paging as AMD has it under nested paging: there are no PDPTE registers, each walk reads its pointer-table entry from
 * memory, and reserved bits in it are a page fault then.
 * Spec: AMD64 Vol. 2, "Nested Paging", "Legacy PAE Mode".
 */

import { type ModelName, modelNames } from "./model.js";
import {
  type Access,
  type PagingState,
  PF,
  type PhysicalMemory,
  refuse,
  type Translation,
  translate,
  type Visit,
} from "./paging.js";
import { type PagingMode, PTE, pagingMode, pdpteReserved } from "./paging-levels.js";
import { CR0 } from "./state.js";

const reservedBits = Object.fromEntries(modelNames.map((name) => [name, pdpteReserved(name)])) as Readonly<
  Record<ModelName, readonly [low: number, high: number]>
>;

/** What a walk depends on, with a place for the entry that was read. */
export type PointersOnDemand = { -readonly [K in Exclude<keyof PagingState, "pdptes">]: PagingState[K] } & {
  readonly pdptes: number[];
};

/** An empty one, to be filled by `translateOnDemand`; each memory that walks wait for needs its own. */
export const newPointersOnDemand = (): PointersOnDemand => ({
  ...{ model: "phenom", cr0: 0, cr3: 0, cr4: 0, efer: 0 },
  pdptes: [0, 0, 0, 0, 0, 0, 0, 0],
});

/** `translate` of paging, in all modes. */
export function translateOnDemand(
  memory: PhysicalMemory,
  system: PagingState,
  linear: number,
  access: Access,
  setFlags: boolean,
  out: Translation,
  own: PointersOnDemand,
  visit?: Visit,
  directoryEntry = 0,
  mode: PagingMode = pagingMode(system),
): Translation {
  const { pointers } = mode;
  if ((system.cr0 & CR0.PG) === 0 || pointers === undefined || directoryEntry !== 0)
    return translate(memory, system, linear, access, setFlags, out, visit, directoryEntry, mode);
  const index = linear >>> 30;
  const address = ((system.cr3 & ~31) >>> 0) + 8 * index;
  const low = memory.read32(address, pointers.level) | 0;
  const high = memory.read32(address + 4, pointers.level) | 0;
  const [reservedLow, reservedHigh] = reservedBits[system.model];
  if ((low & PTE.P) !== 0 && ((low & reservedLow) | (high & reservedHigh)) !== 0) {
    visit?.(pointers, address, low, high);
    out.directoryEntry = 0;
    out.userPage = false;
    return refuse(out, system, access, PF.P | PF.RSVD);
  }
  own.model = system.model;
  own.cr0 = system.cr0;
  own.cr3 = system.cr3;
  own.cr4 = system.cr4;
  own.efer = system.efer;
  own.pdptes[2 * index] = low;
  own.pdptes[2 * index + 1] = high;
  return translate(memory, own, linear, access, setFlags, out, visit, 0, mode);
}
