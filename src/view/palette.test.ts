import { JSDOM } from "jsdom";
import { describe, expect, it } from "vitest";
import { guest, Machine } from "../index.js";
import { contrast, distance, seen, type Vision, visions } from "./colour-vision.test-helper.js";
import { colours, heatColours, INK, INK_ON, seriesColours, textOn, translucent } from "./palette.js";
import {
  bars,
  boxes,
  type Figure,
  figureOfRun,
  gantt,
  histogram,
  lines,
  percentiles,
  scatter,
  steps,
} from "./plot/index.js";

/** Of pages and editors: white paper, JupyterLab's dark theme, VS Code's, GitHub's, and our own dark page's. */
const LIGHT = ["#ffffff", "#fdfdfc"];
const DARK = ["#111111", "#1e1e1e", "#0d1117", "#15181a"];
const allVisions = Object.keys(visions) as Vision[];
const pairs = <T>(list: readonly T[]): [T, T][] => list.flatMap((a, i) => list.slice(i + 1).map((b): [T, T] => [a, b]));

it("colours are measured as the sources say", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 5);
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
  expect(seen("#ffffff", "normal").map((value) => value.toFixed(3))).toEqual(["1.000", "0.000", "0.000"]);
  expect(seen("#ff0000", "normal").map((value) => value.toFixed(3))).toEqual(["0.628", "0.225", "0.126"]);
  // Greys are the same for everyone, and red and green are not far apart for those who lack the cones that differ.
  for (const vision of allVisions) expect(distance("#808080", "#818181", vision)).toBeLessThan(0.01);
  expect(distance("#c03000", "#4c6b00", "deuteranopia")).toBeLessThan(distance("#c03000", "#4c6b00", "normal") / 3);
});

describe("colours for marks", () => {
  it.each(Object.entries(colours))("have a contrast of 3 to 1 on light and dark pages: %s", (_, colour) => {
    for (const background of [...LIGHT, ...DARK]) expect(contrast(colour, background)).toBeGreaterThanOrEqual(3);
  });

  it.each(allVisions)("are told apart by four times what is just noticeable: %s", (vision) => {
    const near = pairs(Object.values(colours)).filter(([a, b]) => distance(a, b, vision) < 0.08);
    expect(near).toEqual([]);
  });

  it("of the first three series are the furthest apart", () => {
    const apart = (list: readonly string[]): number =>
      Math.min(...pairs(list).flatMap(([a, b]) => allVisions.map((vision) => distance(a, b, vision))));
    expect(apart(seriesColours.slice(0, 3))).toBeGreaterThan(0.12);
    expect(new Set(seriesColours).size).toBe(seriesColours.length);
  });
});

describe("marks as they are drawn", () => {
  const pair = { a: [1, 5, 2, 40], b: [2, 3, 9, 4] };
  const figures: Readonly<Record<string, Figure>> = {
    lines: lines(pair),
    steps: steps(pair),
    scatter: scatter(pair),
    bars: bars({ a: 1, b: 2 }),
    histogram: histogram(pair),
    boxes: boxes(pair),
    percentiles: percentiles(pair),
    gantt: gantt([
      { lane: "a", from: 0, to: 900, what: "runs" },
      { lane: "a", from: 950, to: 951, what: "waits" },
    ]),
    run: figureOfRun(Machine.boot({ image: guest("rings"), memory: "16M" }), { steps: 20_000 }),
  };

  it.each(Object.entries(figures))("have a contrast of 3 to 1, with all that is translucent: %s", async (_, figure) => {
    const { document } = new JSDOM((await figure.svg())!, { contentType: "image/svg+xml" }).window;
    const marks = [...document.querySelectorAll(MARKS)].map(inks).filter((colours) => colours.length > 0);
    expect(marks.length).toBeGreaterThan(0);
    for (const background of [...LIGHT, ...DARK])
      for (const mark of marks) {
        const best = Math.max(
          ...mark.map(([colour, opacity]) => contrast(over(colour, opacity, background), background)),
        );
        expect(best, `${JSON.stringify(mark)} on ${background}`).toBeGreaterThanOrEqual(3);
      }
  });
});

/** Points, lines, bars and boxes in a drawing of plotly.js. */
const MARKS = [".point path", "path.point", "path.js-line", "path.box"].map((path) => `.trace ${path}`).join();

/** Colours of an element's outline and area, each with its opacity: what is not there, or is there for the pointer alone, has none. */
function inks(element: Element): (readonly [colour: string, opacity: number])[] {
  const style = (one: Element, name: string): string | undefined =>
    new RegExp(`(?:^|;)\\s*${name}: ([^;]+)`).exec(one.getAttribute("style") ?? "")?.[1];
  let all = 1;
  for (let at: Element | null = element; at !== null; at = at.parentElement) all *= Number(style(at, "opacity") ?? 1);
  return ["stroke", "fill"].flatMap((name) => {
    const channels = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(style(element, name) ?? "");
    const opacity = all * Number(style(element, `${name}-opacity`) ?? 1);
    const isThere = opacity > 0 && (name === "fill" || Number.parseFloat(style(element, "stroke-width") ?? "0") >= 1);
    return channels === null || !isThere ? [] : [[hexOf(channels.slice(1).map(Number)), opacity] as const];
  });
}

const hexOf = (channels: readonly number[]): string =>
  `#${channels.map((one) => Math.round(one).toString(16).padStart(2, "0")).join("")}`;

function over(colour: string, opacity: number, background: string): string {
  const at = (from: string, place: number): number => Number.parseInt(from.slice(place, place + 2), 16);
  return hexOf([1, 3, 5].map((place) => opacity * at(colour, place) + (1 - opacity) * at(background, place)));
}

describe("colours of quantities", () => {
  it.each(allVisions)("rise in lightness in even steps: %s", (vision) => {
    const steps = heatColours.slice(1).map((colour, index) => [heatColours[index]!, colour] as const);
    for (const [low, high] of steps) {
      expect(seen(high, vision)[0] - seen(low, vision)[0]).toBeGreaterThan(0.06);
      expect(distance(low, high, vision)).toBeGreaterThan(0.08);
    }
  });
});

it("text can be read where the theme is not known, and well where it is", () => {
  for (const background of [...LIGHT, ...DARK]) expect(contrast(INK, background)).toBeGreaterThanOrEqual(3.9);
  for (const background of LIGHT) expect(contrast(INK_ON.light, background)).toBeGreaterThanOrEqual(4.5);
  for (const background of DARK) expect(contrast(INK_ON.dark, background)).toBeGreaterThanOrEqual(4.5);
  for (const background of LIGHT) expect(contrast(INK_ON.dark, background)).toBeGreaterThanOrEqual(3);
  for (const background of DARK) expect(contrast(INK_ON.light, background)).toBeGreaterThanOrEqual(3);
  for (const colour of [...Object.values(colours), ...heatColours])
    expect(contrast(textOn(colour), colour)).toBeGreaterThanOrEqual(4.5);
});

it("translucent gives a colour in a form that all drawings know", () => {
  expect(translucent("#0399f3", 0.2)).toBe("rgba(3,153,243,0.2)");
});
