/** What stands left of a code cell: its count, and a button that runs it. */
import type { IInputPrompt } from "@jupyterlab/cells";
import { Widget } from "@lumino/widgets";
import { element } from "./element.js";
import { icon } from "./icons.js";

/** Asks the notebook around it to run this cell. */
export const RUN_CELL_EVENT = "virtlab-run-cell";

export class RunPrompt extends Widget implements IInputPrompt {
  readonly #count = element("span", { class: "count" });
  #executionCount: string | null = null;

  constructor() {
    super();
    this.addClass("jp-InputPrompt");
    const run = element(
      "button",
      {
        class: "run",
        type: "button",
        tabindex: "-1",
        title: "Run this cell (Ctrl+Enter)",
        "aria-label": "Run this cell",
        onclick: () => this.node.dispatchEvent(new CustomEvent(RUN_CELL_EVENT, { bubbles: true })),
      },
      icon("run"),
    );
    this.node.append(this.#count, run);
  }

  get executionCount(): string | null {
    return this.#executionCount;
  }

  set executionCount(value: string | null) {
    this.#executionCount = value;
    const running = value === "*";
    this.toggleClass("mod-running", running);
    this.#count.textContent = running ? "" : (value ?? "");
    if (running) this.#count.setAttribute("aria-label", "running");
    else this.#count.removeAttribute("aria-label");
  }
}
