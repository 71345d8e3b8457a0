/** What figures tell about numbers. */

/** Numbers in ascending order, without those that are none. */
export const sorted = (values: readonly number[]): readonly number[] =>
  values.filter(Number.isFinite).sort((a, b) => a - b);

/**
 * The quantile of sorted numbers, between the two that are next to it. Source: Hyndman and Fan, "Sample Quantiles in
 * Statistical Packages" (1996), definition 7. NaN for no numbers.
 *
 * @example
 * quantile([1, 2, 3, 4], 0.5) // => 2.5
 * quantile([1, 2, 3, 4], 1) // => 4
 */
export function quantile(values: readonly number[], fraction: number): number {
  const place = (values.length - 1) * fraction;
  const low = values[Math.floor(place)] ?? Number.NaN;
  const high = values[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

/** The smallest of 1, 2 and 5 times a power of ten that is not below the number. */
export function niceAbove(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((digit) => digit * power).find((nice) => nice >= value * 0.999999)!;
}

const MOST_BINS = 80;

/**
 * Borders of classes of equal and round width, from below the least to above the greatest number. Without a count the
 * width is that of Freedman and Diaconis, "On the histogram as a density estimator" (1981), and 1 for whole numbers that are
 * near each other.
 */
export function binBorders(values: readonly number[], bins?: number): readonly number[] {
  const all = sorted(values);
  const [low, high] = [all[0], all.at(-1)];
  if (low === undefined || high === undefined) return [];
  const spread = quantile(all, 0.75) - quantile(all, 0.25);
  const wanted = bins === undefined ? (2 * spread) / Math.cbrt(all.length) : (high - low) / bins;
  const areWhole = bins === undefined && all.every(Number.isInteger);
  // Far outliers must not make more classes than can be seen.
  const least = Math.max(wanted || (high - low) / 10, (high - low) / MOST_BINS);
  const width = areWhole && high - low <= MOST_BINS / 2 ? 1 : niceAbove(Math.max(least, areWhole ? 1 : 0));
  const first = Math.floor(low / width);
  const last = Math.max(first + 1, Math.floor(high / width) + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => rounded((first + index) * width));
}

/** Without the dust of binary fractions: 0.1 + 0.2 is 0.3. */
export const rounded = (value: number): number => Number(value.toPrecision(12));

/** Counts of numbers from each border to the next, the last border included. */
export function countsBetween(borders: readonly number[], values: readonly number[]): readonly number[] {
  const counts = new Array<number>(Math.max(0, borders.length - 1)).fill(0);
  for (const value of sorted(values)) {
    const above = borders.findIndex((border) => border > value);
    const index = above === -1 ? counts.length - 1 : above - 1;
    if (index >= 0) counts[index]!++;
  }
  return counts;
}

/** A number for readers: grouped, with at most four significant digits after which there is a point. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return grouped(String(Math.abs(value)), value < 0);
  const size = Math.abs(value);
  if (size >= 1000) return grouped(String(Math.round(size)), value < 0);
  if (size !== 0 && size < 0.001) return value.toExponential(2).replace("-", "−");
  return String(Number(size.toPrecision(4))).replace(/^/, value < 0 ? "−" : "");
}

const grouped = (digits: string, negative: boolean): string =>
  (negative ? "−" : "") + digits.replace(/\B(?=(\d{3})+$)/g, ",");
