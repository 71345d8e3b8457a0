/**
 * What a page carries so that it can be run again and compared: the notebook's source without loss, what ran it, and the
 * hashes of its displays. It stands in an element (or a comment) that shows and runs nothing. Its seal is a hash over all
 * of it and over the rest of the page: whoever changes either by hand is told, though nobody is kept from making a page
 * of his own.
 */
import { VirtlabError } from "../../state/error.js";
import { contentHash } from "../../state/hash.js";
import { isPlainRecord } from "../../state/plain-data.js";
import { inertJson } from "../../view/scrubber/inert-json.js";
import { type DisplayFingerprint, fingerprints, sourceHash, type Versions } from "../document/fingerprint.js";
import { formatNotebook, type NotebookDocument, parseNotebook, withoutOutputs } from "../document/notebook-document.js";

/** Raised when a reader of today could not read the record any more. */
const FORMAT = 1;

export interface PageRecord {
  readonly format: typeof FORMAT;
  /** Name of the notebook file. */
  readonly name: string;
  /** What ran the notebook; absent where that is not known. */
  readonly versions?: Versions;
  /** Hash of the notebook's source. */
  readonly source: string;
  /** The text of a notebook file without outputs. */
  readonly notebook: string;
  readonly displays: readonly DisplayFingerprint[];
}

interface SealedRecord extends PageRecord {
  readonly seal: string;
}

/** How each kind of page holds a record. */
const HOLDERS = {
  html: { start: '<script type="application/json" id="virtlab-record">', end: "</script>", json: inertJson },
  // Two hyphens end a comment for some readers.
  md: {
    start: "<!-- virtlab-record ",
    end: " -->",
    json: (value: unknown) => inertJson(value).replace(/--/g, "-\\u002d"),
  },
} as const;

export type PageKind = keyof typeof HOLDERS;

export function recordOf(notebook: NotebookDocument, name: string, versions: Versions | undefined): PageRecord {
  return {
    format: FORMAT,
    name,
    ...(versions === undefined ? {} : { versions }),
    source: sourceHash(notebook),
    notebook: formatNotebook(withoutOutputs(notebook)),
    displays: fingerprints(notebook),
  };
}

/** The page with its record between what comes before and after it. */
export function sealPage(before: string, after: string, record: PageRecord, kind: PageKind): string {
  const { start, end, json } = HOLDERS[kind];
  const sealed: SealedRecord = { ...record, seal: sealOf(record, before + after) };
  return before + start + json(sealed) + end + after;
}

/** The seal over a record and the page around it; line ends are counted alike, since mail and git change them. */
const sealOf = (record: PageRecord, rest: string): string =>
  contentHash({ record: JSON.stringify(record), rest: rest.replace(/\r\n/g, "\n") });

/**
 * The record of a page.
 *
 * @param file named in errors
 * @throws VirtlabError when there is none, when it is damaged, or when it or the page was changed since.
 */
export function openPage(page: string, file: string): PageRecord {
  const kind: PageKind = /^\s*<!doctype html/i.test(page) ? "html" : "md";
  const { start, end } = HOLDERS[kind];
  // The last one: what a cell puts out may try to look like a record.
  const from = page.lastIndexOf(start);
  if (from < 0) {
    throw new VirtlabError(`${file}: no page of virtlab: it carries no notebook to run again`);
  }
  const to = page.indexOf(end, from + start.length);
  const value = to < 0 ? undefined : parsed(page.slice(from + start.length, to));
  const format = isPlainRecord(value) ? value["format"] : undefined;
  if (typeof format === "number" && format > FORMAT) {
    throw new VirtlabError(`${file}: made by a newer virtlab (its record has format ${format}, known is ${FORMAT})`);
  }
  if (!isSealed(value)) throw new VirtlabError(`${file}: damaged: the record of its notebook cannot be read`);
  const { seal, ...record } = value;
  const notebook = parseNotebook(record.notebook, file);
  if (sourceHash(notebook) !== record.source) {
    throw new VirtlabError(`${file}: edited by hand: the notebook in it is not the one that its hash was made from`);
  }
  if (sealOf(record, page.slice(0, from) + page.slice(to + end.length)) !== seal) {
    throw new VirtlabError(`${file}: changed since it was made: its text or its record does not fit its seal`);
  }
  return record;
}

/** Whether the text is such a page, whatever its state. */
export function isPage(text: string): boolean {
  return Object.values(HOLDERS).some(({ start }) => text.includes(start));
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function isSealed(value: unknown): value is SealedRecord {
  if (!isPlainRecord(value)) return false;
  const { format, name, source, notebook, displays, seal } = value as Readonly<Record<string, unknown>>;
  return (
    format === FORMAT &&
    [name, source, notebook, seal].every((text) => typeof text === "string") &&
    Array.isArray(displays) &&
    displays.every((one) => isPlainRecord(one) && isPlainRecord(one["forms"]) && typeof one["cell"] === "number")
  );
}
