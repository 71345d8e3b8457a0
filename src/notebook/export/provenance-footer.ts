/** The end of a page: what ran the notebook, its hash, the hashes of its figures, and how to run it again. */

import { escapeHtml } from "../../view/text.js";
import type { DisplayFingerprint } from "../document/fingerprint.js";
import { versionsText } from "../document/versions.js";
import type { PageRecord } from "./record.js";

const SHORT = 12;

/** The rows of the figures' table: name, cell, states, costs, data. */
export function figureRows({ displays }: PageRecord): readonly (readonly string[])[] {
  return displays.flatMap(({ cell, title, provenance }) => {
    if (provenance === undefined) return [];
    const { states, costs, data } = provenance;
    return [[title, String(cell), states.map(short).join(" "), costs === undefined ? "" : short(costs), short(data)]];
  });
}

export const FIGURE_COLUMNS = ["figure", "cell", "states", "costs", "data"] as const;

/** What is true of the whole page, as pairs of a name and a text. */
export function facts({ versions, source, displays }: PageRecord): readonly (readonly [string, string])[] {
  return [
    ["run by", versionsText(versions)],
    ["source", source],
    ["displays", displays.length === 0 ? "none" : `${displays.length}, ${count(displays)} of them figures`],
  ];
}

const count = (displays: readonly DisplayFingerprint[]): number =>
  displays.filter(({ kind }) => kind === "figure").length;

const short = (hash: string): string => hash.slice(0, SHORT);

/** @param note a line of its own, such as how long the run took. */
export function footerHtml(record: PageRecord, note: string | undefined): string {
  const figures = figureRows(record);
  const cells = (row: readonly string[], tag: string): string =>
    row.map((cell, index) => `<${tag}${index > 1 ? ' class="hash"' : ""}>${escapeHtml(cell)}</${tag}>`).join("");
  const table =
    figures.length === 0
      ? ""
      : `<div class="table" tabindex="0"><table><thead><tr>${cells(FIGURE_COLUMNS, "th")}</tr></thead><tbody>${figures.map((row) => `<tr>${cells(row, "td")}</tr>`).join("")}</tbody></table></div>`;
  const list = facts(record).map(([name, text]) => `<div><dt>${name}</dt><dd>${escapeHtml(text)}</dd></div>`);
  return `<footer>
<details><summary>${note === undefined ? "" : `${escapeHtml(note)} · `}${escapeHtml(versionsText(record.versions))} · source ${short(record.source)}</summary>
<dl>${list.join("")}</dl>
${table}
<p><code>virtlab reproduce</code> on this file runs the notebook in it again and compares every display.</p></details>
</footer>`;
}
