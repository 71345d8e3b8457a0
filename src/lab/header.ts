/** The bar at the top: what one does most, whether it is saved, and what the kernel is doing. */

import { commands, type PageActions } from "./commands.js";
import { drawn, element } from "./element.js";
import { type IconName, icon, MARK } from "./icons.js";
import type { KernelState, KernelStatus } from "./kernel-state.js";
import { keyText } from "./keys.js";
import type { SaveState } from "./notebook-file.js";
import type { OpenNotebook } from "./open-notebook.js";
import { type ThemeChoice, theme } from "./theme.js";

const KERNEL_WORDS: Readonly<Record<KernelStatus, string>> = {
  starting: "Starting",
  idle: "Ready",
  busy: "Running",
  restarting: "Restarting",
  dead: "Ended",
  disconnected: "Not connected",
};

const SAVE_WORDS: Readonly<Record<SaveState["kind"], string>> = {
  saved: "Saved",
  changed: "Unsaved changes",
  saving: "Saving…",
  failed: "Not saved",
  conflict: "Conflict",
};

const THEME_ICONS: Readonly<Record<ThemeChoice, IconName>> = { system: "system", light: "sun", dark: "moon" };
const THEME_WORDS: Readonly<Record<ThemeChoice, string>> = {
  system: "Colours: as the system has them",
  light: "Colours: light",
  dark: "Colours: dark",
};

export class Header {
  readonly node: HTMLElement;
  readonly #page: PageActions;
  readonly #file = element("span", { class: "file" });
  readonly #save = element("button", { class: "save-state quiet", type: "button", "aria-live": "polite" });
  readonly #kernel = element("span", { class: "kernel-state", role: "status" });
  readonly #tools: HTMLElement;
  readonly #stop: HTMLButtonElement;
  #endWatches: (() => void)[] = [];
  #busySince = 0;
  #clock: ReturnType<typeof setInterval> | undefined;

  constructor(page: PageActions) {
    this.#page = page;
    this.#stop = this.#button("interrupt", "stop", "Stop");
    this.#tools = element(
      "div",
      { class: "tools", role: "toolbar", "aria-label": "Notebook" },
      this.#button("run-advance", "run", "Run", "labelled"),
      this.#button("run-all", "runAll", "Run all", "labelled"),
      this.#stop,
      this.#button("restart", "restart", "Restart"),
      this.#button("restart-run-all", "restartRun", "Restart and run all"),
      element("span", { class: "gap" }),
      this.#button("insert-below", "add", "Insert cell"),
      this.#button("find", "search", "Find"),
    );
    this.#save.addEventListener("click", () => void page.save());
    const themeButton = element("button", {
      class: "quiet icon-only",
      type: "button",
      onclick: () => page.cycleTheme(),
    });
    theme.choice.observe((choice) => {
      themeButton.replaceChildren(icon(THEME_ICONS[choice]));
      themeButton.title = THEME_WORDS[choice];
      themeButton.setAttribute("aria-label", THEME_WORDS[choice]);
    });
    this.node = element(
      "header",
      { class: "bar" },
      this.#button("outline", "outline", "Course"),
      element(
        "a",
        { class: "brand", href: "/lab", title: "All notebooks" },
        drawn(MARK),
        element("span", {}, "virtlab"),
      ),
      this.#file,
      this.#tools,
      element("div", { class: "state" }, this.#save, this.#kernel),
      element("div", { class: "more" }, themeButton, this.#button("commands", "help", "All commands and their keys")),
    );
    this.show(undefined);
  }

  /** The notebook whose state it shows. */
  show(open: OpenNotebook | undefined): void {
    for (const end of this.#endWatches) end();
    this.#endWatches = [];
    this.node.classList.toggle("without-notebook", open === undefined);
    this.#file.textContent = open?.path ?? "";
    this.#file.title = open?.path ?? "";
    if (open === undefined) return;
    this.#endWatches = [
      open.file.state.observe((state) => this.#showSave(state)),
      open.kernel.observe((state) => this.#showKernel(state)),
    ];
  }

  #showSave(state: SaveState): void {
    this.#save.className = `save-state quiet ${state.kind}`;
    this.#save.textContent = SAVE_WORDS[state.kind];
    this.#save.title = state.kind === "failed" ? state.reason : `Save (${keyText("Accel S")})`;
  }

  #showKernel({ status }: KernelState): void {
    this.#kernel.className = `kernel-state ${status}`;
    this.#stop.disabled = status !== "busy";
    clearInterval(this.#clock);
    this.#busySince = Date.now();
    this.#sayKernel(KERNEL_WORDS[status]);
    // A cell that takes longer says for how long.
    if (status === "busy") this.#clock = setInterval(() => this.#sayDuration(), 1000);
  }

  #sayDuration(): void {
    const seconds = Math.round((Date.now() - this.#busySince) / 1000);
    const text = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    // Read out once, when it begins, and not every second.
    this.#kernel.querySelector(".duration")!.textContent = text;
  }

  #sayKernel(word: string): void {
    const duration = element("span", { class: "duration", "aria-hidden": "true" });
    this.#kernel.replaceChildren(
      element("span", { class: "light" }),
      element("span", { class: "word" }, word),
      duration,
    );
  }

  #button(id: string, name: IconName, label: string, kind = "icon-only"): HTMLButtonElement {
    const command = commands.find((one) => one.id === id)!;
    const key = command.keys?.[0]?.[0];
    const title = key === undefined ? label : `${label} (${keyText(key)})`;
    const run = () => command.run(this.#page);
    return element(
      "button",
      { class: `quiet ${kind}`, type: "button", title, "aria-label": label, "data-command": id, onclick: run },
      icon(name),
      kind === "labelled" ? element("span", {}, label) : undefined,
    );
  }
}
