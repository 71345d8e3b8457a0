/** `tableOf`: results of one's own as a table, in the look of the other displays. */
import { Display } from "../display.js";
import { columnsOfText, table } from "../parts.js";
import { frame } from "../style.js";
import { escapeHtml, grouped, visible } from "../text.js";

/** How a cell is shown: as good, as bad, or in the background. Nothing is said by colour alone. */
export type CellMark = "yes" | "no" | "dim";

export interface TableOptions {
  /** A line above the table. */
  readonly caption?: string;
  /** Marks cells, by their value and the name of their column. */
  readonly mark?: (value: unknown, column: string) => CellMark | undefined;
}

type TableRecord = Readonly<Record<string, unknown>>;

/** What is not there is left empty; whole numbers are grouped, and everything else is what its text is. */
function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return visible(typeof value === "number" && Number.isInteger(value) ? grouped(value) : String(value));
}

/**
 * Records as a table: a row each, with a column for every name that any of them has, in the order in which they come.
 *
 * @example
 * String(tableOf([{ ring: 0, cli: "runs" }, { ring: 3, cli: "#GP(0)" }])) // => 'ring  cli\n0     runs\n3     #GP(0)'
 */
export function tableOf(rows: readonly TableRecord[], { caption, mark }: TableOptions = {}): Display {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const columns = names.map((title) => {
    const values = rows.map((row) => row[title]);
    const num = values.every((value) => typeof value === "number" || value === undefined || value === null);
    return { title, num, wrap: values.some((value) => cellText(value).length > 60) };
  });
  const cellHtml = (value: unknown, name: string): string => {
    const kind = mark?.(value, name);
    const text = escapeHtml(cellText(value));
    return kind === undefined ? text : `<span class="${kind}">${text}</span>`;
  };
  const body = rows.map((row) => ({ cells: names.map((name) => cellHtml(row[name], name)) }));
  const head = caption === undefined ? "" : `<div class="head"><b>${escapeHtml(caption)}</b></div>`;
  const html = frame(`${head}<div class="first row">${table(columns, body)}</div>`);
  const lines = columnsOfText([names, ...rows.map((row) => names.map((name) => cellText(row[name])))]);
  return new Display(html, [...(caption === undefined ? [] : [caption]), ...lines].join("\n"));
}
