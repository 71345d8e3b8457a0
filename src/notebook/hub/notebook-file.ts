/**
 * Notebooks between their file and what clients work on. In the file long texts are lists of lines and keys are sorted,
 * so that it is the same file whoever saved it; clients get whole texts. Nothing else is changed, whatever the language.
 * Manual: "The Notebook file format" (nbformat).
 */
import { HubError, isRecord } from "./rest.js";

type Fields = Readonly<Record<string, unknown>>;

/**
 * A notebook from the text of its file, with whole texts.
 * @throws HubError when it is not a notebook of format 4.
 */
export function readNotebook(text: string, file: string): Fields {
  let value: unknown;
  try {
    // Editors may put a byte order mark in front.
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    throw new HubError(400, `${file}: not a notebook: it is not JSON`);
  }
  // Lists of lines are texts, whatever their type, unless lists are what the type has.
  const isText = (type: string): boolean => !/^application\/(json|.*\+json)$/.test(type);
  return mapTexts(checked(value, file), isText, (lines) => (isLines(lines) ? lines.join("") : lines));
}

/**
 * The text of a notebook's file. What a client notes about trust is not part of it.
 * @throws HubError when it is not a notebook of format 4.
 */
export function notebookText(content: unknown, file: string): string {
  const isText = (type: string): boolean => /^text\/|^image\/svg\+xml$|^application\/javascript$/.test(type);
  const split = mapTexts(checked(content, file), isText, (text) => (typeof text === "string" ? linesOf(text) : text));
  return `${JSON.stringify(sorted(withoutTrust(split)), null, 1)}\n`;
}

function checked(value: unknown, file: string): Fields & { readonly cells: readonly unknown[] } {
  if (!isRecord(value)) throw new HubError(400, `${file}: not a notebook: it is not a JSON object`);
  const { nbformat, cells } = value;
  if (nbformat === undefined) throw new HubError(400, `${file}: not a notebook: it has no nbformat`);
  if (nbformat !== 4) {
    throw new HubError(400, `${file}: a notebook of format ${JSON.stringify(nbformat)}; only format 4 can be opened`);
  }
  if (!Array.isArray(cells)) throw new HubError(400, `${file}: not a notebook: it has no list of cells`);
  return { ...value, cells };
}

/** Changes every text that a file may keep as a list of lines. */
function mapTexts(
  notebook: Fields & { readonly cells: readonly unknown[] },
  isText: (type: string) => boolean,
  change: (text: unknown) => unknown,
): Fields {
  const bundle = (data: unknown): unknown => mapValues(data, (value, type) => (isText(type) ? change(value) : value));
  const output = (value: unknown): unknown => {
    if (!isRecord(value)) return value;
    if (value["output_type"] === "stream") return { ...value, text: change(value["text"]) };
    return "data" in value ? { ...value, data: bundle(value["data"]) } : value;
  };
  const cell = (value: unknown): unknown => {
    if (!isRecord(value)) return value;
    const { source, outputs, attachments } = value;
    return {
      ...value,
      ...(source === undefined ? {} : { source: change(source) }),
      ...(Array.isArray(outputs) ? { outputs: outputs.map(output) } : {}),
      ...(attachments === undefined ? {} : { attachments: mapValues(attachments, bundle) }),
    };
  };
  return { ...notebook, cells: notebook.cells.map(cell) };
}

function withoutTrust(notebook: Fields): Fields {
  const cells = (notebook["cells"] as readonly unknown[]).map((cell) => {
    if (!isRecord(cell) || !isRecord(cell["metadata"])) return cell;
    const { trusted: _, ...metadata } = cell["metadata"];
    return { ...cell, metadata };
  });
  return { ...notebook, cells };
}

function mapValues(value: unknown, change: (value: unknown, key: string) => unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, change(entry, key)]));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

function isLines(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((line) => typeof line === "string");
}

/** Lines that keep their ends, so that joining them gives the text. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+/g) ?? [];
}
