/** `tableOf`: results of one's own as a table, in the look of the other displays, with what changed marked. */
import { VirtlabError } from "../../state/error.js";
import { Display } from "../display.js";
import { columnsOfText, table } from "../parts.js";
import { frame } from "../style.js";
import { escapeHtml, grouped, visible } from "../text.js";
import { type ComparedRow, compareRows, isSame, type RowChange, type TableRecord } from "./changes.js";

export type { TableRecord } from "./changes.js";

/** How a cell is shown: as good, as bad, or in the background. Nothing is said by colour alone. */
export type CellMark = "yes" | "no" | "dim";

export interface TableOptions {
  /** A line above the table. */
  readonly caption?: string;
  /** Marks cells, by their value and the name of their column. */
  readonly mark?: (value: unknown, column: string) => CellMark | undefined;
  /** The records to compare with: rows that came, went or changed are marked, with what was before. */
  readonly since?: readonly TableRecord[];
  /** The column by which a row is found in `since`. Default: the first. */
  readonly key?: string;
}

/** Signs for readers who see no colours. */
const SIGNS: Readonly<Record<RowChange, string>> = { added: "+", removed: "−", changed: "±", same: "" };

/** What is not there is left empty; whole numbers are grouped, and everything else is what its text is. */
function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return visible(typeof value === "number" && Number.isInteger(value) ? grouped(value) : String(value));
}

/** "2 changed, 1 added" */
function summaryOf(rows: readonly ComparedRow[]): string {
  const counts = (["changed", "added", "removed"] as const).map(
    (change) => [rows.filter((row) => row.change === change).length, change] as const,
  );
  const told = counts.filter(([count]) => count > 0).map(([count, change]) => `${grouped(count)} ${change}`);
  return told.length === 0 ? "no changes" : told.join(", ");
}

/**
 * Records as a table: a row each, with a column for every name that any of them has, in the order in which they come.
 * With `since`, what changed from other records is marked: by a sign before the row, and by the value that was.
 *
 * @throws VirtlabError for a `key` that is no column.
 *
 * @example
 * String(tableOf([{ ring: 0, cli: "runs" }, { ring: 3, cli: "#GP(0)" }])) // => 'ring  cli\n0     runs\n3     #GP(0)'
 * const before = [{ policy: "FIFO", faults: 9 }, { policy: "LRU", faults: 10 }];
 * const lines = tableOf([{ policy: "FIFO", faults: 10 }, { policy: "clock", faults: 9 }], { since: before }).text.split("\n");
 * lines[0] // => '1 changed, 1 added, 1 removed'
 * lines.slice(2) // => [ '±  FIFO    9 → 10', '−  LRU     10', '+  clock   9' ]
 */
export function tableOf(rows: readonly TableRecord[], { caption, mark, since, key }: TableOptions = {}): Display {
  const names = [...new Set([...rows, ...(since ?? [])].flatMap((row) => Object.keys(row)))];
  if (key !== undefined && !names.includes(key))
    throw new VirtlabError(`table: no record has a column ${JSON.stringify(key)}, by which rows shall be found`);
  const compared: readonly ComparedRow[] =
    since === undefined
      ? rows.map((row) => ({ change: "same", row }))
      : compareRows(since, rows, key ?? names[0] ?? "");
  const columns = names.map((title) => {
    const values = compared.map(({ row }) => row[title]);
    const num = values.every((value) => typeof value === "number" || value === undefined || value === null);
    return { title: visible(title), num, wrap: values.some((value) => cellText(value).length > 60) };
  });
  const cellHtml = ({ row, before }: ComparedRow, name: string): string => {
    const kind = mark?.(row[name], name);
    const text = escapeHtml(cellText(row[name]));
    const shown = kind === undefined ? text : `<span class="${kind}">${text}</span>`;
    if (before === undefined || isSame(before[name], row[name])) return shown;
    return `<span class="was">${escapeHtml(cellText(before[name]))} →</span> <mark>${shown}</mark>`;
  };
  const signColumn = since === undefined ? [] : [{ title: "", mono: true }];
  const body = compared.map((one) => ({
    class: one.change === "removed" ? "guess" : one.change === "added" ? "here" : "",
    cells: [...signOf(one, since), ...names.map((name) => cellHtml(one, name))],
  }));
  const summary = since === undefined ? "" : summaryOf(compared);
  const head =
    caption === undefined && summary === ""
      ? ""
      : `<div class="head"><b>${escapeHtml(visible(caption ?? "Changes"))}</b>${summary === "" ? "" : ` <span class="dim">${summary}</span>`}</div>`;
  const html = frame(`${head}<div class="first row">${table([...signColumn, ...columns], body)}</div>`);
  const lines = columnsOfText([
    [...(since === undefined ? [] : [" "]), ...names.map(visible)],
    ...compared.map((one) => [
      ...(since === undefined ? [] : [SIGNS[one.change] || " "]),
      ...names.map((name) => cellChange(one, name)),
    ]),
  ]);
  const title = [caption === undefined ? "" : visible(caption), summary].filter(Boolean).join(": ");
  return new Display(html, [...(title === "" ? [] : [title]), ...lines].join("\n"));
}

/** The sign before a row, which is read out as a word. */
const signOf = ({ change }: ComparedRow, since: readonly TableRecord[] | undefined): readonly string[] =>
  since === undefined
    ? []
    : [change === "same" ? "" : `<b title="${change}" aria-label="${change}">${SIGNS[change]}</b>`];

function cellChange({ row, before }: ComparedRow, name: string): string {
  const text = cellText(row[name]);
  return before === undefined || isSame(before[name], row[name]) ? text : `${cellText(before[name])} → ${text}`;
}
