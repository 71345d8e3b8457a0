/**
 * Outputs of a cell as HTML without scripts, each in the richest of its forms that such a page can show. Widgets and
 * interactive charts are left out; charts come with a drawing or a text beside them.
 * Manual: nbformat, "Code cell outputs".
 */
import { escapeHtml } from "../../view/text.js";
import type { MarkdownRenderer } from "./markdown.js";
import { OUTPUT_STYLE } from "./page-style.js";
import { printedText } from "./printed-text.js";
import { safeHtml } from "./safe-html.js";

type Fields = Readonly<Record<string, unknown>>;

/** The forms of a mime bundle, the richest first; each gives undefined for data that it cannot show. */
const FORMS: readonly (readonly [type: string, show: (data: unknown, context: Context) => string | undefined])[] = [
  ["image/svg+xml", showSvg],
  ["text/html", showHtml],
  ["image/png", showImage],
  ["image/jpeg", showImage],
  ["image/gif", showImage],
  ["text/markdown", (data, { markdown }) => `<div class="markdown">${markdown.render(textOf(data))}</div>`],
  ["text/plain", (data) => preformatted("plain", textOf(data))],
  ["application/json", (data) => preformatted("plain", JSON.stringify(data, null, 2))],
];

interface Context {
  readonly type: string;
  readonly bundle: Fields;
  readonly metadata: Fields;
  readonly markdown: MarkdownRenderer;
}

/** The output as HTML; empty when there is nothing to show. */
export function outputHtml(output: unknown, markdown: MarkdownRenderer): string {
  if (!isFields(output)) return "";
  switch (output["output_type"]) {
    case "stream":
      return preformatted(output["name"] === "stderr" ? "stderr" : "stdout", textOf(output["text"]));
    case "error":
      return errorHtml(output);
    case "display_data":
    case "execute_result":
      return bundleHtml(output, markdown);
    default:
      return "";
  }
}

export function isError(output: unknown): boolean {
  return isFields(output) && output["output_type"] === "error";
}

function bundleHtml(output: Fields, markdown: MarkdownRenderer): string {
  const bundle = isFields(output["data"]) ? output["data"] : {};
  const allMetadata = isFields(output["metadata"]) ? output["metadata"] : {};
  for (const [type, show] of FORMS) {
    if (bundle[type] === undefined) continue;
    const metadata = isFields(allMetadata[type]) ? allMetadata[type] : {};
    const html = show(bundle[type], { type, bundle, metadata, markdown });
    if (html !== undefined) return html;
  }
  const types = Object.keys(bundle).join(", ");
  return types === "" ? "" : `<p class="unshown">An output of ${escapeHtml(types)}, which this page cannot show.</p>`;
}

function errorHtml(output: Fields): string {
  const traceback = output["traceback"];
  const lines = Array.isArray(traceback) ? traceback.map(String).join("\n") : "";
  const text = printedText(lines || `${String(output["ename"])}: ${String(output["evalue"])}`);
  const [first, ...rest] = text.split("\n");
  const more = rest.length === 0 ? "" : `\n${escapeHtml(rest.join("\n"))}`;
  return `<pre class="error" tabindex="0"><strong>${escapeHtml(first!)}</strong>${more}</pre>`;
}

/** As a picture a drawing can neither run scripts nor load anything, whoever made it. */
function showSvg(data: unknown, context: Context): string | undefined {
  let svg = textOf(data).trim();
  const start = /<svg\b[^>]*>/i.exec(svg)?.[0];
  if (start === undefined) return undefined;
  if (!/\sxmlns\s*=/.test(start)) svg = svg.replace(/<svg\b/i, '<svg xmlns="http://www.w3.org/2000/svg"');
  // Made for white paper, unless it says that it looks at the colours around it.
  const adapts = svg.includes("prefers-color-scheme");
  return picture(`data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`, adapts ? "" : "paper", context);
}

function showImage(data: unknown, context: Context): string | undefined {
  const base64 = textOf(data).replace(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]+=*$/.test(base64)) return undefined;
  return picture(`data:${context.type};base64,${base64}`, "", context);
}

function picture(address: string, kind: string, { bundle, metadata }: Context): string {
  const plain = bundle["text/plain"];
  const alternative = plain === undefined ? "output of this cell" : textOf(plain).slice(0, 500);
  const size = ["width", "height"].map((name) =>
    typeof metadata[name] === "number" ? ` ${name}="${metadata[name]}"` : "",
  );
  return `<div class="picture ${kind}"><img src="${address}" alt="${escapeHtml(alternative)}"${size.join("")}></div>`;
}

function showHtml(data: unknown): string | undefined {
  const html = safeHtml(textOf(data));
  if (html.trim() === "") return undefined;
  if (!html.includes("<style")) return `<div class="html" tabindex="0">${html}</div>`;
  // A style of the display's own stays inside of it.
  const root = `<template shadowrootmode="open"><style>${OUTPUT_STYLE}</style>${html}</template>`;
  return `<div class="html" tabindex="0"><div>${root}</div></div>`;
}

function preformatted(kind: string, text: string): string {
  const printed = printedText(text).replace(/\n$/, "");
  return printed === "" ? "" : `<pre class="${kind}" tabindex="0">${escapeHtml(printed)}</pre>`;
}

/** Text of a notebook file: one string, or its lines. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join("") : String(value ?? "");
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
