/**
 * What figures are made from: lists of numbers or of points, several of them by name, or records with columns. All come
 * out as series.
 */
import { VirtlabError } from "../../state/error.js";
import { type Axis, columnOf } from "./axis.js";

/** A place on an axis: a number, or the name of a category. */
export type Place = number | string;

/** Numbers, one after the other, or points of two. */
export type Points = ArrayLike<number> | readonly (readonly [x: Place, y: number])[];

/** A row of a table: values by the names of its columns. */
export type PlotRecord = Readonly<Record<string, unknown>>;

/** One series, several by name, or records. */
export type SeriesData = Points | Readonly<Record<string, Points>> | readonly PlotRecord[];

export interface Series {
  /** Empty for the only one. */
  readonly name: string;
  readonly x: readonly Place[];
  readonly y: readonly number[];
}

/** Where records have what a figure shows. */
export interface Columns {
  readonly x?: Axis | undefined;
  readonly y: Axis;
  /** The column that says which series a record belongs to. */
  readonly by?: string | undefined;
}

export const isRow = (value: unknown): value is PlotRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

/** Whether the data are records, of which there is at least one. */
export const areRows = (data: unknown): data is readonly PlotRecord[] =>
  Array.isArray(data) && data.length > 0 && isRow(data[0]);

/** A number of the data: null where there is none, which leaves a gap. */
export function numberOf(value: unknown): number {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "number" ? value : Number.NaN;
}

const placeOf = (value: unknown): Place =>
  typeof value === "number" || typeof value === "bigint" ? Number(value) : String(value);

/**
 * The column of a row.
 *
 * @throws VirtlabError if no row has it.
 */
export function columnValues(what: string, rows: readonly PlotRecord[], column: string): readonly unknown[] {
  if (rows.some((row) => row[column] !== undefined)) return rows.map((row) => row[column]);
  const known = [...new Set(rows.flatMap((row) => Object.keys(row)))].join(", ");
  throw new VirtlabError(`${what}: no record has a column ${JSON.stringify(column)}; there are ${known || "none"}`);
}

function fromPoints(name: string, points: Points): Series {
  const list = Array.from<number | readonly [Place, number]>(points as ArrayLike<number>);
  return {
    name,
    x: list.map((point, index) => (Array.isArray(point) ? (point[0] as Place) : index)),
    y: list.map((point) => numberOf(Array.isArray(point) ? point[1] : point)),
  };
}

/** Rows in groups, by a column, in the order in which the groups come. */
export function groupedRows(
  what: string,
  rows: readonly PlotRecord[],
  by: string | undefined,
): readonly (readonly [name: string, rows: readonly PlotRecord[]])[] {
  if (by === undefined) return [["", rows]];
  const groups = new Map<string, PlotRecord[]>();
  columnValues(what, rows, by).forEach((value, index) => {
    const name = String(value ?? "");
    groups.set(name, [...(groups.get(name) ?? []), rows[index]!]);
  });
  return [...groups];
}

/**
 * The series in the data.
 *
 * @throws VirtlabError for records that lack a column that is asked for.
 */
export function seriesOf(what: string, data: SeriesData, { x, y, by }: Columns): readonly Series[] {
  if (areRows(data)) {
    return groupedRows(what, data, by).map(([name, rows]) => ({
      name,
      x: x === undefined ? rows.map((_, index) => index) : columnValues(what, rows, columnOf(x)).map(placeOf),
      y: columnValues(what, rows, columnOf(y)).map(numberOf),
    }));
  }
  if (isRow(data)) return Object.entries(data).map(([name, points]) => fromPoints(name, points));
  return [fromPoints("", data as Points)];
}

/** Whether places are names of categories and not numbers. */
export const areNames = (series: readonly Series[]): boolean =>
  series.some(({ x }) => x.some((place) => typeof place === "string"));
