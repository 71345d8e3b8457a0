/**
 * A Plotly figure as a drawing, in Node without a browser: plotly.js runs in a jsdom window. The same figure gives the
 * same text each time. Heatmaps, WebGL and 3D need a canvas and are left out.
 *
 * This file alone of its folder needs Node; nothing imports it except when a drawing is asked for.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { JSDOM, VirtualConsole } from "jsdom";
import { VirtlabError } from "../../state/error.js";
import { INK, INK_ON, translucent } from "../palette.js";
import type { PlotlyFigure } from "./figure.js";
import { provenanceMetadata, provenanceOf } from "./provenance.js";
import { giveTextBoxes } from "./text-boxes.js";

interface Plotly {
  newPlot(element: unknown, data: unknown, layout: unknown, config: unknown): Promise<unknown>;
  toImage(element: unknown, options: unknown): Promise<string>;
  purge(element: unknown): void;
}

interface PlotlyWindow {
  readonly window: JSDOM["window"];
  readonly plotly: Plotly;
}

/** About a column of text, on which its letters are then as large as they are meant to be. */
const WIDTH = 760;
const HEIGHT = 510;

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

/** Points without ink are there for the pointer alone. */
const isSeen = ({ mode, marker }: Readonly<Record<string, unknown>>): boolean =>
  mode !== "markers" || (marker as { readonly opacity?: unknown } | undefined)?.opacity !== 0;

async function draw({ data, layout }: PlotlyFigure): Promise<string> {
  const { window, plotly } = plotlyWindow();
  window.Math.random = seededRandom();
  // plotly.js writes into what it is given, and only knows arrays of its own window.
  const parse = (value: unknown): unknown => window.JSON.parse(JSON.stringify(value));
  const width = typeof layout["width"] === "number" ? layout["width"] : WIDTH;
  const height = typeof layout["height"] === "number" ? layout["height"] : HEIGHT;
  const element = window.document.body.appendChild(window.document.createElement("div"));
  try {
    await plotly.newPlot(element, parse(data.filter(isSeen)), parse({ ...layout, width, height }), {
      staticPlot: true,
    });
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

/** As plotly.js writes the colour of text that has none of its own. */
const INK_STYLE = `text[style*="fill: ${translucent(INK, 1)
  .replace(/^rgba(.*),1\)$/, "rgb$1)")
  .replaceAll(",", ", ")}"]`;

/** Text gets the grey that is best for the page's theme, where the front end tells it; the stamp goes with the drawing. */
function withHead(svg: string, metadata: string): string {
  const ink = (colour: string): string => `${INK_STYLE}{fill:${colour}!important}`;
  const style = `<style>${ink(INK_ON.light)}@media (prefers-color-scheme: dark){${ink(INK_ON.dark)}}</style>`;
  return svg.replace(/^<svg [^>]*>/, (start) => start + metadata + style);
}

function openWindow(): PlotlyWindow {
  const { window } = new JSDOM("<!doctype html><body></body>", {
    runScripts: "outside-only",
    pretendToBeVisual: true,
    // What plotly.js has to say is no output of a notebook's cell.
    virtualConsole: new VirtualConsole(),
  });
  Object.assign(window, { TextDecoder, TextEncoder });
  window.URL.createObjectURL = () => "";
  window.HTMLCanvasElement.prototype.getContext = () => null;
  giveTextBoxes(window.SVGElement as never);
  const file = createRequire(__filename).resolve("plotly.js-dist-min");
  window.eval(readFileSync(file, "utf8"));
  return { window, plotly: (window as unknown as { Plotly: Plotly }).Plotly };
}

/** Names of parts are random in plotly.js; the same figure shall give the same drawing. */
function seededRandom(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
