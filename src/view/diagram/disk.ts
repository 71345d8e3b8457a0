/** `diskDiagram`: a disk's sectors as a grid, by what became of them. */
import type { DiskMap, DiskRange, SectorState } from "../../hardware/inspect/disk-map.js";
import { colours, textOn } from "../palette.js";
import { textWidth } from "../text-width.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { element, label, type Markup } from "./svg.js";

export interface DiskDiagramOptions extends DiagramOptions {
  /** Sectors in a row. Default 64. */
  readonly columns?: number;
}

/** A sector's square, and what is left free of it. */
const CELL = 10;
const GAP = 1;
const LETTER = 8;
/** Fewer rows without anything written are drawn; more become one line. */
const FEW_ROWS = 3;
const SKIPPED = 18;

interface Look {
  readonly fill: string;
  /** Where colours are not told apart. */
  readonly letter: string;
}
const LOOKS: { readonly [S in Exclude<SectorState, "never written">]: Look } = {
  "boot sector": { fill: colours.orange, letter: "B" },
  kernel: { fill: colours.blue, letter: "K" },
  data: { fill: colours.green, letter: "D" },
  "changed since": { fill: colours.pink, letter: "C" },
};
const lookOf = (state: SectorState): Look | undefined => (state === "never written" ? undefined : LOOKS[state]);

const plural = (count: number): string => (count === 1 ? "sector" : "sectors");
const spanText = (first: number, count: number): string =>
  count === 1 ? `sector ${first}` : `sectors ${first} to ${first + count - 1}`;
const series = (first: number, count: number): string =>
  count === 1 ? `${first}` : `${first} to ${first + count - 1}`;

function wordsOf({ first, count, state, order, from }: DiskRange): string {
  const facts = [
    ...(order === undefined ? [] : [`written as number ${series(order, count)}`]),
    ...(from === undefined ? [] : [`content of ${spanText(from, count)} of the source`]),
  ];
  return `${spanText(first, count)}: ${[state, ...facts].join(", ")}`;
}

/** The part of a range that lies in a row. */
function partOf(range: DiskRange, row: number, columns: number): DiskRange | undefined {
  const first = Math.max(range.first, row * columns);
  const end = Math.min(range.first + range.count, (row + 1) * columns);
  if (end <= first) return undefined;
  const by = first - range.first;
  return {
    ...range,
    first,
    count: end - first,
    ...(range.order === undefined ? {} : { order: range.order + by }),
    ...(range.from === undefined ? {} : { from: range.from + by }),
  };
}

interface Row {
  readonly row: number;
  readonly parts: readonly DiskRange[];
}

/** Rows from the first on, those without anything written put together where they are many. */
function rowsOf({ sectors, ranges }: DiskMap, columns: number): readonly (readonly Row[])[] {
  const groups: Row[][] = [];
  let isFree = false;
  for (let row = 0; row * columns < sectors; row++) {
    const parts = ranges.flatMap((range) => partOf(range, row, columns) ?? []);
    const free = parts.every(({ state }) => state === "never written");
    if (free && isFree) groups.at(-1)!.push({ row, parts });
    else groups.push([{ row, parts }]);
    isFree = free;
  }
  return groups.flatMap((group) => (group.length > FEW_ROWS ? [group] : group.map((row) => [row])));
}

function rangeMarkup(range: DiskRange, x: number, y: number): readonly Markup[] {
  const look = lookOf(range.state);
  const cells = Array.from({ length: range.count }, (_, index) =>
    element("rect", {
      x: x + index * CELL,
      y,
      width: CELL - GAP,
      height: CELL - GAP,
      fill: look?.fill ?? "currentColor",
      "fill-opacity": look === undefined ? 0.12 : undefined,
    }),
  );
  const letter =
    look === undefined
      ? []
      : [
          label(x + (CELL - GAP) / 2, y + 7.5, look.letter, {
            size: LETTER,
            anchor: "middle",
            fill: textOn(look.fill),
          }),
        ];
  return [element("g", {}, element("title", {}, wordsOf(range)), ...cells, ...letter)];
}

/**
 * A disk's sectors, row by row, by what became of them: never written, boot sector, kernel, data, changed since. Each row
 * begins with the number of its first sector. A stretch begins with a letter; its order and origin are in its title and in the words.
 *
 * @example
 * const start = Machine.boot({ image: guest("kernel"), disks: [new Uint8Array(2048 * 512)] });
 * const end = start.run({ until: { serial: "changed and written" } });
 * const diagram = diskDiagram(diskMap(start.disks[0], end.disks[0]), { from: [start, end] });
 * diagram.text.split("\n")[2] // => '  sectors 1024 to 1027: data'
 */
export function diskDiagram(map: DiskMap, options: DiskDiagramOptions = {}): Diagram {
  const { columns = 64, ...rest } = options;
  const left = textWidth(String(map.sectors), 11) + 10;
  let y = 0;
  const rows = rowsOf(map, columns).flatMap((group): readonly Markup[] => {
    const top = y;
    const { row } = group[0]!;
    if (group.length > 1) {
      y += SKIPPED;
      const count = Math.min(map.sectors, (row + group.length) * columns) - row * columns;
      return [label(left, top + 12, `${count} sectors never written`, { size: 11, dim: true })];
    }
    y += CELL;
    const number = label(left - 6, top + 8.5, String(row * columns), { size: 9, anchor: "end", dim: true, mono: true });
    const cells = group[0]!.parts.flatMap((part) => rangeMarkup(part, left + (part.first - row * columns) * CELL, top));
    return [number, ...cells];
  });
  const counts = new Map<SectorState, number>();
  for (const { state, count } of map.ranges) counts.set(state, (counts.get(state) ?? 0) + count);
  let x = left;
  const legend = [...counts].flatMap(([state, count]): readonly Markup[] => {
    const at = x;
    const text = `${state}: ${count} ${plural(count)}`;
    x += textWidth(text, 12) + 36;
    return [...rangeMarkup({ first: 0, count: 1, state }, at, y + 15), label(at + 16, y + 24, text, { size: 12 })];
  });
  return new Diagram(
    {
      kind: "disk map",
      width: Math.max(left + columns * CELL, x),
      height: y + 34,
      parts: [...rows, ...legend],
      words: map.ranges.map(wordsOf),
      data: [{ sectors: map.sectors, ranges: map.ranges }],
    },
    rest,
  );
}
