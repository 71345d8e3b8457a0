// The page walk against one that is written from the manual's tables a second time: in bigints, one paging mode after
// the other, and without a thought for speed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Access, type PagingState, type PhysicalMemory, readsThrough, translate, walk } from "./paging.js";
import { CR0, CR4 } from "./state.js";

/** Tables lie in the first 16 frames; above them there is nothing. */
const FRAMES = 16;
const WORDS = FRAMES * 1024;
const LARGEST_RAM = 3 * 2 ** 30;

class Memory implements PhysicalMemory {
  readonly written: [address: number, value: number][] = [];

  constructor(readonly words: Int32Array) {}

  read32(physical: number): number {
    return physical < 4 * WORDS ? this.words[physical / 4]! : -1;
  }

  write32(physical: number, value: number): void {
    this.written.push([physical, value | 0]);
    if (physical < 4 * WORDS) this.words[physical / 4] = value;
  }
}

interface Expected {
  readonly physical?: bigint;
  readonly errorCode?: number;
  /** Accessed and dirty flags, in the order in which they are set. */
  readonly written: readonly [address: number, value: number][];
}

const bit = (value: bigint, number: number): boolean => ((value >> BigInt(number)) & 1n) === 1n;
/** Bits `high` to `low`, in their place. */
const field = (value: bigint, high: number, low: number): bigint =>
  value & ((1n << BigInt(high + 1)) - (1n << BigInt(low)));

/** The walk as the manual tells it. */
function naive(words: Int32Array, state: PagingState, address: number, access: Access): Expected {
  const linear = BigInt(address);
  const word = (at: bigint): bigint => (at < 4n * BigInt(WORDS) ? BigInt(words[Number(at) / 4]! >>> 0) : 0xffffffffn);
  const double = (at: bigint): bigint => word(at) | (word(at + 4n) << 32n);
  const fault = (present: boolean, reserved = false): Expected => ({
    errorCode: Number(present) + 2 * Number(access.write) + 4 * Number(access.user) + 8 * Number(reserved),
    written: [],
  });
  const wp = (state.cr0 & CR0.WP) !== 0;
  const refused = (entries: readonly bigint[]): boolean =>
    (access.user && !entries.every((entry) => bit(entry, 2))) ||
    (access.write && (access.user || wp) && !entries.every((entry) => bit(entry, 1)));
  /** The flags that are missing; the entry of the page comes last. */
  const marked = (entries: readonly (readonly [at: bigint, entry: bigint])[]): [number, number][] =>
    entries.flatMap(([at, entry], index) => {
      const dirty = index === entries.length - 1 && access.write;
      const after = entry | 0x20n | (dirty ? 0x40n : 0n);
      return after === entry ? [] : [[Number(at), Number(BigInt.asIntN(32, after))]];
    });

  if ((state.cr4 & CR4.PAE) !== 0) {
    const pointer = linear >> 30n;
    const pdpte =
      BigInt(state.pdptes[2 * Number(pointer)]! >>> 0) | (BigInt(state.pdptes[2 * Number(pointer) + 1]! >>> 0) << 32n);
    if (!bit(pdpte, 0)) return fault(false);
    const pdeAt = field(pdpte, 35, 12) | (((linear >> 21n) & 511n) << 3n);
    const pde = double(pdeAt);
    if (!bit(pde, 0)) return fault(false);
    if (field(pde, 63, 36) !== 0n) return fault(true, true);
    if (bit(pde, 7)) {
      if (field(pde, 20, 12) !== 0n) return fault(true, true);
      if (refused([pde])) return fault(true);
      return { physical: field(pde, 35, 21) | field(linear, 20, 0), written: marked([[pdeAt, pde]]) };
    }
    const pteAt = field(pde, 35, 12) | (((linear >> 12n) & 511n) << 3n);
    const pte = double(pteAt);
    if (!bit(pte, 0)) return fault(false);
    if (field(pte, 63, 36) !== 0n || bit(pte, 7)) return fault(true, true);
    if (refused([pde, pte])) return fault(true);
    return {
      physical: field(pte, 35, 12) | field(linear, 11, 0),
      written: marked([
        [pdeAt, pde],
        [pteAt, pte],
      ]),
    };
  }

  const pse = (state.cr4 & CR4.PSE) !== 0;
  const pdeAt = field(BigInt(state.cr3 >>> 0), 31, 12) | ((linear >> 22n) << 2n);
  const pde = word(pdeAt);
  if (!bit(pde, 0)) return fault(false);
  if (pse && bit(pde, 7)) {
    if (field(pde, 21, 12) !== 0n) return fault(true, true);
    if (refused([pde])) return fault(true);
    return { physical: field(pde, 31, 22) | field(linear, 21, 0), written: marked([[pdeAt, pde]]) };
  }
  const pteAt = field(pde, 31, 12) | (((linear >> 12n) & 1023n) << 2n);
  const pte = word(pteAt);
  if (!bit(pte, 0)) return fault(false);
  if (pse && bit(pte, 7)) return fault(true, true);
  if (refused([pde, pte])) return fault(true);
  return {
    physical: field(pte, 31, 12) | field(linear, 11, 0),
    written: marked([
      [pdeAt, pde],
      [pteAt, pte],
    ]),
  };
}

/** Flags of an entry: mostly present, writable and for the user. */
const flags = fc
  .tuple(
    ...[0.9, 0.8, 0.8, 0.1, 0.1, 0.5, 0.5, 0.3, 0.2].map((chance) =>
      fc.nat(99).map((percent) => percent < chance * 100),
    ),
  )
  .map((bits) => bits.reduce((value, on, number) => value | (Number(on) << number), 0));
/** Bits 9 to 31: a frame of tables, a large page, or anything. */
const base = fc.oneof(
  { weight: 6, arbitrary: fc.nat(FRAMES - 1).map((frame) => frame << 12) },
  { weight: 3, arbitrary: fc.nat(1023).map((number) => number << 21) },
  { weight: 1, arbitrary: fc.integer().map((value) => value & ~0x1ff) },
);
const high = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(15) },
  { weight: 1, arbitrary: fc.constantFrom(0x10, 1 << 31, -1, 0x7fffffff) },
);
const entry = fc.tuple(flags, base, high).map(([low, where, above]) => [low | where, above] as const);

/** Tables that repeat a few entries, so that a walk meets them wherever it goes. */
const tables = fc.array(entry, { minLength: 1, maxLength: 7 }).map((entries) => (wide: boolean): Int32Array => {
  const words = new Int32Array(WORDS);
  for (let index = 0; index < WORDS; index++) {
    const [low, above] = entries[((wide ? index >> 1 : index) * 5 + (index >> 10)) % entries.length]!;
    words[index] = wide && index % 2 === 1 ? above : low;
  }
  return words;
});

const state = fc
  .record({
    wp: fc.boolean(),
    cr3: fc.nat(FRAMES - 1).map((frame) => frame << 12),
    cr4: fc.constantFrom(0, CR4.PSE, CR4.PAE, CR4.PAE | CR4.PSE, CR4.PGE),
    pdptes: fc.array(
      fc
        .tuple(fc.nat(9), fc.nat(FRAMES - 1), fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.nat(15)))
        .map(([missing, frame, above]) => [(frame << 12) | Number(missing !== 0), above]),
      { minLength: 4, maxLength: 4 },
    ),
  })
  .map(({ wp, pdptes, ...rest }) => ({
    ...rest,
    pdptes: pdptes.flat(),
    cr0: CR0.PG | CR0.PE | (wp ? CR0.WP : 0),
  }));
const linearAddress = fc.oneof(
  fc.integer().map((value) => value >>> 0),
  fc.constantFrom(0, 0xfff, 0x1000, 0x1fffff, 0x200000, 0x3fffff, 0x400000, 0x3fffffff, 0x40000000, 0xffffffff),
);
const access = fc.record({ write: fc.boolean(), user: fc.boolean() });
const parameters = { seed: 7, numRuns: 4000 };

const translated = (memory: Memory, system: PagingState, linear: number, how: Access, setFlags: boolean) =>
  translate(memory, system, linear, how, setFlags, { physical: 0, errorCode: 0, directoryEntry: 0 });

describe("a page walk", () => {
  it("finds the physical address, the error code and the flags to set that the manual's tables give", () => {
    const seen = { page: 0, notPresent: 0, rights: 0, reserved: 0, high: 0, written: 0 };
    fc.assert(
      fc.property(tables, state, linearAddress, access, (make, system, linear, how) => {
        const words = make((system.cr4 & CR4.PAE) !== 0);
        const expected = naive(words, system, linear, how);
        const memory = new Memory(words.slice());
        const { physical, errorCode } = translated(memory, system, linear, how, true);
        expect(memory.written).toEqual(expected.written);
        const shown = walk(new Memory(words), system, linear, how);
        if (expected.physical === undefined) {
          expect([physical, errorCode]).toEqual([-1, expected.errorCode]);
          expect(shown.fault?.errorCode).toBe(expected.errorCode);
          if ((errorCode & 1) === 0) seen.notPresent++;
          else if ((errorCode & 8) === 0) seen.rights++;
          else seen.reserved++;
          return;
        }
        expect(shown.physical).toBe(Number(expected.physical));
        expect(shown.entries.at(-1)).toMatchObject({ leaf: true, present: true });
        seen.page++;
        if (expected.written.length > 0) seen.written++;
        if (expected.physical < 2n ** 32n) expect(physical).toBe(Number(expected.physical));
        else {
          seen.high++;
          expect(physical).toBeGreaterThanOrEqual(LARGEST_RAM);
          expect(physical % 4096).toBe(linear % 4096);
        }
      }),
      parameters,
    );
    // A property that never meets its cases says nothing.
    for (const [name, count] of Object.entries(seen)) expect(count, name).toBeGreaterThan(20);
  });

  it("gives the same from the directory entry that a walk for the same range gave before", () => {
    let remembered = 0;
    fc.assert(
      fc.property(
        tables,
        state,
        linearAddress,
        fc.nat(0x3fffff),
        access,
        access,
        (make, system, first, offset, a, b) => {
          const memory = new Memory(make((system.cr4 & CR4.PAE) !== 0));
          const { directoryEntry } = translated(memory, system, first, a, true);
          if (directoryEntry === 0) return;
          remembered++;
          const second = ((first & 0xffc00000) | offset) >>> 0;
          const out = () => ({ physical: 0, errorCode: 0, directoryEntry: 0 });
          const short = translate(memory, system, second, b, false, out(), undefined, directoryEntry);
          const { physical, errorCode } = translated(memory, system, second, b, false);
          expect(short).toMatchObject({ physical, errorCode });
        },
      ),
      { seed: 9, numRuns: 4000 },
    );
    expect(remembered).toBeGreaterThan(100);
  });

  it("of a read finds what an accessed entry says, where nothing is to be set or refused", () => {
    let plain = 0;
    fc.assert(
      fc.property(tables, state, linearAddress, access, (make, system, linear, how) => {
        const words = make((system.cr4 & CR4.PAE) !== 0);
        const { directoryEntry } = translated(
          new Memory(words.slice()),
          system,
          linear,
          { ...how, write: false },
          true,
        );
        if (directoryEntry === 0) return;
        const memory = new Memory(words.slice());
        const entry = memory.read32((directoryEntry & 0xfffff000) + ((linear >>> 10) & 0xffc));
        if (!readsThrough(directoryEntry, entry, how.user)) return;
        plain++;
        const { physical } = translated(memory, system, linear, { ...how, write: false }, true);
        expect(physical).toBe(((entry & 0xfffff000) | (linear & 0xfff)) >>> 0);
        expect(memory.written.length).toBeLessThanOrEqual(1);
      }),
      { seed: 10, numRuns: 4000 },
    );
    expect(plain).toBeGreaterThan(50);
  });

  it("leaves memory alone without the order to set flags", () => {
    fc.assert(
      fc.property(tables, state, linearAddress, access, (make, system, linear, how) => {
        const memory = new Memory(make((system.cr4 & CR4.PAE) !== 0));
        const { physical, errorCode } = translated(memory, system, linear, how, false);
        expect(memory.written).toEqual([]);
        expect(translated(memory, system, linear, how, true)).toMatchObject({ physical, errorCode });
        // A second access finds all flags set.
        memory.written.length = 0;
        translated(memory, system, linear, how, true);
        expect(memory.written).toEqual([]);
      }),
      { seed: 8, numRuns: 1000 },
    );
  });
});

const U = 4;
const W = 2;
const P = 1;
const PS = 0x80;

/** Memory with 8-byte entries, and the state of a processor that uses them. */
function paePaging(entries: Readonly<Record<number, readonly [low: number, high: number]>>): [Memory, PagingState] {
  const memory = new Memory(new Int32Array(WORDS));
  for (const [address, [low, above]] of Object.entries(entries)) {
    memory.words[Number(address) / 4] = low;
    memory.words[Number(address) / 4 + 1] = above;
  }
  const pdptes = [0x1001, 0, 0, 0, 0x2001, 1, 0x3001, 0];
  return [memory, { cr0: CR0.PG | CR0.PE, cr3: 0x20, cr4: CR4.PAE, pdptes }];
}

describe("a PAE walk as a value", () => {
  const [memory, system] = paePaging({ 4112: [0x4007, 0], 16408: [0x12345167, 0], 4120: [0xe00000 | PS | P, 2] });

  it("has the pointer-table entry that was loaded, the directory's and the table's", () => {
    const { entries, ...rest } = walk(memory, system, 0x403abc, { write: false, user: true });
    expect(rest).toEqual({ linear: 0x403abc, paging: true, physical: 0x12345abc, pageBytes: 4096 });
    expect(
      entries.map(({ level, table, index, bits, address, entry, leaf }) => [
        level,
        table,
        index,
        bits,
        address,
        entry,
        leaf,
      ]),
    ).toEqual([
      [3, "page-directory-pointer table", 0, [31, 30], 0x20, 0x1001, false],
      [2, "page directory", 2, [29, 21], 0x1010, 0x4007, false],
      [1, "page table", 3, [20, 12], 0x4018, 0x12345167, true],
    ]);
    expect(entries[0]).toMatchObject({ writable: true, user: true, accessed: false, pageSize: false });
    expect(entries[2]).toMatchObject({ writable: true, user: true, accessed: true, dirty: true, global: true });
  });

  it("finds a page of 2 MiB above 4 GiB", () => {
    const { entries, ...rest } = walk(memory, system, 0x612345, { write: false, user: false });
    expect(rest).toEqual({ linear: 0x612345, paging: true, physical: 0x2_00e1_2345, pageBytes: 2 ** 21 });
    expect(entries[1]).toMatchObject({ entry: 0x2_00e0_0081, leaf: true, pageSize: true });
  });

  it("ends at a pointer-table entry that is not present, and in reserved bits where a table is above 4 GiB", () => {
    const missing = walk(memory, system, 0x40000000, { write: true, user: true });
    expect(missing.fault).toEqual({ vector: 14, errorCode: 6, rule: "page-not-present" });
    expect(missing.entries).toHaveLength(1);
    // Nothing answers there, which reads as ones.
    const above = walk(memory, system, 0x80000000, { write: false, user: false });
    expect(above.fault).toEqual({ vector: 14, errorCode: 9, rule: "page-reserved-bits" });
    expect(above.entries[1]!.address).toBe(0x1_0000_2000);
  });
});

describe("a walk with 4-byte entries as a value", () => {
  const memory = new Memory(new Int32Array(WORDS));
  memory.words[0x1000 / 4] = 0x00c00000 | PS | W | P;
  memory.words[0x1004 / 4] = 0x2000 | U | P;
  memory.words[0x2000 / 4] = 0x5000 | PS | U | W | P;
  const withCr4 = (cr4: number): PagingState => ({ cr0: CR0.PG | CR0.PE, cr3: 0x1000, cr4, pdptes: [] });

  it("takes the PS flag of a directory entry for a page of 4 MiB with CR4.PSE alone", () => {
    const large = walk(memory, withCr4(CR4.PSE), 0x345678, { write: true, user: false });
    expect(large).toMatchObject({ physical: 0xf45678, pageBytes: 2 ** 22 });
    const small = walk(memory, withCr4(0), 0x345678, { write: true, user: false });
    expect(small.entries.map(({ leaf, pageSize }) => [leaf, pageSize])[0]).toEqual([false, true]);
  });

  it("says which check failed", () => {
    const write = walk(memory, withCr4(0), 0x400000, { write: true, user: true });
    expect(write.fault).toEqual({ vector: 14, errorCode: 7, rule: "page-rights" });
    // Bit 7 of a page-table entry is reserved as soon as reserved bits are checked.
    const reserved = walk(memory, withCr4(CR4.PSE), 0x400000, { write: false, user: true });
    expect(reserved.fault).toEqual({ vector: 14, errorCode: 13, rule: "page-reserved-bits" });
  });

  it("needs no tables without paging", () => {
    const off = walk(memory, { ...withCr4(0), cr0: CR0.PE }, 0x87654321, { write: true, user: true });
    expect(off).toEqual({ linear: 0x87654321, paging: false, entries: [], physical: 0x87654321 });
  });
});
