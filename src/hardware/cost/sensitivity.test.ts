import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costTable } from "./cost-table.js";
import { cycles } from "./cycles.js";
import type { CostCounts } from "./primitives.js";
import { perturbed, winners, worstFor } from "./sensitivity.js";
import { costTables } from "./tables.js";

const guess = { mark: "assumed", source: "a guess" } as const;
const table = costTable({
  name: "t",
  part: "p",
  entries: {
    logic: { ...guess, cycles: 10 },
    string: { ...guess, cycles: 4 },
    arithmetic: { ...guess, cycles: 3, mark: "not looked up" },
    system: { ...guess, cycles: 7, mark: "found" },
  },
});
const names = ["logic", "string", "arithmetic", "system"] as const;
const counts: fc.Arbitrary<CostCounts> = fc.record(
  Object.fromEntries(names.map((name) => [name, fc.nat(20)])) as Record<(typeof names)[number], fc.Arbitrary<number>>,
);

describe("perturbed", () => {
  it("halves and doubles each figure that no source was seen for, and no other", () => {
    const changes = perturbed(table).map(({ primitive, factor, table: { entries } }) => [
      primitive,
      factor,
      entries[primitive]?.cycles,
    ]);
    expect(changes).toEqual([
      ["arithmetic", 0.5, 1.5],
      ["arithmetic", 2, 6],
      ["logic", 0.5, 5],
      ["logic", 2, 20],
      ["string", 0.5, 2],
      ["string", 2, 8],
    ]);
    expect(perturbed(table, { marks: ["found"], factors: [3] }).map(({ primitive }) => primitive)).toEqual(["system"]);
  });
});

describe("winners", () => {
  const rows = [{ name: "r", ways: { a: { logic: 1 }, b: { string: 2 } } }];

  it("name the way that costs least, and the tables by which another does", () => {
    const tables = [table, ...perturbed(table).map((change) => change.table)];
    expect(winners(rows, tables)).toEqual([
      {
        row: "r",
        winner: "b",
        cycles: { a: 10, b: 8 },
        flips: [
          { table: "t, logic x 0.5", hash: expect.any(String), winner: "a" },
          { table: "t, string x 2", hash: expect.any(String), winner: "a" },
        ],
      },
    ]);
  });

  it("have no flip where another way costs as much", () => {
    const equal = costTable({ name: "e", part: "p", entries: { ...table.entries, logic: { ...guess, cycles: 8 } } });
    expect(winners(rows, [table, equal])[0]?.flips).toEqual([]);
  });

  it("refuse nothing to compare", () => {
    expect(() => winners(rows, [])).toThrow("there is no cost table");
    expect(() => winners([{ name: "r", ways: {} }], [table])).toThrow('"r" has no ways to compare');
  });
});

it("no combination of factors speaks more for the second of two counts than the one worstFor gives", () => {
  const factor = fc.constantFrom(0.5, 1, 2);
  fc.assert(
    fc.property(counts, counts, fc.tuple(factor, factor, factor), (first, second, [logic, string, arithmetic]) => {
      const worst = worstFor(first, second, table);
      const entries = {
        ...table.entries,
        logic: { ...guess, cycles: 10 * logic },
        string: { ...guess, cycles: 4 * string },
        arithmetic: { ...guess, cycles: 3 * arithmetic },
      };
      const another = costTable({ name: "x", part: "p", entries });
      const ahead = (by: typeof table) => cycles(second, by) - cycles(first, by);
      expect(ahead(worst)).toBeLessThanOrEqual(ahead(another));
    }),
  );
});

it("the figures that were found or come at second hand stay at the worst, too", () => {
  const worst = worstFor({ "VM entry": 1, VMREAD: 1 }, {}, costTables["pentium4-672"]);
  expect(worst.entries["VM entry"]?.cycles).toBe(2409);
  expect(worst.entries["VMREAD"]?.cycles).toBe(356);
});
