/**
 * An executed notebook as Markdown that reads well where code is kept: texts as they are, code and what it printed in
 * fences, pictures as files beside it, since pictures inside of Markdown are not shown there. At its end stands, unseen,
 * what it takes to run it again. Interactive displays are shown as text.
 * Manual: GitHub Flavored Markdown, "Fenced code blocks"; nbformat, "Cell attachments".
 */
import type { Versions } from "../document/fingerprint.js";
import type { NotebookCell, NotebookDocument } from "../document/notebook-document.js";
import { printedText } from "./printed-text.js";
import { FIGURE_COLUMNS, facts, figureRows } from "./provenance-footer.js";
import { type PageRecord, recordOf, sealPage } from "./record.js";

export interface MarkdownPageOptions {
  /** Name of the notebook file. */
  readonly name: string;
  /** Folder of the pictures, as links have it: beside the page. */
  readonly pictures: string;
  readonly versions?: Versions | undefined;
}

export interface MarkdownPage {
  readonly text: string;
  /** Contents of files by their names inside of the folder of pictures. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}

type Fields = Readonly<Record<string, unknown>>;

/** Pictures by their mime type: the end of a file's name, and its content. */
const PICTURES: readonly (readonly [type: string, suffix: string, content: (data: string) => string | Uint8Array])[] = [
  ["image/svg+xml", "svg", (data) => data],
  ["image/png", "png", fromBase64],
  ["image/jpeg", "jpg", fromBase64],
  ["image/gif", "gif", fromBase64],
];

/** Longer ones are what a run is made of, not what a reader reads. */
const ALTERNATIVE = 120;

export function markdownPage(notebook: NotebookDocument, options: MarkdownPageOptions): MarkdownPage {
  const files = new Map<string, string | Uint8Array>();
  const parts = notebook.cells.flatMap((cell, index) => cellMarkdown(cell, index + 1, options, files));
  const record = recordOf(notebook, options.name, options.versions);
  const text = `${[...parts, footerMarkdown(record)].join("\n\n")}\n\n`;
  return { text: sealPage(text, "\n", record, "md"), files };
}

function cellMarkdown(
  cell: NotebookCell,
  number: number,
  { pictures }: MarkdownPageOptions,
  files: Map<string, string | Uint8Array>,
): readonly string[] {
  const { cell_type, source, outputs = [], attachments } = cell;
  if (source.trim() === "" && outputs.length === 0) return [];
  const addFile = (name: string, content: string | Uint8Array): string => {
    files.set(name, content);
    return `${pictures}/${name}`.split("/").map(encodeURIComponent).join("/");
  };
  // Raw cells are meant for other converters.
  if (cell_type === "raw") return [];
  if (cell_type === "markdown") return [withAttachments(source.trimEnd(), attachments, number, addFile)];
  const shown = outputs.map((output, place) =>
    outputMarkdown(output as Fields, `cell-${number}-${place + 1}`, addFile),
  );
  return [fence(source.trimEnd(), "ts"), ...shown].filter((part) => part !== "");
}

type AddFile = (name: string, content: string | Uint8Array) => string;

function outputMarkdown(output: Fields, name: string, addFile: AddFile): string {
  switch (output["output_type"]) {
    case "stream":
      return printed(textOf(output["text"]));
    case "error": {
      const traceback = output["traceback"];
      return printed(
        Array.isArray(traceback) && traceback.length > 0 ? traceback.join("\n") : String(output["evalue"]),
      );
    }
    case "display_data":
    case "execute_result":
      return bundleMarkdown((output["data"] ?? {}) as Fields, name, addFile);
    default:
      return "";
  }
}

function bundleMarkdown(bundle: Fields, name: string, addFile: AddFile): string {
  const plain = textOf(bundle["text/plain"]);
  for (const [type, suffix, content] of PICTURES) {
    if (bundle[type] === undefined) continue;
    const words = printedText(plain).split("\n")[0]!.slice(0, ALTERNATIVE);
    return `![${escapeMarkdown(words || "output of this cell")}](${addFile(`${name}.${suffix}`, content(textOf(bundle[type])))})`;
  }
  if (plain !== "") return printed(plain);
  if (bundle["application/json"] !== undefined)
    return fence(JSON.stringify(bundle["application/json"], null, 2), "json");
  const types = Object.keys(bundle).join(", ");
  return types === "" ? "" : `*An output of ${escapeMarkdown(types)}, which Markdown cannot show.*`;
}

const escapeMarkdown = (text: string): string => text.replace(/[\\[\]<>&`*_|]/g, "\\$&");

const printed = (text: string): string => {
  const shown = printedText(text).replace(/\n+$/, "");
  return shown === "" ? "" : fence(shown, "text");
};

/** Code in a fence that is longer than any in it. */
function fence(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const marks = "`".repeat(longest + 1);
  return `${marks}${language}\n${text}\n${marks}`;
}

/** Pictures that a cell holds become files; `attachment:` means nothing outside of a notebook. */
function withAttachments(source: string, attachments: unknown, number: number, addFile: AddFile): string {
  const bundles = (attachments ?? {}) as Readonly<Record<string, Fields>>;
  return source.replace(/\(attachment:([^)\s]+)/g, (all, name: string) => {
    const bundle = bundles[name] ?? bundles[decodeURIComponent(name)] ?? {};
    const found = PICTURES.find(([type]) => bundle[type] !== undefined);
    if (found === undefined) return all;
    const [type, suffix, content] = found;
    const plainName = name.replace(/\.\w+$/, "").replace(/[^\w-]+/g, "-");
    return `(${addFile(`cell-${number}-${plainName}.${suffix}`, content(textOf(bundle[type])))}`;
  });
}

function footerMarkdown(record: PageRecord): string {
  const rows = figureRows(record);
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(" | ")} |`;
  const table = [line(FIGURE_COLUMNS), `${"|---".repeat(FIGURE_COLUMNS.length)}|`, ...rows.map(line)].join("\n");
  const words = facts(record).map(([name, text]) => `${name} ${text}`);
  return [
    "---",
    `*${words.join("; ")}. \`virtlab reproduce\` on this file runs the notebook in it again and compares every display.*`,
    ...(rows.length === 0 ? [] : [table]),
  ].join("\n\n");
}

function fromBase64(data: string): Uint8Array {
  return Buffer.from(data, "base64");
}

function textOf(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join("") : String(value ?? "");
}
