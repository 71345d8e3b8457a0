// Page walks as values: one example of each kind of entry, and each rule of "Access Rights" and "Page-Fault Exceptions".
import { describe, expect, it } from "vitest";
import { type PageWalk, walk } from "./page-walk.js";
import type { Access, PagingState } from "./paging.js";
import { TableMemory } from "./paging.test-helper.js";
import { modesOf } from "./paging-levels.js";
import { CR0, CR4, EFER } from "./state.js";

const P = 1;
const W = 2;
const U = 4;
const PS = 0x80;
const XD = 1 << 31;

type Entries = Readonly<Record<number, readonly [low: number, high: number]>>;
const allows = (access: Partial<Access>): Access => ({ write: false, user: false, fetch: false, ac: false, ...access });
const supervisor = allows({});
const user = allows({ user: true });

/** Memory with 8-byte entries. */
function memoryOf(entries: Entries): TableMemory {
  const memory = new TableMemory();
  for (const [address, [low, above]] of Object.entries(entries)) {
    memory.words[Number(address) / 4] = low;
    memory.words[Number(address) / 4 + 1] = above;
  }
  return memory;
}

const stateOf = (change: Partial<PagingState>): PagingState => ({
  model: "pentium2",
  cr0: CR0.PG | CR0.PE,
  cr3: 0x1000,
  cr4: 0,
  efer: 0,
  pdptes: [],
  ...change,
});
const pae = stateOf({ cr3: 0x20, cr4: CR4.PAE, pdptes: [0x1001, 0, 0, 0, 0x2001, 1, 0x3001, 0] });
const long = stateOf({ cr4: CR4.PAE, efer: EFER.LME | EFER.LMA });

describe("a PAE walk as a value", () => {
  const memory = memoryOf({ 4112: [0x4007, 0], 16408: [0x12345167, 0], 4120: [0xe00000 | PS | P, 2] });

  it("has the pointer-table entry that was loaded, the directory's and the table's", () => {
    const { entries, ...rest } = walk(memory, pae, 0x403abc, user);
    expect(rest).toEqual({ linear: 0x403abc, paging: true, mode: "PAE", physical: 0x12345abc, pageBytes: 4096 });
    expect(
      entries.map(({ level, table, index, bits, address, entry, leaf }) => [
        ...[level, table, index, bits],
        ...[address, entry, leaf],
      ]),
    ).toEqual([
      [3, "page-directory-pointer table", 0, [31, 30], 0x20, 0x1001, false],
      [2, "page directory", 2, [29, 21], 0x1010, 0x4007, false],
      [1, "page table", 3, [20, 12], 0x4018, 0x12345167, true],
    ]);
    expect(entries[0]).toMatchObject({ writable: true, user: true, accessed: false, pageSize: false, bytes: 8 });
    expect(entries[2]).toMatchObject({ writable: true, user: true, accessed: true, dirty: true, global: true });
  });

  it("finds a page of 2 MiB above 4 GiB", () => {
    const { entries, ...rest } = walk(memory, pae, 0x612345, supervisor);
    expect(rest).toMatchObject({ linear: 0x612345, physical: 0x2_00e1_2345, pageBytes: 2 ** 21 });
    expect(entries[1]).toMatchObject({ entry: 0x2_00e0_0081, words: [0xe00081, 2], leaf: true, pageSize: true });
  });

  it("ends at a pointer-table entry that is not present, and in reserved bits where a table is above 4 GiB", () => {
    const missing = walk(memory, pae, 0x40000000, allows({ write: true, user: true }));
    expect(missing.fault).toEqual({ vector: 14, errorCode: 6, rule: "page-not-present" });
    expect(missing.entries).toHaveLength(1);
    // Nothing answers there, which reads as ones.
    const above = walk(memory, pae, 0x80000000, supervisor);
    expect(above.fault).toEqual({ vector: 14, errorCode: 9, rule: "page-reserved-bits" });
    expect(above.entries[1]!.address).toBe(0x1_0000_2000);
  });
});

describe("a walk with 4-byte entries as a value", () => {
  const memory = new TableMemory();
  memory.words[0x1000 / 4] = 0x00c00000 | PS | W | P;
  memory.words[0x1004 / 4] = 0x2000 | U | P;
  memory.words[0x2000 / 4] = 0x5000 | PS | U | W | P;
  const withCr4 = (cr4: number): PagingState => stateOf({ cr4 });

  it("takes the PS flag of a directory entry for a page of 4 MiB with CR4.PSE alone", () => {
    const large = walk(memory, withCr4(CR4.PSE), 0x345678, allows({ write: true }));
    expect(large).toMatchObject({ mode: "32-bit", physical: 0xf45678, pageBytes: 2 ** 22 });
    const small = walk(memory, withCr4(0), 0x345678, allows({ write: true }));
    expect(small.entries.map(({ leaf, pageSize }) => [leaf, pageSize])[0]).toEqual([false, true]);
    expect(large.entries[0]).toMatchObject({ bytes: 4, words: [0x00c00083, 0], executeDisable: false });
  });

  it("says which check failed", () => {
    const write = walk(memory, withCr4(0), 0x400000, allows({ write: true, user: true }));
    expect(write.fault).toEqual({ vector: 14, errorCode: 7, rule: "page-rights" });
    // Bit 7 of a page-table entry is reserved as soon as reserved bits are checked, unless it is PAT.
    const reserved = walk(memory, { ...withCr4(CR4.PSE), model: "pentium" }, 0x400000, user);
    expect(reserved.fault).toEqual({ vector: 14, errorCode: 13, rule: "page-reserved-bits" });
  });

  it("needs no tables without paging", () => {
    const off = walk(memory, stateOf({ cr0: CR0.PE }), 0x87654321, allows({ write: true, user: true }));
    expect(off).toEqual({ linear: 0x87654321, paging: false, entries: [], physical: 0x87654321 });
  });
});

describe("a 4-level walk as a value", () => {
  // Entry 511 of each table on the way: the last pages of the address space.
  const memory = memoryOf({
    8184: [0x2000 | U | W | P, 0],
    12272: [0x3000 | W | P, 0],
    12280: [0x40000000 | PS | W | P, 0],
    16376: [0x4000 | U | W | P, 0x7ff00000],
    20472: [0x600000 | W | P, 3],
  });

  it("has an entry of each table, and a signed address where the highest bit is set", () => {
    const { entries, ...rest } = walk(memory, long, -0x40000000 - 0x1000 + 0xabc, supervisor);
    expect(rest).toEqual({
      ...{ linear: -0x40000544, paging: true, mode: "4-level", physical: 0x3_0060_0abc, pageBytes: 4096 },
    });
    expect(entries.map(({ level, table, index, bits }) => [level, table, index, bits])).toEqual([
      [4, "PML4 table", 511, [47, 39]],
      [3, "page-directory-pointer table", 510, [38, 30]],
      [2, "page directory", 511, [29, 21]],
      [1, "page table", 511, [20, 12]],
    ]);
    // Bits 52 to 62 are the software's, and no part of the address.
    expect(entries[2]).toMatchObject({ entry: 0x4007, words: [0x4007, 0x7ff00000] });
    expect(entries[0]).toMatchObject({ user: true, writable: true, accessed: false });
  });

  it("ends in the reserved PS flag of a pointer-table entry where there are no pages of 1 GiB", () => {
    expect(walk(memory, long, -1, supervisor).fault).toEqual({ vector: 14, errorCode: 9, rule: "page-reserved-bits" });
    const { pointers, last, first } = {
      ...modesOf({ physicalBits: 40, pse36: true, pat: true, gigabytePages: true }).long[1],
      pointers: modesOf({ physicalBits: 40, pse36: true, pat: true, gigabytePages: true }).long[1].first.next,
    };
    expect([first.level, pointers.page, pointers.offset, last.reservedInPage]).toEqual([4, PS, 2 ** 30 - 1, 0]);
  });

  it("is a #GP(0) for an address that is not canonical", () => {
    for (const address of [2 ** 47, -(2 ** 47) - 1])
      expect(walk(memory, long, address, supervisor)).toEqual({
        ...{ linear: address, paging: true, mode: "4-level", entries: [] },
        fault: { vector: 13, errorCode: 0, rule: "address-not-canonical" },
      });
    expect(walk(memory, long, -(2 ** 47), supervisor).fault?.vector).toBe(14);
  });
});

/** What becomes of an access to the page at 0, whose entries have these bits. */
function outcome(
  state: Partial<PagingState>,
  access: Partial<Access>,
  { directory = U | W, page = U | W, present = P, high = 0, directoryHigh = 0 } = {},
): string {
  const wide = ((state.cr4 ?? 0) & CR4.PAE) !== 0;
  const memory = wide
    ? memoryOf({
        4096: [0x2000 | P | directory, directoryHigh],
        8192: [0x5000 | present | page, high],
      })
    : new TableMemory();
  if (!wide) {
    memory.words[0x1000 / 4] = 0x2000 | P | directory;
    memory.words[0x2000 / 4] = 0x5000 | present | page;
  }
  const pdptes = [0x1001, 0, 0, 0, 0, 0, 0, 0];
  const { fault }: PageWalk = walk(memory, stateOf({ pdptes, ...state }), 0, allows(access));
  return fault === undefined ? "allowed" : `#PF(${fault.errorCode}) ${fault.rule}`;
}

const read = {};
const write = { write: true };
const fetch = { fetch: true };
const wp = CR0.PG | CR0.PE | CR0.WP;
const nx = { cr4: CR4.PAE, efer: EFER.NXE };

describe("access rights", () => {
  it("of the supervisor do not end at pages of its own, nor at read-only ones without CR0.WP", () => {
    for (const access of [read, write, fetch]) {
      expect(outcome({}, access, { page: 0 })).toBe("allowed");
      expect(outcome({}, access, { page: U })).toBe("allowed");
      expect(outcome({ cr0: wp }, access, { page: W })).toBe("allowed");
    }
    expect(outcome({ cr0: wp }, write, { page: U })).toBe("#PF(3) page-rights");
    expect(outcome({ cr0: wp }, write, { directory: U })).toBe("#PF(3) page-rights");
    expect(outcome({ cr0: wp }, read, { page: 0 })).toBe("allowed");
  });

  it("of the user need U at every level, and W for writes, whatever CR0.WP says", () => {
    const program = (access: Partial<Access>): Partial<Access> => ({ ...access, user: true });
    expect(outcome({}, program(read))).toBe("allowed");
    expect(outcome({}, program(read), { directory: W })).toBe("#PF(5) page-rights");
    expect(outcome({}, program(fetch), { page: W })).toBe("#PF(5) page-rights");
    expect(outcome({}, program(write), { page: U })).toBe("#PF(7) page-rights");
    expect(outcome({}, program(write), { directory: U })).toBe("#PF(7) page-rights");
    expect(outcome({}, program(read), { page: U, directory: U })).toBe("allowed");
  });

  it("end at XD of any level for fetches, with bit I in the error code", () => {
    for (const at of [{ high: XD }, { directoryHigh: XD }]) {
      expect(outcome(nx, fetch, at)).toBe("#PF(17) page-execute-disable");
      expect(outcome(nx, { ...fetch, user: true }, at)).toBe("#PF(21) page-execute-disable");
      expect(outcome(nx, read, at)).toBe("allowed");
      expect(outcome(nx, write, at)).toBe("allowed");
      // Without EFER.NXE the bit is reserved, and fetches are told from reads by nobody.
      expect(outcome({ cr4: CR4.PAE }, read, at)).toBe("#PF(9) page-reserved-bits");
      expect(outcome({ cr4: CR4.PAE }, fetch, at)).toBe("#PF(9) page-reserved-bits");
    }
    expect(outcome(nx, fetch)).toBe("allowed");
    expect(outcome(nx, { ...fetch, user: true }, { page: W })).toBe("#PF(21) page-rights");
  });

  it("of fetches by the supervisor end at pages for the user with CR4.SMEP, in every mode", () => {
    for (const state of [{ cr4: CR4.SMEP }, { ...nx, cr4: CR4.PAE | CR4.SMEP }, { cr4: CR4.PAE | CR4.SMEP }]) {
      expect(outcome(state, fetch)).toBe("#PF(17) page-user-code");
      expect(outcome(state, { ...fetch, ac: true })).toBe("#PF(17) page-user-code");
      expect(outcome(state, fetch, { directory: W })).toBe("allowed");
      expect(outcome(state, { ...fetch, user: true })).toBe("allowed");
      expect(outcome(state, read)).toBe("allowed");
      expect(outcome(state, { ...fetch, user: true }, { page: W })).toBe("#PF(21) page-rights");
    }
  });

  it("of data accesses by the supervisor end at pages for the user with CR4.SMAP, unless EFLAGS.AC lets them through", () => {
    for (const state of [{ cr4: CR4.SMAP }, { ...nx, cr4: CR4.PAE | CR4.SMAP }]) {
      expect(outcome(state, read)).toBe("#PF(1) page-user-data");
      expect(outcome(state, write)).toBe("#PF(3) page-user-data");
      expect(outcome(state, { ...write, ac: true })).toBe("allowed");
      expect(outcome(state, read, { page: W })).toBe("allowed");
      expect(outcome(state, { ...read, user: true })).toBe("allowed");
      expect(outcome(state, fetch)).toBe("allowed");
      expect(outcome({ ...state, cr0: wp }, { ...write, ac: true }, { page: U })).toBe("#PF(3) page-rights");
    }
  });

  it("come after entries that are missing or have reserved bits set", () => {
    expect(outcome({ cr4: CR4.PAE }, { user: true }, { page: 0, high: 0x10 })).toBe("#PF(13) page-reserved-bits");
    expect(outcome(nx, { user: true, fetch: true }, { page: 0, high: 0x10 })).toBe("#PF(29) page-reserved-bits");
    expect(outcome(nx, { user: true, fetch: true }, { directory: W, present: 0 })).toBe("#PF(20) page-not-present");
  });
});

describe("entries for 4 MiB", () => {
  it("have addresses as wide as the processor's with PSE-36, and reserved bits above them", () => {
    const reservedWith = (physicalBits: number, pse36: boolean, pat = true): number =>
      modesOf({ physicalBits, pse36, pat, gigabytePages: false }).pse.first.reservedInPage;
    expect(reservedWith(32, false, false)).toBe(0x3ff000);
    expect(reservedWith(32, false)).toBe(0x3fe000);
    expect(reservedWith(36, true)).toBe(0x3e0000);
    expect(reservedWith(40, true)).toBe(0x200000);
    expect(reservedWith(52, true)).toBe(0x200000);
  });
});
