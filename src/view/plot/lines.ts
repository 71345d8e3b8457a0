/** `lines`, `steps` and `scatter`: numbers over time or over each other. */
import { VirtlabError } from "../../state/error.js";
import { type Axis, axisOf, wholeTicks } from "./axis.js";
import { type ChartOptions, chart, hover, lookOf, named, places, seriesText } from "./chart.js";
import type { Figure } from "./figure.js";
import { areNames, type Series, type SeriesData, seriesOf } from "./series.js";

/** What `steps` takes besides. */
export interface StepOptions extends ChartOptions {
  /**
   * Where the last levels end, on the x axis. Default: where the axis's range does; without one, as far behind the last
   * point as that is behind the one before it.
   */
  readonly until?: number | undefined;
}

/** Lines with no more points than this show each of them; longer ones only so many that series can be told apart. */
const POINTS_MARKED = 30;
const POINTS_OF_MANY = 10;

type Kind = "lines" | "steps" | "scatter";

/** A series as it is drawn. */
interface DrawnSeries extends Series {
  /** Its last point is where the last level ends: nothing happened there, and it has no mark. */
  readonly isHeld?: boolean;
}

/** A line with points in the shape of its series; a long one that is alone needs none. */
function line({ x, isHeld = false }: DrawnSeries, index: number, isAlone: boolean): Readonly<Record<string, unknown>> {
  const { color, symbol } = lookOf(index);
  const isLong = x.length > POINTS_MARKED;
  const marks = isHeld && !isLong ? x.map((_, place) => (place < x.length - 1 ? color : NO_COLOUR)) : color;
  const marker = { symbol, size: 7, color: marks, ...(isLong ? { maxdisplayed: POINTS_OF_MANY } : {}) };
  return { mode: isLong && isAlone ? "lines" : "lines+markers", line: { color, width: 2 }, marker };
}

const NO_COLOUR = "rgba(0,0,0,0)";

const drawn: Readonly<
  Record<Kind, (series: DrawnSeries, index: number, isAlone: boolean) => Readonly<Record<string, unknown>>>
> = {
  lines: line,
  steps: (series, index, isAlone) => ({
    ...line(series, index, isAlone),
    ...(isAlone ? { mode: "lines" } : {}),
    line: { color: lookOf(index).color, width: 2, shape: "hv" },
  }),
  scatter: (_, index) => {
    const { color, symbol } = lookOf(index);
    return { mode: "markers", marker: { symbol, size: 7, color } };
  },
};

/** Where the last levels of all series end, if nothing else is said. */
function endOf(series: readonly Series[], { range }: Axis): number {
  if (range !== undefined) return Math.max(...range);
  const ends = series.map(({ x }) => {
    const [last, before] = [Number(x.at(-1)), Number(x.at(-2))];
    return { last, end: Number.isNaN(before) ? last + 1 : 2 * last - before };
  });
  const latest = Math.max(...ends.map(({ last }) => last));
  return Math.max(...ends.filter(({ last }) => last === latest).map(({ end }) => end));
}

/** The series with their last levels as long as they hold. Names of categories have no distance, and no end. */
function held(series: readonly Series[], x: Axis, until: number | undefined): readonly DrawnSeries[] {
  if (until !== undefined && !Number.isFinite(until))
    throw new VirtlabError(`steps: until is ${until}; it takes a number, where the last levels end`);
  if (areNames(series)) return series;
  const filled = series.filter((one) => one.x.length > 0);
  const end = until ?? endOf(filled, x);
  return series.map((one) =>
    Number(one.x.at(-1)) < end
      ? { name: one.name, x: [...one.x, end], y: [...one.y, one.y.at(-1)!], isHeld: true }
      : one,
  );
}

function seriesFigure(kind: Kind, data: SeriesData, options: StepOptions): Figure {
  const [x, y] = [axisOf(options.x, "number"), axisOf(options.y, "value")];
  const series = seriesOf(kind, data, { x: options.x === undefined ? undefined : x, y, by: options.by });
  const shown: readonly DrawnSeries[] = kind === "steps" ? held(series, x, options.until) : series;
  const traces = shown.map((one, index) => ({
    type: "scatter",
    ...named(one.name),
    x: places(one.x),
    y: one.y,
    ...drawn[kind](one, index, series.length === 1),
    // Marks at the end of an axis are whole.
    cliponaxis: false,
    hovertemplate: hover(x, y),
  }));
  const layout = {
    xaxis: areNames(series) ? { type: "category" } : x.log ? {} : wholeTicks(shown.flatMap((one) => one.x)),
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
 * What holds from each point on to the next, such as a privilege level or the length of a queue. What holds from the
 * last point on is drawn to where `until` says.
 *
 * @throws VirtlabError for records that lack a column, or an `until` that is no number.
 *
 * @example
 * const levels = steps([[0, 3], [40, 0], [55, 3]], { x: axis("time", "ticks"), y: axis("CPL"), until: 100 });
 * levels.data[0]!["x"] // => [ 0, 40, 55, 100 ]
 * levels.data[0]!["y"] // => [ 3, 0, 3, 3 ]
 */
export const steps = (data: SeriesData, options: StepOptions = {}): Figure => seriesFigure("steps", data, options);

/**
 * Points alone. Series differ in their shapes as well as in their colours.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * scatter([[1, 5], [2, 3]], { x: axis("size", "pages"), y: axis("faults") }).text.split("\n")[0] // => 'scatter: faults by size (pages)'
 */
export const scatter = (data: SeriesData, options: ChartOptions = {}): Figure => seriesFigure("scatter", data, options);
