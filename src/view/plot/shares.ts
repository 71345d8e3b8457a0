/** `shares`: what whole is made of, over time. */

import { colours, seriesColours } from "../palette.js";
import { axis, axisOf } from "./axis.js";
import { type ChartOptions, chart, named, places } from "./chart.js";
import type { Figure } from "./figure.js";
import { areNames, type Place, type Series, type SeriesData, seriesOf } from "./series.js";
import { numberText, rounded } from "./statistics.js";

const REST = "all other";

/**
 * The share of each series in the sum of all, at each place: layers that fill the figure. From each place on to the next
 * the shares hold. With more than seven series the smallest are one, in grey.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * const figure = shares({ user: [3, 1], kernel: [1, 1] }, { x: axis("time", "ms") });
 * figure.data.map(({ y }) => y) // => [ [ 75, 50 ], [ 25, 50 ] ]
 * figure.text.split("\n")[1] // => '  user 66.67 %, kernel 33.33 %'
 */
export function shares(data: SeriesData, options: ChartOptions = {}): Figure {
  const x = axisOf(options.x, "number");
  const amount = axisOf(options.y, "share");
  const all = seriesOf("shares", data, { x: options.x === undefined ? undefined : x, y: amount, by: options.by });
  const at = [...new Set(all.flatMap((series) => series.x))];
  if (!areNames(all)) (at as number[]).sort((a, b) => a - b);
  const layers = fewer(all.map((series) => ({ name: series.name, amounts: amountsAt(series, at) })));
  const sums = at.map((_, index) => layers.reduce((sum, { amounts }) => sum + amounts[index]!, 0));
  const traces = layers.map(({ name, amounts }, index) => ({
    type: "scatter",
    mode: "lines",
    ...named(name),
    x: places(at),
    y: amounts.map((one, place) => rounded((100 * one) / (sums[place] || 1))),
    stackgroup: "shares",
    line: { shape: "hv", width: 0 },
    fillcolor: name === REST ? colours.grey : seriesColours[index]!,
    hovertemplate: "%{y:.1f} %<extra>%{fullData.name}</extra>",
  }));
  const whole = sums.reduce((sum, one) => sum + one, 0) || 1;
  const text = layers.map(
    ({ name, amounts }) => `${name} ${numberText((100 * amounts.reduce((sum, one) => sum + one, 0)) / whole)} %`,
  );
  const layout = {
    xaxis: areNames(all) ? { type: "category" } : {},
    yaxis: { tickvals: [0, 25, 50, 75, 100] },
    // The layers lie as the names do.
    legend: { traceorder: "reversed" },
  };
  const y = axis("share", "%", { range: [0, 100] });
  return chart({ kind: "shares", traces, x, y, words: [text.join(", ")], layout }, options);
}

interface Layer {
  readonly name: string;
  readonly amounts: readonly number[];
}

function amountsAt({ x, y }: Series, at: readonly Place[]): readonly number[] {
  const amounts = new Map<Place, number>();
  x.forEach((place, index) => {
    amounts.set(place, (amounts.get(place) ?? 0) + (Number.isFinite(y[index]) ? y[index]! : 0));
  });
  return at.map((place) => amounts.get(place) ?? 0);
}

/** As many layers as there are colours, and one of all that is left. */
function fewer(layers: readonly Layer[]): readonly Layer[] {
  if (layers.length <= seriesColours.length) return layers;
  const sumOf = ({ amounts }: Layer): number => amounts.reduce((sum, one) => sum + one, 0);
  const largest = new Set([...layers].sort((a, b) => sumOf(b) - sumOf(a)).slice(0, seriesColours.length));
  const rest = layers.filter((layer) => !largest.has(layer));
  const amounts = layers[0]!.amounts.map((_, index) => rest.reduce((sum, layer) => sum + layer.amounts[index]!, 0));
  return [...layers.filter((layer) => largest.has(layer)), { name: REST, amounts }];
}
