/** `ganttDiagram`: who runs when, as a drawing that needs no Plotly. `gantt` is the same as an interactive figure. */

import { textOn } from "../palette.js";
import { type AxisLike, axisOf, axisTitle } from "../plot/axis.js";
import { lookOf } from "../plot/chart.js";
import { type Span, wordsOf } from "../plot/gantt.js";
import { niceAbove, numberText, rounded } from "../plot/statistics.js";
import { textWidth } from "../text-width.js";
import { Diagram, type DiagramOptions } from "./diagram.js";
import { element, label, line, type Markup } from "./svg.js";

export interface GanttDiagramOptions extends DiagramOptions {
  /** What time is measured in. Default: `axis("time")`. */
  readonly x?: AxisLike | undefined;
}

const WIDTH = 640;
const ROW = 32;
const BAR = 22;
const TICKS = 8;

/** Round numbers from the first to the last. */
function ticksOf(first: number, last: number): readonly number[] {
  const step = niceAbove((last - first) / TICKS);
  const from = Math.ceil(first / step);
  return Array.from({ length: Math.max(1, Math.floor(last / step) - from + 1) }, (_, index) =>
    rounded((from + index) * step),
  );
}

/**
 * Spans of time in lanes, from the first lane down. What a span is stands in it where there is room, and below the lanes.
 *
 * @example
 * const diagram = ganttDiagram([{ lane: "A", from: 0, to: 4, what: "runs" }, { lane: "B", from: 4, to: 6, what: "runs" }]);
 * diagram.text.split("\n")[2] // => '  B: 4 to 6 runs'
 */
export function ganttDiagram(spans: readonly Span[], options: GanttDiagramOptions = {}): Diagram {
  const { x: like, ...rest } = options;
  const time = axisOf(like, "time");
  const lanes = [...new Set(spans.map(({ lane }) => lane))];
  const kinds = [...new Set(spans.map(({ what = "" }) => what))];
  const first = Math.min(0, ...spans.map(({ from }) => from));
  const last = Math.max(first + 1, ...spans.map(({ to }) => to));
  const left = Math.min(220, Math.max(40, ...lanes.map((lane) => textWidth(lane, 13) + 14)));
  const at = (moment: number): number => left + ((moment - first) / (last - first)) * WIDTH;
  const bottom = lanes.length * ROW;
  const bars = spans.flatMap(({ lane, from, to, what = "" }) => {
    const { color } = lookOf(kinds.indexOf(what));
    const y = lanes.indexOf(lane) * ROW + (ROW - BAR) / 2;
    const width = Math.max(1, at(to) - at(from));
    const isRoom = what !== "" && textWidth(what, 12) + 8 < width;
    return [
      element(
        "rect",
        { x: at(from), y, width, height: BAR, rx: 2, fill: color, stroke: "currentColor", "stroke-width": 0.6 },
        element("title", {}, `${lane}: ${numberText(from)} to ${numberText(to)} ${what}`.trim()),
      ),
      ...(isRoom
        ? [label(at(from) + width / 2, y + 15, what, { size: 12, anchor: "middle", fill: textOn(color) })]
        : []),
    ];
  });
  const grid = ticksOf(first, last).flatMap((tick): readonly Markup[] => [
    line(
      [
        [at(tick), 0],
        [at(tick), bottom + 5],
      ],
      { faint: true, width: 0.7 },
    ),
    label(at(tick), bottom + 20, numberText(tick), { size: 11.5, anchor: "middle", dim: true }),
  ]);
  let legendX = left;
  const legend = kinds
    .filter((kind) => kind !== "")
    .flatMap((kind): readonly Markup[] => {
      const x = legendX;
      legendX += textWidth(kind, 12) + 40;
      const { color } = lookOf(kinds.indexOf(kind));
      return [
        element("rect", { x, y: bottom + 48, width: 14, height: 14, rx: 2, fill: color }),
        label(x + 20, bottom + 59, kind, { size: 12 }),
      ];
    });
  return new Diagram(
    {
      kind: "Gantt chart",
      width: left + WIDTH + 24,
      height: bottom + (legend.length === 0 ? 44 : 70),
      parts: [
        ...grid,
        ...lanes.map((lane, index) => label(left - 10, index * ROW + ROW / 2 + 4, lane, { anchor: "end" })),
        ...bars,
        label(left + WIDTH / 2, bottom + 38, axisTitle(time), { size: 12, anchor: "middle" }),
        ...legend,
      ],
      words: wordsOf(spans, lanes),
      data: [{ spans, time: axisTitle(time) }],
    },
    rest,
  );
}
