/**
 * A figure as a value: a Plotly figure with a caption and a stamp that say what it was made from. How a run becomes one
 * is in run-figure.ts, how one becomes a drawing without a browser in plotly-svg.ts, which is loaded when it is needed
 * and only where there is Node.
 */
import { DISPLAY, type Displayable, type MimeBundle } from "../display.js";
import { visible } from "../text.js";
import { type FigureSources, type Provenance, provenance, stampText } from "./provenance.js";

/** A figure in Plotly's JSON form, as its manual "Plotly JavaScript Figure Reference" has it. */
export interface PlotlyFigure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
}

/** What stands around a figure. */
export interface FigureWords extends FigureSources {
  /** The figure's name is made from it. */
  readonly title: string;
  /** What the figure was made from, in words; the stamp is added to it. */
  readonly caption: string;
  /** The figure in words and numbers; the caption is added to it. */
  readonly text: string;
}

/**
 * A figure that shows itself in a notebook, in one message: as Plotly's JSON, as a drawing made without a browser, and in
 * words. It is a value: nothing of it can be changed.
 */
export class Figure implements Displayable {
  /** Traces of the figure; frozen, as is the layout. */
  readonly data: PlotlyFigure["data"];
  /** Plotly's layout, which carries the stamp as `meta.virtlab`. */
  readonly layout: PlotlyFigure["layout"];
  /** What the figure was made from, with the first digits of each content hash. */
  readonly caption: string;
  /** The figure in words and numbers. */
  readonly text: string;
  /** The figure's name, and the hashes of what it was made from and of what it shows. */
  readonly provenance: Provenance;

  /** @param layoutOf gives the layout for the caption, which is known only when the data are. */
  constructor(
    data: PlotlyFigure["data"],
    layoutOf: (caption: string) => PlotlyFigure["layout"],
    { title, caption, text, ...sources }: FigureWords,
  ) {
    this.data = deepFreeze(plain(data) as PlotlyFigure["data"]);
    this.provenance = provenance(this.data, title, sources);
    this.caption = visible([caption, stampText(this.provenance)].filter(Boolean).join(" · "));
    const { meta, ...layout } = plain(layoutOf(this.caption)) as Readonly<Record<string, unknown>>;
    this.layout = deepFreeze({ ...layout, meta: { ...(meta as object | undefined), virtlab: this.provenance } });
    this.text = visible([text, this.caption].filter(Boolean).join("\n"));
    Object.freeze(this);
  }

  /** The figure as a drawing. Undefined where it cannot be drawn, which is everywhere but in Node. */
  async svg(): Promise<string | undefined> {
    if (typeof process === "undefined" || process.versions?.node === undefined) return undefined;
    const { plotlySvg } = await import("./plotly-svg.js");
    return plotlySvg(this);
  }

  toString(): string {
    return this.text;
  }

  /**
   * The figure as plain JSON, in a copy of its own: Plotly writes into what it is given.
   *
   * @example
   * Object.keys(plot([{ y: [1, 2] }]).toJSON()) // => [ 'data', 'layout' ]
   */
  toJSON(): PlotlyFigure {
    return JSON.parse(JSON.stringify({ data: this.data, layout: this.layout })) as PlotlyFigure;
  }

  /** One bundle for all front ends: interactive where Plotly is known, else a drawing, else words. */
  async [DISPLAY](): Promise<MimeBundle> {
    const svg = await this.svg();
    return {
      "application/vnd.plotly.v1+json": { data: this.data, layout: this.layout },
      ...(svg === undefined ? {} : { "image/svg+xml": svg }),
      "text/plain": this.text,
    };
  }
}

/** A copy in lists and records: typed arrays have no form in JSON. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
