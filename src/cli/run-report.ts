/** What a run of a notebook tells while it goes on: how far it is, and which cell failed. */
import path from "node:path";
import type { NotebookDocument } from "../notebook/document/notebook-document.js";
import { type CellFailure, type NotebookRun, runNotebook } from "../notebook/document/run-notebook.js";
import { terminalPlace } from "../notebook/progress/places.js";
import { progressAt } from "../notebook/progress/progress.js";
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
  const place = report.isTTY === true ? terminalPlace(report) : undefined;
  const bar = progressAt(() => place, file, { unit: "cells" });
  let cells = { done: 0, total: 0 };
  return {
    update: (done, total) => {
      cells = { done, total };
      bar(cells);
    },
    stop: () => {
      bar({ ...cells, finished: true });
      if (place === undefined) report.write(`${file}: ${cells.done} of ${cells.total} cells run\n`);
    },
  };
}

function failureText(file: string, { cell, executionCount, ename, evalue, traceback }: CellFailure): string {
  const number = executionCount === undefined ? "" : ` [${executionCount}]`;
  const firstLine = `virtlab: ${file}: cell ${cell}${number} failed: ${ename}: ${evalue.split("\n")[0]}\n`;
  return firstLine + traceback.map((line) => `  ${line}\n`).join("");
}
