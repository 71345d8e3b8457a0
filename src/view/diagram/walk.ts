/** `walkDiagram`: how a linear address becomes a physical one, from table to table. */
import type { PageTableEntry, PageWalk } from "../../hardware/cpu/page-walk.js";
import { entryText, hasRights, linearParts, partText, sizeText, walkFaultText } from "../displays/walk-display.js";
import { colours } from "../palette.js";
import { address } from "../text.js";
import { textWidth } from "../text-width.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { arrow, box, cross, label, line, type Markup, type Point } from "./svg.js";

/** Room for CR3. */
const LEFT = 60;
const COLUMN = 178;
const GAP = 56;
const FIELD = 46;
const TABLE_TOP = 128;
const TABLE = 116;
const ENTRY = 32;
/** From the top of a table to the middle of the entry that is read. */
const ENTRY_AT = 66;

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, "0")}`;

function rightsText(entry: PageTableEntry): string {
  const { present, writable, user, executeDisable } = entry;
  if (!present) return "not present";
  if (!hasRights(entry)) return "present";
  return `${writable ? "writable" : "read-only"}, ${user ? "user" : "supervisor"}${executeDisable ? ", XD" : ""}`;
}

interface Column {
  readonly title: string;
  readonly address: string;
  readonly entry: string;
  readonly note: string;
  readonly failed: boolean;
}

function columnsOf({ entries, physical, pageBytes, fault, linear }: PageWalk): readonly Column[] {
  const tables = entries.map((entry, index) => ({
    title: entry.table,
    address: `entry at ${hex(entry.address, 8)}`,
    // The high word of an entry of 8 bytes is shown where there is something in it.
    entry: `0x${entry.words[1] === 0 ? hex(entry.words[0], 8).slice(2) : entryText(entry)}`,
    note: rightsText(entry),
    failed: fault !== undefined && index === entries.length - 1,
  }));
  if (physical === undefined || pageBytes === undefined) return tables;
  const offset = ((linear % pageBytes) + pageBytes) % pageBytes;
  return [
    ...tables,
    {
      title: `page frame, ${sizeText(pageBytes)}`,
      address: `frame at ${hex(physical - offset, 8)}`,
      entry: hex(physical, 8),
      note: `offset ${hex(offset, 3)}`,
      failed: false,
    },
  ];
}

/**
 * A page walk as it is drawn in manuals: the linear address in its parts, the entry that each of them chooses, and where
 * it leads. A walk that faults ends with a cross.
 *
 * @example
 * const machine = Machine.create({ memory: "1M" });
 * walkDiagram(machine.walk(0x1234), { from: machine }).text.split("\n")[2] // => '  paging is off: the physical address is the linear one'
 */
export function walkDiagram(walk: PageWalk, options: DiagramOptions = {}): Diagram {
  const columns = columnsOf(walk);
  const parts = linearParts(walk);
  const result = walk.physical === undefined ? walkFaultText(walk) : `physical address ${hex(walk.physical, 8)}`;
  const namesWidth = Math.max(...parts.map(([name, , bits]) => textWidth(`${name}, bits ${bits}`, 12))) + 20;
  const width = Math.max(
    LEFT + columns.length * (COLUMN + GAP),
    LEFT + parts.length * namesWidth,
    textWidth(result, 15) + 20,
  );
  const fieldWidth = (width - LEFT) / parts.length;
  const fields = parts.map(
    ([name, value, bits], index): { readonly markup: readonly Markup[]; readonly foot: Point } => {
      const x = LEFT + index * fieldWidth;
      return {
        markup: [
          box(x, 24, fieldWidth - 6, FIELD),
          label(x + (fieldWidth - 6) / 2, 42, `${name}, bits ${bits}`, { anchor: "middle", size: 11.5, dim: true }),
          label(x + (fieldWidth - 6) / 2, 61, partText(value), { anchor: "middle", bold: true, mono: true }),
        ],
        foot: [x + (fieldWidth - 6) / 2, 24 + FIELD],
      };
    },
  );
  const columnX = (index: number): number => LEFT + index * (COLUMN + GAP);
  const tables = columns.flatMap((column, index) => columnParts(column, columnX(index), fields[index]?.foot));
  const links = columns.slice(1).map((_, index) => {
    const [from, to] = [columnX(index) + COLUMN, columnX(index + 1)];
    const [low, high] = [TABLE_TOP + ENTRY_AT, TABLE_TOP + 12];
    return arrow(
      [
        [from, low],
        [from + GAP / 2, low],
        [from + GAP / 2, high],
        [to, high],
      ],
      { stroke: colours.blue },
    );
  });
  const height = columns.length === 0 ? 110 : TABLE_TOP + TABLE + 56;
  const words = walk.paging
    ? [
        parts.map(([name, value]) => `${name} ${partText(value)}`).join(", "),
        ...columns.map(({ title, address, entry, note }) => `${title}: ${address} is ${entry}, ${note}`),
        result,
      ]
    : ["paging is off: the physical address is the linear one", result];
  return new Diagram(
    {
      kind: `page walk of linear ${address(walk.linear)}`,
      width,
      height,
      parts: [
        label(0, 14, `linear address ${address(walk.linear)}`, { bold: true }),
        ...fields.flatMap(({ markup }) => markup),
        ...(columns.length === 0 ? [] : startParts(columnX(0))),
        ...tables,
        ...links,
        label(0, height - 10, `→ ${result}`, { bold: true }),
      ],
      words: [`of linear ${address(walk.linear)}`, ...words],
      data: [{ walk: { ...walk } }],
    },
    options,
  );
}

/** CR3 holds where the first table is. */
const startParts = (to: number): readonly Markup[] => [
  label(0, TABLE_TOP + 16, "CR3", { bold: true, mono: true }),
  arrow(
    [
      [32, TABLE_TOP + 12],
      [to, TABLE_TOP + 12],
    ],
    { stroke: colours.blue },
  ),
];

function columnParts(column: Column, x: number, foot: Point | undefined): readonly Markup[] {
  const { title, address, entry, note, failed } = column;
  const colour = failed ? colours.orange : colours.blue;
  const at = TABLE_TOP + ENTRY_AT;
  // From the part of the address down into the table, beside what leads to it.
  const way: readonly Point[] =
    foot === undefined ? [] : [foot, [foot[0], 96], [x + COLUMN - 22, 96], [x + COLUMN - 22, at - ENTRY / 2]];
  return [
    label(x, TABLE_TOP - 10, title, { size: 12, bold: true }),
    box(x, TABLE_TOP, COLUMN, TABLE),
    box(x, at - ENTRY / 2, COLUMN, ENTRY, { stroke: colour, width: 2, dashed: failed }),
    label(x + 10, at + 5, entry, { mono: true, bold: true }),
    label(x + 10, TABLE_TOP + 30, address, { size: 11.5, dim: true }),
    label(x + 10, at + ENTRY / 2 + 20, note, { size: 11.5, dim: true }),
    ...(way.length === 0 ? [] : [arrow(way, { width: 1.2 })]),
    ...(failed
      ? [
          cross([x + COLUMN + 18, at], colour),
          line(
            [
              [x + COLUMN, at],
              [x + COLUMN + 8, at],
            ],
            { stroke: colour },
          ),
        ]
      : []),
  ];
}
