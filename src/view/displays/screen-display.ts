/** A text screen for readers: as it looks, and as text. */
import type { ScreenCell, TextScreen } from "../../hardware/inspect/screen.js";
import { Display } from "../display.js";
import { heading } from "../parts.js";
import { frame } from "../style.js";
import { escapeHtml } from "../text.js";

/** The sixteen colours of the VGA's default palette: what a guest chose, and no colours of a figure. */
export const screenColours: readonly string[] = [
  ...["#000000", "#0000aa", "#00aa00", "#00aaaa", "#aa0000", "#aa00aa", "#aa5500", "#aaaaaa"],
  ...["#555555", "#5555ff", "#55ff55", "#55ffff", "#ff5555", "#ff55ff", "#ffff55", "#ffffff"],
];

/** Cells of a row that stand side by side and look alike, with the column of the first. */
export interface ScreenRun {
  readonly column: number;
  readonly text: string;
  readonly foreground: number;
  readonly background: number;
}

export function runsOf(row: readonly ScreenCell[]): readonly ScreenRun[] {
  const runs: { column: number; text: string; foreground: number; background: number }[] = [];
  row.forEach(({ character, foreground, background }, column) => {
    const last = runs.at(-1);
    if (last?.foreground === foreground && last.background === background) last.text += character;
    else runs.push({ column, text: character, foreground, background });
  });
  return runs;
}

/** Colours of most cells: grey on black. */
const USUAL = { foreground: 7, background: 0 } as const;
const isUsual = (run: ScreenRun): boolean => run.foreground === USUAL.foreground && run.background === USUAL.background;

function rowHtml(row: readonly ScreenCell[], cursor: number | undefined): string {
  const parts =
    cursor === undefined ? [row] : [row.slice(0, cursor), row.slice(cursor, cursor + 1), row.slice(cursor + 1)];
  return parts
    .map((cells, index) => {
      const html = runsOf(cells).map(runHtml).join("");
      return cursor !== undefined && index === 1 ? `<u title="cursor">${html}</u>` : html;
    })
    .join("");
}

const runHtml = (run: ScreenRun): string =>
  isUsual(run)
    ? escapeHtml(run.text)
    : `<span style="color:${screenColours[run.foreground]};background:${screenColours[run.background]}">${escapeHtml(run.text)}</span>`;

const LOOK = `display:inline-block;white-space:pre;overflow-wrap:normal;line-height:1.25;padding:.4rem .6rem;background:${screenColours[USUAL.background]};color:${screenColours[USUAL.foreground]}`;

export function screenDisplay(screen: TextScreen): Display {
  const { columns, rows, lines, cells, cursor } = screen;
  const facts = [`<span class="dim">${columns} × ${rows}</span>`];
  const place = cursor === undefined ? "" : `cursor at line ${cursor.row}, column ${cursor.column}`;
  const body = cells.map((row, index) => rowHtml(row, cursor?.row === index ? cursor.column : undefined)).join("\n");
  const html = frame(
    [heading("Screen", facts, place), `<div class="first row"><pre style="${LOOK}">${body}</pre></div>`].join("\n"),
  );
  const edge = `+${"-".repeat(columns)}+`;
  const text = [
    `screen of ${columns} by ${rows}${place === "" ? "" : `, ${place}`}`,
    edge,
    ...lines.map((line) => `|${line.padEnd(columns)}|`),
    edge,
  ].join("\n");
  return new Display(html, text);
}
