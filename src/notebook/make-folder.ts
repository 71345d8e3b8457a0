/** Folders: made with those above them, and replaced as a whole. Node's own recursive mkdir never ends where a system refuses with ENOENT (/proc). */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";

/** Makes a folder and those above it. Does nothing when it is there. @throws the system's error. */
export function makeFolder(folder: string): void {
  const parent = path.dirname(folder);
  if (!existsSync(parent) && parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/**
 * Puts a folder with what `fill` writes in the place of another, which stays as it is until that is done. `unfinished` is
 * where it is filled: a name beside it that nobody takes for one like it.
 * @throws the system's error.
 */
export function replaceFolder(folder: string, unfinished: string, fill: () => void): void {
  try {
    makeFolder(unfinished);
    fill();
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}
