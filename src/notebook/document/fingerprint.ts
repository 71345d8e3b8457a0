/**
 * What a notebook is and what came out of it, as hashes: one of its source, and one of each display, so that a run can be
 * compared with a page that somebody made long ago. Figures say more: the machines, costs and numbers they show.
 */
import { contentHash } from "../../state/hash.js";
import { type Provenance, provenanceOf } from "../../view/plot/provenance.js";
import type { MimeBundle, NotebookCell, NotebookDocument } from "./notebook-document.js";

/** What ran a notebook. */
export interface Versions {
  readonly virtlab: string;
  /** As Node.js gives it, with a "v". */
  readonly node: string;
}

export type DisplayKind = "figure" | "display" | "text" | "error";

/** One output of a cell. All hashes are SHA-256 in hexadecimal. */
export interface DisplayFingerprint {
  /** The cell's place in the notebook, from 1. */
  readonly cell: number;
  /** The place among the cell's outputs, from 1. */
  readonly output: number;
  readonly kind: DisplayKind;
  /** What a reader knows it by: the figure's name, or how its text begins. */
  readonly title: string;
  /** Of all its forms. */
  readonly hash: string;
  /** Of each form, by its mime type. */
  readonly forms: Readonly<Record<string, string>>;
  /** Of figures. */
  readonly provenance?: Provenance;
}

const TITLE = 60;

/**
 * The hash of what a notebook says and does: types, texts, tags and attachments of its cells in their order. What front
 * ends keep beside them (names of cells, folded parts, outputs) does not matter.
 */
export function sourceHash({ cells }: NotebookDocument): string {
  return contentHash(
    cells.map(({ cell_type, source, metadata, attachments }) => ({
      cell_type,
      source,
      tags: metadata["tags"] ?? [],
      attachments: attachments ?? {},
    })),
  );
}

/** The fingerprints of all outputs, in their order. */
export function fingerprints({ cells }: NotebookDocument): readonly DisplayFingerprint[] {
  return cells.flatMap(({ outputs = [] }: NotebookCell, index) =>
    outputs.flatMap((output, place) => {
      const content = contentOf(output);
      if (content === undefined) return [];
      const { kind, bundle } = content;
      const forms = Object.fromEntries(Object.entries(bundle).map(([type, data]) => [type, contentHash(plain(data))]));
      const provenance = provenanceOf(bundle);
      const fingerprint: DisplayFingerprint = {
        cell: index + 1,
        output: place + 1,
        kind: provenance === undefined ? kind : "figure",
        title: provenance?.figure ?? titleOf(bundle),
        hash: contentHash(forms),
        forms,
        ...(provenance === undefined ? {} : { provenance }),
      };
      return [fingerprint];
    }),
  );
}

interface Content {
  readonly kind: DisplayKind;
  readonly bundle: MimeBundle;
}

/** What an output shows, as a bundle; the number of the execution is not part of it. */
function contentOf(output: unknown): Content | undefined {
  const fields = output as Readonly<Record<string, unknown>>;
  switch (fields?.["output_type"]) {
    case "stream":
      return { kind: "text", bundle: { [String(fields["name"])]: textOf(fields["text"]) } };
    case "error":
      return { kind: "error", bundle: { [String(fields["ename"])]: [fields["evalue"], fields["traceback"]] } };
    case "display_data":
    case "execute_result":
      return { kind: "display", bundle: joined(fields["data"]) };
    default:
      return undefined;
  }
}

/** Notebook files hold text as one string or as its lines. */
function joined(data: unknown): MimeBundle {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([type, value]) => [type, isLines(value) ? textOf(value) : (value as unknown)]),
  );
}

const isLines = (value: unknown): boolean => Array.isArray(value) && value.every((line) => typeof line === "string");
const textOf = (value: unknown): string => (Array.isArray(value) ? value.join("") : String(value ?? ""));

/** As a file has it: what JSON cannot hold is not there. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

function titleOf(bundle: MimeBundle): string {
  const [[name = "", value] = []] = Object.entries(bundle);
  const text = textOf(bundle["text/plain"] ?? (Array.isArray(value) ? value[0] : value));
  const line = text.split("\n").find((one) => /[\p{L}\p{N}]/u.test(one)) ?? name;
  const start = line.replace(/\s+/g, " ").trim();
  const characters = [...start];
  return characters.length > TITLE ? `${characters.slice(0, TITLE - 1).join("")}…` : start;
}
