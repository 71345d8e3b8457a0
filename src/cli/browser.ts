/** Finding the user's browser and opening an address in it. Manual: xdg-open(1), open(1), the variable BROWSER. */
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";

export interface Browser {
  readonly command: string;
  /** `%s` is where the address goes; without it, at the end. */
  readonly args: readonly string[];
}

export interface Surroundings {
  readonly platform: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** Programs that open an address where there is a desktop, the one that knows the user's choice first. */
const DESKTOP_OPENERS = [
  ["xdg-open"],
  ["gio", "open"],
  ["sensible-browser"],
  ["x-www-browser"],
  ["firefox"],
  ["chromium"],
  ["google-chrome"],
];

/** A program that lives this long has opened its window. */
const OPENED_MILLISECONDS = 5_000;

/** The browser to use; undefined when there is none, as on a machine without a display. */
export function findBrowser({ platform, variables }: Surroundings): Browser | undefined {
  const chosen = (variables["BROWSER"] ?? "").split(path.delimiter).map((entry) => entry.trim().split(/\s+/));
  const hasDisplay = isSet(variables["DISPLAY"]) || isSet(variables["WAYLAND_DISPLAY"]);
  const usual: Readonly<Record<string, readonly (readonly string[])[]>> = {
    darwin: [["open"]],
    win32: [["rundll32", "url.dll,FileProtocolHandler"]],
  };
  // Windows below a Linux of its own has a display without saying so.
  const others = hasDisplay ? DESKTOP_OPENERS : [["wslview"]];
  for (const [command, ...args] of [...chosen, ...(usual[platform] ?? others)]) {
    if (command === undefined || command === "") continue;
    const found = findProgram(command, platform, variables);
    if (found !== undefined) return { command: found, args };
  }
  return undefined;
}

/** Opens an address; false when the browser could not be started or gave up. */
export function openBrowser({ command, args }: Browser, address: string): Promise<boolean> {
  const given = args.some((arg) => arg.includes("%s"))
    ? args.map((arg) => arg.replaceAll("%s", address))
    : [...args, address];
  return new Promise((resolve) => {
    const child = spawn(command, given, { stdio: "ignore", detached: true });
    child.unref();
    const timer = setTimeout(() => resolve(true), OPENED_MILLISECONDS);
    timer.unref();
    child.once("error", () => resolve(false));
    child.once("exit", (status) => {
      clearTimeout(timer);
      resolve(status === 0);
    });
  });
}

function findProgram(
  name: string,
  platform: string,
  variables: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (path.isAbsolute(name)) return isExecutable(name) ? name : undefined;
  const ends = platform === "win32" ? [".exe", ""] : [""];
  return (variables["PATH"] ?? variables["Path"] ?? "")
    .split(path.delimiter)
    .filter((folder) => folder !== "")
    .flatMap((folder) => ends.map((end) => path.join(folder, name + end)))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== "";
}
