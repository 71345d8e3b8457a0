/** `nestedWalkDiagram`: a page walk in two dimensions as a grid: down the guest's levels, across those of the nested tables. */
import type { NestedReference, NestedWalk } from "../../hardware/cpu/nested-walk.js";
import { entryRights, nestedResult, physicalText } from "../displays/nested-walk-display.js";
import { colours } from "../palette.js";
import { address } from "../text.js";
import { textWidth } from "../text-width.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { arrow, box, cross, label, type Markup } from "./svg.js";

/** Room for what each row looks for. */
const LEFT = 176;
const TOP = 66;
const CELL = 116;
const HEIGHT = 58;
const GAP = 18;
const ROW_GAP = 20;

/** The references that find one guest-physical address, and the guest's entry that is read there. */
interface Row {
  readonly of: number | undefined;
  readonly host: readonly Numbered[];
  readonly guest: Numbered | undefined;
}
interface Numbered {
  readonly number: number;
  readonly reference: NestedReference;
}

function rowsOf({ references }: NestedWalk): readonly Row[] {
  const rows: { of: number | undefined; host: Numbered[]; guest: Numbered | undefined }[] = [];
  references.forEach((reference, index) => {
    const one = { number: index + 1, reference };
    const last = rows.at(-1);
    if (reference.dimension === "guest") {
      if (last === undefined || last.guest !== undefined)
        rows.push({ of: reference.entry.address, host: [], guest: one });
      else last.guest = one;
    } else if (last === undefined || last.guest !== undefined)
      rows.push({ of: reference.of, host: [one], guest: undefined });
    else last.host.push(one);
  });
  return rows;
}

const short: Readonly<Record<string, string>> = {
  "PML4 table": "PML4",
  "page-directory-pointer table": "PDPT",
  "page directory": "directory",
  "page table": "table",
};
const nameOf = (table: string): string => short[table] ?? table;

function cell(x: number, y: number, { number, reference }: Numbered, failed: boolean): readonly Markup[] {
  const isGuest = reference.dimension === "guest";
  const stroke = failed ? colours.orange : isGuest ? colours.green : colours.blue;
  const at = isGuest ? reference.hostAddress : reference.entry.address;
  return [
    box(x, y, CELL, HEIGHT, { stroke, width: isGuest ? 2.4 : 1.4 }),
    label(x + 8, y + 19, String(number), { bold: true, size: 15, fill: stroke }),
    label(x + CELL - 8, y + 18, nameOf(reference.entry.table), { anchor: "end", size: 11.5 }),
    label(x + 8, y + 35, physicalText(at), { mono: true, size: 11 }),
    label(x + 8, y + 50, shorten(entryRights(reference.entry)), { size: 10.5, dim: true }),
    ...(failed ? [cross([x + CELL + 10, y + HEIGHT / 2], colours.orange)] : []),
  ];
}

/** Notes as their first letters, so that they fit. */
const shorten = (text: string): string =>
  text.replace("accessed", "A").replace("dirty", "D").replace("supervisor", "superv.");

const dimensionNames = { ept: "EPT", npt: "the nested tables" } as const;

/** What the guest-physical address of a row is. */
function titleOf(row: Row, isLast: boolean): string {
  if (row.guest?.reference.dimension === "guest") return `guest's ${nameOf(row.guest.reference.entry.table)} entry`;
  return isLast ? "the address itself" : "guest's entry";
}

function rowParts(row: Row, y: number, columns: number, failed: boolean, isLast: boolean): readonly Markup[] {
  const cells = [...row.host, ...(row.guest === undefined ? [] : [row.guest])];
  const xOf = (index: number): number =>
    LEFT + (row.guest !== undefined && index === row.host.length ? columns : index) * (CELL + GAP);
  const arrows = cells.map((_, index) => {
    const from = index === 0 ? LEFT - 22 : xOf(index - 1) + CELL;
    return arrow(
      [
        [from + 2, y + HEIGHT / 2],
        [xOf(index) - 1, y + HEIGHT / 2],
      ],
      { stroke: colours.grey, width: 1.3 },
    );
  });
  return [
    label(0, y + 24, titleOf(row, isLast), { size: 12 }),
    label(0, y + 42, row.of === undefined ? "" : physicalText(row.of), { mono: true, size: 12, bold: true }),
    ...arrows,
    ...cells.flatMap((one, index) => cell(xOf(index), y, one, failed && index === cells.length - 1)),
  ];
}

function wordsOf(rows: readonly Row[]): readonly string[] {
  return rows.map((row, index) => {
    const host = row.host.map(({ number, reference }) => `${number} ${nameOf(reference.entry.table)}`).join(", ");
    const own =
      row.guest === undefined
        ? ""
        : `, then ${row.guest.number}, the guest's ${nameOf(row.guest.reference.entry.table)}`;
    const of = row.of === undefined ? "" : ` ${physicalText(row.of)}`;
    return `${titleOf(row, index === rows.length - 1)}${of}: ${host}${own}`;
  });
}

/**
 * A page walk in two dimensions as a grid, every reference to memory numbered in the order they are made: a row for each
 * guest-physical address that has to be found, and in it the entries of the nested tables that find it, and the guest's own
 * entry that is read there. The last row is the address that was asked for. A walk that is refused ends with a cross.
 * `PageWalk.nested` is such a walk.
 *
 * @example
 * const walk = { linear: 0x5000, kind: "ept", references: [], count: 0, guestPhysical: 0x5000, physical: 0x9000 } as const;
 * nestedWalkDiagram(walk).text.split("\n").at(-2) // => '  → guest-physical 0x00005000, host-physical 0x00009000'
 */
export function nestedWalkDiagram(walk: NestedWalk, options: DiagramOptions = {}): Diagram {
  const rows = rowsOf(walk);
  const columns = Math.max(0, ...rows.map(({ host }) => host.length));
  const longest = rows.find(({ host }) => host.length === columns)?.host ?? [];
  const result = `→ ${nestedResult(walk)}`;
  const counted = `${walk.count} references`;
  const width = Math.max(LEFT + (columns + 1) * (CELL + GAP) + 10, textWidth(result, 15) + 20);
  const height = TOP + rows.length * (HEIGHT + ROW_GAP) + 26;
  const failed = walk.physical === undefined;
  const heads = Array.from({ length: columns }, (_, index) =>
    label(LEFT + index * (CELL + GAP) + CELL / 2, 56, `level ${longest[index]?.reference.level}`, {
      anchor: "middle",
      size: 11.5,
      dim: true,
    }),
  );
  return new Diagram(
    {
      kind: `page walk of linear ${address(walk.linear)} in two dimensions`,
      width,
      height,
      parts: [
        label(0, 14, `linear ${address(walk.linear)}: ${counted}`, { bold: true }),
        label(0, 56, "guest-physical address", { size: 11.5, dim: true }),
        ...(columns === 0
          ? []
          : [label(LEFT, 38, `found by ${dimensionNames[walk.kind]}`, { size: 12, fill: colours.blue })]),
        ...(columns === 0
          ? []
          : [label(LEFT + columns * (CELL + GAP), 38, "the guest's own entry", { size: 12, fill: colours.green })]),
        ...heads,
        ...rows.flatMap((row, index) =>
          rowParts(
            row,
            TOP + index * (HEIGHT + ROW_GAP),
            columns,
            failed && index === rows.length - 1,
            index === rows.length - 1,
          ),
        ),
        label(0, height - 8, result, { bold: true }),
      ],
      words: [`of linear ${address(walk.linear)}: ${counted}`, ...wordsOf(rows), result],
      data: [{ walk: { ...walk } }],
    },
    options,
  );
}
