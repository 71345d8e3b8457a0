/** Pieces that displays are made of. What is passed as HTML is escaped already; what is passed as text is not. */
import { escapeHtml } from "./text.js";

/** The line at the top: a title, facts beside it, and one at the end. */
export const heading = (title: string, facts: readonly string[], end = ""): string =>
  `<div class="head"><b>${escapeHtml(title)}</b> ${facts.map((fact) => `<span>${fact}</span>`).join(" ")}${end === "" ? "" : ` <span class="end dim">${end}</span>`}</div>`;

export interface Column {
  readonly title: string;
  readonly mono?: boolean;
  readonly num?: boolean;
  readonly wrap?: boolean;
}

/** A row's cells as HTML, and its class. */
export interface TableRow {
  readonly cells: readonly string[];
  readonly class?: string;
}

const cellClass = ({ mono, num, wrap }: Column): string => {
  const names = [mono ? "mono" : "", num ? "num" : "", wrap ? "wrap" : ""].filter(Boolean).join(" ");
  return names === "" ? "" : ` class="${names}"`;
};

export function table(columns: readonly Column[], rows: readonly TableRow[]): string {
  const head = columns
    .map((column) => `<th${column.num ? ' class="num"' : ""}>${escapeHtml(column.title)}</th>`)
    .join("");
  const body = rows.map(
    (row) =>
      `<tr${row.class ? ` class="${row.class}"` : ""}>${row.cells.map((cell, index) => `<td${cellClass(columns[index] ?? { title: "" })}>${cell}</td>`).join("")}</tr>`,
  );
  const titles = columns.some(({ title }) => title !== "") ? `<thead><tr>${head}</tr></thead>` : "";
  return `<table>${titles}<tbody>${body.join("")}</tbody></table>`;
}

/** A part of a number: its bits, and what they mean. */
export interface BitField {
  /** From the highest. */
  readonly bits: string;
  readonly range: string;
  readonly name: string;
  readonly value: string;
}

/** A number's bits in their groups, as manuals draw them. */
export const bitFields = (fields: readonly BitField[]): string =>
  `<div class="fields">${fields
    .map(
      ({ bits, range, name, value }) =>
        `<span><small>${escapeHtml(range)}</small><span class="mono cells">${[...bits].map((bit) => `<i>${bit}</i>`).join("")}</span><span>${escapeHtml(name)} <b class="mono">${escapeHtml(value)}</b></span></span>`,
    )
    .join("")}</div>`;

/** A list of pairs, one a line, for text. */
export function columnsOfText(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows.reduce<number[]>((most, row) => {
    row.forEach((cell, index) => {
      most[index] = Math.max(most[index] ?? 0, cell.length);
    });
    return most;
  }, []);
  return rows.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index]!)))
      .join("  ")
      .trimEnd(),
  );
}
