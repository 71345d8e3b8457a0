/** How outputs and text are shown: JupyterLab's renderers, with the page's own for charts and for HTML. */
import { createMarkdownParser } from "@jupyterlab/markedparser-extension";
import { RenderMimeRegistry, standardRendererFactories } from "@jupyterlab/rendermime";
import type { Editors } from "./editors.js";
import { errorRenderer } from "./error-output.js";
import { htmlRenderer } from "./html-output.js";
import { plotlyRenderer } from "./plotly-output.js";

export function createRendering({ languages }: Editors): RenderMimeRegistry {
  const standard = standardRendererFactories.filter(({ mimeTypes }) => !mimeTypes.includes("text/html"));
  return new RenderMimeRegistry({
    initialFactories: [...standard, errorRenderer, htmlRenderer, plotlyRenderer],
    markdownParser: createMarkdownParser(languages, {}),
  });
}
