/** `screenDiagram`: a text screen as a drawing. */
import type { Screen, ScreenCell } from "../../hardware/inspect/screen.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { element, type Markup } from "./svg.js";

/** A character cell, in the proportions of 9 by 16 points, and where its cursor is. */
const WIDTH = 9;
const HEIGHT = 16;
const BASELINE = 12.5;
const CURSOR = 13;
const MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/** Cells of a row that stand side by side and look alike, with the column of the first. */
interface Run extends Pick<ScreenCell, "foreground" | "background"> {
  readonly column: number;
  readonly text: string;
}

function runsOf(row: readonly ScreenCell[]): readonly Run[] {
  const runs: Run[] = [];
  row.forEach(({ character, foreground, background }, column) => {
    const last = runs.at(-1);
    if (last?.foreground === foreground && last.background === background)
      runs[runs.length - 1] = { ...last, text: last.text + character };
    else runs.push({ column, text: character, foreground, background });
  });
  return runs;
}

const rectangle = (x: number, y: number, width: number, height: number, fill: string): Markup =>
  element("rect", { x, y, width, height, fill });

/**
 * A text screen as it looks, and its lines as words.
 *
 * @example
 * const machine = Machine.create({ machine: "pc" }).write(0xb8000, Uint8Array.of(0x48, 7, 0x69, 7));
 * screenDiagram(screen(machine), { from: machine }).text.split("\n")[1] // => '  Hi'
 */
export function screenDiagram(screen: Screen, options: DiagramOptions = {}): Diagram {
  const { columns, rows, text: lines, cells, cursor, colours } = screen;
  const [width, height] = [columns * WIDTH, rows * HEIGHT];
  const colour = (number: number): string => colours[number]!;
  const parts = cells.flatMap((row, index) =>
    runsOf(row).flatMap(({ column, text, foreground, background }): readonly Markup[] => {
      const [x, y] = [column * WIDTH, index * HEIGHT];
      const behind = background === 0 ? [] : [rectangle(x, y, text.length * WIDTH, HEIGHT, colour(background))];
      if (text.trim() === "") return behind;
      // Each character in its own column, whatever the font's width is.
      const places = Array.from(text, (_, at) => x + at * WIDTH).join(" ");
      const look = { x: places, y: y + BASELINE, fill: colour(foreground), "xml:space": "preserve" };
      return [...behind, element("text", look, text)];
    }),
  );
  if (cursor !== undefined) {
    const { foreground } = cells[cursor.row]![cursor.column]!;
    parts.push(rectangle(cursor.column * WIDTH, cursor.row * HEIGHT + CURSOR, WIDTH, 2, colour(foreground)));
  }
  return new Diagram(
    {
      kind: `screen of ${columns} by ${rows}`,
      width,
      height,
      parts: [
        rectangle(0, 0, width, height, colour(0)),
        element("g", { "font-family": MONO, "font-size": 14 }, ...parts),
      ],
      words: lines.slice(0, lines.findLastIndex((line) => line !== "") + 1),
      data: [{ screen: { columns, rows, lines, cursor } }],
    },
    options,
  );
}
