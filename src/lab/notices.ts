/** What the reader must know, said above the notebook where he looks, with what he can do about it. */
import { element } from "./element.js";
import { icon } from "./icons.js";

export interface NoticeAction {
  readonly label: string;
  readonly primary?: boolean;
  run(): void;
}

export interface Notice {
  /** A notice takes the place of an earlier one with the same id. */
  readonly id: string;
  readonly tone: "warning" | "information";
  readonly text: string;
  readonly actions?: readonly NoticeAction[];
  /** Whether it can be put away unanswered. */
  readonly closable?: boolean;
}

export class Notices {
  readonly node = element("div", { class: "notices" });
  readonly #shown = new Map<string, HTMLElement>();

  show({ id, tone, text, actions = [], closable = false }: Notice): void {
    this.hide(id);
    const buttons = actions.map(({ label, primary, run }) =>
      element("button", { class: primary ? "primary" : "plain", type: "button", onclick: run }, label),
    );
    const close = element(
      "button",
      { class: "quiet icon-only", type: "button", "aria-label": "Close", onclick: () => this.hide(id) },
      icon("close"),
    );
    const row = element(
      "div",
      { class: `notice ${tone}`, role: tone === "warning" ? "alert" : "status", "data-notice": id },
      icon(tone === "warning" ? "warning" : "check"),
      element("p", {}, text),
      element("div", { class: "actions" }, ...buttons, closable ? close : undefined),
    );
    this.#shown.set(id, row);
    this.node.append(row);
  }

  hide(id: string): void {
    this.#shown.get(id)?.remove();
    this.#shown.delete(id);
  }

  clear(): void {
    for (const id of [...this.#shown.keys()]) this.hide(id);
  }
}
