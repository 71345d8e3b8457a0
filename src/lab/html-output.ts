/**
 * HTML outputs. What was made in this session, or what the reader trusts, is shown as it is, scripts and all. What a file
 * brings along runs nothing: it is cleaned, and its styles are kept but hold for that output alone.
 */
import { htmlRendererFactory, RenderedHTML } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { safeStyles } from "./safe-styles.js";

class HtmlOutput extends RenderedHTML {
  override async render(model: IRenderMime.IMimeModel): Promise<void> {
    const source = String(model.data[this.mimeType] ?? "");
    if (model.trusted || !/<style/i.test(source)) return super.render(model);
    const { styles, rest } = safeStyles(source);
    const host = document.createElement("div");
    const root = host.attachShadow({ mode: "open" });
    const sheet = document.createElement("style");
    sheet.textContent = styles;
    const content = document.createElement("div");
    content.innerHTML = this.sanitizer.sanitize(rest);
    root.append(sheet, content);
    this.node.replaceChildren(host);
  }
}

export const htmlRenderer: IRenderMime.IRendererFactory = {
  ...htmlRendererFactory,
  createRenderer: (options) => new HtmlOutput(options),
};
