/** The small bar at the top of the active cell: what one does to a cell as a whole. */
import type { Notebook } from "@jupyterlab/notebook";
import { commands, type PageActions } from "./commands.js";
import { element } from "./element.js";
import { type IconName, icon } from "./icons.js";
import { keyText } from "./keys.js";

const TOOLS: readonly (readonly [id: string, name: IconName, label: string])[] = [
  ["to-code", "code", "Code"],
  ["to-text", "text", "Text"],
  ["move-up", "up", "Move up"],
  ["move-down", "down", "Move down"],
  ["duplicate", "duplicate", "Duplicate"],
  ["insert-below", "add", "Insert below"],
  ["delete", "remove", "Delete"],
];

/** Follows the active cell of a notebook. */
export function showCellTools(notebook: Notebook, page: PageActions): void {
  const node = element("div", { class: "cell-tools", role: "toolbar", "aria-label": "Cell" });
  const buttons = TOOLS.map(([id, name, label]) => {
    const command = commands.find((one) => one.id === id)!;
    const key = command.keys?.[0]?.[0];
    const title = key === undefined ? label : `${label} (${keyText(key)})`;
    const run = (event: Event) => {
      event.stopPropagation();
      command.run(page);
    };
    const attributes = { class: "quiet icon-only", type: "button", title, "aria-label": label, "data-command": id };
    return element("button", { ...attributes, tabindex: "-1", onclick: run }, icon(name));
  });
  node.append(...buttons);
  // Else the notebook would take a press for the start of a selection or a drag.
  node.addEventListener("mousedown", (event) => event.stopPropagation());
  const move = () => {
    const cell = notebook.activeCell;
    if (cell === null) return node.remove();
    node.dataset["type"] = cell.model.type;
    if (node.parentElement !== cell.node) cell.node.append(node);
  };
  notebook.activeCellChanged.connect(move);
  notebook.modelContentChanged.connect(move);
  move();
}
