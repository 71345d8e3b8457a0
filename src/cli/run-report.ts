/** What a run of a notebook tells while it goes on: how far it is, and which cell failed. */
import path from "node:path";
import { SingleBar } from "cli-progress";
import type { NotebookDocument } from "../notebook/document/notebook-document.js";
import { type CellFailure, type NotebookRun, runNotebook } from "../notebook/document/run-notebook.js";
import { VirtlabError } from "../state/error.js";

/** Where progress and errors are told; a bar is drawn when it is a terminal. */
export type Report = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Runs a notebook in the folder of its file, with its progress and its failure told. `cellTimeout` is in seconds. */
export async function runTelling(
  file: string,
  notebook: NotebookDocument,
  report: Report,
  cellTimeout?: number,
): Promise<NotebookRun> {
  const progress = startProgress(file, report);
  let run: NotebookRun;
  try {
    run = await runNotebook(notebook, {
      folder: path.dirname(path.resolve(file)),
      onProgress: progress.update,
      ...(cellTimeout === undefined ? {} : { cellTimeout: cellTimeout * 1000 }),
    });
  } finally {
    progress.stop();
  }
  if (run.failure !== undefined) report.write(failureText(file, run.failure));
  return run;
}

/** Tells a VirtlabError in one line; its status is 2. */
export async function reportErrors(report: Report, action: () => Promise<number> | number): Promise<number> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof VirtlabError)) throw error;
    report.write(`virtlab: ${error.message}\n`);
    return 2;
  }
}

/** A bar where it can move, one line at the end elsewhere. */
function startProgress(
  file: string,
  report: Report,
): { update: (done: number, total: number) => void; stop: () => void } {
  let counts = "";
  if (report.isTTY !== true) {
    return {
      update: (done, total) => {
        counts = `${done} of ${total} cells run`;
      },
      stop: () => report.write(`${file}: ${counts}\n`),
    };
  }
  const bar = new SingleBar({ format: `${file} [{bar}] {value}/{total} cells`, stream: report });
  bar.start(1, 0);
  return {
    update: (done, total) => {
      bar.setTotal(total);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}

function failureText(file: string, { cell, executionCount, ename, evalue, traceback }: CellFailure): string {
  const number = executionCount === undefined ? "" : ` [${executionCount}]`;
  const firstLine = `virtlab: ${file}: cell ${cell}${number} failed: ${ename}: ${evalue.split("\n")[0]}\n`;
  return firstLine + traceback.map((line) => `  ${line}\n`).join("");
}
