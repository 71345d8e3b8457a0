/** `histogram`, `boxes` and `percentiles`: how numbers are spread. */

import { translucent } from "../palette.js";
import { type Axis, axis, axisOf, axisTitle, columnOf } from "./axis.js";
import { type ChartOptions, chart, lookOf, named, seriesText } from "./chart.js";
import type { Figure } from "./figure.js";
import { markup } from "./markup.js";
import { type PlotRecord, type Series, seriesOf } from "./series.js";
import { binBorders, countsBetween, numberText, quantile, rounded, sorted } from "./statistics.js";

/** Numbers, several lists of them by name, or records. */
export type SampleData = ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>> | readonly PlotRecord[];

export interface HistogramOptions extends ChartOptions {
  /** How many classes there are, about: their borders are round numbers. Default: as the numbers ask for it. */
  readonly bins?: number;
}

const samplesOf = (what: string, data: SampleData, measured: Axis, by: string | undefined): readonly Series[] =>
  seriesOf(what, data, { y: measured, by });

/**
 * How many of the numbers lie in each of equal classes. `x` is what the numbers measure. Several series share classes.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * const figure = histogram([1, 2, 2, 3, 3, 3], { x: axis("latency", "ticks") });
 * figure.data[0]!["x"] // => [ 1, 1, 2, 3, 4, 4 ]
 * figure.data[0]!["y"] // => [ 0, 1, 2, 3, 3, 0 ]
 */
export function histogram(data: SampleData, options: HistogramOptions = {}): Figure {
  const [x, y] = [axisOf(options.x, "value"), axisOf(options.y, "count")];
  const series = samplesOf("histogram", data, x, options.by);
  const borders = bordersFor(
    x,
    series.flatMap(({ y: values }) => values),
    options.bins,
  );
  const traces = series.map((one, index) => {
    const counts = countsBetween(borders, one.y);
    const { color, dash } = lookOf(index);
    return {
      type: "scatter",
      mode: "lines",
      ...named(one.name),
      // From the axis up, along the tops, and down to the axis.
      x: borders.length === 0 ? [] : [borders[0], ...borders, borders.at(-1)],
      y: borders.length === 0 ? [] : [0, ...counts, counts.at(-1), 0],
      line: { shape: "hv", width: series.length === 1 ? 1.2 : 2, color, dash },
      ...(series.length === 1 ? { fill: "tozeroy", fillcolor: translucent(color, 0.55) } : {}),
      hovertemplate: `from %{x}: %{y}<extra>%{fullData.name}</extra>`,
    };
  });
  const words = series.map((one) => seriesText(one, "number"));
  return chart({ kind: "histogram", traces, x, y: { zero: true, ...y }, words }, options);
}

/** On an axis of equal factors classes are of equal factors as well. */
function bordersFor({ log = false }: Axis, values: readonly number[], bins: number | undefined): readonly number[] {
  if (!log) return binBorders(values, bins);
  const logs = values.filter((value) => value > 0).map(Math.log10);
  return binBorders(logs, bins ?? 20).map((border) => rounded(10 ** border));
}

/** More outliers than these on either side are not drawn one by one: those furthest out are. */
const OUTLIERS = 60;

/**
 * Boxes from the first to the third quartile with the median in them, and whiskers to the last number within one and a
 * half times the box. Source: Tukey, "Exploratory Data Analysis" (1977). `x` is what the series are, `y` what the numbers
 * measure.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * boxes({ CFS: [1, 2, 3, 4], FIFO: [2, 2, 9, 30] }, { x: "scheduler", y: axis("latency", "ticks") }).data[0]!["median"] // => [ 2.5 ]
 */
export function boxes(data: SampleData, options: ChartOptions = {}): Figure {
  const [x, y] = [axisOf(options.x, "series"), axisOf(options.y, "value")];
  const by = options.by ?? (options.x === undefined ? undefined : columnOf(x));
  const series = samplesOf("boxes", data, y, by);
  const parts = series.map(({ name, y: values }) => ({ name, ...spreadOf(sorted(values)) }));
  const traces = parts.map(({ name, quartiles: [q1, median, q3], low, high, outliers }, index) => ({
    type: "box",
    ...named(name),
    x: [markup(name)],
    q1: [q1],
    median: [median],
    q3: [q3],
    lowerfence: [low],
    upperfence: [high],
    // With an empty list here plotly.js leaves out the box as well.
    ...(outliers.length === 0 ? {} : { y: [outliers] }),
    boxpoints: "outliers",
    width: 0.5,
    marker: { color: lookOf(index).color, size: 5, symbol: "circle-open" },
    line: { color: lookOf(index).color, width: 2 },
    fillcolor: translucent(lookOf(index).color, 0.25),
    showlegend: false,
  }));
  const words = parts.map(
    ({ name, quartiles: [q1, median, q3], least, most }) =>
      `${name === "" ? "" : `${name}: `}median ${numberText(median)}, half from ${numberText(q1)} to ${numberText(q3)}, all from ${numberText(least)} to ${numberText(most)}`,
  );
  const layout = { xaxis: { type: "category", showgrid: false } };
  return chart({ kind: "boxes", traces, x, y, words, layout }, options);
}

function spreadOf(values: readonly number[]) {
  const quartiles = [quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)] as const;
  const reach = 1.5 * (quartiles[2] - quartiles[0]);
  const inside = values.filter((value) => value >= quartiles[0] - reach && value <= quartiles[2] + reach);
  const low = inside[0] ?? Number.NaN;
  const high = inside.at(-1) ?? Number.NaN;
  const outliers = [
    ...values.filter((value) => value < low).slice(0, OUTLIERS),
    ...values.filter((value) => value > high).slice(-OUTLIERS),
  ];
  return { quartiles, low, high, outliers, least: values[0] ?? Number.NaN, most: values.at(-1) ?? Number.NaN };
}

/** Points of a curve of percentiles, at most. */
const CURVE_POINTS = 300;

/**
 * The numbers by their percentiles, stretched towards 100 so that the slowest few are seen: 90, 99, 99.9 % are equally far
 * apart. `y` is what the numbers measure.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * const figure = percentiles([4, 1, 3, 2], { y: axis("latency", "ticks") });
 * figure.data[0]!["y"] // => [ 1, 2, 3, 4 ]
 * figure.text.split("\n")[1] // => '  50 % 2.5, 90 % 3.7, 99 % 3.97, most 4'
 */
export function percentiles(data: SampleData, options: ChartOptions = {}): Figure {
  const [x, y] = [axisOf(options.x, "percentile"), axisOf(options.y, "value")];
  const series = samplesOf("percentiles", data, y, options.by).map((one) => ({ ...one, y: sorted(one.y) }));
  const traces = series.map(({ name, y: values }, index) => {
    const kept = curveIndices(values.length);
    const { color, symbol } = lookOf(index);
    return {
      type: "scatter",
      mode: series.length === 1 ? "lines" : "lines+markers",
      ...named(name),
      x: kept.map((rank) => rounded(values.length / (values.length - rank))),
      y: kept.map((rank) => values[rank]!),
      customdata: kept.map((rank) => rounded((100 * rank) / values.length)),
      line: { color, width: 2, shape: "hv" },
      marker: { color, symbol, size: 7, maxdisplayed: 10 },
      cliponaxis: false,
      hovertemplate: `%{customdata:.4~g} % below ${markup(axisTitle(y))} %{y}<extra>%{fullData.name}</extra>`,
    };
  });
  const longest = Math.max(10, ...series.map(({ y: values }) => values.length));
  const nines = Math.ceil(Math.log10(longest));
  const ticks = [1, 2, 4, ...Array.from({ length: nines }, (_, power) => 10 ** (power + 1))];
  const layout = {
    xaxis: {
      tickvals: ticks,
      ticktext: ticks.map((tick) => String(rounded(100 - 100 / tick))),
      range: [0, Math.log10(longest)],
      minor: { showgrid: false },
    },
  };
  const words = series.map(({ name, y: values }) => {
    const at = [50, 90, 99].map((percent) => `${percent} % ${numberText(quantile(values, percent / 100))}`);
    return `${name === "" ? "" : `${name}: `}${at.join(", ")}, most ${numberText(values.at(-1) ?? Number.NaN)}`;
  });
  const shown = axis(x.name, x.unit ?? "%", { log: true });
  return chart({ kind: "percentiles", traces, x: shown, y: { zero: true, ...y }, words, layout }, options);
}

/** Ranks of a curve: all of them, or evenly many in each part that is drawn equally long. */
function curveIndices(length: number): readonly number[] {
  if (length <= CURVE_POINTS) return Array.from({ length }, (_, rank) => rank);
  const ranks = Array.from({ length: CURVE_POINTS }, (_, step) =>
    Math.floor(length - length ** (1 - step / (CURVE_POINTS - 1))),
  );
  return [...new Set(ranks)];
}
