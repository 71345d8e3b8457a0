/**
 * How much an ordering depends on a table's figures. With factors for some of them, which of two costs is lower is looked at
 * with each figure changed alone, and decided for every combination at once: a cost is linear in each figure, so the worst
 * combination has each at that end of its range which speaks for the other side.
 */
import { VirtlabError } from "../../state/error.js";
import { type CostMark, type CostTable, costTable, scaled, UNCERTAIN } from "./cost-table.js";
import { cycles } from "./cycles.js";
import { type CostCounts, type CostPrimitive, primitiveNames } from "./primitives.js";

/** A table in which one figure is another. */
export interface PerturbedTable {
  readonly primitive: CostPrimitive;
  readonly factor: number;
  readonly table: CostTable;
}

export interface PerturbOptions {
  /** What each figure is multiplied by. Default 0.5 and 2. */
  readonly factors?: readonly number[];
  /** Figures with which marks. Default: those that are assumed or not looked up. */
  readonly marks?: readonly CostMark[];
}

const primitivesMarked = (table: CostTable, marks: readonly CostMark[]): readonly CostPrimitive[] =>
  primitiveNames.filter((name) => {
    const entry = table.entries[name];
    return entry !== undefined && marks.includes(entry.mark);
  });

/**
 * The tables that differ from one in one uncertain figure, by each factor.
 *
 * @example
 * const tables = perturbed(costTables["pentium4-672"], { marks: ["not looked up"] });
 * tables.map(({ primitive, factor }) => `${primitive} x ${factor}`).join() // => 'VMREAD x 0.5,VMREAD x 2,VMWRITE x 0.5,VMWRITE x 2'
 */
export function perturbed(table: CostTable, options: PerturbOptions = {}): readonly PerturbedTable[] {
  const { factors = [0.5, 2], marks = UNCERTAIN } = options;
  return primitivesMarked(table, marks).flatMap((primitive) =>
    factors.map((factor) => ({ primitive, factor, table: scaled(table, primitive, factor) })),
  );
}

/** Something that is done in several ways: how often each primitive comes in each way. */
export interface CostRow {
  readonly name: string;
  readonly ways: Readonly<Record<string, CostCounts>>;
}

export interface RowWinner {
  readonly row: string;
  /** The way that costs least by the first table; of equal ones the first. */
  readonly winner: string;
  /** Cycles of each way by the first table. */
  readonly cycles: Readonly<Record<string, number>>;
  /** Tables by which another way costs less, with that way. */
  readonly flips: readonly { readonly table: string; readonly hash: string; readonly winner: string }[];
}

type Costs = readonly (readonly [way: string, cycles: number])[];

const lowest = (costs: Costs): string => costs.reduce((best, way) => (way[1] < best[1] ? way : best))[0];

/**
 * Which way of each row costs least by the first table, and by which of the others another one does.
 *
 * @throws VirtlabError without a table or a way, and as `cycles` does.
 * @example
 * const rows = [{ name: "leave", ways: { gate: { "software interrupt": 1 }, fast: { "fast ring crossing": 1 } } }];
 * const [leave] = winners(rows, [costTables["pentium4-672"], scaled(costTables["pentium4-672"], "software interrupt", 0.5)]);
 * leave?.winner // => 'fast'
 * leave?.flips.map(({ table, winner }) => [table, winner]) // => [ [ 'pentium4-672, software interrupt x 0.5', 'gate' ] ]
 */
export function winners(rows: readonly CostRow[], tables: readonly CostTable[]): readonly RowWinner[] {
  const [first, ...others] = tables;
  if (first === undefined) throw new VirtlabError("winners: there is no cost table");
  return rows.map(({ name, ways }) => {
    if (Object.keys(ways).length === 0) throw new VirtlabError(`winners: "${name}" has no ways to compare`);
    const costs = (table: CostTable): Costs =>
      Object.entries(ways).map(([way, counts]) => [way, cycles(counts, table)] as const);
    const winner = lowest(costs(first));
    const flips = others.flatMap((table) => {
      const other = lowest(costs(table));
      const overtaken = cycles(ways[other]!, table) < cycles(ways[winner]!, table);
      return overtaken ? [{ table: table.name, hash: table.hash, winner: other }] : [];
    });
    return { row: name, winner, cycles: Object.fromEntries(costs(first)), flips };
  });
}

/**
 * The table that speaks most for the second of two counts: every uncertain figure is multiplied by that of two factors
 * which makes `first` cost more beside `second`. If `first` costs less even by this one, it does so by every table between.
 *
 * @param options `factors`: the lowest and the highest count, or 1, the figure as it is. Figures that both need equally often stay as they are.
 * @example
 * const [gate, fast] = [{ "software interrupt": 1 }, { "fast ring crossing": 1 }];
 * const worst = worstFor(fast, gate, costTables["pentium4-672"]);
 * cycles(fast, worst) - cycles(gate, worst) // => 10
 */
export function worstFor(
  first: CostCounts,
  second: CostCounts,
  table: CostTable,
  options: PerturbOptions = {},
): CostTable {
  const { factors = [0.5, 2], marks = UNCERTAIN } = options;
  const [low, high] = [Math.min(1, ...factors), Math.max(1, ...factors)];
  const changed = primitivesMarked(table, marks).flatMap((primitive) => {
    const more = (first[primitive] ?? 0) - (second[primitive] ?? 0);
    if (more === 0) return [];
    const entry = table.entries[primitive]!;
    const factor = more > 0 ? high : low;
    return [[primitive, { ...entry, cycles: entry.cycles * factor, source: `${entry.source}, x ${factor}` }] as const];
  });
  return costTable({
    name: `${table.name}, at the worst`,
    part: table.part,
    entries: { ...table.entries, ...Object.fromEntries(changed) },
  });
}
