/** `virtlab notebook new NAME`: a notebook from a template, which runs as it is. */
import { existsSync } from "node:fs";
import path from "node:path";
import { formatNotebook } from "../notebook/document/notebook-document.js";
import { notebookFrom, type TemplateName } from "../notebook/document/templates.js";
import { VirtlabError } from "../state/error.js";
import { checkWritable, writeFile } from "./files.js";
import { type Report, reportErrors } from "./run-report.js";

export interface NewFlags {
  readonly template: TemplateName;
}

/** Writes the notebook and returns the exit status. What is there already is never replaced. */
export function newNotebook(
  name: string,
  { template }: NewFlags,
  report: Report = process.stderr,
  output: Pick<NodeJS.WritableStream, "write"> = process.stdout,
): Promise<number> {
  return reportErrors(report, () => {
    const file = name.endsWith(".ipynb") ? name : `${name}.ipynb`;
    const title = titleOf(path.basename(file, ".ipynb"));
    if (title === "") throw new VirtlabError(`${name}: not a name for a notebook`);
    if (existsSync(file)) throw new VirtlabError(`${file}: exists already`);
    checkWritable(file);
    writeFile(file, formatNotebook(notebookFrom(template, title)));
    output.write(`${file}\n`);
    return 0;
  });
}

/** "20-why-popf" as the start of a heading: "Why popf". */
function titleOf(name: string): string {
  const words = name
    .replace(/^\d+[-_ ]*(?=\D)/, "")
    .replace(/[-_\s]+/g, " ")
    .trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
