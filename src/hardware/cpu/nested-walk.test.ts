// Walks in two dimensions as values: how many references each shape takes, what is in them, and where they end.
import { describe, expect, it } from "vitest";
import { extendedPaging, hostPaging, type NestedPaging } from "./nested-paging.js";
import { eptPointer, mapNested, type NestedRights, type NestedTables } from "./nested-tables.js";
import { type NestedWalk, walkNested } from "./nested-walk.js";
import { type Access, type PagingState, PF } from "./paging.js";
import { TableMemory } from "./paging.test-helper.js";
import { CR0, CR4, EFER } from "./state.js";

const P = 1;
const W = 2;
const U = 4;
const read: Access = { write: false, user: true, fetch: false, ac: false };
const write: Access = { ...read, write: true };

const words = 64 * 1024;
/** Guest-physical memory is 64 KiB, from here on in the host's. The frames above are for the host's tables. */
const GUEST = 0x10000;
const GUEST_SIZE = 0x10000;
const TABLES = 0x20000;

/** Controls by the number of levels in memory. */
const long = { cr4: CR4.PAE, efer: EFER.LME | EFER.LMA | EFER.NXE };
const pae = { cr4: CR4.PAE, efer: 0 };
const plain = { cr4: 0, efer: 0 };

function host(kind: "ept" | "npt"): { memory: TableMemory; tables: NestedTables; nested: NestedPaging } {
  const memory = new TableMemory(new Int32Array(words));
  let next = TABLES;
  const allocate = (): number => {
    next += 0x1000;
    return next;
  };
  const tables: NestedTables = { kind, memory, root: TABLES, allocate };
  mapNested(tables, { guestPhysical: 0, hostPhysical: GUEST, bytes: GUEST_SIZE, rights: "rwx" });
  const state = { cr0: CR0.PG | CR0.PE, cr3: TABLES, ...long };
  const nested = kind === "ept" ? extendedPaging("max", eptPointer(TABLES)) : hostPaging("phenom", state);
  return { memory, tables, nested };
}

/** AMD's nested paging by tables of 32-bit and PAE paging, which map the guest's memory likewise. */
function smallHost(levels: 2 | 3): { memory: TableMemory; nested: NestedPaging } {
  const memory = new TableMemory(new Int32Array(words));
  const bytes = levels === 2 ? 4 : 8;
  const flags = P | W | U;
  let table = TABLES;
  if (levels === 3) {
    memory.write32(TABLES, (TABLES + 0x1000) | P);
    table += 0x1000;
  }
  memory.write32(table, (table + 0x1000) | flags);
  for (let page = 0; page < 16; page++) memory.write32(table + 0x1000 + bytes * page, (GUEST + 0x1000 * page) | flags);
  const state = { cr0: CR0.PG | CR0.PE, cr3: TABLES, ...(levels === 2 ? plain : pae) };
  return { memory, nested: hostPaging("phenom", state) };
}

/** A guest whose linear page 0x5000 is its frame 5, by tables of so many levels in its frames 1 to 4. */
function guestOf(memory: TableMemory, levels: 0 | 2 | 3 | 4): PagingState {
  const bytes = levels === 2 ? 4 : 8;
  const flags = P | W | U;
  const at = (physical: number): number => GUEST + physical;
  for (let level = levels; level > 1; level--) {
    const isPointer = levels === 3 && level === 3;
    memory.write32(at((levels - level + 1) * 0x1000), ((levels - level + 2) * 0x1000) | (isPointer ? P : flags));
  }
  memory.write32(at(levels * 0x1000 + 5 * bytes), 0x5000 | flags);
  const controls = { 0: plain, 2: plain, 3: pae, 4: long }[levels];
  const common = { model: "max", cr3: 0x1000, ...controls } as const;
  if (levels === 0) return { ...common, cr0: CR0.PE, pdptes: [] };
  return { ...common, cr0: CR0.PE | CR0.PG, pdptes: levels === 3 ? [0x2000 | P, 0, 0, 0, 0, 0, 0, 0] : [] };
}

const shapeOf = ({ references }: NestedWalk): string =>
  references.map(({ dimension, level }) => `${dimension === "guest" ? "G" : "h"}${level}`).join(" ");

describe("a walk in two dimensions with nothing remembered", () => {
  it("makes 24 references with four levels by four", () => {
    for (const kind of ["ept", "npt"] as const) {
      const { memory, nested } = host(kind);
      const walk = walkNested(memory, guestOf(memory, 4), nested, 0x5abc, write);
      expect(walk).toMatchObject({ kind, mode: "4-level", count: 24, guestPhysical: 0x5abc, physical: GUEST + 0x5abc });
      const nestedWalk = "h4 h3 h2 h1";
      expect(shapeOf(walk)).toBe(["G4", "G3", "G2", "G1"].map((own) => `${nestedWalk} ${own} `).join("") + nestedWalk);
      expect(memory.written.every(([at]) => at >= GUEST)).toBe(true);
    }
  });

  const shapes = ([0, 2, 3, 4] as const).flatMap((own) => ([2, 3, 4] as const).map((nested) => [own, nested] as const));
  it.each(shapes)(
    "makes (n+1)(m+1)-1 references with %i levels of the guest's by %i of AMD's nested tables",
    (own, m) => {
      const { memory, nested } = m === 4 ? host("npt") : smallHost(m);
      const walk = walkNested(memory, guestOf(memory, own), nested, 0x5abc, read);
      expect(walk.physical).toBe(GUEST + 0x5abc);
      expect(walk.count).toBe((own + 1) * (m + 1) - 1);
      expect(walk.pointer).toBeUndefined();
    },
  );

  it.each([
    [0, 4],
    [2, 14],
    [3, 14],
    [4, 24],
  ] as const)("with %i levels of the guest's makes %i by EPT, where a PDPTE is a register", (own, count) => {
    const { memory, nested } = host("ept");
    const walk = walkNested(memory, guestOf(memory, own), nested, 0x5abc, read);
    expect(walk).toMatchObject({ count, physical: GUEST + 0x5abc });
    expect(walk.pointer?.words).toEqual(own === 3 ? [0x2001, 0] : undefined);
  });

  it("makes less with larger pages in either dimension", () => {
    const { memory, tables, nested } = host("ept");
    const size = 0x200000;
    mapNested(tables, { guestPhysical: 0, hostPhysical: 0, bytes: size, rights: "rwx", pageBytes: size });
    const own = guestOf(memory, 4);
    for (let at = 0x1000; at < 0x5000; at += 0x1000) memory.write32(at, memory.read32(GUEST + at));
    memory.write32(0x4000 + 5 * 8, 0x5007);
    const byPages = walkNested(memory, own, nested, 0x5abc, read);
    expect(byPages).toMatchObject({ count: 4 * (3 + 1) + 3, physical: 0x5abc });
    memory.write32(0x3000, 0x87);
    const byLarge = walkNested(memory, own, nested, 0x5abc, read);
    expect(byLarge).toMatchObject({ count: 3 * (3 + 1) + 3, physical: 0x5abc });
    expect(shapeOf(byLarge)).toBe("h4 h3 h2 G4 h4 h3 h2 G3 h4 h3 h2 G2 h4 h3 h2");
  });
});

describe("a reference of such a walk", () => {
  it("has where it is, what it translates, and the entry that was read", () => {
    const { memory, nested } = host("ept");
    const { references } = walkNested(memory, guestOf(memory, 4), nested, 0x5abc, read);
    expect(references[0]).toMatchObject({
      ...{ dimension: "host", level: 4, of: 0x1000 },
      entry: { table: "PML4 table", address: TABLES, index: 0, read: true, write: true, execute: true, leaf: false },
    });
    expect(references[3]).toMatchObject({
      ...{ dimension: "host", level: 1, of: 0x1000 },
      entry: { index: 1, entry: (GUEST + 0x1000) | 0x37, memoryType: 6, leaf: true, accessed: false, dirty: false },
    });
    expect(references[4]).toMatchObject({
      ...{ dimension: "guest", level: 4, hostAddress: GUEST + 0x1000 },
      entry: { table: "PML4 table", address: 0x1000, words: [0x2007, 0], present: true, user: true },
    });
    expect(references.at(-1)).toMatchObject({ of: 0x5abc, entry: { index: 5, leaf: true } });
    expect(Object.isFrozen(references) && references.every((one) => Object.isFrozen(one))).toBe(true);
  });
});

describe("a walk in two dimensions ends", () => {
  const rightsOf = (rights: string) => ({
    read: rights.includes("r"),
    write: rights.includes("w"),
    execute: rights.includes("x"),
  });
  function walkWith(kind: "ept" | "npt", page: number, rights: NestedRights, access: Access): NestedWalk {
    const { memory, tables, nested } = host(kind);
    mapNested(tables, { guestPhysical: page, hostPhysical: GUEST + page, bytes: 0x1000, rights });
    return walkNested(memory, guestOf(memory, 4), nested, 0x5abc, access);
  }

  it("with a page fault of the guest's own where its tables refuse, behind the references made until then", () => {
    const { memory, nested } = host("ept");
    const walk = walkNested(memory, guestOf(memory, 4), nested, 0x6000, write);
    expect(walk.fault).toEqual({ vector: 14, errorCode: PF.W | PF.U, rule: "page-not-present" });
    expect(walk).toMatchObject({ count: 20 });
    expect(walk.exit ?? walk.guestPhysical ?? walk.physical).toBeUndefined();
  });

  it("with #GP(0) for an address that is not canonical, before any reference", () => {
    const { memory, nested } = host("ept");
    const walk = walkNested(memory, guestOf(memory, 4), nested, 2 ** 47, read);
    expect(walk).toMatchObject({ count: 0, fault: { vector: 13, errorCode: 0, rule: "address-not-canonical" } });
  });

  it.each(["ept", "npt"] as const)("by %s with an exit where a table of the guest's is not present", (kind) => {
    const { exit, count, guestPhysical } = walkWith(kind, 0x3000, "", read);
    expect(exit).toMatchObject({ guestPhysical: 0x3000, linear: 0x5abc, ofWalk: true, misconfigured: false });
    expect(exit!.rights).toEqual(rightsOf(""));
    expect(count).toBe(14);
    expect(guestPhysical).toBeUndefined();
    // Without its flags, an EPT is read for the guest's entries; AMD's tables are written.
    expect(exit!.access.write).toBe(kind === "npt");
    expect(exit!.errorCode).toBe(kind === "npt" ? PF.W | PF.U : undefined);
  });

  it.each([
    ["ept", "r", write, undefined],
    ["npt", "r", write, PF.P | PF.W | PF.U],
    ["ept", "rw", { ...read, fetch: true }, undefined],
    ["npt", "rw", { ...read, fetch: true }, PF.P | PF.U | PF.I],
    ["ept", "x", read, undefined],
    ["npt", "", read, PF.U],
  ] as const)("by %s with an exit where the page's rights are '%s' only", (kind, rights, access, errorCode) => {
    const { exit, count, guestPhysical } = walkWith(kind, 0x5000, rights, access);
    expect(exit).toMatchObject({ guestPhysical: 0x5abc, linear: 0x5abc, ofWalk: false, misconfigured: false });
    expect(exit!.rights).toEqual(rightsOf(rights));
    expect(exit!.access).toEqual({ write: access.write, fetch: access.fetch });
    expect(exit!.errorCode).toBe(errorCode);
    expect([count, guestPhysical]).toEqual([24, 0x5abc]);
  });

  it("with a misconfiguration at an entry that may be written but not read", () => {
    const { memory, nested } = host("ept");
    memory.write32(TABLES, memory.read32(TABLES) & ~1);
    const { exit, count } = walkNested(memory, guestOf(memory, 4), nested, 0x5abc, read);
    expect(exit).toMatchObject({ misconfigured: true, guestPhysical: 0x1000, ofWalk: true });
    expect(count).toBe(1);
  });

  it("with an exit where a table of the guest's is said to be above all of its memory", () => {
    const { memory, nested } = host("ept");
    const own = { ...guestOf(memory, 4), cr3: 2 ** 33 };
    const { exit } = walkNested(memory, own, nested, 0x5abc, read);
    expect(exit).toMatchObject({ guestPhysical: 2 ** 33, ofWalk: true, misconfigured: false });
  });
});
