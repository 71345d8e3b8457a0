/** Plotly figures in the lab page: with its colours, and Plotly from its own files. */
import type * as Plotly from "plotly.js-dist-min";
import { plotlyRendererAt } from "./plotly-renderer.js";
import { theme } from "./theme.js";

const loadPlotly = async (): Promise<typeof Plotly> => {
  const loaded = (await import("plotly.js-dist-min")) as { default?: typeof Plotly } & typeof Plotly;
  return loaded.default ?? loaded;
};

function look() {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    font: value("--sans"),
    ink: value("--ink"),
    line: value("--line"),
    axis: value("--line-strong"),
    raised: value("--raised"),
  };
}

export const plotlyRenderer = plotlyRendererAt({
  load: loadPlotly,
  look,
  onLook: (listener) => {
    let shown = theme.shown.value;
    return theme.shown.observe((next) => {
      if (next !== shown) listener();
      shown = next;
    });
  },
});
