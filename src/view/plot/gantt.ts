/** `gantt`: who runs when, a lane for each. */

import { textOn } from "../palette.js";
import { type AxisLike, axisOf, marginOfNames } from "./axis.js";
import { type ChartOptions, chart, fitsAbove, LEGEND_LINE, lookOf, named } from "./chart.js";
import type { Figure } from "./figure.js";
import { markup } from "./markup.js";
import { columnValues, numberOf, type PlotRecord } from "./series.js";
import { numberText, rounded } from "./statistics.js";

/** Something that lasted from one time to another. */
export interface Span {
  /** Its row: a process, a processor, a device. */
  readonly lane: string;
  readonly from: number;
  readonly to: number;
  /** What it was: "runs", "waits". Each has a colour of its own. */
  readonly what?: string;
}

export interface GanttOptions extends ChartOptions {
  /** What time is measured in. Default: `axis("time")`. */
  readonly x?: AxisLike | undefined;
}

const ROW = 34;
/** A span is labelled if it is at least this part of all time. */
const LABELLED = 0.06;
/** About how many pixels wide all time is. */
const TIME_WIDTH = 660;
/** A span of fewer pixels has no border of its own, which would be all that is seen of it. */
const NARROW = 4;
/** Darkens what it lies on, so that a border keeps the span's hue. */
const BORDER = "rgba(0,0,0,0.5)";

/** Records with other names of columns, as spans. */
export interface SpanColumns {
  readonly lane: string;
  readonly from: string;
  readonly to: string;
  readonly what?: string;
}

/**
 * Spans from records of one's own.
 *
 * @throws VirtlabError for a column that no record has.
 *
 * @example
 * spansOf([{ process: "init", start: 0, end: 4 }], { lane: "process", from: "start", to: "end" }) // => [ { lane: 'init', from: 0, to: 4 } ]
 */
export function spansOf(records: readonly PlotRecord[], columns: SpanColumns): readonly Span[] {
  if (records.length === 0) return [];
  const values = (column: string): readonly unknown[] => columnValues("spans", records, column);
  const [lanes, froms, tos] = [values(columns.lane), values(columns.from), values(columns.to)];
  const whats = columns.what === undefined ? undefined : values(columns.what);
  return records.map((_, index) => ({
    lane: String(lanes[index]),
    from: numberOf(froms[index]),
    to: numberOf(tos[index]),
    ...(whats === undefined ? {} : { what: String(whats[index]) }),
  }));
}

/**
 * Spans of time in lanes, from the first lane down. `y` is what the lanes are.
 *
 * @example
 * const figure = gantt([
 *   { lane: "A", from: 0, to: 4, what: "runs" }, { lane: "B", from: 0, to: 4, what: "waits" }, { lane: "B", from: 4, to: 6, what: "runs" },
 * ], { x: axis("time", "ticks"), y: axis("process") });
 * figure.data.map(({ name }) => name) // => [ 'runs', 'waits' ]
 * figure.text.split("\n")[2] // => '  B: 0 to 4 waits, 4 to 6 runs'
 */
export function gantt(spans: readonly Span[], options: GanttOptions = {}): Figure {
  const [x, y] = [axisOf(options.x, "time"), axisOf(options.y, "lane")];
  const lanes = [...new Set(spans.map(({ lane }) => lane))];
  const kinds = [...new Set(spans.map(({ what = "" }) => what))];
  const [first, last] = x.range ?? [Math.min(...spans.map(({ from }) => from)), Math.max(...spans.map(({ to }) => to))];
  const traces = kinds.map((kind, index) => {
    const own = spans.filter(({ what = "" }) => what === kind);
    const { color } = lookOf(index);
    return {
      type: "bar",
      orientation: "h",
      ...named(kind),
      base: own.map(({ from }) => from),
      x: own.map(({ from, to }) => rounded(to - from)),
      y: own.map(({ lane }) => markup(lane)),
      customdata: own.map(({ to }) => to),
      marker: { color, line: bordersOf(own, color, TIME_WIDTH / (last - first)) },
      text: own.map(({ from, to }) => (to - from < LABELLED * (last - first) ? "" : markup(kind))),
      textposition: "inside",
      insidetextanchor: "middle",
      insidetextfont: { color: textOn(color) },
      textangle: 0,
      hovertemplate: `%{y}: %{base} to %{customdata}<extra>%{fullData.name}</extra>`,
    };
  });
  const isLegendAbove = fitsAbove(kinds);
  const layout = {
    barmode: "overlay",
    bargap: 0.3,
    margin: { l: marginOfNames(lanes) },
    height: 130 + ROW * Math.max(2, lanes.length) + (isLegendAbove ? LEGEND_LINE : 0),
    yaxis: {
      type: "category",
      categoryorder: "array",
      categoryarray: lanes.map(markup),
      autorange: "reversed",
      showgrid: false,
    },
  };
  return chart({ kind: "Gantt chart", traces, x, y, words: wordsOf(spans, lanes), layout, isLegendAbove }, options);
}

/**
 * Borders of spans of one kind, of which a pixel is 1 / `scale`. Spans that follow each other stay apart by them; they
 * are thinner where the spans are narrow. A narrow one that stands alone is bordered in its own colour instead, so that
 * it is seen however short it is.
 */
function bordersOf(spans: readonly Span[], color: string, scale: number): { width: number[]; color: string[] } {
  const at = (lane: string, time: number): string => `${time} ${lane}`;
  const begins = new Set(spans.map(({ lane, from }) => at(lane, from)));
  const ends = new Set(spans.map(({ lane, to }) => at(lane, to)));
  const borders = spans.map(({ lane, from, to }): readonly [width: number, color: string] => {
    const pixels = (to - from) * scale;
    if (!(pixels < NARROW)) return [1, BORDER];
    const hasNeighbour = from < to && (begins.has(at(lane, to)) || ends.has(at(lane, from)));
    return hasNeighbour ? [rounded(pixels / NARROW), BORDER] : [1, color];
  });
  return { width: borders.map(([width]) => width), color: borders.map(([, one]) => one) };
}

/** Spans of a lane that are told one by one. */
const SPANS_TOLD = 12;

export function wordsOf(spans: readonly Span[], lanes: readonly string[]): readonly string[] {
  return lanes.map((lane) => {
    const own = spans.filter((span) => span.lane === lane);
    const told = own
      .slice(0, SPANS_TOLD)
      .map(({ from, to, what = "" }) => `${numberText(from)} to ${numberText(to)} ${what}`.trim());
    const more = own.length > SPANS_TOLD ? `, and ${numberText(own.length - SPANS_TOLD)} more` : "";
    return `${lane}: ${told.join(", ")}${more}`;
  });
}
