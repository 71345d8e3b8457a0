/** `bars`: a number for each of some names. */
import { axisOf, axisTitle, marginOfNames } from "./axis.js";
import { type ChartOptions, chart, lookOf, named, places } from "./chart.js";
import type { Figure } from "./figure.js";
import { markup } from "./markup.js";
import { areRows, isRow, numberOf, type PlotRecord, type Series, seriesOf } from "./series.js";
import { numberText } from "./statistics.js";

/** Numbers by name, several series of them by name, or records. */
export type BarData =
  | Readonly<Record<string, number>>
  | Readonly<Record<string, Readonly<Record<string, number>>>>
  | readonly PlotRecord[];

export interface BarOptions extends ChartOptions {
  /** Bars of one name stand on each other. Default: beside each other. */
  readonly stacked?: boolean;
  /** Bars lie, so that long names can be read. Default: if the names are long. */
  readonly horizontal?: boolean;
}

/** More bars than this have no number at their end. */
const NUMBERS_SHOWN = 24;
/** With more characters of names than this, they do not stand beside each other. */
const NAMES_WIDTH = 110;
const ROW = 26;

function seriesIn(data: BarData, { x: xLike, y: yLike, by }: ChartOptions): readonly Series[] {
  if (areRows(data)) return seriesOf("bars", data, { x: axisOf(xLike, "name"), y: axisOf(yLike, "value"), by });
  const entries = Object.entries(data) as (readonly [string, unknown])[];
  const series = (name: string, values: readonly (readonly [string, unknown])[]): Series => ({
    name,
    x: values.map(([place]) => place),
    y: values.map(([, value]) => numberOf(value)),
  });
  if (entries.some(([, value]) => isRow(value)))
    return entries.map(([name, values]) => series(name, Object.entries(values as object)));
  return [series("", entries)];
}

/**
 * Bars: a number for each name, of one series or of several.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * bars({ FIFO: 15, LRU: 12 }, { x: "policy", y: axis("page faults") }).data[0]!["y"] // => [ 15, 12 ]
 * bars({ "8 frames": { FIFO: 9, LRU: 7 }, "4 frames": { FIFO: 15, LRU: 12 } }).data.length // => 2
 * bars([{ policy: "LRU", faults: 12 }], { x: "policy", y: "faults" }).text.split("\n")[1] // => '  LRU 12'
 */
export function bars(data: BarData, options: BarOptions = {}): Figure {
  const { stacked = false } = options;
  const [category, value] = [axisOf(options.x, "name"), { zero: true, ...axisOf(options.y, "value") }];
  const series = seriesIn(data, options);
  const names = [...new Set(series.flatMap(({ x }) => x.map(String)))];
  const { horizontal = names.join("").length + 3 * names.length > NAMES_WIDTH } = options;
  const count = series.reduce((sum, { y }) => sum + y.length, 0);
  const along = { type: "category", categoryorder: "array", categoryarray: names.map(markup), showgrid: false };
  const traces = series.map((one, index) => {
    const [at, lengths] = [places(one.x.map(String)), one.y];
    return {
      type: "bar",
      ...named(one.name),
      ...(horizontal ? { orientation: "h", x: lengths, y: at } : { x: at, y: lengths }),
      marker: { color: lookOf(index).color },
      ...(count > NUMBERS_SHOWN || stacked ? {} : { text: lengths.map(numberText), textposition: "outside" }),
      textangle: 0,
      cliponaxis: false,
      hovertemplate: `%{${horizontal ? "y" : "x"}}: %{${horizontal ? "x" : "y"}:,} ${markup(value.unit ?? "")}<extra>%{fullData.name}</extra>`,
    };
  });
  const layout = {
    barmode: stacked ? "stack" : "group",
    bargap: 0.28,
    bargroupgap: 0.08,
    [horizontal ? "yaxis" : "xaxis"]: { ...along, ...(horizontal ? { autorange: "reversed" } : {}) },
    ...(horizontal
      ? { margin: { l: marginOfNames(names) }, height: Math.max(240, 140 + ROW * (stacked ? names.length : count)) }
      : {}),
  };
  const words = series.map(
    ({ name, x, y }) =>
      (name === "" ? "" : `${name}: `) + x.map((place, index) => `${place} ${numberText(y[index]!)}`).join(", "),
  );
  const [x, y] = horizontal ? [value, category] : [category, value];
  const relation = `${axisTitle(value)} by ${axisTitle(category)}`;
  return chart({ kind: "bars", traces, x, y, relation, words, layout }, options);
}
