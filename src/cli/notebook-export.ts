/** `virtlab notebook export FILE…`: pages that need nothing else, as one HTML file or as Markdown with its pictures. */
import { existsSync } from "node:fs";
import path from "node:path";
import type { NotebookDocument } from "../notebook/document/notebook-document.js";
import { versionsOf } from "../notebook/document/versions.js";
import { VirtlabError } from "../state/error.js";
import { checkDistinct, checkWritable, makeFolder, readNotebook, readText, writeFile } from "./files.js";
import { type Report, reportErrors, runTelling } from "./run-report.js";

export interface ExportFlags {
  readonly to: "html" | "md";
  readonly out?: string;
  readonly run?: true;
  readonly cellTimeout?: number;
  readonly force?: true;
}

interface Job {
  readonly file: string;
  readonly target: string;
  readonly notebook: NotebookDocument;
}

/** Where the files are told that were written. */
type Output = Pick<NodeJS.WritableStream, "write">;

/** Exports the notebooks one after the other and returns the exit status. Nothing is done when one is bad input. */
export async function exportNotebooks(
  files: readonly string[],
  flags: ExportFlags,
  report: Report = process.stderr,
  output: Output = process.stdout,
): Promise<number> {
  return reportErrors(report, async () => {
    let status = 0;
    for (const job of await readJobs(files, flags)) {
      const { notebook, failed } = await executed(job, flags, report);
      if (failed) status = 1;
      for (const written of await writePage(job, notebook, flags)) output.write(`${written}\n`);
    }
    return status;
  });
}

async function readJobs(files: readonly string[], { to, out, force }: ExportFlags): Promise<readonly Job[]> {
  const jobs = files.map((file) => {
    const name = `${path.basename(file, ".ipynb")}.${to}`;
    return { file, target: path.join(out ?? path.dirname(file), name), notebook: readNotebook(file) };
  });
  checkDistinct(jobs);
  if (out !== undefined) makeFolder(out);
  const { isPage } = await import("../notebook/export/record.js");
  for (const { target } of jobs) {
    checkWritable(target);
    if (existsSync(target) && force === undefined && !isPage(readText(target)))
      throw new VirtlabError(`${target}: exists and is no page of virtlab; --force replaces it`);
  }
  return jobs;
}

/** The notebook as it is, or as it is after a run. */
async function executed({ file, notebook }: Job, { run, cellTimeout }: ExportFlags, report: Report) {
  if (run) {
    const { notebook: result, failure } = await runTelling(file, notebook, report, cellTimeout);
    return { notebook: result, failed: failure !== undefined };
  }
  const isCode = notebook.cells.some(({ cell_type, source }) => cell_type === "code" && source.trim() !== "");
  const hasRun = notebook.cells.some(({ execution_count, outputs = [] }) => outputs.length > 0 || execution_count);
  if (isCode && !hasRun)
    report.write(`virtlab: ${file}: has not been run, so its page shows no results; --run runs it\n`);
  return { notebook, failed: false };
}

/** Writes the page, its pictures first; gives the files that a reader opens. */
async function writePage({ file, target }: Job, notebook: NotebookDocument, { to }: ExportFlags): Promise<string[]> {
  const name = path.basename(file);
  const versions = versionsOf(notebook);
  if (to === "html") {
    const { notebookPage } = await import("../notebook/export/page.js");
    writeFile(target, notebookPage(notebook, { name, versions }));
    return [target];
  }
  const { markdownPage } = await import("../notebook/export/markdown-page.js");
  const pictures = `${path.basename(target, ".md")}_files`;
  const { text, files } = markdownPage(notebook, { name, versions, pictures });
  const folder = path.join(path.dirname(target), pictures);
  if (files.size > 0) makeFolder(folder);
  for (const [picture, content] of files) writeFile(path.join(folder, picture), content);
  writeFile(target, text);
  return [target];
}
