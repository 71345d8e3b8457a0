/** Makes a folder and those above it. Node's own recursive mkdir never ends where a system refuses with ENOENT (/proc). */
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";

/** Does nothing when the folder is there. @throws the system's error. */
export function makeFolder(folder: string): void {
  const parent = path.dirname(folder);
  if (!existsSync(parent) && parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
