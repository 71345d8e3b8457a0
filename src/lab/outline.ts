/** The course at the left: the notebooks of the folder with their progress, and the sections of the open one. */
import { addressOf, folderOf, nameOf } from "./address.js";
import { type Course, type CourseEntry, type Folder, titleOf } from "./course.js";
import { drawn, element } from "./element.js";
import { icon } from "./icons.js";
import { isFinished, type Progress, type Section } from "./sections.js";

export interface OutlineActions {
  readonly course: Course;
  /** Goes to a folder or notebook without loading the page anew. */
  go(path: string): void;
  goToSection(section: Section): void;
  newNotebook(): void;
}

export class Outline {
  readonly node = element("nav", { class: "outline", "aria-label": "Course" });
  readonly #actions: OutlineActions;
  #openPath: string | undefined;
  #section = -1;

  constructor(actions: OutlineActions) {
    this.#actions = actions;
    actions.course.folder.observe(() => this.#render());
  }

  /** The notebook that is open. */
  set openPath(path: string | undefined) {
    this.#openPath = path;
    this.#section = -1;
    this.#render();
    this.node.querySelector('[aria-current="page"]')?.scrollIntoView({ block: "nearest" });
  }

  /** The section that is being read. */
  set section(index: number) {
    if (index === this.#section) return;
    this.#section = index;
    const links = this.node.querySelectorAll(".sections a");
    links.forEach((link, at) => {
      link.toggleAttribute("aria-current", at === index);
      if (at === index) link.setAttribute("aria-current", "true");
    });
  }

  #render(): void {
    const focused = this.node.contains(document.activeElement)
      ? document.activeElement?.getAttribute("href")
      : undefined;
    const folder = this.#actions.course.folder.value;
    this.node.replaceChildren(this.#head(folder), ...this.#body(folder), this.#foot());
    if (focused != null) this.node.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  #head({ path, entries }: Folder): Element {
    const done = entries.filter(({ summary }) => summary !== undefined && isFinished(summary)).length;
    const state = entries.length === 0 ? "" : `${done} of ${entries.length} finished`;
    return element(
      "div",
      { class: "outline-head" },
      path === "" ? undefined : this.#link(folderOf(path), "up", [icon("back")], "To the folder above"),
      element("h2", {}, path === "" ? "Notebooks" : nameOf(path)),
      element("span", { class: "faint" }, state),
    );
  }

  #body({ folders, entries, problem }: Folder): Element[] {
    if (problem !== undefined) return [element("p", { class: "empty" }, problem)];
    const rows = [
      ...folders.map(({ path, name }) => element("li", {}, this.#link(path, "folder", [icon("folder"), name]))),
      ...entries.map((entry) => this.#entry(entry)),
    ];
    if (rows.length === 0) return [element("p", { class: "empty" }, "There is no notebook in this folder yet.")];
    return [element("ol", { class: "notebooks" }, ...rows)];
  }

  #entry(entry: CourseEntry): Element {
    const { path, name, summary } = entry;
    const open = path === this.#openPath;
    const number = /^(\d+)/.exec(name)?.[1];
    const link = this.#link(path, "notebook", [
      element("span", { class: "number" }, number ?? "·"),
      element("span", { class: "title" }, titleOf(entry)),
      summary === undefined ? undefined : progressRing(summary),
    ]);
    if (open) link.setAttribute("aria-current", "page");
    const sections = open && summary !== undefined ? summary.sections : [];
    const list =
      sections.length === 0
        ? undefined
        : element("ol", { class: "sections" }, ...sections.map((section, index) => this.#sectionItem(section, index)));
    return element("li", {}, link, list);
  }

  #sectionItem(section: Section, index: number): Element {
    const link = element(
      "a",
      {
        href: `#section-${index + 1}`,
        "aria-current": index === this.#section ? "true" : undefined,
        onclick: (event: MouseEvent) => {
          event.preventDefault();
          this.#actions.goToSection(section);
        },
      },
      element("span", { class: `dot ${stateOf(section)}`, title: wordsFor(section) }),
      element("span", { class: "title" }, section.title),
    );
    return element("li", {}, link);
  }

  #foot(): Element {
    const create = () => this.#actions.newNotebook();
    return element(
      "div",
      { class: "outline-foot" },
      element("button", { class: "quiet", type: "button", onclick: create }, icon("add"), "New notebook"),
    );
  }

  #link(path: string, kind: string, children: (Node | string | undefined)[], label?: string): HTMLAnchorElement {
    const follow = (event: MouseEvent) => {
      // With a modifier it is the browser's, for a new tab.
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      this.#actions.go(path);
    };
    return element(
      "a",
      { class: kind, href: addressOf(path), onclick: follow, "aria-label": label, title: label },
      ...children,
    );
  }
}

type State = "none" | "some" | "done" | "failed" | "running";

function stateOf(progress: Progress): State {
  if (progress.running > 0) return "running";
  if (progress.failed > 0) return "failed";
  if (isFinished(progress)) return "done";
  return progress.ran > 0 ? "some" : "none";
}

function wordsFor({ total, ran, failed, running }: Progress): string {
  if (total === 0) return "nothing to run";
  const more = [running > 0 ? `${running} running` : "", failed > 0 ? `${failed} failed` : ""].filter(Boolean);
  return [`${ran} of ${total} cells run`, ...more].join(", ");
}

/** A ring that closes as cells are run, and a tick when all are. */
function progressRing(progress: Progress): Element {
  const words = wordsFor(progress);
  const state = stateOf(progress);
  if (progress.total === 0) return element("span", { class: "ring" });
  const share = progress.ran / progress.total;
  const tick = state === "done" ? '<path class="tick" d="m5.2 8.2 2 2 3.7-4.2"/>' : "";
  const arc = `<circle class="arc" cx="8" cy="8" r="6" pathLength="100" stroke-dasharray="${Math.round(share * 100)} 100"/>`;
  const ring = drawn(
    `<svg class="ring ${state}" viewBox="0 0 16 16" role="img"><circle class="track" cx="8" cy="8" r="6"/>${state === "none" ? "" : arc}${tick}</svg>`,
  );
  ring.setAttribute("aria-label", words);
  ring.append(drawn(`<svg xmlns="http://www.w3.org/2000/svg"><title></title></svg>`).firstElementChild!);
  ring.querySelector("title")!.textContent = words;
  return ring;
}
