/**
 * The page walk, written from the manual's tables a second time: in bigints, one paging mode after the other, and without a
 * thought for speed.
 */
import type { Access, PagingState } from "./paging.js";
import type { PagingFeatures } from "./paging-levels.js";
import { CR0, CR4, EFER } from "./state.js";

export interface Expected {
  readonly physical?: bigint;
  readonly errorCode?: number;
  /** Of a page whose rights refuse the access: what its entries allow to the user, as r, w and x. */
  readonly rights?: string;
  /** Accessed and dirty flags, in the order in which they are set. An entry may stand for several levels. */
  readonly written: readonly [address: number, value: number][];
}

/** An entry with its address, and whether it is the page. */
type Entry = readonly [at: bigint, entry: bigint];

export const bit = (value: bigint, number: number): boolean => ((value >> BigInt(number)) & 1n) === 1n;
/** Bits `high` to `low`, in their place. */
export const field = (value: bigint, high: number, low: number): bigint =>
  high < low ? 0n : value & ((1n << BigInt(high + 1)) - (1n << BigInt(low)));

/** The walk as the manual tells it; `word` is an unsigned dword of memory. */
export function naivePaging(
  word: (at: bigint) => bigint,
  state: PagingState,
  { physicalBits: width, pse36, pat, gigabytePages }: PagingFeatures,
  address: number,
  { write, user, fetch, ac }: Access,
  onDemand = false,
): Expected {
  const linear = BigInt.asUintN(64, BigInt(address));
  const double = (at: bigint): bigint => word(at) | (word(at + 4n) << 32n);
  const wp = (state.cr0 & CR0.WP) !== 0;
  const smep = (state.cr4 & CR4.SMEP) !== 0;
  const smap = (state.cr4 & CR4.SMAP) !== 0;
  const long = (state.efer & EFER.LMA) !== 0;
  const wide = long || (state.cr4 & CR4.PAE) !== 0;
  const nxe = wide && (state.efer & EFER.NXE) !== 0;
  const fault = (present: boolean, reserved = false): Expected => ({
    errorCode:
      (present ? 1 : 0) + (write ? 2 : 0) + (user ? 4 : 0) + (reserved ? 8 : 0) + (fetch && (smep || nxe) ? 16 : 0),
    written: [],
  });
  const refused = (entries: readonly Entry[]): boolean => {
    const userMode = entries.every(([, entry]) => bit(entry, 2));
    const writable = entries.every(([, entry]) => bit(entry, 1));
    const disabled = nxe && entries.some(([, entry]) => bit(entry, 63));
    if (user) return !userMode || (write && !writable) || (fetch && disabled);
    if (fetch) return disabled || (userMode && smep);
    return (write && wp && !writable) || (userMode && smap && !ac);
  };
  const allowed = (entries: readonly Entry[]): string => {
    if (!entries.every(([, entry]) => bit(entry, 2))) return "";
    const disabled = nxe && entries.some(([, entry]) => bit(entry, 63));
    return `r${entries.every(([, entry]) => bit(entry, 1)) ? "w" : ""}${disabled ? "" : "x"}`;
  };
  /** The flags that are missing; the entry of the page comes last. */
  const marked = (entries: readonly Entry[]): [number, number][] =>
    entries.flatMap(([at, entry], index) => {
      const dirty = index === entries.length - 1 && write;
      const after = entry | 0x20n | (dirty ? 0x40n : 0n);
      return after === entry ? [] : [[Number(at), Number(BigInt.asIntN(32, after))]];
    });
  const found = (entries: readonly Entry[], page: bigint, offset: number): Expected =>
    refused(entries)
      ? { ...fault(true), rights: allowed(entries) }
      : { physical: page | field(linear, offset, 0), written: marked(entries) };

  if (wide) {
    const reserved = (entry: bigint): boolean => field(entry, long ? 51 : 62, width) !== 0n || (!nxe && bit(entry, 63));
    const entries: Entry[] = [];
    let table: bigint;
    if (long) {
      const at = field(BigInt(state.cr3), 51, 12) | (((linear >> 39n) & 511n) << 3n);
      const pml4e = double(at);
      if (!bit(pml4e, 0)) return fault(false);
      if (reserved(pml4e) || bit(pml4e, 7)) return fault(true, true);
      entries.push([at, pml4e]);
      const pdpteAt = field(pml4e, 51, 12) | (((linear >> 30n) & 511n) << 3n);
      const pdpte = double(pdpteAt);
      if (!bit(pdpte, 0)) return fault(false);
      if (reserved(pdpte) || (bit(pdpte, 7) && !gigabytePages)) return fault(true, true);
      entries.push([pdpteAt, pdpte]);
      if (bit(pdpte, 7)) {
        if (field(pdpte, 29, pat ? 13 : 12) !== 0n) return fault(true, true);
        return found(entries, field(pdpte, 51, 30), 29);
      }
      table = field(pdpte, 51, 12);
    } else {
      const pointer = Number(linear >> 30n);
      const register = (half: number): bigint => BigInt(state.pdptes[2 * pointer + half]! >>> 0);
      const inMemory = field(BigInt(state.cr3 >>> 0), 31, 5) + 8n * BigInt(pointer);
      const pdpte = onDemand ? double(inMemory) : register(0) | (register(1) << 32n);
      if (!bit(pdpte, 0)) return fault(false);
      const must0 = field(pdpte, 2, 1) | field(pdpte, 8, 5) | field(pdpte, 63, width);
      if (onDemand && must0 !== 0n) return fault(true, true);
      table = field(pdpte, 51, 12);
    }
    const pdeAt = table | (((linear >> 21n) & 511n) << 3n);
    const pde = double(pdeAt);
    if (!bit(pde, 0)) return fault(false);
    if (reserved(pde)) return fault(true, true);
    entries.push([pdeAt, pde]);
    if (bit(pde, 7)) {
      if (field(pde, 20, pat ? 13 : 12) !== 0n) return fault(true, true);
      return found(entries, field(pde, 51, 21), 20);
    }
    const pteAt = field(pde, 51, 12) | (((linear >> 12n) & 511n) << 3n);
    const pte = double(pteAt);
    if (!bit(pte, 0)) return fault(false);
    if (reserved(pte) || (bit(pte, 7) && !pat)) return fault(true, true);
    return found([...entries, [pteAt, pte]], field(pte, 51, 12), 11);
  }

  const pse = (state.cr4 & CR4.PSE) !== 0;
  const pdeAt = field(BigInt(state.cr3 >>> 0), 31, 12) | ((linear >> 22n) << 2n);
  const pde = word(pdeAt);
  if (!bit(pde, 0)) return fault(false);
  if (pse && bit(pde, 7)) {
    const most = Math.min(40, width);
    if (field(pde, 21, pse36 ? most - 19 : 13) !== 0n || (bit(pde, 12) && !pat)) return fault(true, true);
    return found([[pdeAt, pde]], field(pde, 31, 22) | ((field(pde, 20, 13) >> 13n) << 32n), 21);
  }
  const pteAt = field(pde, 31, 12) | (((linear >> 12n) & 1023n) << 2n);
  const pte = word(pteAt);
  if (!bit(pte, 0)) return fault(false);
  if (pse && bit(pte, 7) && !pat) return fault(true, true);
  return found(
    [
      [pdeAt, pde],
      [pteAt, pte],
    ],
    field(pte, 31, 12),
    11,
  );
}
