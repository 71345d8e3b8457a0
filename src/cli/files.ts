/** Files of the commands about notebooks: every error that can be expected is one line that names the file. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { writeAtomically } from "../notebook/atomic-file.js";
import { type NotebookDocument, parseNotebook } from "../notebook/document/notebook-document.js";
import { withFile } from "../notebook/file-error.js";
import { VirtlabError } from "../state/error.js";

/** @throws VirtlabError */
export function readText(file: string): string {
  return withFile(file, "cannot be read", () => readFileSync(file, "utf8"));
}

/** @throws VirtlabError for what is no notebook that can be run. */
export function readNotebook(file: string): NotebookDocument {
  return parseNotebook(readText(file), file);
}

/** Writes the whole file or nothing. @throws VirtlabError */
export function writeFile(file: string, content: string | Uint8Array): void {
  withFile(file, "cannot be written", () => writeAtomically(file, content));
}

/** @throws VirtlabError */
export function makeFolder(folder: string): void {
  withFile(folder, "cannot be made a folder", () => mkdirSync(folder, { recursive: true }));
}

/**
 * Before a long run rather than after it: whether the file can be written.
 *
 * @throws VirtlabError when it cannot.
 */
export function checkWritable(file: string): void {
  withFile(file, "cannot be written", () => {
    if (existsSync(file)) {
      if (statSync(file).isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
      accessSync(file, constants.W_OK);
    }
    const folder = path.dirname(path.resolve(file));
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    accessSync(folder, constants.W_OK);
  });
}

/** @throws VirtlabError when two files would become one. */
export function checkDistinct(jobs: readonly { readonly file: string; readonly target: string }[]): void {
  const targets = new Map<string, string>();
  for (const { file, target } of jobs) {
    const other = targets.get(path.resolve(target));
    if (other !== undefined) throw new VirtlabError(`${file}: would be saved over ${other} as ${target}`);
    targets.set(path.resolve(target), file);
  }
}
