/** A text screen for readers: its characters in their colours, with the cursor. */
import type { Screen, ScreenCell } from "../../hardware/inspect/screen.js";
import { Display } from "../display.js";
import { heading } from "../parts.js";
import { frame } from "../style.js";
import { escapeHtml } from "../text.js";

const same = (a: ScreenCell, b: ScreenCell): boolean => a.foreground === b.foreground && a.background === b.background;

/** A row as runs of cells of the same colours; the cursor's cell is a run of its own, underlined. */
function rowHtml(cells: readonly ScreenCell[], cursor: number, colours: readonly string[]): string {
  let html = "";
  for (let from = 0; from < cells.length; ) {
    const first = cells[from]!;
    let to = from + 1;
    while (to < cells.length && from !== cursor && to !== cursor && same(first, cells[to]!)) to++;
    const text = cells.slice(from, to).map(({ character }) => character);
    const line = from === cursor ? ";text-decoration:underline" : "";
    const style = `color:${colours[first.foreground]};background-color:${colours[first.background]}${line}`;
    html += `<span style="${style}">${escapeHtml(text.join(""))}</span>`;
    from = to;
  }
  return html;
}

export function screenDisplay({ columns, rows, text, cells, cursor, colours }: Screen): Display {
  const lines = cells.map((row, index) => rowHtml(row, cursor?.row === index ? cursor.column : -1, colours));
  const place = cursor === undefined ? "no cursor" : `cursor at ${cursor.column}, ${cursor.row}`;
  const head = heading("Screen", [`${columns} by ${rows} characters`], place);
  const html = frame(`${head}<div class="row"><pre class="mono">${lines.join("\n")}</pre></div>`);
  return new Display(html, [`Screen, ${columns} by ${rows} characters, ${place}`, ...text].join("\n").trimEnd());
}
