import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../state/error.js";
import { rows } from "../isa/table/index.js";
import { type CostEntry, type CostTable, costTable, scaled } from "./cost-table.js";
import { cycles, explainCycles } from "./cycles.js";
import { adamsAgesen2006 } from "./nanobenchmarks.js";
import {
  type CostCounts,
  type CostPrimitive,
  isPrimitive,
  primitiveNames,
  primitiveOfExit,
  primitiveOfInstruction,
} from "./primitives.js";
import { costTables } from "./tables.js";

const table = costTables["pentium4-672"];
const one: CostEntry = { cycles: 1, mark: "assumed", source: "one each" };
const countsIn = (of: CostTable) =>
  fc.dictionary(fc.constantFrom(...(Object.keys(of.entries) as CostPrimitive[])), fc.nat(1_000_000));

describe("a cost table", () => {
  it("has a figure, a mark and a source for every primitive its part can have", () => {
    for (const { name, entries } of Object.values(costTables)) {
      const absent = primitiveNames.filter((primitive) => entries[primitive] === undefined);
      const hasEpt = ["nehalem", "westmere", "sandy-bridge"].includes(name);
      expect(absent, name).toEqual(hasEpt ? [] : ["VM exit by EPT"]);
    }
  });

  it("has no row of the paper as an entry, under its name or by its figure", () => {
    const published = Object.values(adamsAgesen2006).flatMap((row) =>
      Object.values(row).map((figure) => figure.cycles),
    );
    for (const name of Object.keys(adamsAgesen2006)) expect(isPrimitive(name)).toBe(false);
    for (const { entries } of [costTables["pentium4-672"], costTables.prescott])
      for (const { cycles: figure } of Object.values(entries)) if (figure > 2) expect(published).not.toContain(figure);
  });

  it("refuses what is no primitive, no number of cycles, or has no source", () => {
    const make = (entries: object) => () => costTable({ name: "t", part: "p", entries });
    expect(make({ syscall: one })).toThrow('cost table "t": "syscall" is no primitive');
    expect(make({ logic: { ...one, cycles: -1 } })).toThrow('-1 for "logic" is no number of cycles');
    expect(make({ logic: { ...one, cycles: Number.NaN } })).toThrow(VirtlabError);
    expect(make({ logic: { ...one, source: " " } })).toThrow('the figure for "logic" has no source');
  });

  it("has a hash of its content: the same whatever the order of entries, another for another figure or mark", () => {
    const named = (entries: CostTable["entries"]) => costTable({ name: "t", part: "p", entries }).hash;
    const hash = named({ logic: one, string: one });
    expect(named({ string: one, logic: one })).toBe(hash);
    expect(named({ logic: one, string: { ...one, cycles: 2 } })).not.toBe(hash);
    expect(named({ logic: one, string: { ...one, mark: "found" } })).not.toBe(hash);
    expect(new Set(Object.values(costTables).map((other) => other.hash)).size).toBe(Object.keys(costTables).length);
  });

  it("cannot be changed", () => {
    expect(() => Object.assign(table.entries.logic!, { cycles: 0 })).toThrow(TypeError);
  });
});

describe("cycles", () => {
  it("are the sum of what explainCycles gives, part by part", () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(costTables)), (of) => {
        fc.assert(
          fc.property(countsIn(of), (counts: CostCounts) => {
            const parts = explainCycles(counts, of);
            for (const part of parts) expect(part.cycles).toBe(part.count * part.each);
            expect(cycles(counts, of)).toBe(parts.reduce((sum, part) => sum + part.cycles, 0));
            expect(parts.map((part) => part.count)).not.toContain(0);
          }),
          { numRuns: 20 },
        );
      }),
      { numRuns: 7 },
    );
  });

  it("refuse a primitive that the table has not, a name that is none, and what is no count", () => {
    expect(() => cycles({ "VM exit by EPT": 1 }, table)).toThrow(
      'cost table "pentium4-672": it has no figure for "VM exit by EPT"',
    );
    expect(cycles({ "VM exit by EPT": 0 }, table)).toBe(0);
    expect(() => cycles({ pgfault: 1 } as CostCounts, table)).toThrow('"pgfault" is no primitive');
    expect(() => cycles({ logic: Number.NaN }, table)).toThrow('NaN is no count of "logic"');
  });

  it("change with a scaled figure by its own part alone", () => {
    const counts: CostCounts = { logic: 7, "VM entry": 3 };
    expect(cycles(counts, scaled(table, "VM entry", 2)) - cycles(counts, table)).toBe(3 * 2409);
    expect(cycles(counts, scaled(table, "VMREAD", 2))).toBe(cycles(counts, table));
    expect(() => scaled(table, "VM exit by EPT", 2)).toThrow(VirtlabError);
  });
});

describe("primitives", () => {
  it("cover every row of the instruction table, but those that access ports", () => {
    const without = rows.filter(({ mnemonic, group }) => primitiveOfInstruction(mnemonic, group) === undefined);
    expect(new Set(without.map(({ mnemonic }) => mnemonic))).toEqual(new Set(["IN", "OUT", "INS", "OUTS"]));
    const unnamed = rows.filter(({ mnemonic, group }) => primitiveOfInstruction(mnemonic, group) === "instruction");
    expect(unnamed).toEqual([]);
  });

  it("tell moves of control registers, divisions and fast calls from their groups", () => {
    expect(primitiveOfInstruction("MOV", "system")).toBe("control register access");
    expect(primitiveOfInstruction("MOV", "data transfer")).toBe("data transfer");
    expect(primitiveOfInstruction("IDIV", "arithmetic")).toBe("division");
    expect(primitiveOfInstruction("SYSEXIT", "system")).toBe("fast ring crossing");
    expect(primitiveOfInstruction("ADDPS", "SSE2")).toBe("SSE");
    expect(primitiveOfInstruction("(bad)", "miscellaneous")).toBe("handler entry");
  });

  it("tell exits by what led to them", () => {
    expect([0, 1, 7, 10, 30, 48, 52].map(primitiveOfExit).map((name) => name.replace("VM exit by ", ""))).toEqual([
      "exception",
      "interrupt",
      "interrupt",
      "instruction",
      "instruction",
      "EPT",
      "interrupt",
    ]);
  });
});
