/** What counts come to with a cost table: as a number, and part by part. */
import { VirtlabError } from "../../state/error.js";
import { type CostMark, type CostTable, entryOf } from "./cost-table.js";
import { type CostCounts, type CostPrimitive, isPrimitive, primitiveNames } from "./primitives.js";

/** One primitive's part of a sum. */
export interface CostPart {
  readonly primitive: CostPrimitive;
  /** How often it came. */
  readonly count: number;
  /** Cycles of one. */
  readonly each: number;
  /** `count` times `each`. */
  readonly cycles: number;
  readonly mark: CostMark;
  readonly source: string;
}

/**
 * Cycles of a run by parts, in the order of `costPrimitives`: what came how often, what one is taken for, and from where.
 * The parts' cycles add up to `cycles(counts, table)`.
 *
 * @param counts of `countRun`, of a hypervisor's ledger, or one's own.
 * @throws VirtlabError for counts that are no numbers, names that are no primitives, and primitives the table has not.
 * @example
 * const parts = explainCycles({ "VM exit by exception": 1, "VM entry": 1 }, costTables["pentium4-672"]);
 * parts.map(({ primitive, cycles }) => `${primitive}: ${cycles}`) // => [ 'VM entry: 2409', 'VM exit by exception: 1931' ]
 * parts[0]?.mark // => 'second hand'
 */
export function explainCycles(counts: CostCounts, table: CostTable): readonly CostPart[] {
  for (const [name, count] of Object.entries(counts)) {
    if (!isPrimitive(name)) throw new VirtlabError(`cycles: "${name}" is no primitive (costPrimitives has them all)`);
    if (count !== undefined && !Number.isFinite(count))
      throw new VirtlabError(`cycles: ${count} is no count of "${name}"`);
  }
  return primitiveNames.flatMap((primitive) => {
    const count = counts[primitive] ?? 0;
    if (count === 0) return [];
    const { cycles: each, mark, source } = entryOf(table, primitive);
    return [{ primitive, count, each, cycles: count * each, mark, source }];
  });
}

/**
 * Cycles that counts come to with a table: the sum of each count times its figure. A model's result, as good as the table;
 * the counts are exact.
 *
 * @throws VirtlabError as `explainCycles` does.
 * @example
 * cycles({ logic: 10, "VM exit by exception": 1, "VM entry": 1 }, costTables["pentium4-672"]) // => 4350
 */
export const cycles = (counts: CostCounts, table: CostTable): number =>
  explainCycles(counts, table).reduce((sum, part) => sum + part.cycles, 0);
