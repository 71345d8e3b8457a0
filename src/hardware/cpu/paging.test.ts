// The page walk against one that is written from the manual's tables a second time: in bigints, one paging mode after
// the other, and without a thought for speed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { modelNames } from "./model.js";
import { type Expected, naivePaging } from "./naive-paging.test-helper.js";
import { walk } from "./page-walk.js";
import { type Access, newTranslation, type PagingState, readsThrough, translate } from "./paging.js";
import { TableMemory } from "./paging.test-helper.js";
import { modesOf, type PagingFeatures, type PagingMode, pagingFeatures } from "./paging-levels.js";
import { CR0, CR4, EFER } from "./state.js";

/** Tables lie in the first frames; above them there is nothing. */
const FRAMES = 4;
const WORDS = FRAMES * 1024;

type Rest = Parameters<typeof naivePaging> extends [unknown, ...infer R] ? R : never;
const naive = (words: Int32Array, ...rest: Rest): Expected =>
  naivePaging((at) => (at < 4n * BigInt(WORDS) ? BigInt(words[Number(at) / 4]! >>> 0) : 0xffffffffn), ...rest);

/** Flags of an entry: mostly present, writable and for the user. */
const flags = fc
  .tuple(
    ...[0.95, 0.85, 0.8, 0.1, 0.1, 0.5, 0.5, 0.25, 0.2].map((chance) =>
      fc.nat(99).map((percent) => percent < chance * 100),
    ),
  )
  .map((bits) => bits.reduce((value, on, number) => value | (Number(on) << number), 0));
/** Bits 9 to 31: a frame of tables, a large page, or anything. */
const base = fc.oneof(
  { weight: 6, arbitrary: fc.nat(FRAMES - 1).map((frame) => frame << 12) },
  { weight: 3, arbitrary: fc.nat(1023).map((number) => number << 21) },
  { weight: 1, arbitrary: fc.nat(3).map((number) => number << 30) },
  // Addresses of 40 bits in an entry for 4 MiB, and PAT.
  { weight: 1, arbitrary: fc.nat(0x1ff).map((bits) => bits << 12) },
  { weight: 1, arbitrary: fc.integer().map((value) => value & ~0x1ff) },
);
const high = fc.oneof(
  { weight: 12, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.constant(1 << 31) },
  { weight: 1, arbitrary: fc.nat(15) },
  { weight: 1, arbitrary: fc.constantFrom(0x10, 0x80, 0x100, 0x80000, 0x100000, 0x40000000, -1, 0x7fffffff) },
);
const entry = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(flags, base, high).map(([low, where, above]) => [low | where, above] as const),
  },
  // A large page above 4 GiB.
  {
    weight: 1,
    arbitrary: fc
      .tuple(flags, fc.nat(3), fc.nat(15))
      .map(([low, where, above]) => [low | 0x81 | (where << 30), above] as const),
  },
);

/** Tables that repeat a few entries, so that a walk meets them wherever it goes. */
const tables = fc.array(entry, { minLength: 1, maxLength: 7 }).map((entries) => (wide: boolean): Int32Array => {
  const words = new Int32Array(WORDS);
  for (let index = 0; index < WORDS; index++) {
    const [low, above] = entries[((wide ? index >> 1 : index) * 5 + (index >> 10)) % entries.length]!;
    words[index] = wide && index % 2 === 1 ? above : low;
  }
  return words;
});

const frame = fc.nat(FRAMES - 1).map((number) => number << 12);
const features = fc.record({
  physicalBits: fc.constantFrom(36, 40, 46, 52),
  pse36: fc.boolean(),
  pat: fc.boolean(),
  gigabytePages: fc.boolean(),
});

interface Case {
  readonly state: PagingState;
  readonly features: PagingFeatures;
  readonly mode: PagingMode;
}

const setting = fc
  .record({
    features,
    wp: fc.boolean(),
    cr3: fc.oneof({ weight: 30, arbitrary: frame }, { weight: 1, arbitrary: frame.map((low) => 2 ** 36 + low) }),
    kind: fc.constantFrom("plain", "pse", "pae", "pae", "long", "long"),
    nxe: fc.boolean(),
    smep: fc.boolean(),
    smap: fc.boolean(),
    pdptes: fc.array(
      fc
        .tuple(fc.nat(9), frame, fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.nat(15)))
        .map(([missing, low, above]) => [low | Number(missing !== 0), above]),
      { minLength: 4, maxLength: 4 },
    ),
  })
  .map(({ features: has, wp, cr3, kind, nxe, smep, smap, pdptes }): Case => {
    const bits = { plain: CR4.PGE, pse: CR4.PSE, pae: CR4.PAE | CR4.PSE, long: CR4.PAE }[kind]!;
    const modes = modesOf(has);
    const state: PagingState = {
      model: "pentium2",
      cr0: CR0.PG | CR0.PE | (wp ? CR0.WP : 0),
      cr3: kind === "long" ? cr3 : cr3 | 0,
      cr4: bits | (smep ? CR4.SMEP : 0) | (smap ? CR4.SMAP : 0),
      efer: (nxe ? EFER.NXE : 0) | (kind === "long" ? EFER.LME | EFER.LMA : 0),
      pdptes: kind === "pae" ? pdptes.flat() : [],
    };
    const executeDisable = nxe ? 1 : 0;
    const mode = {
      plain: modes.plain,
      pse: modes.pse,
      pae: modes.pae[executeDisable],
      long: modes.long[executeDisable],
    };
    return { features: has, state, mode: mode[kind as keyof typeof mode] };
  });

const edges = [0, 0xfff, 0x1000, 0x1fffff, 0x200000, 0x3fffff, 0x400000, 0x3fffffff, 0x40000000, 0xffffffff];
/** Of 32 bits, and canonical addresses of both halves. */
const linearAddress = fc.oneof(
  fc.integer().map((value) => value >>> 0),
  fc.constantFrom(...edges),
  fc.maxSafeInteger().map((value) => Math.floor(value / 2 ** 6)),
  fc.constantFrom(-1, -0x1000, -0x7f000000, -(2 ** 39), -(2 ** 47), 2 ** 39 - 1, 2 ** 47 - 1),
);
const within = ({ mode }: Case, address: number): number => (mode.long ? address : address >>> 0);
const access = fc
  .record({ kind: fc.constantFrom("read", "write", "fetch"), user: fc.boolean(), ac: fc.boolean() })
  .map(({ kind, user, ac }): Access => ({ write: kind === "write", fetch: kind === "fetch", user, ac }));

const different = (written: readonly (readonly [number, number])[]): readonly string[] => [
  ...new Set(written.map(([at, value]) => `${at}: ${value}`)),
];

const translated = (memory: TableMemory, { state, mode }: Case, linear: number, how: Access, setFlags: boolean) =>
  translate(memory, state, linear, how, setFlags, newTranslation(), undefined, 0, mode);

describe("a page walk", () => {
  it("finds the physical address, the error code and the flags to set that the manual's tables give", () => {
    const seen: Record<string, number> = {};
    const count = (what: string): void => {
      seen[what] = (seen[what] ?? 0) + 1;
    };
    fc.assert(
      fc.property(tables, setting, linearAddress, access, (make, of, address, how) => {
        const words = make(of.mode.wide);
        const linear = within(of, address);
        const expected = naive(words, of.state, of.features, linear, how);
        const memory = new TableMemory(words.slice());
        const { physical, errorCode, userPage } = translated(memory, of, linear, how, true);
        expect(different(memory.written)).toEqual(different(expected.written));
        if (expected.physical === undefined) {
          expect([physical, errorCode]).toEqual([-1, expected.errorCode]);
          count(`${of.mode.name} #PF(${errorCode & 9})${how.fetch ? " of a fetch" : ""}`);
          return;
        }
        expect([physical, errorCode]).toEqual([Number(expected.physical), 0]);
        if (how.user) expect(userPage).toBe(true);
        count(`${of.mode.name} page${expected.physical < 2n ** 32n ? "" : " above 4 GiB"}`);
        if (expected.written.length > 0) count(`${of.mode.name} flags`);
        if (expected.written.length > 2) count("flags of many tables");
      }),
      { seed: 7, numRuns: 8000 },
    );
    // A property that never meets its cases says nothing.
    const met = ["32-bit", "PAE", "4-level"].flatMap((mode) => [
      ...["page", "page above 4 GiB", "flags"].map((what) => `${mode} ${what}`),
      ...[0, 1, 9].flatMap((code) => [`${mode} #PF(${code})`, `${mode} #PF(${code}) of a fetch`]),
    ]);
    for (const name of [...met, "flags of many tables"]) expect(seen[name] ?? 0, name).toBeGreaterThan(10);
  });

  it("as a value comes to the same, in the modes of each model", () => {
    fc.assert(
      fc.property(
        tables,
        setting,
        linearAddress,
        access,
        fc.constantFrom(...modelNames),
        (make, of, at, how, model) => {
          const state = { ...of.state, model };
          const words = make(of.mode.wide);
          const linear = within(of, at);
          const expected = naive(words, state, pagingFeatures[model], linear, how);
          const shown = walk(new TableMemory(words), state, linear, how);
          expect(shown.linear).toBe(linear);
          expect(shown.fault?.errorCode).toBe(expected.errorCode);
          expect(shown.physical).toBe(expected.physical === undefined ? undefined : Number(expected.physical));
          if (expected.physical !== undefined)
            expect(shown.entries.at(-1)).toMatchObject({ leaf: true, present: true });
        },
      ),
      { seed: 11, numRuns: 2000 },
    );
  });

  it("gives the same from the directory entry that a walk for the same range gave before", () => {
    const remembered: Record<string, number> = {};
    fc.assert(
      fc.property(
        ...([tables, setting, linearAddress, fc.nat(0x3fffff), access, access] as const),
        (make, of, address, offset, a, b) => {
          const memory = new TableMemory(make(of.mode.wide));
          const first = within(of, address);
          const { directoryEntry } = translated(memory, of, first, a, true);
          if (directoryEntry === 0) return;
          remembered[of.mode.name] = (remembered[of.mode.name] ?? 0) + 1;
          const range = 2 ** of.mode.rangeShift;
          const second = Math.floor(first / range) * range + (offset % range);
          const { state, mode } = of;
          const short = translate(memory, state, second, b, false, newTranslation(), undefined, directoryEntry, mode);
          const { physical, errorCode, userPage } = translated(memory, of, second, b, false);
          expect(short).toMatchObject(physical < 0 ? { physical, errorCode } : { physical, errorCode, userPage });
        },
      ),
      { seed: 9, numRuns: 5000 },
    );
    for (const name of ["32-bit", "PAE", "4-level"]) expect(remembered[name] ?? 0, name).toBeGreaterThan(50);
  });

  it("of a read finds what an accessed entry says, where nothing is to be set or refused", () => {
    const plain: Record<string, number> = {};
    fc.assert(
      fc.property(tables, setting, linearAddress, access, (make, of, address, how) => {
        const words = make(of.mode.wide);
        const linear = within(of, address);
        const reading = { ...how, write: false, fetch: false };
        const { directoryEntry } = translated(new TableMemory(words.slice()), of, linear, reading, true);
        if (directoryEntry === 0) return;
        const memory = new TableMemory(words.slice());
        const { shift, mask } = of.mode.last;
        const at = ((directoryEntry & 0xfffff000) >>> 0) + ((linear >>> shift) & mask);
        const above = of.mode.wide ? memory.read32(at + 4) : 0;
        const smap = (of.state.cr4 & CR4.SMAP) !== 0 && !how.ac;
        if (!readsThrough(of.mode, directoryEntry, memory.read32(at), above, how.user, smap)) return;
        plain[of.mode.name] = (plain[of.mode.name] ?? 0) + 1;
        const { physical } = translated(memory, of, linear, reading, true);
        expect(physical).toBe(((memory.read32(at) & 0xfffff000) | (linear & 0xfff)) >>> 0);
        expect(memory.written.every(([place]) => place !== at)).toBe(true);
      }),
      { seed: 10, numRuns: 5000 },
    );
    for (const name of ["32-bit", "PAE", "4-level"]) expect(plain[name] ?? 0, name).toBeGreaterThan(30);
  });

  it("leaves memory alone without the order to set flags", () => {
    fc.assert(
      fc.property(tables, setting, linearAddress, access, (make, of, address, how) => {
        const memory = new TableMemory(make(of.mode.wide));
        const linear = within(of, address);
        const { physical, errorCode } = translated(memory, of, linear, how, false);
        expect(memory.written).toEqual([]);
        expect(translated(memory, of, linear, how, true)).toMatchObject({ physical, errorCode });
        // A second access finds all flags set.
        memory.written.length = 0;
        translated(memory, of, linear, how, true);
        expect(memory.written).toEqual([]);
      }),
      { seed: 8, numRuns: 2000 },
    );
  });
});
