/** The keyboard: JupyterLab's key bindings, by the table of commands. */
import { CommandRegistry } from "@lumino/commands";
import { commands, type PageActions, selectorOf } from "./commands.js";

/** Listens from now on. */
export function listenToKeys(page: PageActions): CommandRegistry {
  const registry = new CommandRegistry();
  for (const { id, label, keys = [], run } of commands) {
    registry.addCommand(id, { label, execute: () => run(page) });
    for (const [key, scope] of keys) {
      registry.addKeyBinding({ command: id, keys: chord(key), selector: selectorOf(scope) });
    }
  }
  document.addEventListener(
    "keydown",
    (event) => {
      if (document.querySelector("dialog[open]") === null) registry.processKeydownEvent(event);
    },
    true,
  );
  return registry;
}

const MODIFIERS = ["Accel", "Alt", "Ctrl", "Cmd", "Shift"];

/** "I I" is one key after another, "Ctrl Enter" one with a modifier. */
function chord(key: string): string[] {
  return MODIFIERS.includes(key.split(" ")[0]!) ? [key] : key.split(" ");
}

/** Keys as a reader of this machine knows them. */
export function keyText(key: string): string {
  const mac = /Mac|iPad|iPhone/.test(navigator.platform);
  const names: Readonly<Record<string, string>> = {
    Accel: mac ? "⌘" : "Ctrl",
    Ctrl: mac ? "⌃" : "Ctrl",
    Alt: mac ? "⌥" : "Alt",
    Shift: mac ? "⇧" : "Shift",
    Escape: "Esc",
    ArrowUp: "↑",
    ArrowDown: "↓",
  };
  const sequence = chord(key).length > 1;
  return key
    .split(" ")
    .map((part) => names[part] ?? part)
    .join(sequence || mac ? " " : "+");
}
