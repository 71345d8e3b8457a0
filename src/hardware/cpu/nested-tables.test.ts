// Tables that a hypervisor builds, as the walk reads them.
import { describe, expect, it } from "vitest";
import { extendedPaging, hostPaging, newNestedTranslation, translateNested } from "./nested-paging.js";
import { eptPointer, mapNested, type NestedRange, type NestedTables } from "./nested-tables.js";
import { TableMemory } from "./paging.test-helper.js";
import { CR0, CR4, EFER } from "./state.js";

const MIB2 = 0x200000;
const GIB = 0x40000000;

function newTables(kind: "ept" | "npt") {
  const memory = new TableMemory(new Int32Array(64 * 1024));
  let used = 0x1000;
  const allocate = (): number => {
    used += 0x1000;
    return used;
  };
  const tables: NestedTables = { kind, memory, root: 0x1000, allocate };
  const controls = { cr0: CR0.PG | CR0.PE, cr4: CR4.PAE, efer: EFER.LME | EFER.LMA | EFER.NXE };
  const nested =
    kind === "ept" ? extendedPaging("max", eptPointer(0x1000)) : hostPaging("phenom", { cr3: 0x1000, ...controls });
  /** Where an address leads, and which of r, w and x it lets through. */
  const find = (guestPhysical: number): [physical: number, rights: string] => {
    const out = newNestedTranslation();
    const allows = (access: { write: boolean; fetch: boolean }): boolean =>
      translateNested(memory, nested, guestPhysical, access, false, out).physical >= 0;
    let physical = -1;
    const rights = [..."rwx"].filter((letter) => {
      const allowed = allows({ write: letter === "w", fetch: letter === "x" });
      if (allowed) physical = out.physical;
      expect(out.physical < 0 && out.misconfigured).toBe(false);
      return allowed;
    });
    return [physical, rights.join("")];
  };
  const map = (range: NestedRange): void => mapNested(tables, range);
  return { memory, find, map, frames: () => used / 0x1000 };
}

describe.each(["ept", "npt"] as const)("nested tables of the kind %s", (kind) => {
  it("map what they are told, with its rights, and nothing beside it", () => {
    const { find, map } = newTables(kind);
    map({ guestPhysical: 0x3000, hostPhysical: 0x80000, bytes: 0x2000, rights: "rx" });
    map({ guestPhysical: 0x5000, hostPhysical: 0x7000, bytes: 0x1000, rights: "rw" });
    expect([0x2fff, 0x3000, 0x4fff, 0x5123, 0x6000].map(find)).toEqual([
      ...[
        [-1, ""],
        [0x80000, "rx"],
        [0x81fff, "rx"],
        [0x7123, "rw"],
      ],
      [-1, ""],
    ]);
  });

  it("use pages of 2 MiB and 1 GiB where addresses and length let them", () => {
    const { find, map, frames } = newTables(kind);
    const pageBytes = GIB;
    map({ guestPhysical: 0, hostPhysical: 4 * GIB, bytes: GIB + MIB2 + 0x1000, rights: "rwx", pageBytes });
    expect([0x123456, GIB + 0x1fffff, GIB + MIB2].map(find)).toEqual([
      [4 * GIB + 0x123456, "rwx"],
      [5 * GIB + 0x1fffff, "rwx"],
      [5 * GIB + MIB2, "rwx"],
    ]);
    expect(find(GIB + MIB2 + 0x1000)).toEqual([-1, ""]);
    // The PML4 table and one of each kind.
    expect(frames()).toBe(4);
  });

  it("split a large page of which a part becomes another's, and leave the rest as it was", () => {
    const { find, map } = newTables(kind);
    map({ guestPhysical: 0, hostPhysical: GIB, bytes: GIB, rights: "rw", pageBytes: GIB });
    map({ guestPhysical: MIB2 + 0x3000, hostPhysical: 0x9000, bytes: 0x1000, rights: "r" });
    expect([MIB2 + 0x2fff, MIB2 + 0x3004, MIB2 + 0x4000, 0x55555, 2 * MIB2].map(find)).toEqual([
      ...[
        [GIB + MIB2 + 0x2fff, "rw"],
        [0x9004, "r"],
        [GIB + MIB2 + 0x4000, "rw"],
      ],
      ...[
        [GIB + 0x55555, "rw"],
        [GIB + 2 * MIB2, "rw"],
      ],
    ]);
  });

  it("take a range away again, without new tables for what was not there", () => {
    const { find, map, frames } = newTables(kind);
    map({ guestPhysical: 0, hostPhysical: 0x10000, bytes: 0x3000, rights: "rwx" });
    const before = frames();
    map({ guestPhysical: 0x1000, hostPhysical: 0, bytes: 0x1000, rights: "" });
    map({ guestPhysical: 5 * GIB, hostPhysical: 0, bytes: 0x4000, rights: "" });
    expect([0, 0x1000, 0x2000].map(find)).toEqual([
      [0x10000, "rwx"],
      [-1, ""],
      [0x12000, "rwx"],
    ]);
    expect(frames()).toBe(before);
  });

  it("refuse what is no whole pages, and what is above the guest's addresses", () => {
    const { map } = newTables(kind);
    const range = { guestPhysical: 0, hostPhysical: 0, bytes: 0x1000, rights: "r" } as const;
    expect(() => map({ ...range, bytes: 0x800 })).toThrow("mapNested: bytes 2048 is no multiple of 4096");
    expect(() => map({ ...range, guestPhysical: 1 })).toThrow("mapNested: guestPhysical 1 is no multiple of 4096");
    expect(() => map({ ...range, guestPhysical: 2 ** 48 })).toThrow("above guest-physical 2^48");
  });
});

describe("an EPT pointer", () => {
  it("says write-back, four levels, and flags if they are asked for", () => {
    expect(eptPointer(0x5000)).toBe(0x501en);
    expect(eptPointer(0x5000, { accessedDirty: true })).toBe(0x505en);
  });

  it("that asks for flags makes walks of the guest's tables write", () => {
    expect(extendedPaging("max", 0x505en)).toMatchObject({ root: 0x5000, rootHigh: 0, accessedDirty: true });
    expect(extendedPaging("max", 0x9_8765_401en)).toMatchObject({
      root: 0x87654000 | 0,
      rootHigh: 9,
      accessedDirty: false,
    });
  });
});
