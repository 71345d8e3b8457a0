/** Light or dark: as the system has it, or as the reader has chosen, who is remembered. index.html sets it before the first paint. */
import { Variable } from "./observable.js";

export type ThemeChoice = "system" | "light" | "dark";
export type ShownTheme = "light" | "dark";

const STORED = "virtlab.theme";
const CHOICES: readonly ThemeChoice[] = ["system", "light", "dark"];

const system = matchMedia("(prefers-color-scheme: dark)");

class Theme {
  readonly choice = new Variable<ThemeChoice>(remembered());
  readonly shown = new Variable<ShownTheme>(shownFor(remembered()));

  constructor() {
    system.addEventListener("change", () => this.#show());
    this.#show();
  }

  choose(choice: ThemeChoice): void {
    try {
      if (choice === "system") localStorage.removeItem(STORED);
      else localStorage.setItem(STORED, choice);
    } catch {
      // Where nothing may be stored the choice holds for this page.
    }
    this.choice.set(choice);
    this.#show();
  }

  /** The next of system, light and dark. */
  cycle(): void {
    this.choose(CHOICES[(CHOICES.indexOf(this.choice.value) + 1) % CHOICES.length]!);
  }

  #show(): void {
    const shown = shownFor(this.choice.value);
    document.documentElement.dataset["theme"] = shown;
    this.shown.set(shown);
  }
}

function remembered(): ThemeChoice {
  try {
    const stored = localStorage.getItem(STORED);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}

function shownFor(choice: ThemeChoice): ShownTheme {
  if (choice !== "system") return choice;
  return system.matches ? "dark" : "light";
}

export const theme = new Theme();
