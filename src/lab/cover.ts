/** What a folder shows while no notebook is open: its notebooks as a table of contents, and where to go on. */
import { addressOf, nameOf } from "./address.js";
import { type Course, type CourseEntry, type Folder, titleOf } from "./course.js";
import { element } from "./element.js";
import { icon } from "./icons.js";
import { isFinished } from "./sections.js";

export interface CoverActions {
  go(path: string): void;
  newNotebook(): void;
}

/** The cover of the course's folder, as it is read; `end` stops following it. */
export function cover(course: Course, actions: CoverActions): { readonly node: Element; readonly end: () => void } {
  const node = element("div", { class: "cover" });
  const end = course.folder.observe((folder) => node.replaceChildren(...content(folder, actions)));
  return { node, end };
}

function content({ path, folders, entries, problem }: Folder, actions: CoverActions): Element[] {
  if (problem !== undefined) return [heading("This folder did not open"), element("p", {}, problem)];
  const name = nameOf(path);
  const title = heading(path === "" ? "Machines that are values" : name[0]!.toUpperCase() + name.slice(1));
  if (entries.length > 0) return [title, ...next(entries, actions), list(entries, actions)];
  const create = element("button", { class: "primary", type: "button", onclick: () => actions.newNotebook() });
  create.append(icon("add"), "New notebook");
  const words =
    folders.length > 0
      ? "The notebooks lie in a folder at the left; or begin one of your own here."
      : "There is no notebook here yet. Begin one, or start virtlab lab in a folder that has some.";
  return [title, element("p", {}, words), create];
}

const heading = (text: string): Element => element("h1", {}, text);

/** The first notebook with something left to run. */
function next(entries: readonly CourseEntry[], actions: CoverActions): Element[] {
  const unfinished = entries.find(({ summary }) => summary !== undefined && summary.total > 0 && !isFinished(summary));
  if (unfinished === undefined) return [];
  const begun = entries.some(({ summary }) => (summary?.ran ?? 0) > 0);
  const link = anchor(unfinished, actions, "primary");
  link.append(icon("run"), `${begun ? "Go on" : "Begin"}: ${titleOf(unfinished)}`);
  return [element("p", {}, link)];
}

function list(entries: readonly CourseEntry[], actions: CoverActions): Element {
  return element("ol", {}, ...entries.map((entry) => element("li", {}, row(entry, actions))));
}

function row(entry: CourseEntry, actions: CoverActions): Element {
  const link = anchor(entry, actions, "row");
  const done = entry.summary !== undefined && isFinished(entry.summary);
  link.append(
    element("span", { class: "number" }, /^\d+/.exec(entry.name)?.[0] ?? "·"),
    element("span", { class: "title" }, titleOf(entry)),
    element("span", { class: done ? "done" : "faint" }, progressWords(entry)),
  );
  return link;
}

function progressWords({ summary }: CourseEntry): string {
  if (summary === undefined || summary.total === 0) return "";
  if (isFinished(summary)) return "finished";
  return summary.ran === 0 ? `${summary.total} cells to run` : `${summary.ran} of ${summary.total} cells run`;
}

function anchor({ path }: CourseEntry, actions: CoverActions, kind: string): HTMLAnchorElement {
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    actions.go(path);
  };
  return element("a", { class: kind, href: addressOf(path), onclick: follow });
}
