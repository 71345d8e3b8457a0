/**
 * Notebook files: reading with a check, and writing in the form of nbformat 4.5. Versions before 4 are not converted.
 * Manual: "The Notebook file format" (nbformat).
 */
import { VirtlabError } from "../../state/error.js";

export type MimeBundle = Readonly<Record<string, unknown>>;

export type CellOutput =
  | { readonly output_type: "stream"; readonly name: string; readonly text: string }
  | { readonly output_type: "display_data"; readonly data: MimeBundle; readonly metadata: object }
  | {
      readonly output_type: "execute_result";
      readonly execution_count: number;
      readonly data: MimeBundle;
      readonly metadata: object;
    }
  | {
      readonly output_type: "error";
      readonly ename: string;
      readonly evalue: string;
      readonly traceback: readonly string[];
    };

export interface NotebookCell {
  readonly id: string;
  readonly cell_type: "code" | "markdown" | "raw";
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly source: string;
  /** Of code cells only. */
  readonly execution_count?: number | null;
  readonly outputs?: readonly unknown[];
  readonly attachments?: unknown;
}

export interface NotebookDocument {
  readonly cells: readonly NotebookCell[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

const FORMAT = 4;
const LANGUAGE = "typescript";
const KNOWN_KERNELS = ["virtlab", "tslab"];
const CELL_TYPES = ["code", "markdown", "raw"];
const CELL_ID = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * Reads the text of a notebook file. Cells without a valid id, from before 4.5, get one from their position.
 * @param file named in errors
 * @throws VirtlabError when it is not a notebook of format 4 in TypeScript.
 */
export function parseNotebook(text: string, file: string): NotebookDocument {
  let value: unknown;
  try {
    // Editors may put a byte order mark in front.
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new VirtlabError(`${file}: not JSON: ${(error as Error).message}`);
  }
  if (!isRecord(value)) throw new VirtlabError(`${file}: not a notebook: no JSON object`);
  checkFormat(value["nbformat"], file);
  const metadata = value["metadata"] ?? {};
  if (!isRecord(metadata)) throw new VirtlabError(`${file}: not a notebook: metadata is not an object`);
  checkLanguage(metadata, file);
  const cells = value["cells"];
  if (!Array.isArray(cells)) throw new VirtlabError(`${file}: not a notebook: cells is not a list`);
  const ids = new Set<string>();
  return { cells: cells.map((cell: unknown, index) => parseCell(cell, index, ids, file)), metadata };
}

/** The text of the file: JSON with one space of indentation and text split into lines, as Jupyter writes it. */
export function formatNotebook({ cells, metadata }: NotebookDocument): string {
  const written = {
    cells: cells.map((cell) => ({
      ...cell,
      source: splitLines(cell.source),
      ...(cell.outputs === undefined ? {} : { outputs: cell.outputs.map(formatOutput) }),
    })),
    metadata,
    nbformat: 4,
    nbformat_minor: 5,
  };
  return `${JSON.stringify(written, null, 1)}\n`;
}

function parseCell(cell: unknown, index: number, ids: Set<string>, file: string): NotebookCell {
  const where = `${file}: cell ${index + 1}`;
  if (!isRecord(cell)) throw new VirtlabError(`${where}: not an object`);
  const type = cell["cell_type"];
  if (typeof type !== "string" || !CELL_TYPES.includes(type)) {
    throw new VirtlabError(`${where}: cell_type ${JSON.stringify(type)} is not one of ${CELL_TYPES.join(", ")}`);
  }
  const source = joinLines(cell["source"]);
  if (source === undefined) throw new VirtlabError(`${where}: source is not text`);
  const metadata = cell["metadata"] ?? {};
  if (!isRecord(metadata)) throw new VirtlabError(`${where}: metadata is not an object`);
  const given = cell["id"];
  let id = typeof given === "string" && CELL_ID.test(given) ? given : `cell-${index + 1}`;
  while (ids.has(id)) id += "-";
  ids.add(id);
  return { ...cell, id, cell_type: type as NotebookCell["cell_type"], metadata, source };
}

/** Older formats are converted by Jupyter, newer ones may mean anything. */
function checkFormat(format: unknown, file: string): void {
  if (format === FORMAT) return;
  if (typeof format !== "number") throw new VirtlabError(`${file}: not a notebook: it has no nbformat`);
  const advice =
    format < FORMAT
      ? `older than the ${FORMAT} that can be run; "jupyter nbconvert --to notebook" converts it`
      : `newer than the ${FORMAT} that can be run`;
  throw new VirtlabError(`${file}: nbformat ${format}, ${advice}`);
}

/** The notebook as nobody has run it. */
export function withoutOutputs({ cells, metadata }: NotebookDocument): NotebookDocument {
  return {
    cells: cells.map((cell) => (cell.cell_type === "code" ? { ...cell, execution_count: null, outputs: [] } : cell)),
    metadata,
  };
}

/** A notebook that names no language is taken for one of ours. */
function checkLanguage(metadata: Readonly<Record<string, unknown>>, file: string): void {
  const kernel = isRecord(metadata["kernelspec"]) ? metadata["kernelspec"] : {};
  const info = isRecord(metadata["language_info"]) ? metadata["language_info"] : {};
  const language = kernel["language"] ?? info["name"];
  if (language !== undefined) {
    if (String(language).toLowerCase() === LANGUAGE) return;
    throw new VirtlabError(`${file}: a notebook in ${String(language)}, only TypeScript can be run`);
  }
  const name = kernel["name"];
  if (name !== undefined && !KNOWN_KERNELS.includes(String(name))) {
    throw new VirtlabError(`${file}: a notebook for the kernel ${String(name)}, only TypeScript can be run`);
  }
}

function formatOutput(output: unknown): unknown {
  if (!isRecord(output)) return output;
  if (typeof output["text"] === "string") return { ...output, text: splitLines(output["text"]) };
  if (!isRecord(output["data"])) return output;
  const data = Object.entries(output["data"]).map(([type, value]) => [
    type,
    typeof value === "string" && isTextual(type) ? splitLines(value) : value,
  ]);
  return { ...output, data: Object.fromEntries(data) };
}

function isTextual(mimeType: string): boolean {
  return mimeType.startsWith("text/") || mimeType === "image/svg+xml" || mimeType === "application/javascript";
}

/** Lines that keep their ends, so that joining them gives the text. */
function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

function joinLines(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((line) => typeof line === "string")) return value.join("");
  return undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
