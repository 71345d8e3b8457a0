import { describe, expect, it } from "vitest";
import { heatColours } from "../palette.js";
import { classesOf } from "./heat-classes.js";
import { binBorders, countsBetween, niceAbove, numberText, quantile } from "./statistics.js";

it("quantiles lie between the two numbers next to them", () => {
  // As R's quantile(c(1, 2, 4, 8), type = 7) gives them.
  expect([0, 0.25, 0.5, 0.75, 1].map((fraction) => quantile([1, 2, 4, 8], fraction))).toEqual([1, 1.75, 3, 5, 8]);
  expect(quantile([], 0.5)).toBeNaN();
});

it("round numbers are 1, 2 or 5 times a power of ten", () => {
  expect([0.3, 1, 1.2, 4, 7, 130].map(niceAbove)).toEqual([0.5, 1, 2, 5, 10, 200]);
  expect([0, -1, Number.NaN, Number.POSITIVE_INFINITY].map(niceAbove)).toEqual([1, 1, 1, 1]);
});

describe("classes of a histogram", () => {
  it("cover all numbers with round borders", () => {
    expect(binBorders([0.1, 0.72], 4)).toEqual([0, 0.2, 0.4, 0.6, 0.8]);
    expect(binBorders([1, 5])).toEqual([1, 2, 3, 4, 5, 6]);
    expect(binBorders([7])).toEqual([7, 8]);
    expect(binBorders([])).toEqual([]);
    expect(binBorders([0, 1e9, 1e9 + 1]).length).toBeLessThanOrEqual(82);
  });

  it("count what lies in them, borders with the class above", () => {
    expect(countsBetween([0, 1, 2], [0, 0.5, 1, 1.9, 2])).toEqual([2, 3]);
  });
});

it("numbers for readers have few digits", () => {
  const texts = [0, 12, -1234567, 3.1234, -0.5, 0.00001234, 12345.678, Number.NaN].map(numberText);
  expect(texts).toEqual(["0", "12", "−1,234,567", "3.123", "−0.5", "1.23e−5", "12,346", "–"]);
});

describe("classes of a heat map", () => {
  const names = (numbers: readonly number[], log = false) => classesOf(numbers, log).map(({ name }) => name);

  it("are single whole numbers where they are few", () => {
    expect(names([3, 5])).toEqual(["3", "4", "5"]);
    expect(classesOf([3, 5], false).map(({ colour }) => colour)).toEqual([
      heatColours[0],
      heatColours[3],
      heatColours[6],
    ]);
  });

  it("have round borders, and each number is in one", () => {
    expect(names([0, 35])).toEqual(["0 to 5", "5 to 10", "10 to 15", "15 to 20", "20 to 25", "25 to 30", "30 to 35"]);
    expect(names([0.12, 0.47])).toEqual(["0.1 to 0.2", "0.2 to 0.3", "0.3 to 0.4", "0.4 to 0.5"]);
    expect(names([2, 900], true)).toEqual(["1 to 3", "3 to 10", "10 to 30", "30 to 100", "100 to 300", "300 to 1,000"]);
    expect(names([1, 1e12], true).length).toBeLessThanOrEqual(heatColours.length);
    for (const numbers of [[0.5], [], [-3.5, 4.25, 1e6], [1e-9, 2e-9]]) {
      const classes = classesOf(numbers, false);
      expect(classes.length).toBeLessThanOrEqual(heatColours.length);
      for (const number of numbers) expect(classes.some(({ below }) => number < below)).toBe(true);
    }
  });
});
