/**
 * What a figure was made from, as a record that travels with it: the content hashes of the machines and of the cost
 * table (with its name and how much of it is assumed), and a hash of the figure's own numbers. Two runs of a notebook can so be compared figure by figure.
 *
 * It is in `figure.provenance`; in `layout.meta.virtlab` of the Plotly JSON, which saved notebooks and pages keep; and in
 * the `<metadata>` of the drawing. Its first digits are in the caption. `provenanceOf` reads it back.
 */
import type { CostTable } from "../../hardware/cost/cost-table.js";
import { VirtlabError } from "../../state/error.js";
import { contentHash } from "../../state/hash.js";
import { isPlainRecord } from "../../state/plain-data.js";
import type { MimeBundle } from "../display.js";

/** A figure's stamp. All hashes are SHA-256 in hexadecimal. */
export interface Provenance {
  /**
   * The figure's name, from its title: "latency-in-ticks". Figures of one notebook may share one; they are then told
   * apart by their order.
   */
  readonly figure: string;
  /** Content hashes of the machines it came from, in their order: `machine.hash`. Empty if it came from none. */
  readonly states: readonly string[];
  /** Content hash of the cost table, where costs were counted. */
  readonly costs?: string;
  /** Name of the cost table, and how many of its figures have no source: "merom, 30 of 38 assumed". */
  readonly costTable?: string;
  /** Hash of what the figure shows: the numbers and names of its traces, without colours and other looks. */
  readonly data: string;
}

/** Something with a content hash, such as a machine or a cost table, or the hash itself. */
export type Hashed = string | { readonly hash: string };

/** What a figure came from. */
export interface FigureSources {
  /** The machine, or the machines. */
  readonly from?: Hashed | readonly Hashed[] | undefined;
  /** The cost table, or its hash. Of a table the stamp has its name and how much of it is assumed, too. */
  readonly costs?: Hashed | CostTable | undefined;
}

const SHA256 = /^[0-9a-f]{64}$/;
const SHORT = 12;

function hashOf(source: Hashed): string {
  const hash = typeof source === "string" ? source : source.hash;
  if (SHA256.test(hash)) return hash;
  throw new VirtlabError(`figure: ${JSON.stringify(hash)} is no content hash; it takes a machine, or its hash`);
}

/** A cost table's name and how much of it is assumed, where it is a table that was given. */
function costTableText(costs: Hashed | CostTable | undefined): string | undefined {
  if (typeof costs !== "object" || !("entries" in costs)) return undefined;
  const entries = Object.values(costs.entries);
  const assumed = entries.filter(({ mark }) => mark === "assumed").length;
  return `${costs.name}, ${assumed} of ${entries.length} assumed`;
}

/** What traces look like, which is not what they say. Lists in these are data: a colour for each point, for one. */
const LOOKS = new Set(
  ["line", "marker", "textfont", "insidetextfont", "error_x", "error_y", "fill", "fillcolor", "fillpattern", "opacity"]
    .concat(["mode", "hovertemplate", "hoverinfo", "hoverlabel", "hoveron", "cliponaxis", "textposition", "stackgroup"])
    .concat(["showlegend", "legendgroup", "legendrank", "xaxis", "yaxis", "width", "offset", "meta", "uid"]),
);

function essence(trace: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields = Object.entries(trace).flatMap(([name, value]): (readonly [string, unknown])[] => {
    if (!LOOKS.has(name) || Array.isArray(value)) return [[name, value]];
    if (!isPlainRecord(value)) return [];
    const lists = Object.entries(value).filter(([, part]) => Array.isArray(part));
    return lists.length === 0 ? [] : [[name, Object.fromEntries(lists)]];
  });
  return Object.fromEntries(fields);
}

/**
 * The stamp of a figure with these traces.
 *
 * @throws VirtlabError for a source without a content hash.
 */
export function provenance(
  data: readonly Readonly<Record<string, unknown>>[],
  title: string,
  { from = [], costs }: FigureSources,
): Provenance {
  const sources = Array.isArray(from) ? (from as readonly Hashed[]) : [from as Hashed];
  // Hashed as JSON has it, so that it can be checked against a saved figure.
  const saved: unknown = JSON.parse(JSON.stringify(data.map(essence)));
  const costTable = costTableText(costs);
  return Object.freeze({
    figure: nameOf(title),
    states: Object.freeze(sources.map(hashOf)),
    ...(costs === undefined ? {} : { costs: hashOf(costs) }),
    ...(costTable === undefined ? {} : { costTable }),
    data: contentHash(saved),
  });
}

/** A title as a name: small letters and digits, with hyphens between the words. */
const nameOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/<[^>]*>/g, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "") || "figure";

/** The stamp for readers, in the first digits of each hash: "state 0123456789ab, data ba9876543210". */
export function stampText({ states, costs, costTable, data }: Provenance): string {
  const short = (hash: string): string => hash.slice(0, SHORT);
  const shown = states.slice(0, 3).map(short).join(" ");
  const more = states.length > 3 ? ` and ${states.length - 3} more` : "";
  return [
    states.length === 0 ? "" : `${states.length === 1 ? "state" : "states"} ${shown}${more}`,
    costs === undefined ? "" : `costs ${short(costs)}${costTable === undefined ? "" : ` (${costTable})`}`,
    `data ${short(data)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** The stamp as the content of an SVG document. */
export const provenanceMetadata = (stamp: Provenance): string =>
  `<metadata>${JSON.stringify({ virtlab: stamp }).replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)}</metadata>`;

/**
 * The stamp in a display's forms, as a saved notebook holds them: of the Plotly figure, or else of the drawing.
 * Undefined where there is none. What a file says is not trusted: whatever has not the form of a stamp is none.
 *
 * @example
 * const figure = plot([{ y: [1, 2] }], { title: "Two points" });
 * figure.provenance.figure // => 'two-points'
 * const saved = { "application/vnd.plotly.v1+json": { data: figure.data, layout: figure.layout } };
 * provenanceOf(saved)?.data === figure.provenance.data // => true
 */
export function provenanceOf(bundle: MimeBundle): Provenance | undefined {
  const figure = bundle["application/vnd.plotly.v1+json"];
  const layout = isPlainRecord(figure) ? figure["layout"] : undefined;
  const meta = isPlainRecord(layout) ? layout["meta"] : undefined;
  return checked(meta) ?? checked(metadataOf(bundle["image/svg+xml"]));
}

/** Notebook files hold text as a string or as a list of lines. */
function metadataOf(svg: unknown): unknown {
  const text = Array.isArray(svg) ? svg.join("") : svg;
  const json = typeof text === "string" ? /<metadata>(\{[^<]*\})<\/metadata>/.exec(text)?.[1] : undefined;
  try {
    return json === undefined ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

function checked(meta: unknown): Provenance | undefined {
  const stamp = isPlainRecord(meta) ? meta["virtlab"] : undefined;
  if (!isPlainRecord(stamp)) return undefined;
  const { figure, states, costs, costTable, data } = stamp as Readonly<Record<string, unknown>>;
  const isHash = (value: unknown): value is string => typeof value === "string" && SHA256.test(value);
  if (typeof figure !== "string" || !isHash(data) || !Array.isArray(states) || !states.every(isHash)) return undefined;
  const named = isHash(costs) && typeof costTable === "string" ? { costTable } : {};
  return { figure, states, ...(isHash(costs) ? { costs } : {}), ...named, data };
}
