/** `screenDiagram`: a text screen as a drawing. */
import type { TextScreen } from "../../hardware/inspect/screen.js";
import { runsOf, screenColours } from "../displays/screen-display.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { element, type Markup } from "./svg.js";

/** A character cell, in the proportions of 9 by 16 points. */
const WIDTH = 9;
const HEIGHT = 16;
const BASELINE = 12.5;
const MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";

const rectangle = (x: number, y: number, width: number, height: number, fill: string): Markup =>
  element("rect", { x, y, width, height, fill });

/**
 * A text screen as it looks, and its lines as words.
 *
 * @example
 * const machine = Machine.create({ memory: "1M" }).write(0xb8000, Uint8Array.of(0x48, 7, 0x69, 7));
 * screenDiagram(machine.screen, { from: machine }).text.split("\n")[1] // => '  Hi'
 */
export function screenDiagram(screen: TextScreen, options: DiagramOptions = {}): Diagram {
  const { columns, rows, lines, cells, cursor } = screen;
  const [width, height] = [columns * WIDTH, rows * HEIGHT];
  const parts = cells.flatMap((row, index) =>
    runsOf(row).flatMap(({ column, text, foreground, background }): readonly Markup[] => {
      const [x, y, length] = [column * WIDTH, index * HEIGHT, text.length * WIDTH];
      const behind = background === 0 ? [] : [rectangle(x, y, length, HEIGHT, screenColours[background]!)];
      if (text.trim() === "") return behind;
      // Each character in its own column, whatever the font's width is.
      const places = Array.from(text, (_, at) => x + at * WIDTH).join(" ");
      const look = { x: places, y: y + BASELINE, fill: screenColours[foreground]! };
      return [...behind, element("text", { ...look, "xml:space": "preserve" }, text)];
    }),
  );
  const underline =
    cursor === undefined
      ? []
      : [
          rectangle(
            cursor.column * WIDTH,
            cursor.row * HEIGHT + Math.min(cursor.from, HEIGHT - 1),
            WIDTH,
            Math.max(1, Math.min(cursor.to, HEIGHT - 1) - cursor.from + 1),
            screenColours[cells[cursor.row]![cursor.column]!.foreground]!,
          ),
        ];
  return new Diagram(
    {
      kind: `screen of ${columns} by ${rows}`,
      width,
      height,
      parts: [
        rectangle(0, 0, width, height, screenColours[0]!),
        element("g", { "font-family": MONO, "font-size": 14 }, ...parts, ...underline),
      ],
      words: lines.slice(0, lines.findLastIndex((line) => line !== "") + 1),
      data: [{ screen: { columns, rows, lines, cursor } }],
    },
    options,
  );
}
