/** The commands about notebooks and pages, in a folder of a test, with what they tell and print. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { type ExportFlags, exportNotebooks } from "../../src/cli/notebook-export.js";
import { reproducePages } from "../../src/cli/reproduce.js";
import { formatNotebook, type NotebookCell } from "../../src/notebook/document/notebook-document.js";

/** A stream that keeps what is written to it. */
export function paper(): { readonly stream: Writable; readonly text: () => string } {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return { stream, text: () => text };
}

/** Writes a notebook that nobody has run; sources that begin with # are Markdown. */
export function writeNotebook(folder: string, name: string, ...sources: string[]): string {
  const cells = sources.map(
    (source, index): NotebookCell =>
      source.startsWith("#")
        ? { id: `m${index}`, cell_type: "markdown", metadata: {}, source }
        : { id: `c${index}`, cell_type: "code", metadata: {}, source, execution_count: null, outputs: [] },
  );
  const file = join(folder, name);
  writeFileSync(file, formatNotebook({ cells, metadata: {} }));
  return file;
}

export async function exported(files: readonly string[], flags: Partial<ExportFlags> = {}) {
  const [told, printed] = [paper(), paper()];
  const status = await exportNotebooks(files, { to: "html", ...flags }, told.stream, printed.stream);
  return { status, told: told.text(), printed: printed.text() };
}

export async function reproduced(file: string, flags: { readonly json?: true } = {}) {
  const told = paper();
  const { status, text } = await reproducePages([file], flags, told.stream);
  return { status, text, told: told.text() };
}

/** A figure whose numbers come from a file beside the notebook: what is outside of a notebook can change. */
export const FIGURE = `import { readFileSync } from "node:fs";
const value = Number(readFileSync("value.txt", "utf8"));
const hash = (digit: string) => digit.repeat(64);
const meta = { virtlab: { figure: "a-figure", states: [hash("1")], data: hash(String(value)) } };
({ [Symbol.for("Jupyter.display")]() { return {
  "application/vnd.plotly.v1+json": { data: [{ y: [value] }], layout: { meta } },
  "image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/>", "text/plain": "value " + value }; } })`;
