/**
 * An executed notebook as one page to read: a single HTML file that loads nothing and needs no server. The one script
 * that it may run is that of scrubbers. It carries the notebook and the hashes of its displays, so that it can be run
 * again. Running cells and interactive charts are left out. Manual: "The Notebook file format" (nbformat).
 */
import { createHash } from "node:crypto";
import { SCRUBBER_SCRIPT } from "../../view/scrubber/script.js";
import { escapeHtml } from "../../view/text.js";
import type { Versions } from "../document/fingerprint.js";
import type { NotebookCell, NotebookDocument } from "../document/notebook-document.js";
import { highlight } from "./highlight.js";
import { type Heading, MarkdownRenderer } from "./markdown.js";
import { isError, outputHtml } from "./page-outputs.js";
import { PAGE_STYLE } from "./page-style.js";
import { footerHtml } from "./provenance-footer.js";
import { recordOf, sealPage } from "./record.js";

export interface PageOptions {
  /** Name of the notebook file, shown in the header and as the title of a notebook without one. */
  readonly name: string;
  /** What ran the notebook, where that is known. */
  readonly versions?: Versions | undefined;
  /** A line at the end, such as how long it took. */
  readonly note?: string;
}

/** With fewer headings a reader sees the whole in a glance. */
const HEADINGS_WITHOUT_CONTENTS = 6;

/** Outputs are made by guests, which nobody needs to trust: even what slips through can neither run nor load. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** Exactly this text may run, where there is a scrubber. Spec: Content Security Policy Level 3, "script-src". */
const SCRIPT_POLICY = `; script-src 'sha256-${createHash("sha256").update(SCRUBBER_SCRIPT).digest("base64")}'`;

// A value and the ones that were made from it.
const MARK = `<svg class="mark" viewBox="0 0 20 20" aria-hidden="true">
<rect x="7.5" y="1.5" width="11" height="11" rx="2.5" opacity=".35"/><rect x="4.5" y="4.5" width="11" height="11" rx="2.5" opacity=".6"/>
<rect x="1.5" y="7.5" width="11" height="11" rx="2.5" class="front"/></svg>`;

/** The page as the text of an HTML file. */
export function notebookPage(notebook: NotebookDocument, { name, versions, note }: PageOptions): string {
  const markdown = new MarkdownRenderer();
  // Outputs may hold markdown too, but their headings are not the notebook's.
  const outputMarkdown = new MarkdownRenderer("_output-");
  const sections = notebook.cells.map((cell, index) => cellHtml(cell, index, markdown, outputMarkdown));
  const { headings } = markdown;
  const title = headings.find(({ depth }) => depth === 1);
  const ownTitle = title === undefined ? `<h1>${escapeHtml(name)}</h1>\n` : "";
  // After the title and what introduces it; where there is room, the contents stand beside the text.
  const place = Math.max(0, notebook.cells.findIndex(isMarkdown)) + 1;
  const contents =
    headings.length > HEADINGS_WITHOUT_CONTENTS ? contentsHtml(headings.filter((one) => one !== title)) : "";
  const main = sections
    .toSpliced(place, 0, contents)
    .filter((section) => section !== "")
    .join("\n");
  const hasScrubber = main.includes("vl-scrubber");
  const record = recordOf(notebook, name, versions);
  const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_SECURITY_POLICY}${hasScrubber ? SCRIPT_POLICY : ""}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title?.text ?? name)} · virtlab</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header class="bar"><span class="brand">${MARK}virtlab</span><span class="file">${escapeHtml(name)}</span>${statusHtml(notebook)}</header>
<main${contents === "" ? "" : ' class="with-contents"'}>
${ownTitle}${main}
</main>
${footerHtml(record, note)}
${hasScrubber ? `<script>${SCRUBBER_SCRIPT}</script>\n` : ""}`;
  return sealPage(page, "\n</body>\n</html>\n", record, "html");
}

function cellHtml(
  cell: NotebookCell,
  index: number,
  markdown: MarkdownRenderer,
  outputMarkdown: MarkdownRenderer,
): string {
  if (isMarkdown(cell)) {
    return `<section class="text">${markdown.render(cell.source, cell.attachments)}</section>`;
  }
  // Raw cells are meant for other converters.
  if (cell.cell_type === "raw") return "";
  const outputs = (cell.outputs ?? []).map((output) => outputHtml(output, outputMarkdown)).join("\n");
  const source = cell.source.replace(/\s+$/, "");
  if (source === "" && outputs === "") return "";
  const count = typeof cell.execution_count === "number" ? `<span class="count">${cell.execution_count}</span>` : "";
  const failed = hasFailed(cell) ? " failed" : "";
  return `<section class="cell${failed}" id="_cell-${index + 1}">
<div class="source">${count}<pre tabindex="0"><code>${highlight(source)}</code></pre></div>
${outputs === "" ? "" : `<div class="outputs">${outputs}</div>\n`}</section>`;
}

function contentsHtml(headings: readonly Heading[]): string {
  const top = Math.min(...headings.map(({ depth }) => depth));
  const items = headings
    .filter(({ depth }) => depth <= top + 1)
    .map(({ depth, id, text }) => `<li class="level-${depth - top + 1}"><a href="#${id}">${escapeHtml(text)}</a></li>`);
  return `<nav class="contents" aria-label="Contents"><p>Contents</p><ol>${items.join("")}</ol></nav>`;
}

/** Says at the top whether the notebook ran well; nothing of a notebook that did not run. */
function statusHtml({ cells }: NotebookDocument): string {
  const ran = cells.filter((cell) => typeof cell.execution_count === "number").length;
  const failed = cells.findIndex(hasFailed);
  if (failed >= 0) return `<a class="status bad" href="#_cell-${failed + 1}">cell ${failed + 1} failed</a>`;
  return ran === 0 ? "" : `<span class="status good">${ran} ${ran === 1 ? "cell" : "cells"} passed</span>`;
}

function isMarkdown({ cell_type }: NotebookCell): boolean {
  return cell_type === "markdown";
}

function hasFailed({ outputs = [], metadata }: NotebookCell): boolean {
  const { tags } = metadata;
  return outputs.some(isError) && !(Array.isArray(tags) && tags.includes("raises-exception"));
}
