// What a guest's memory remembers of its nested tables, and what it is asked for without a linear address.
import { describe, expect, it } from "vitest";
import type { SvmGuest } from "../svm/state.js";
import type { VmxGuest } from "../vmx/state.js";
import { type NestedFault, VmExit } from "./guest-operation.js";
import { NestedMemory } from "./nested-memory.js";
import { extendedPaging, hostPaging, nestedPagingOf } from "./nested-paging.js";
import { eptPointer, mapNested, type NestedTables } from "./nested-tables.js";
import { newTranslation, type PagingState } from "./paging.js";
import { TableMemory } from "./paging.test-helper.js";
import { CR0, CR4, EFER, flatProtectedMode } from "./state.js";

const ROOT = 0x10000;
const reading = { write: false, user: false, fetch: false, ac: false };
const writing = { ...reading, write: true };
const fetching = { ...reading, fetch: true };
/** A guest without paging: its linear addresses are guest-physical. */
const unpaged: PagingState = { model: "max", cr0: CR0.PE, cr3: 0, cr4: 0, efer: 0, pdptes: [] };

function newMemory(accessedDirty = false) {
  const words = new TableMemory(new Int32Array(32 * 1024));
  let next = ROOT;
  const allocate = (): number => {
    next += 0x1000;
    return next;
  };
  const tables: NestedTables = { kind: "ept", memory: words, root: ROOT, allocate };
  const map = (guestPhysical: number, hostPhysical: number, rights: "" | "r" | "rw" | "rwx"): void =>
    mapNested(tables, { guestPhysical, hostPhysical, bytes: 0x1000, rights });
  let reads = 0;
  const host = {
    read32: (physical: number) => {
      reads++;
      return words.read32(physical);
    },
    write32: (physical: number, value: number) => words.write32(physical, value),
  };
  const memory = new NestedMemory(host, extendedPaging("max", eptPointer(ROOT, { accessedDirty })));
  const ask = (linear: number, access = reading): number =>
    memory.translate(unpaged, linear, access, true, newTranslation()).physical;
  /** Words of nested tables that are read on the way. */
  const cost = (linear: number, access = reading): number => {
    const before = reads;
    ask(linear, access);
    return reads - before;
  };
  return { memory, words, map, ask, cost };
}

function faultOf(work: () => unknown): NestedFault {
  try {
    work();
  } catch (error) {
    if (error instanceof VmExit && error.cause.kind === "nested-fault") return error.cause.fault;
    throw error;
  }
  throw new Error("no exit");
}

describe("a guest's memory under nested paging", () => {
  it("walks once for each kind of access to a frame, and again when it is flushed", () => {
    const { memory, map, cost } = newMemory();
    map(0x3000, 0x7000, "rwx");
    expect([cost(0x3000), cost(0x3ffc), cost(0x3000, writing), cost(0x3004, writing)]).toEqual([8, 0, 8, 0]);
    expect([cost(0x3000, fetching), cost(0x3000, fetching), cost(0x3000)]).toEqual([8, 0, 0]);
    memory.flush();
    memory.flush();
    expect([cost(0x3000, writing), cost(0x3000), cost(0x3000, fetching)]).toEqual([8, 0, 8]);
  });

  it("keeps apart what shares a place in what it remembers", () => {
    const { map, ask, cost } = newMemory();
    map(0x3000, 0x7000, "rwx");
    map(0x1003000, 0x8000, "r");
    expect([ask(0x3000, writing), ask(0x1003000), ask(0x3000), cost(0x1003000)]).toEqual([0x7000, 0x8000, 0x7000, 8]);
    expect(faultOf(() => ask(0x1003123, writing))).toMatchObject({ guestPhysical: 0x1003123, linear: 0x1003123 });
  });

  it("does not see a change of the tables until it is flushed, and then nothing of what was before", () => {
    const { memory, map, ask } = newMemory();
    map(0x3000, 0x7000, "rwx");
    expect(ask(0x3000, writing)).toBe(0x7000);
    map(0x3000, 0x8000, "r");
    expect(ask(0x3000, writing)).toBe(0x7000);
    memory.flush();
    expect(ask(0x3000)).toBe(0x8000);
    expect(faultOf(() => ask(0x3000, writing)).rights).toEqual({ read: true, write: false, execute: false });
  });

  it("grants nothing from another frame when a frame is found elsewhere", () => {
    const { map, ask } = newMemory();
    map(0x3000, 0x7000, "rw");
    expect(ask(0x3000, writing)).toBe(0x7000);
    map(0x3000, 0x8000, "rwx");
    // A fetch walks; the write to the new frame has to, too.
    expect(ask(0x3000, fetching)).toBe(0x8000);
    map(0x3000, 0x8000, "r");
    expect(() => ask(0x3000, writing)).toThrow();
  });

  it("goes on with other tables without anything of the ones before", () => {
    const { memory, words, map, ask } = newMemory();
    map(0x3000, 0x7000, "rwx");
    ask(0x3000);
    // Long-mode tables in which the entries of these tables are present and the supervisor's own.
    const state = { cr3: ROOT, cr0: CR0.PG | CR0.PE, cr4: CR4.PAE, efer: EFER.LMA | EFER.LME };
    memory.use(hostPaging("phenom", state));
    words.write32(ROOT, words.read32(ROOT) & ~4);
    expect(faultOf(() => ask(0x3000))).toMatchObject({ errorCode: 5, misconfigured: false });
  });

  it("sets the dirty flag of its entry with the first write, not with the read before", () => {
    const { words, map, ask } = newMemory(true);
    map(0x3000, 0x7000, "rwx");
    const entry = ROOT + 0x3000 + 8 * 3;
    ask(0x3000);
    expect(words.read32(entry) & 0x300).toBe(0x100);
    ask(0x3000, writing);
    expect(words.read32(entry) & 0x300).toBe(0x300);
  });

  it("sets its entry's flags although the same was asked before without them", () => {
    const { memory, words, map, ask } = newMemory(true);
    map(0x3000, 0x7000, "rwx");
    const entry = ROOT + 0x3000 + 8 * 3;
    expect(memory.translate(unpaged, 0x3000, writing, false, newTranslation()).physical).toBe(0x7000);
    expect(words.read32(entry) & 0x300).toBe(0);
    ask(0x3000, writing);
    expect(words.read32(entry) & 0x300).toBe(0x300);
  });

  it("is asked for a PDPTE without a linear address, as a read even where walks write", () => {
    const { memory, map } = newMemory(true);
    map(0x3000, 0x7000, "r");
    expect(memory.locate(0x3020, { write: false, fetch: false }, true)).toBe(0x7020);
    const fault = faultOf(() => memory.locate(0x5020, { write: false, fetch: false }, true));
    expect(fault).toMatchObject({ guestPhysical: 0x5020, linear: undefined, ofWalk: true, access: { write: false } });
  });
});

describe("nested paging of a processor", () => {
  const system = { ...flatProtectedMode.system, model: "max" as const };
  const vmx = { kind: "vmx", region: 0x1000, current: undefined } as const;
  const svm = { kind: "svm", gif: true } as const;
  const state = { cr3: ROOT, cr0: CR0.PG | CR0.PE, cr4: CR4.PAE, efer: EFER.LMA | EFER.LME };

  it("is none while no guest runs, or one whose physical addresses are the host's", () => {
    expect(nestedPagingOf(system)).toBeUndefined();
    expect(nestedPagingOf({ ...system, virtualization: { ...vmx, guest: undefined } })).toBeUndefined();
    const guest = { eptp: undefined } as unknown as VmxGuest;
    expect(nestedPagingOf({ ...system, virtualization: { ...vmx, guest } })).toBeUndefined();
    const other = { nested: undefined } as unknown as SvmGuest;
    expect(nestedPagingOf({ ...system, virtualization: { ...svm, guest: other } })).toBeUndefined();
  });

  it("is that of the guest's controls", () => {
    const guest = { eptp: 0x505en } as unknown as VmxGuest;
    expect(nestedPagingOf({ ...system, virtualization: { ...vmx, guest } })).toEqual(extendedPaging("max", 0x505en));
    const other = { nested: state } as unknown as SvmGuest;
    expect(nestedPagingOf({ ...system, virtualization: { ...svm, guest: other } })).toEqual(hostPaging("max", state));
  });
});
