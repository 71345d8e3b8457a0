/** `plot`: a figure of one's own in the look of the others, from traces and as little layout as it needs. */
import { Figure, type PlotlyFigure } from "./figure.js";
import type { FigureSources } from "./provenance.js";

const INK = "#7b8087";
const LINES = "rgba(128,128,128,0.22)";

export interface PlotOptions extends FigureSources {
  /** A heading above the figure. */
  readonly title?: string;
  /** What the figure was made from, in words; it stands below it, with the stamp. */
  readonly caption?: string;
  /** The figure in words and numbers. */
  readonly text?: string;
  /** Plotly's layout; what is given for an axis is added to what all axes have. */
  readonly layout?: PlotlyFigure["layout"];
}

/** Behind jsdom, which measures no text, labels would count as too wide and be left out. */
const AXIS = { gridcolor: LINES, linecolor: LINES, zeroline: false, ticklabeloverflow: "allow" };

/**
 * A figure from Plotly's traces: no background, and text that can be read on white and on black.
 *
 * It is stamped with the content of what it came `from` and with its own data.
 *
 * @example
 * const machine = Machine.create({ memory: "1M" });
 * const figure = plot([{ x: [0, 1], y: [3, 0] }], { title: "CPL", caption: "by hand", text: "3, then 0", from: machine });
 * figure.provenance.states[0] === machine.hash // => true
 * figure.layout["height"] // => 340
 */
export function plot(
  data: PlotlyFigure["data"],
  { title, caption = "", text = "", layout = {}, ...sources }: PlotOptions = {},
): Figure {
  const axes = new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))]);
  const styled = Object.fromEntries([...axes].map((name) => [name, { ...AXIS, ...(layout[name] as object) }]));
  const word = { xref: "paper", yref: "paper", x: 0, xanchor: "left", align: "left", showarrow: false };
  const heading = { ...word, text: `<b>${title}</b>`, y: 1, yanchor: "bottom", yshift: 8 };
  const below = { ...word, y: 0, yanchor: "bottom", yshift: -76, font: { size: 11 } };
  const { annotations = [], ...rest } = layout as { readonly annotations?: readonly object[] };
  const house = {
    height: 340,
    margin: { l: 84, r: 16, t: 36, b: 80 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: INK },
    showlegend: false,
    hovermode: "closest",
  };
  const layoutOf = (stamped: string): PlotlyFigure["layout"] => ({
    ...house,
    ...rest,
    ...styled,
    annotations: [...annotations, ...(title === undefined ? [] : [heading]), { ...below, text: stamped }],
  });
  return new Figure(data, layoutOf, { title: title ?? "", caption, text, ...sources });
}
