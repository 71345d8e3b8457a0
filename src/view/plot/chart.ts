/** What the ready-made figures have in common: their options, their text, how series look and how they are named. */

import { cycle, dashes, seriesColours, symbols } from "../palette.js";
import { textWidth } from "../text-width.js";
import type { Axis, AxisLike } from "./axis.js";
import { axisTitle } from "./axis.js";
import type { Figure, PlotlyFigure } from "./figure.js";
import { markup } from "./markup.js";
import { plotBelow } from "./plot.js";
import type { FigureSources } from "./provenance.js";
import type { Series } from "./series.js";
import { numberText, quantile, sorted } from "./statistics.js";

/** What all ready-made figures take. */
export interface ChartOptions extends FigureSources {
  /** A heading above the figure. Its name is made from it. */
  readonly title?: string | undefined;
  /** What the figure was made from, in words; the stamp is added to it. */
  readonly caption?: string | undefined;
  /** The figure in words and numbers. Default: a line for each series. */
  readonly text?: string | undefined;
  /** What the axis to the right measures; of records, the column of that name is shown. */
  readonly x?: AxisLike | undefined;
  /** What the axis upwards measures; of records, the column of that name is shown. */
  readonly y?: AxisLike | undefined;
  /** Of records: the column that says which series each belongs to. */
  readonly by?: string | undefined;
  /** Height in pixels. Default: 340, or as the figure needs it. */
  readonly height?: number | undefined;
}

/** What a kind of figure adds. */
export interface ChartParts {
  /** "lines", "bars": what the figure is, in its text. */
  readonly kind: string;
  readonly traces: PlotlyFigure["data"];
  readonly x: Axis;
  readonly y: Axis;
  /** What is shown by what, in its text. Default: y by x. */
  readonly relation?: string | undefined;
  /** Lines of text, if none are given. */
  readonly words: readonly string[];
  readonly layout?: PlotlyFigure["layout"] | undefined;
  /** The legend stands between the title and the plot, which is then as wide as can be. Default: it stands at the side. */
  readonly isLegendAbove?: boolean;
}

/** Height of a legend above the plot. */
export const LEGEND_LINE = 24;
/** Width of what a legend shows of a series besides its name, and of all names that are in one line on most pages. */
const LEGEND_KEY = 46;
const LEGEND_WIDTH = 560;
const LEGEND_ABOVE = { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom" } as const;

/** Whether a legend of these names needs only one line; of one name there is none. */
export const fitsAbove = (names: readonly string[]): boolean =>
  names.length > 1 && names.reduce((sum, name) => sum + textWidth(name, 12) + LEGEND_KEY, 0) <= LEGEND_WIDTH;

/** A ready-made figure. */
export function chart(parts: ChartParts, options: ChartOptions): Figure {
  const { kind, traces, x, y, relation, words, layout = {}, isLegendAbove = false } = parts;
  const { title, caption, text, height, from, costs } = options;
  const heading = `${kind}: ${relation ?? `${axisTitle(y)} by ${axisTitle(x)}`}`;
  const legend = traces.filter(({ showlegend }) => showlegend !== false).length > 1;
  const shown = {
    ...(title === undefined ? {} : { title }),
    ...(caption === undefined ? {} : { caption }),
    text: text ?? [title, heading, ...words.map((line) => `  ${line}`)].filter(Boolean).join("\n"),
    x,
    y,
    layout: {
      showlegend: legend,
      ...(isLegendAbove ? { legend: LEGEND_ABOVE } : {}),
      ...(height === undefined ? {} : { height }),
      ...layout,
    },
    from,
    costs,
  };
  return plotBelow(isLegendAbove ? LEGEND_LINE : 0, traces, shown);
}

/** How the i-th series looks: colour, dash and shape, which all differ. */
export const lookOf = (index: number): { readonly color: string; readonly dash: string; readonly symbol: string } => ({
  color: cycle(seriesColours, index),
  dash: cycle(dashes, index),
  symbol: cycle(symbols, index),
});

/** A series' name, as a legend and a pointer's box show it. */
export const named = (name: string): { readonly name: string } => ({ name: markup(name) });

/** Names of categories; numbers stay. */
export const places = (list: readonly (number | string)[]): readonly (number | string)[] =>
  list.map((place) => (typeof place === "string" ? markup(place) : place));

/** What a pointer's box shows: `%{x}` by its axis's title, and the series' name at its side. */
export const hover = (x: Axis, y: Axis): string =>
  `${markup(axisTitle(x))}: %{x}<br>${markup(axisTitle(y))}: %{y}<extra>%{fullData.name}</extra>`;

/** A series in one line: "round robin: 20 points, 3 to 45, median 12". */
export function seriesText({ name, y }: Series, noun = "point"): string {
  const values = sorted(y);
  const count = `${numberText(values.length)} ${noun}${values.length === 1 ? "" : "s"}`;
  const numbers =
    values.length === 0
      ? ""
      : `, ${numberText(values[0]!)} to ${numberText(values.at(-1)!)}, median ${numberText(quantile(values, 0.5))}`;
  return `${name === "" ? "" : `${name}: `}${count}${numbers}`;
}
