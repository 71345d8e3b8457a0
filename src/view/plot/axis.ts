/** Axes of figures: every one has a title, with the unit of what it measures. */
import { VirtlabError } from "../../state/error.js";
import { FAINT_GRID, GRID } from "../palette.js";
import { markup } from "./markup.js";

/** What an axis measures, and how. */
export interface Axis {
  /** What it measures: "time". */
  readonly name: string;
  /** In what: "ticks". None for what has no unit, such as the name of a policy. */
  readonly unit?: string;
  /** The column of records that holds it, if it is not called like the axis. */
  readonly column?: string;
  /** Equal distances are equal factors. Default: false. */
  readonly log?: boolean;
  /** From where to where. Default: all there is. */
  readonly range?: readonly [from: number, to: number];
  /** Whether the axis begins at 0. Default: as the figure needs it. */
  readonly zero?: boolean;
}

/** An axis, or the name of one without a unit. */
export type AxisLike = string | Axis;

/**
 * An axis: what it measures, in which unit.
 *
 * @throws VirtlabError for an axis without a name.
 *
 * @example
 * axisTitle(axis("time", "ticks")) // => 'time (ticks)'
 * axis("size", "bytes", { log: true }).log // => true
 */
export function axis(name: string, unit?: string, options: Omit<Axis, "name" | "unit"> = {}): Axis {
  if (name.trim() === "") throw new VirtlabError("axis: it has no name; say what it measures");
  return Object.freeze({ ...options, name, ...(unit === undefined ? {} : { unit }) });
}

/** An axis's title: its name, and its unit in parentheses. */
export const axisTitle = ({ name, unit }: Axis): string => (unit === undefined ? name : `${name} (${unit})`);

/** The axis as given, or of this name where none is. */
export const axisOf = (like: AxisLike | undefined, otherwise: string): Axis =>
  typeof like === "object" ? like : axis(like ?? otherwise);

export const columnOf = ({ column, name }: Axis): string => column ?? name;

/**
 * What all axes have. Behind jsdom, which measures no text, labels would count as too wide and be left out. Ticks without
 * ink keep labels off the marks that lie on the axis.
 */
export const AXIS_LOOK = {
  gridcolor: GRID,
  linecolor: GRID,
  zeroline: false,
  ticks: "outside",
  ticklen: 4,
  tickcolor: "rgba(0,0,0,0)",
  ticklabeloverflow: "allow",
  exponentformat: "SI",
  separatethousands: true,
} as const;

/** An axis as Plotly's layout has it. */
export function plotlyAxis(from: Axis): Record<string, unknown> {
  const { log = false, range, zero = false } = from;
  return {
    title: { text: markup(axisTitle(from)) },
    ...(log ? { type: "log", exponentformat: "power", minor: { showgrid: true, gridcolor: FAINT_GRID } } : {}),
    ...(range === undefined ? {} : { range: log ? range.map(Math.log10) : [...range] }),
    ...(zero && !log ? { rangemode: "tozero" } : {}),
  };
}

/** Width of the margin in which names stand at the axis upwards, with its title. Plotly's own way to find it measures text. */
export const marginOfNames = (names: readonly string[]): number =>
  Math.min(260, Math.max(84, 50 + 6.6 * Math.max(0, ...names.map(({ length }) => length))));

/** Whole numbers that are few get a tick each, and none between them. */
export const wholeTicks = (values: readonly unknown[]): Readonly<Record<string, unknown>> => {
  const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
  const range = Math.max(...numbers) - Math.min(...numbers);
  return numbers.length > 0 && range <= 8 && numbers.every(Number.isInteger) ? { dtick: 1 } : {};
};
