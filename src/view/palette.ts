/**
 * The colours of all figures and diagrams, in one place. Those for marks have a contrast of at least 3 to 1 on white and
 * on the dark backgrounds of notebook pages, as WCAG 2.1, "Non-text Contrast", asks for, and stay apart for readers with
 * protanopia, deuteranopia and tritanopia; palette.test.ts computes both. Nothing is said by colour alone: lines differ
 * in their dashes, points in their shapes, and the rest is labelled.
 */

/** Colours for marks, by name. */
export const colours = {
  blue: "#4859e1",
  orange: "#fc510f",
  sky: "#0399f3",
  pink: "#f152cb",
  green: "#399b50",
  brown: "#ab4d04",
  violet: "#8b56a2",
  /** What is left over, or in the background. */
  grey: "#7f8791",
} as const;

/** Colours of series, in this order; a figure's first few are the furthest apart. */
export const seriesColours: readonly string[] = [
  colours.blue,
  colours.orange,
  colours.sky,
  colours.pink,
  colours.green,
  colours.brown,
  colours.violet,
];

/** From little to much: from dark blue to yellow, evenly in lightness, so that it can be read without its hues as well. */
export const heatColours: readonly string[] = [
  "#1d2f6f",
  "#3a4b83",
  "#5f6988",
  "#8b8678",
  "#b8a263",
  "#dec059",
  "#fbe26a",
];

/** Text, where the theme is not known: 4 to 1 on white and on dark backgrounds. */
export const INK = "#7a7f86";
/**
 * Text on a page that says it is light, or dark: 4.5 to 1, and still 3 to 1 where the page is not what it says, as with a
 * dark notebook on a light system.
 */
export const INK_ON = { light: "#686e75", dark: "#8c939a" } as const;
/** Lines of a grid, which stay behind. */
export const GRID = "rgba(128,128,128,0.22)";
export const FAINT_GRID = "rgba(128,128,128,0.1)";

/** How lines and points of series differ without their colours. */
export const dashes: readonly string[] = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px"];
export const symbols: readonly string[] = ["circle", "square", "diamond", "triangle-up", "x", "cross", "star"];

/** The colour with an opacity from 0 to 1. */
export function translucent(colour: string, opacity: number): string {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return `rgba(${channels.join(",")},${opacity})`;
}

/** The i-th of a list that is begun anew where it ends. */
export const cycle = <T>(list: readonly T[], index: number): T => list[index % list.length]!;

/** How light a colour is, from 0 to 1. Source: WCAG 2.1, "relative luminance". */
export function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Black or white, whichever is read better on the colour. */
export const textOn = (colour: string): string => (luminance(colour) > 0.179 ? "#111111" : "#ffffff");
