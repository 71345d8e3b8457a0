/** `lines`, `steps` and `scatter`: numbers over time or over each other. */
import { axisOf, wholeTicks } from "./axis.js";
import { type ChartOptions, chart, hover, lookOf, named, places, seriesText } from "./chart.js";
import type { Figure } from "./figure.js";
import { areNames, type Series, type SeriesData, seriesOf } from "./series.js";

/** Lines with no more points than this show each of them; longer ones only so many that series can be told apart. */
const POINTS_MARKED = 30;
const POINTS_OF_MANY = 10;

type Kind = "lines" | "steps" | "scatter";

/** A line with points in the shape of its series; a long one that is alone needs none. */
function line({ x }: Series, index: number, isAlone: boolean): Readonly<Record<string, unknown>> {
  const { color, symbol } = lookOf(index);
  const isLong = x.length > POINTS_MARKED;
  const marker = { symbol, size: 7, color, ...(isLong ? { maxdisplayed: POINTS_OF_MANY } : {}) };
  return { mode: isLong && isAlone ? "lines" : "lines+markers", line: { color, width: 2 }, marker };
}

const drawn: Readonly<
  Record<Kind, (series: Series, index: number, isAlone: boolean) => Readonly<Record<string, unknown>>>
> = {
  lines: line,
  steps: (series, index, isAlone) => ({
    ...line(series, index, isAlone),
    ...(isAlone ? { mode: "lines" } : {}),
    line: { color: lookOf(index).color, width: 2, shape: "hv" },
  }),
  scatter: (_, index) => {
    const { color, symbol } = lookOf(index);
    return { mode: "markers", marker: { symbol, size: 7, color, opacity: 0.8 } };
  },
};

function seriesFigure(kind: Kind, data: SeriesData, options: ChartOptions): Figure {
  const [x, y] = [axisOf(options.x, "number"), axisOf(options.y, "value")];
  const series = seriesOf(kind, data, { x: options.x === undefined ? undefined : x, y, by: options.by });
  const traces = series.map((one, index) => ({
    type: "scatter",
    ...named(one.name),
    x: places(one.x),
    y: one.y,
    ...drawn[kind](one, index, series.length === 1),
    hovertemplate: hover(x, y),
  }));
  const layout = {
    xaxis: areNames(series) ? { type: "category" } : x.log ? {} : wholeTicks(series.flatMap((one) => one.x)),
    yaxis: y.log ? {} : wholeTicks(series.flatMap((one) => one.y)),
  };
  return chart({ kind, traces, x, y, words: series.map((one) => seriesText(one)), layout }, options);
}

/**
 * Lines through points: of a list of numbers, of points, of several series by name, or of records.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * const figure = lines({ "round robin": [12, 15, 14], lottery: [9, 21, 12] }, {
 *   x: axis("run"), y: axis("waiting time", "ticks"), title: "Waiting",
 * });
 * figure.data.map(({ name }) => name) // => [ 'round robin', 'lottery' ]
 * figure.text.split("\n")[2] // => '  round robin: 3 points, 12 to 15, median 14'
 * lines([{ tick: 1, pages: 3 }, { tick: 5, pages: 4 }], { x: "tick", y: "pages" }).data[0]!["x"] // => [ 1, 5 ]
 */
export const lines = (data: SeriesData, options: ChartOptions = {}): Figure => seriesFigure("lines", data, options);

/**
 * What holds from each point on to the next, such as a privilege level or the length of a queue.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * steps([[0, 3], [40, 0], [55, 3]], { x: axis("time", "ticks"), y: axis("CPL") }).data[0]!["y"] // => [ 3, 0, 3 ]
 */
export const steps = (data: SeriesData, options: ChartOptions = {}): Figure => seriesFigure("steps", data, options);

/**
 * Points alone. Series differ in their shapes as well as in their colours.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * scatter([[1, 5], [2, 3]], { x: axis("size", "pages"), y: axis("faults") }).text.split("\n")[0] // => 'scatter: faults by size (pages)'
 */
export const scatter = (data: SeriesData, options: ChartOptions = {}): Figure => seriesFigure("scatter", data, options);
