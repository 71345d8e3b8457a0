/**
 * Plotly figures in JupyterLab 4 and Notebook 7: the lab page's renderer with JupyterLab's colours, and Plotly from beside
 * this file. Manual: JupyterLab, "Extension Developer Guide", MIME renderers.
 */
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type * as Plotly from "plotly.js-dist-min";
import { plotlyRendererAt } from "../plotly-renderer.js";

/** Put in when it is built. */
declare const EXTENSION_NAME: string;
declare const PLOTLY_FILE: string;

let loading: Promise<typeof Plotly> | undefined;

/** Loads Plotly once, again only if that failed. The file leaves its result in a global name, which is given back. */
function loadPlotly(): Promise<typeof Plotly> {
  loading ??= importPlotly().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function importPlotly(): Promise<typeof Plotly> {
  const page = window as { Plotly?: typeof Plotly };
  const another = page.Plotly;
  await import(new URL(PLOTLY_FILE, import.meta.url).href);
  const own = page.Plotly;
  if (own === undefined) throw new Error(`${PLOTLY_FILE} is not Plotly`);
  if (another === undefined) delete page.Plotly;
  else page.Plotly = another;
  return own;
}

function look() {
  const style = getComputedStyle(document.body);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    font: value("--jp-ui-font-family"),
    ink: value("--jp-ui-font-color1"),
    line: value("--jp-border-color2"),
    axis: value("--jp-border-color1"),
    raised: value("--jp-layout-color1"),
  };
}

/** A theme is in force when JupyterLab has written its name on the body. */
function onLook(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name"] });
  return () => observer.disconnect();
}

export const extension: IRenderMime.IExtension = {
  id: `${EXTENSION_NAME}:renderer`,
  rendererFactory: plotlyRendererAt({ load: loadPlotly, look, onLook }),
  rank: 0,
  dataType: "json",
};
