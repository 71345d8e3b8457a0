/**
 * `heatmap`: a number for each pair of names, as a coloured cell. Cells are areas of ordinary traces, one trace for each
 * class of numbers: Plotly's own heat maps are painted on a canvas, and no static drawing could be made of them.
 */
import { VirtlabError } from "../../state/error.js";
import { heatColours, textOn } from "../palette.js";
import { type AxisLike, axisOf, axisTitle, columnOf, marginOfNames } from "./axis.js";
import { type ChartOptions, chart } from "./chart.js";
import type { Figure } from "./figure.js";
import { classesOf } from "./heat-classes.js";
import { markup } from "./markup.js";
import { areRows, columnValues, isRow, numberOf, type PlotRecord } from "./series.js";
import { numberText } from "./statistics.js";

/** Rows of numbers, numbers by the names of row and column, or records. */
export type GridData =
  | readonly ArrayLike<number>[]
  | Readonly<Record<string, Readonly<Record<string, number>>>>
  | readonly PlotRecord[];

export interface HeatmapOptions extends ChartOptions {
  /** What the numbers measure; of records, the column of that name is shown. */
  readonly value?: AxisLike | undefined;
  /** Names of rows and columns, where the data have none. */
  readonly rows?: readonly string[] | undefined;
  readonly columns?: readonly string[] | undefined;
}

interface Grid {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** By row and column. */
  readonly numbers: readonly (readonly number[])[];
}

/** In larger grids cells are too small for numbers. */
const NUMBERS_SHOWN = { columns: 16, rows: 24 };
/** From the middle of a cell to its border; what is left is the line between cells. */
const HALF = 0.48;

function gridOf(data: GridData, options: HeatmapOptions): Grid {
  if (!Array.isArray(data)) {
    const entries = Object.entries(data as Readonly<Record<string, Readonly<Record<string, number>>>>);
    const columns = [...new Set(entries.flatMap(([, row]) => Object.keys(row)))];
    const numbers = entries.map(([, row]) => columns.map((column) => numberOf(row[column])));
    return { rows: entries.map(([name]) => name), columns, numbers };
  }
  if (areRows(data) && isRow(data[0])) return gridOfRecords(data, options);
  const numbers = (data as readonly ArrayLike<number>[]).map((row) => Array.from(row, numberOf));
  const width = Math.max(0, ...numbers.map(({ length }) => length));
  const names = (given: readonly string[] | undefined, count: number): readonly string[] =>
    Array.from({ length: count }, (_, index) => given?.[index] ?? String(index));
  return { rows: names(options.rows, numbers.length), columns: names(options.columns, width), numbers };
}

function gridOfRecords(records: readonly PlotRecord[], options: HeatmapOptions): Grid {
  const column = (like: AxisLike | undefined, name: string): readonly unknown[] => {
    if (like === undefined) throw new VirtlabError(`heatmap: records need ${name}, the name of a column`);
    return columnValues("heatmap", records, columnOf(axisOf(like, name)));
  };
  const [xs, ys] = [column(options.x, "x").map(String), column(options.y, "y").map(String)];
  const values = column(options.value, "value").map(numberOf);
  const [columns, rows] = [[...new Set(xs)], [...new Set(ys)]];
  const numbers = rows.map(() => columns.map(() => Number.NaN));
  values.forEach((value, index) => {
    numbers[rows.indexOf(ys[index]!)]![columns.indexOf(xs[index]!)] = value;
  });
  return { rows, columns, numbers };
}

/**
 * A grid of coloured cells, with their numbers where there is room. Rows go down as in a table.
 *
 * @throws VirtlabError for records that lack a column.
 *
 * @example
 * const figure = heatmap({ FIFO: { "3 frames": 9, "4 frames": 10 }, LRU: { "3 frames": 10, "4 frames": 8 } }, {
 *   x: "memory", y: "policy", value: axis("page faults"),
 * });
 * figure.text.split("\n")[1] // => '  FIFO: 3 frames 9, 4 frames 10'
 * heatmap([[1, 2], [3, 4]]).text.split("\n")[0] // => 'heat map: value by row and column'
 */
export function heatmap(data: GridData, options: HeatmapOptions = {}): Figure {
  const { rows, columns, numbers } = gridOf(data, options);
  const [x, y] = [axisOf(options.x, "column"), axisOf(options.y, "row")];
  const value = axisOf(options.value, "value");
  const cells = numbers.flatMap((row, r) => row.map((number, c) => ({ r, c, number })));
  const there = cells.filter(({ number }) => Number.isFinite(number));
  const classes = classesOf(
    there.map(({ number }) => number),
    value.log === true,
  );
  const colourOf = (number: number): string => classes.find((one) => number < one.below)?.colour ?? heatColours.at(-1)!;
  const areas = classes.flatMap(({ name, colour }) => {
    const own = there.filter(({ number }) => colourOf(number) === colour);
    if (own.length === 0) return [];
    return [
      {
        type: "scatter",
        mode: "none",
        name,
        x: own.flatMap(({ c }) => [c - HALF, c + HALF, c + HALF, c - HALF, c - HALF, null]),
        y: own.flatMap(({ r }) => [r - HALF, r - HALF, r + HALF, r + HALF, r - HALF, null]),
        fill: "toself",
        fillcolor: colour,
        hoverinfo: "skip",
      },
    ];
  });
  const isShown = columns.length <= NUMBERS_SHOWN.columns && rows.length <= NUMBERS_SHOWN.rows;
  const centres = {
    type: "scatter",
    mode: isShown ? "text" : "markers",
    name: "",
    x: there.map(({ c }) => c),
    y: there.map(({ r }) => r),
    text: there.map(({ number }) => numberText(number)),
    customdata: there.map(({ r, c }) => [markup(rows[r]), markup(columns[c])]),
    marker: { opacity: 0, size: 12 },
    textfont: {
      size: 11,
      color: there.map(({ number }) => textOn(colourOf(number))),
    },
    showlegend: false,
    hovertemplate: `%{customdata[0]}, %{customdata[1]}<br>${markup(axisTitle(value))}: %{text}<extra></extra>`,
  };
  const names = (list: readonly string[], most: number) => {
    const every = Math.ceil(list.length / most);
    const kept = list.map((_, index) => index).filter((index) => index % every === 0);
    return { tickvals: kept, ticktext: kept.map((index) => markup(list[index])), showgrid: false, type: "linear" };
  };
  const layout = {
    height: Math.min(760, 150 + Math.max(3, rows.length) * (isShown ? 30 : 14)),
    xaxis: { ...names(columns, 24), range: [-0.5, Math.max(1, columns.length) - 0.5] },
    yaxis: { ...names(rows, 40), range: [Math.max(1, rows.length) - 0.5, -0.5] },
    margin: { l: marginOfNames(rows) },
    showlegend: true,
    legend: { title: { text: markup(axisTitle(value)) }, traceorder: "reversed" },
  };
  const words = rows.map((name, r) => {
    const texts = columns.map((column, c) => `${column} ${numberText(numbers[r]![c] ?? Number.NaN)}`);
    return `${name}: ${texts.join(", ")}`;
  });
  const relation = `${axisTitle(value)} by ${axisTitle(y)} and ${axisTitle(x)}`;
  return chart({ kind: "heat map", traces: [...areas, centres], x, y, relation, words, layout }, options);
}
