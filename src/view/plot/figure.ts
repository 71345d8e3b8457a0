/**
 * A figure as a value: a Plotly figure with a caption that says what it was made from. How a run becomes one is in
 * run-figure.ts, how one becomes a drawing without a browser in plotly-svg.ts, which is loaded when it is needed and
 * only where there is Node.
 */
import { DISPLAY, type Displayable, type MimeBundle } from "../display.js";

/** A figure in Plotly's JSON form, as its manual "Plotly JavaScript Figure Reference" has it. */
export interface PlotlyFigure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
}

export class Figure implements Displayable {
  /** Traces of the figure; frozen, as is the layout. */
  readonly data: PlotlyFigure["data"];
  readonly layout: PlotlyFigure["layout"];
  /** What the figure was made from, with the first digits of the content hash. */
  readonly caption: string;
  /** The figure in words and numbers. */
  readonly text: string;

  constructor(figure: PlotlyFigure, { caption, text }: { readonly caption: string; readonly text: string }) {
    this.data = deepFreeze(figure.data);
    this.layout = deepFreeze(figure.layout);
    this.caption = caption;
    this.text = text;
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

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
