/** Translation by EPT, from the manual's tables: in bigints, level after level, and without a thought for speed. */
import type { EptFeatures } from "./ept-levels.js";
import { bit, field } from "./naive-paging.test-helper.js";

export interface ExpectedEpt {
  readonly physical?: bigint;
  readonly misconfigured?: boolean;
  /** Of a violation: what all entries together allow, as r, w and x. */
  readonly rights?: string;
  /** Accessed and dirty flags. */
  readonly written: readonly [address: number, value: number][];
}

/** `word` is an unsigned dword of host-physical memory. `access` is r, w or x. */
export function naiveEpt(
  word: (at: bigint) => bigint,
  pointer: bigint,
  { physicalBits: width, gigabytePages, executeOnly }: EptFeatures,
  guestPhysical: bigint,
  access: "r" | "w" | "x",
): ExpectedEpt {
  const entries: (readonly [at: bigint, entry: bigint])[] = [];
  const misconfigured: ExpectedEpt = { misconfigured: true, written: [] };
  const rights = (): string =>
    [..."rwx"].filter((_, right) => entries.every(([, entry]) => bit(entry, right))).join("");
  /** An entry; `pageBit` is the lowest bit of the address if it is a page, and undefined if it cannot be one. */
  const next = (base: bigint, shift: bigint, pageBit: number | undefined, last = false): ExpectedEpt | bigint => {
    const at = base | (((guestPhysical >> shift) & 511n) << 3n);
    const entry = word(at) | (word(at + 4n) << 32n);
    entries.push([at, entry]);
    const allowed = entry & 7n;
    if (allowed === 0n) return { rights: "", written: [] };
    if (allowed === 2n || allowed === 6n || (allowed === 4n && !executeOnly)) return misconfigured;
    if (field(entry, 51, width) !== 0n) return misconfigured;
    const isPage = last || (pageBit !== undefined && bit(entry, 7));
    if (!isPage) {
      if (field(entry, 6, 3) !== 0n || bit(entry, 7)) return misconfigured;
      return field(entry, 51, 12);
    }
    const type = (entry >> 3n) & 7n;
    if (type === 2n || type === 3n || type === 7n) return misconfigured;
    if (field(entry, pageBit! - 1, 12) !== 0n) return misconfigured;
    if (!rights().includes(access)) return { rights: rights(), written: [] };
    const written = bit(pointer, 6)
      ? entries.flatMap(([place, old], index): [number, number][] => {
          const dirty = index === entries.length - 1 && access === "w";
          const after = old | 0x100n | (dirty ? 0x200n : 0n);
          return after === old ? [] : [[Number(place), Number(BigInt.asIntN(32, after))]];
        })
      : [];
    return { physical: field(entry, 51, pageBit!) | field(guestPhysical, pageBit! - 1, 0), written };
  };
  let found: ExpectedEpt | bigint = next(field(pointer, 51, 12), 39n, undefined);
  if (typeof found === "bigint") found = next(found, 30n, gigabytePages ? 30 : undefined);
  if (typeof found === "bigint") found = next(found, 21n, 21);
  if (typeof found === "bigint") found = next(found, 12n, 12, true);
  return found as ExpectedEpt;
}
