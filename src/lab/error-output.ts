/** Errors: what went wrong in bold, then the trace, in which places of the notebook's own cells lead there. */
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Widget } from "@lumino/widgets";
import { element } from "./element.js";
import type { ErrorOutput } from "./error-places.js";

const MIME_TYPE = "application/vnd.jupyter.error";

/** Asks the notebook around it to go to a line of the cell with an execution count. */
export const GO_TO_LINE_EVENT = "virtlab-go-to-line";

export interface LineOfCell {
  readonly count: string;
  readonly line: number;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours of terminals begin with one.
const TERMINAL_COLOURS = /\x1b\[[\d;]*m/g;
const PLACE = /(\[cell (\d+)\]:(\d+)(?::\d+)?)/;

class ErrorRendering extends Widget implements IRenderMime.IRenderer {
  constructor() {
    super();
    this.addClass("error-output");
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const error = model.data[MIME_TYPE] as unknown as ErrorOutput;
    const text = error.traceback.join("\n").replace(TERMINAL_COLOURS, "") || `${error.ename}: ${error.evalue}`;
    const [first = "", ...rest] = text.split("\n");
    const lines = [element("strong", {}, ...withLinks(first)), ...rest.flatMap((line) => ["\n", ...withLinks(line)])];
    this.node.replaceChildren(element("pre", { tabindex: "0", role: "alert" }, ...lines));
  }
}

/** Text with its places of cells as buttons. */
function withLinks(line: string): (Node | string)[] {
  const [before = "", place, count, number, ...after] = line.split(PLACE);
  if (place === undefined || count === undefined) return [line];
  const go = (event: Event) => {
    const detail: LineOfCell = { count, line: Number(number) };
    event.target?.dispatchEvent(new CustomEvent(GO_TO_LINE_EVENT, { bubbles: true, detail }));
  };
  const link = element("button", { class: "place", type: "button", title: "Go there", onclick: go }, place);
  return [before, link, ...withLinks(after.join(""))];
}

export const errorRenderer: IRenderMime.IRendererFactory = {
  safe: true,
  mimeTypes: [MIME_TYPE],
  defaultRank: 0,
  createRenderer: () => new ErrorRendering(),
};
