/** All commands with their keys in one list that can be searched: the help to the keyboard and a way without it. */
import { type Command, commands, type PageActions } from "./commands.js";
import { element } from "./element.js";
import { keyText } from "./keys.js";

/** Opens the list; choosing a command closes it and does it. */
export function showPalette(page: PageActions): void {
  const before = document.activeElement as HTMLElement | null;
  const input = element("input", {
    type: "text",
    role: "combobox",
    placeholder: "What do you want to do?",
    "aria-label": "Search commands",
    "aria-controls": "palette-list",
    "aria-expanded": "true",
    autocomplete: "off",
    spellcheck: "false",
  });
  const list = element("ul", { id: "palette-list", role: "listbox", "aria-label": "Commands" });
  const dialog = element("dialog", { class: "palette", "aria-label": "Commands and keys" }, input, list);
  let chosen: Command | undefined;
  let at = 0;

  const options = () => [...list.querySelectorAll<HTMLElement>('[role="option"]')];
  const mark = (index: number) => {
    const all = options();
    at = all.length === 0 ? 0 : (index + all.length) % all.length;
    all.forEach((option, position) => {
      option.setAttribute("aria-selected", String(position === at));
    });
    all[at]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", all[at]?.id ?? "");
  };
  const choose = (command: Command) => {
    chosen = command;
    dialog.close();
  };
  const fill = () => {
    list.replaceChildren(...rows(matching(input.value), choose));
    mark(0);
  };
  input.addEventListener("input", fill);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) mark(at + step);
    else if (event.key === "Enter") options()[at]?.click();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus();
    chosen?.run(page);
  });
  document.body.append(dialog);
  fill();
  dialog.showModal();
  input.focus();
}

function matching(text: string): readonly Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return commands.filter(({ label, group }) => words.every((word) => `${label} ${group}`.toLowerCase().includes(word)));
}

/** The commands under their groups, in the order of the table. */
function rows(found: readonly Command[], choose: (command: Command) => void): Element[] {
  if (found.length === 0) return [element("li", { class: "empty" }, "Nothing is called that.")];
  const groups = [...new Set(found.map(({ group }) => group))];
  return groups.flatMap((group) => [
    element("li", { class: "group", role: "presentation" }, group),
    ...found.filter((command) => command.group === group).map((command) => row(command, choose)),
  ]);
}

function row(command: Command, choose: (command: Command) => void): Element {
  const keys = [...new Set((command.keys ?? []).map(([key]) => keyText(key)))];
  return element(
    "li",
    { role: "option", id: `palette-${command.id}`, onclick: () => choose(command) },
    element("span", {}, command.label),
    element("span", { class: "keys" }, ...keys.map((key) => element("kbd", {}, key))),
  );
}
