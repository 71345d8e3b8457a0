/**
 * Random guests in a small memory: nested tables in frames 0 to 3, a frame for each level, and frames 4 to 7, which the
 * nested tables mostly lead to, for the guest's own tables. Each kind of table repeats a few entries, so that a walk meets
 * them wherever it goes.
 */
import fc from "fast-check";
import { extendedPaging, hostPaging, type NestedPaging } from "./nested-paging.js";
import type { Access, PagingState } from "./paging.js";
import { CR0, CR4, EFER } from "./state.js";

const WORDS_PER_FRAME = 1024;
type Entry = readonly [low: number, high: number];

/** Bits, each set with its own chance in percent. */
const chances = (...percent: number[]): fc.Arbitrary<number> =>
  fc
    .tuple(...percent.map((chance) => fc.nat(99).map((drawn) => drawn < chance)))
    .map((bits) => bits.reduce((value, on, index) => value | (Number(on) << index), 0));
const rarely = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, weight = 24): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd });
const frameIn = (low: number, high: number): fc.Arbitrary<number> =>
  fc.integer({ min: low, max: high }).map((frame) => frame << 12);
const oddHigh = fc.constantFrom(1, 0x10, 0x100, 0x80000, 0x100000, 0x40000000, -1);
const few = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 1, maxLength: 5 });

/** An entry of level 4 to 1 of the extended tables; the table of the next level is in the next frame. */
function extendedEntry(level: number): fc.Arbitrary<Entry> {
  const rights = rarely(fc.constant(7), fc.nat(7), 6);
  const flags = chances(0, 0, 0, 0, 0, 0, 0, 0, 60, 40, 10, 10);
  const high = rarely(fc.constant(0), oddHigh);
  const toTable = fc
    .tuple(rights, flags, frameIn(5 - level, 5 - level), rarely(fc.constant(0), fc.constantFrom(8, 0x40, 0x80)), high)
    .map(([right, flag, base, odd, above]): Entry => [right | flag | base | odd, above]);
  const type = rarely(fc.constant(6), fc.nat(7), 8).map((value) => value << 3);
  const span = { 1: 12, 2: 21, 3: 30 }[level] ?? 12;
  const base =
    level === 1
      ? rarely(
          frameIn(4, 7),
          fc.nat(63).map((frame) => frame << 12),
        )
      : fc.nat(3).map((page) => page << span);
  const odd = level === 1 ? fc.constantFrom(0x40, 0x80) : fc.constantFrom(0x1000, 0x100000, 0x40);
  const toPage = fc
    .tuple(rights, flags, base, type, rarely(fc.constant(0), odd), high)
    .map(
      ([right, flag, where, kind, strange, above]): Entry => [
        right | flag | where | kind | strange | (level === 1 ? 0 : 0x80),
        above,
      ],
    );
  if (level === 1) return toPage;
  return level === 4 ? toTable : fc.oneof({ weight: 5, arbitrary: toTable }, { weight: 1, arbitrary: toPage });
}

/** An entry of ordinary page tables: present, writable and the user's for the most part. */
function ordinaryEntry(base: fc.Arbitrary<number>, wide: boolean, largePercent: number): fc.Arbitrary<Entry> {
  const high = wide
    ? fc.oneof(
        { weight: 12, arbitrary: fc.constant(0) },
        { weight: 2, arbitrary: fc.constant(1 << 31) },
        { weight: 1, arbitrary: oddHigh },
      )
    : fc.constant(0);
  const flags = chances(97, 90, 92, 10, 10, 60, 40, 0, 20);
  const small = fc.tuple(flags, base, high).map(([flag, where, above]): Entry => [flag | where, above]);
  const large = fc
    .tuple(flags, fc.nat(3), high)
    .map(([flag, page, above]): Entry => [flag | 0x80 | (page << 21), above]);
  if (largePercent === 0) return small;
  return fc.oneof({ weight: 100 - largePercent, arbitrary: small }, { weight: largePercent, arbitrary: large });
}

/** A pointer-table entry of PAE paging. */
const pointerEntry = (base: fc.Arbitrary<number>): fc.Arbitrary<Entry> =>
  fc
    .tuple(rarely(fc.constant(1), fc.constantFrom(0, 3, 0x21)), base, rarely(fc.constant(0), oddHigh))
    .map(([flag, where, above]): Entry => [flag | where, above]);

function fill(words: Int32Array, frame: number, wide: boolean, entries: readonly Entry[]): void {
  for (let index = 0; index < WORDS_PER_FRAME; index++) {
    const [low, high] = entries[((wide ? index >> 1 : index) * 5 + frame) % entries.length]!;
    words[frame * WORDS_PER_FRAME + index] = wide && index % 2 === 1 ? high : low;
  }
}

/** The last four entries of a frame are a pointer table. */
const POINTERS = 0xfe0;

function fillPointers(words: Int32Array, frame: number, entries: readonly Entry[]): void {
  const at = (frame * 4096 + POINTERS) / 4;
  for (let index = 0; index < 4; index++) words.set(entries[index]!, at + 2 * index);
}

export type Mode = "plain" | "pse" | "pae" | "long";
const modeBits = { plain: 0, pse: CR4.PSE, pae: CR4.PAE, long: CR4.PAE } as const;
const controls = (mode: Mode, nxe: boolean) => ({
  cr4: modeBits[mode],
  efer: (nxe ? EFER.NXE : 0) | (mode === "long" ? EFER.LME | EFER.LMA : 0),
});

/** What the host's side of a case is. */
export interface Host {
  readonly name: "ept" | Mode;
  readonly nested: NestedPaging;
  /** The EPT pointer. */
  readonly pointer: bigint;
  /** The host's paging, for AMD-V. */
  readonly state: PagingState;
  readonly fill: (words: Int32Array) => void;
}

const noState: PagingState = { model: "max", cr0: 0, cr3: 0, cr4: 0, efer: 0, pdptes: [] };

export const extendedHost: fc.Arbitrary<Host> = fc
  .record({
    levels: fc.tuple(...[4, 3, 2, 1].map((level) => few(extendedEntry(level)))),
    accessedDirty: fc.boolean(),
    above: rarely(fc.constant(0n), fc.constant(1n << 35n), 40),
  })
  .map(({ levels, accessedDirty, above }): Host => {
    const pointer = 0x1en | above | (accessedDirty ? 64n : 0n);
    return {
      ...{ name: "ept", pointer, state: noState },
      nested: extendedPaging("max", pointer),
      fill: (words) => {
        for (const [frame, entries] of levels.entries()) fill(words, frame, true, entries);
      },
    };
  });

export const ordinaryHost: fc.Arbitrary<Host> = fc
  .constantFrom<Mode>("plain", "pse", "pae", "long", "long")
  .chain((mode) => {
    const wide = mode === "pae" || mode === "long";
    const depth = { plain: 2, pse: 2, pae: 3, long: 4 }[mode];
    const level = (frame: number): fc.Arbitrary<Entry> => {
      if (mode === "pae" && frame === 0) return pointerEntry(frameIn(1, 1));
      const last = frame === depth - 1;
      const base = last
        ? rarely(
            frameIn(4, 7),
            fc.nat(63).map((one) => one << 12),
          )
        : frameIn(frame + 1, frame + 1);
      return ordinaryEntry(base, wide, last || frame === 0 ? 2 : 15);
    };
    return fc
      .record({
        nxe: fc.boolean(),
        levels: fc.tuple(...Array.from({ length: depth }, (_, frame) => few(level(frame)))),
        pointers: fc.array(pointerEntry(frameIn(1, 1)), { minLength: 4, maxLength: 4 }),
        offset: fc.constantFrom(0, POINTERS),
      })
      .map(({ nxe, levels, pointers, offset }): Host => {
        const state: PagingState = {
          ...{ model: "phenom", cr0: CR0.PG | CR0.PE, pdptes: [] },
          ...{ ...controls(mode, nxe), cr3: mode === "pae" ? offset : 0 },
        };
        return {
          ...{ name: mode, pointer: 0n, state },
          nested: hostPaging("phenom", state),
          fill: (words) => {
            for (const [frame, entries] of levels.entries()) fill(words, frame, wide, entries);
            if (mode === "pae") fillPointers(words, 0, pointers);
          },
        };
      });
  });

/** The guest's side. */
export interface Guest {
  readonly mode: Mode | "off";
  readonly state: PagingState;
  readonly fill: (words: Int32Array) => void;
}

export const guest: fc.Arbitrary<Guest> = fc
  .constantFrom<Mode | "off">("plain", "pse", "pae", "pae", "long", "long", "off")
  .chain((mode) => {
    const wide = mode === "pae" || mode === "long";
    const base = rarely(
      frameIn(0, 3),
      fc.nat(0xfff).map((frame) => frame << 12),
      12,
    );
    return fc
      .record({
        nxe: fc.boolean(),
        wp: fc.boolean(),
        smap: fc.boolean(),
        entries: few(ordinaryEntry(base, wide, 5)),
        pointers: fc.array(pointerEntry(base), { minLength: 4, maxLength: 4 }),
        cr3: frameIn(0, 3),
        above: rarely(fc.constant(0), fc.constant(2 ** 33)),
      })
      .map(({ nxe, wp, smap, entries, pointers, cr3, above }): Guest => {
        const { cr4, efer } = mode === "off" ? { cr4: 0, efer: 0 } : controls(mode, nxe);
        const cr3Of = { off: 0, plain: cr3, pse: cr3, pae: cr3 + POINTERS, long: cr3 + above }[mode];
        const state: PagingState = {
          ...{ model: "max", cr3: cr3Of, cr4: cr4 | (smap ? CR4.SMAP : 0), efer },
          cr0: CR0.PE | (mode === "off" ? 0 : CR0.PG) | (wp ? CR0.WP : 0),
          pdptes: mode === "pae" ? pointers.flat() : [],
        };
        return {
          ...{ mode, state },
          fill: (words) => {
            for (let frame = 4; frame < 8; frame++) {
              fill(words, frame, wide, entries);
              if (mode === "pae") fillPointers(words, frame, pointers);
            }
          },
        };
      });
  });

/** Of 32 bits and up to 40. */
export const address = fc.oneof(
  fc.nat(0xffff),
  fc.integer().map((value) => value >>> 0),
  fc.constantFrom(0, 0xfff, 0x1000, 0x1fffff, 0x200000, 0x3fffffff, 0x40000000, 0xffffffff),
  fc.maxSafeNat().map((value) => Math.floor(value / 2 ** 13)),
  fc.constantFrom(2 ** 32, 2 ** 39 - 1, 2 ** 39),
);
export const access = fc
  .record({ kind: fc.constantFrom("read", "write", "fetch"), user: fc.boolean(), ac: fc.boolean() })
  .map(({ kind, user, ac }): Access => ({ write: kind === "write", fetch: kind === "fetch", user, ac }));

/** Host-physical end of the nested tables. */
export const END_OF_NESTED_TABLES = 0x4000;

export function wordsOf(...fillers: readonly { fill(words: Int32Array): void }[]): Int32Array {
  const words = new Int32Array(8 * WORDS_PER_FRAME);
  for (const { fill: fillOne } of fillers) fillOne(words);
  return words;
}
