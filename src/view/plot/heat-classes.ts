/** Classes of numbers with round borders, each with its colour from little to much. */
import { heatColours } from "../palette.js";
import { numberText, rounded, sorted } from "./statistics.js";

export interface HeatClass {
  /** "10 to 20", or the only number in it. */
  readonly name: string;
  /** The first number that is above it. */
  readonly below: number;
  readonly colour: string;
}

const MOST = heatColours.length;
/** What widths of classes may begin with. */
const ROUND = [1, 2, 2.5, 4, 5, 10];
/** Within powers of ten: all three, or the powers alone. */
const FACTORS = [[1, 2, 5], [1, 3], [1]];

/** Colours spread over the scale, so that few classes have its ends as well. */
const spread = (index: number, count: number): string =>
  heatColours[count === 1 ? MOST >> 1 : Math.round((index * (MOST - 1)) / (count - 1))]!;

/** Classes for the numbers, at most as many as there are colours; on a scale of equal factors if `log`. */
export function classesOf(numbers: readonly number[], log: boolean): readonly HeatClass[] {
  const all = sorted(log ? numbers.filter((value) => value > 0) : numbers);
  const [low, high] = [all[0] ?? 0, all.at(-1) ?? 0];
  if (!log && all.every(Number.isInteger) && high - low < MOST) return single(low, high);
  const borders = log ? factorBorders(low, high) : widthBorders(low, high);
  return borders.slice(1).map((below, index) => ({
    name: `${numberText(borders[index]!)} to ${numberText(below)}`,
    below: index === borders.length - 2 ? Number.POSITIVE_INFINITY : below,
    colour: spread(index, borders.length - 1),
  }));
}

/** A class for each of few whole numbers. */
const single = (low: number, high: number): readonly HeatClass[] =>
  Array.from({ length: high - low + 1 }, (_, index) => ({
    name: numberText(low + index),
    below: low + index + 1,
    colour: spread(index, high - low + 1),
  }));

function widthBorders(low: number, high: number): readonly number[] {
  const power = 10 ** Math.floor(Math.log10((high - low) / MOST || 1));
  const between = (width: number): readonly number[] => {
    const first = Math.floor(low / width);
    const count = Math.max(1, Math.floor(high / width) - first + (high % width === 0 && high > first * width ? 0 : 1));
    return Array.from({ length: count + 1 }, (_, index) => rounded((first + index) * width));
  };
  const fitting = [...ROUND, 20].map((digit) => between(digit * power)).find(({ length }) => length <= MOST + 1);
  return fitting ?? [low, high];
}

function factorBorders(low: number, high: number): readonly number[] {
  const first = Math.floor(Math.log10(low || 1));
  const last = Math.ceil(Math.log10(high || 1)) + 1;
  const between = (digits: readonly number[], every: number): readonly number[] => {
    const powers = Array.from({ length: Math.ceil((last - first) / every) + 1 }, (_, index) => first + index * every);
    const all = powers.flatMap((power) => digits.map((digit) => rounded(digit * 10 ** power)));
    const start = all.findLastIndex((border) => border <= low);
    const end = all.findIndex((border, index) => border >= high && index > start);
    return all.slice(Math.max(0, start), end + 1);
  };
  const found = FACTORS.map((digits) => between(digits, 1)).find(({ length }) => length <= MOST + 1);
  return found ?? between([1], Math.ceil((last - first) / (MOST - 1)));
}
