/** Questions that must be answered before anything goes on. Escape is always "no". */
import { type Child, element } from "./element.js";

/** Asks yes or no; false when the reader thinks better of it. */
export function confirm(title: string, text: string, yes: string): Promise<boolean> {
  return ask(title, [element("p", {}, text)], yes, () => true).then((answer) => answer === true);
}

/** Asks for a line of text; undefined when the reader thinks better of it. `check` says what is wrong with it. */
export function askForText(
  title: string,
  label: string,
  value: string,
  yes: string,
  check: (text: string) => string | undefined,
): Promise<string | undefined> {
  const input = element("input", { type: "text", id: "dialog-text", value, autocomplete: "off", spellcheck: "false" });
  const problem = element("p", { class: "problem", role: "alert" });
  const answer = () => {
    const found = check(input.value.trim());
    problem.textContent = found ?? "";
    if (found === undefined) return input.value.trim();
    input.focus();
    return undefined;
  };
  const asked = ask(title, [element("label", { for: "dialog-text" }, label), input, problem], yes, answer);
  input.focus();
  input.select();
  return asked;
}

function ask<T>(title: string, content: Child[], yes: string, answer: () => T | undefined): Promise<T | undefined> {
  return new Promise((resolve) => {
    const before = document.activeElement as HTMLElement | null;
    let given: T | undefined;
    const accept = (event: Event) => {
      event.preventDefault();
      given = answer();
      if (given !== undefined) dialog.close();
    };
    const dialog = element(
      "dialog",
      { class: "question", "aria-labelledby": "dialog-title" },
      element(
        "form",
        { onsubmit: accept },
        element("h2", { id: "dialog-title" }, title),
        ...content,
        element(
          "div",
          { class: "actions" },
          element("button", { class: "plain", type: "button", onclick: () => dialog.close() }, "Cancel"),
          element("button", { class: "primary", type: "submit" }, yes),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus();
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector<HTMLElement>(".primary")?.focus();
  });
}
