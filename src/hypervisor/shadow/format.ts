/**
 * Shadow tables have the form of the guest's own paging, so that the processor finds in them what it would find in the guest's:
 * 32-bit, PAE or 4-level; 32-bit for a guest without paging. All pages are of 4 KiB.
 * Spec: SDM Vol. 3A, "32-Bit Paging", "PAE Paging", "4-Level Paging".
 */
import type { PagingState } from "../../hardware/cpu/paging.js";
import { type Level, type PagingMode, PTE, pagingMode, XD } from "../../hardware/cpu/paging-levels.js";
import { CR0, CR4, EFER } from "../../hardware/cpu/state.js";
import type { Rights } from "./state.js";

/** What the frames of a VM are given as. */
const FRAME = 0xffff_f000;

export const isPaged = ({ cr0 }: PagingState): boolean => (cr0 & CR0.PG) !== 0;

/** The form of the shadow tables. */
export const formatOf = (system: PagingState): PagingMode =>
  isPaged(system) ? pagingMode(system) : pagingMode({ model: system.model, cr4: 0, efer: 0 });

export function levelOf({ first }: PagingMode, level: number): Level {
  let step = first;
  while (step.level > level) step = step.next;
  return step;
}

/** What all entries depend on beside the guest's tables: where it changes, they are worth nothing. */
export function contextOf(system: PagingState, a20: boolean): string {
  if (!isPaged(system)) return `flat ${a20}`;
  const cr4 = system.cr4 & (CR4.PSE | CR4.PAE | CR4.SMEP | CR4.SMAP);
  return `${formatOf(system).name} ${cr4} ${system.cr0 & CR0.WP} ${system.efer & EFER.NXE} ${a20}`;
}

export const ALL: Rights = Object.freeze({ bits: PTE.W | PTE.U, noExecute: false });

/** The rights that an entry leaves of those above it. */
export const below = ({ bits, noExecute }: Rights, low: number, high: number): Rights => ({
  bits: bits & low,
  noExecute: noExecute || high < 0,
});

/** An entry that leads to a table. Rights are in the entries of pages alone. */
export const link = (host: number): number => (host | PTE.P | PTE.W | PTE.U | PTE.A) >>> 0;

export const frameOf = (low: number): number => (low & FRAME) >>> 0;

/** The words of a page's entry. */
export function pageEntry(host: number, bits: number, noExecute: boolean): readonly [low: number, high: number] {
  return [(host | PTE.P | PTE.A | PTE.D | bits) >>> 0, noExecute ? XD >>> 0 : 0];
}
