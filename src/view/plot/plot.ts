/** `plot`: a figure of one's own in the look of the others, from Plotly's traces and as little layout as it needs. */

import { INK, seriesColours } from "../palette.js";
import { AXIS_LOOK, type AxisLike, axisOf, plotlyAxis } from "./axis.js";
import { Figure, type PlotlyFigure } from "./figure.js";
import { markup, wrapped } from "./markup.js";
import type { FigureSources } from "./provenance.js";

export interface PlotOptions extends FigureSources {
  /** A heading above the figure. */
  readonly title?: string;
  /** What the figure was made from, in words; it stands below it, with the stamp. */
  readonly caption?: string;
  /** The figure in words and numbers. */
  readonly text?: string;
  /** What the axis to the right measures: `axis("time", "ticks")`. */
  readonly x?: AxisLike | undefined;
  /** What the axis upwards measures. */
  readonly y?: AxisLike | undefined;
  /** Plotly's layout; what is given for an axis is added to what all axes have. */
  readonly layout?: PlotlyFigure["layout"];
}

/** The look of all figures: no background, so that they stand on pages of any colour. */
export const HOUSE = {
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: "system-ui, sans-serif", size: 12, color: INK },
  colorway: seriesColours,
  hovermode: "closest",
} as const;

/** Characters of a caption's line, and the height of one. */
const CAPTION_WIDTH = 104;
const LINE = 15;
/** Room for labels and title of the axis above it. */
const CAPTION_BELOW = 52;

/** A caption below the axis and its title, in annotations of the layout and the margin that they need. */
export function captionBelow(text: string): { readonly annotation: object; readonly margin: number } {
  const lines = wrapped(text, CAPTION_WIDTH);
  const height = (lines.match(/<br>/g)?.length ?? 0) * LINE + LINE;
  const place = { xref: "paper", yref: "paper", x: 0, y: 0, xanchor: "left", yanchor: "top", yshift: -CAPTION_BELOW };
  return {
    annotation: { ...place, align: "left", showarrow: false, text: lines, font: { size: 11 } },
    margin: CAPTION_BELOW + height + 6,
  };
}

/**
 * A figure from Plotly's traces: no background, and text that can be read on white and on black. It is stamped with the
 * content of what it came `from` and with its own data. Texts in traces and layout are Plotly's, with its markup; those
 * of title, caption and axes are text.
 *
 * @example
 * const machine = Machine.create({ memory: "1M" });
 * const figure = plot([{ x: [0, 1], y: [3, 0] }], { title: "CPL", caption: "by hand", text: "3, then 0", from: machine });
 * figure.provenance.states[0] === machine.hash // => true
 * figure.layout["height"] // => 340
 */
export const plot = (data: PlotlyFigure["data"], options: PlotOptions = {}): Figure => plotBelow(0, data, options);

/** `plot`, with so many pixels of room between the heading and the plot. */
export function plotBelow(room: number, data: PlotlyFigure["data"], options: PlotOptions): Figure {
  const { title, caption = "", text = "", layout = {}, x, y, ...sources } = options;
  const names = new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))]);
  const measured: Readonly<Record<string, object>> = {
    ...(x === undefined ? {} : { xaxis: plotlyAxis(axisOf(x, "")) }),
    ...(y === undefined ? {} : { yaxis: plotlyAxis(axisOf(y, "")) }),
  };
  const axes = Object.fromEntries(
    [...names].map((name) => {
      const own: Readonly<Record<string, unknown>> = { ...AXIS_LOOK, ...measured[name], ...(layout[name] as object) };
      return [name, { ...own, ...titled(own["title"]) }];
    }),
  );
  const {
    annotations = [],
    margin: given,
    ...rest
  } = layout as { readonly annotations?: readonly object[]; readonly margin?: object };
  const layoutOf = (stamped: string): PlotlyFigure["layout"] => {
    const below = captionBelow(stamped);
    const margin = { l: 84, r: 16, t: room + (title === undefined ? 16 : 36), b: below.margin, ...given };
    return {
      ...HOUSE,
      height: 340,
      showlegend: false,
      ...rest,
      margin,
      ...axes,
      annotations: [...annotations, ...(title === undefined ? [] : [headingAbove(title, room)]), below.annotation],
    };
  };
  return new Figure(data, layoutOf, { title: title ?? "", caption, text, ...sources });
}

/** An axis's title stands as far from the axis in all figures, however it was given. */
function titled(title: unknown): object {
  if (title === undefined) return {};
  return { title: { standoff: 10, ...(typeof title === "string" ? { text: title } : (title as object)) } };
}

const headingAbove = (title: string, room: number): object => ({
  ...{ xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom", yshift: room + 8 },
  ...{ align: "left", showarrow: false, text: `<b>${markup(title)}</b>` },
});
