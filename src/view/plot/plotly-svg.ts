/**
 * A Plotly figure as a drawing, in Node without a browser: plotly.js runs in a jsdom window. The same figure gives the
 * same text each time. Heatmaps, WebGL and 3D need a canvas and are left out.
 *
 * This file alone of its folder needs Node; nothing imports it except when a drawing is asked for.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { JSDOM } from "jsdom";
import { VirtlabError } from "../../state/error.js";
import type { PlotlyFigure } from "./figure.js";
import { provenanceMetadata, provenanceOf } from "./provenance.js";

interface Plotly {
  newPlot(element: unknown, data: unknown, layout: unknown, config: unknown): Promise<unknown>;
  toImage(element: unknown, options: unknown): Promise<string>;
  purge(element: unknown): void;
}

interface PlotlyWindow {
  readonly window: JSDOM["window"];
  readonly plotly: Plotly;
}

const WIDTH = 920;
const HEIGHT = 510;
/** Width of a character of a proportional font, in units of its size. */
const CHARACTER = 0.54;

let shared: PlotlyWindow | undefined;
/** One window for all figures: reading plotly.js takes most of a second. */
const plotlyWindow = (): PlotlyWindow => (shared ??= openWindow());

/** Drawings are made one after the other: plotly.js draws in the one document, and its names are counted per drawing. */
let last: Promise<unknown> = Promise.resolve();

/** The figure as the text of an SVG file. */
export function plotlySvg({ data, layout }: PlotlyFigure): Promise<string> {
  const drawing = last.then(() => draw({ data, layout }));
  last = drawing.catch(() => undefined);
  return drawing;
}

async function draw({ data, layout }: PlotlyFigure): Promise<string> {
  const { window, plotly } = plotlyWindow();
  window.Math.random = seededRandom();
  // plotly.js writes into what it is given, and only knows arrays of its own window.
  const parse = (value: unknown): unknown => window.JSON.parse(JSON.stringify(value));
  const width = typeof layout["width"] === "number" ? layout["width"] : WIDTH;
  const height = typeof layout["height"] === "number" ? layout["height"] : HEIGHT;
  const element = window.document.body.appendChild(window.document.createElement("div"));
  try {
    await plotly.newPlot(element, parse(data), parse({ ...layout, width, height }), { staticPlot: true });
    const svg = await plotly.toImage(element, { format: "svg", width, height, imageDataOnly: true });
    const stamp = provenanceOf({ "application/vnd.plotly.v1+json": { layout } });
    return withHead(svg, stamp === undefined ? "" : provenanceMetadata(stamp));
  } catch (error) {
    throw new VirtlabError(`figure: plotly.js could not draw it: ${(error as Error).message}`);
  } finally {
    plotly.purge(element);
    element.remove();
  }
}

/** Text gets the grey that is best for the page's theme, where the front end tells it; the stamp goes with the drawing. */
function withHead(svg: string, metadata: string): string {
  const style =
    "<style>text{fill:#62686e!important}@media (prefers-color-scheme: dark){text{fill:#a3aab1!important}}</style>";
  return svg.replace(/^<svg [^>]*>/, (start) => start + metadata + style);
}

function openWindow(): PlotlyWindow {
  const { window } = new JSDOM("<!doctype html><body></body>", { runScripts: "outside-only", pretendToBeVisual: true });
  Object.assign(window, { TextDecoder, TextEncoder });
  window.URL.createObjectURL = () => "";
  window.HTMLCanvasElement.prototype.getContext = () => null;
  measureText(window);
  const file = createRequire(__filename).resolve("plotly.js-dist-min");
  window.eval(readFileSync(file, "utf8"));
  return { window, plotly: (window as unknown as { Plotly: Plotly }).Plotly };
}

/** jsdom lays nothing out. Margins and legends need the size of texts, which their length and font size tell well enough. */
function measureText(window: JSDOM["window"]): void {
  const box = (element: Element): DOMRect => {
    const lines = element.querySelectorAll("tspan.line");
    const texts =
      lines.length > 0 ? [...lines] : element.tagName === "text" ? [element] : [...element.querySelectorAll("text")];
    const size = Number.parseFloat(
      (element.closest("text") ?? element.querySelector("text"))
        ?.getAttribute("style")
        ?.match(/font-size:\s*([\d.]+)/)?.[1] ?? "12",
    );
    const width = Math.max(0, ...texts.map((text) => (text.textContent ?? "").length)) * size * CHARACTER;
    const height = texts.length * size * 1.3;
    return {
      x: 0,
      y: -size,
      left: 0,
      top: -size,
      right: width,
      bottom: height - size,
      width,
      height,
      toJSON: () => ({}),
    };
  };
  const { prototype } = window.SVGElement;
  Object.assign(prototype, {
    getBBox(this: Element) {
      return box(this);
    },
    getComputedTextLength(this: Element) {
      return box(this).width;
    },
  });
  const bounding = prototype.getBoundingClientRect;
  prototype.getBoundingClientRect = function (this: SVGElement) {
    return ["text", "tspan", "g"].includes(this.tagName) ? box(this) : bounding.call(this);
  };
}

/** Names of parts are random in plotly.js; the same figure shall give the same drawing. */
function seededRandom(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
