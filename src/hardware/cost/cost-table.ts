/**
 * A cost table: cycles of each primitive on one part, and where each figure comes from. It is data beside machines:
 * nothing of a machine depends on it.
 */
import { VirtlabError } from "../../state/error.js";
import { contentHash } from "../../state/hash.js";
import { deepFreeze } from "../machine-content.js";
import { type CostPrimitive, costPrimitives, isPrimitive, primitiveNames } from "./primitives.js";

/**
 * How well a figure is known: found in the source itself or in one that quotes it; from a source at second hand; known but
 * not looked up; or assumed by us.
 */
export type CostMark = "found" | "second hand" | "not looked up" | "assumed";

/** Marks of figures that no source was seen for. */
export const UNCERTAIN: readonly CostMark[] = Object.freeze<CostMark[]>(["assumed", "not looked up"]);

/** A figure of a cost table. */
export interface CostEntry {
  /** Cycles of one, not negative. */
  readonly cycles: number;
  readonly mark: CostMark;
  /** Title and section of the source, or the reason for what is assumed. */
  readonly source: string;
}

/** Cycles of each primitive on a part. */
export interface CostTable {
  readonly name: string;
  /** The part it stands for. */
  readonly part: string;
  readonly unit: "cycles";
  readonly entries: Readonly<Partial<Record<CostPrimitive, CostEntry>>>;
  /** SHA-256 of all that stands above, in hexadecimal. */
  readonly hash: string;
}

/**
 * A cost table of one's own. Entries are primitives only (`costPrimitives` has their names and what one of each is): a
 * figure that is to be explained cannot be put in. Primitives may be left out; counting one of those is an error.
 *
 * @throws VirtlabError for a name that is no primitive, a figure that is no number of cycles, and an entry without a source.
 * @example
 * const entries = { logic: { cycles: 1, mark: "assumed", source: "one each" } } as const;
 * const table = costTable({ name: "mine", part: "a toy", entries });
 * cycles({ logic: 3 }, table) // => 3
 */
export function costTable({ name, part, entries }: Pick<CostTable, "name" | "part" | "entries">): CostTable {
  for (const [primitive, entry] of Object.entries(entries)) {
    if (!isPrimitive(primitive))
      throw new VirtlabError(`cost table "${name}": "${primitive}" is no primitive (costPrimitives has them all)`);
    if (!(Number.isFinite(entry.cycles) && entry.cycles >= 0))
      throw new VirtlabError(`cost table "${name}": ${entry.cycles} for "${primitive}" is no number of cycles`);
    if (entry.source.trim() === "")
      throw new VirtlabError(`cost table "${name}": the figure for "${primitive}" has no source, and no reason`);
  }
  const ordered = primitiveNames.flatMap((primitive) => {
    const entry = entries[primitive];
    if (entry === undefined) return [];
    const { cycles, mark, source } = entry;
    return [[primitive, { cycles, mark, source }] as const];
  });
  const content = { name, part, unit: "cycles" as const, entries: Object.fromEntries(ordered) };
  return deepFreeze({ ...content, hash: contentHash(content) });
}

/**
 * The figure of a primitive in a table.
 *
 * @throws VirtlabError where the table has none.
 */
export function entryOf(table: CostTable, primitive: CostPrimitive): CostEntry {
  const entry = table.entries[primitive];
  if (entry !== undefined) return entry;
  const known = primitive in costPrimitives ? "has no figure for" : "cannot have a figure for";
  throw new VirtlabError(`cost table "${table.name}": it ${known} "${primitive}"`);
}

/**
 * The table with one figure multiplied, for asking how much depends on it. Its hash is another.
 *
 * @param factor not negative: 0.5 halves the figure, 2 doubles it.
 * @throws VirtlabError where the table has no such figure.
 * @example
 * const table = costTables["pentium4-672"];
 * const doubled = scaled(table, "VM entry", 2);
 * [doubled.name, doubled.entries["VM entry"]?.cycles] // => [ 'pentium4-672, VM entry x 2', 4818 ]
 * doubled.hash === table.hash // => false
 */
export function scaled(table: CostTable, primitive: CostPrimitive, factor: number): CostTable {
  const entry = entryOf(table, primitive);
  const changed: CostEntry = { ...entry, cycles: entry.cycles * factor, source: `${entry.source}, x ${factor}` };
  return costTable({
    name: `${table.name}, ${primitive} x ${factor}`,
    part: table.part,
    entries: { ...table.entries, [primitive]: changed },
  });
}
