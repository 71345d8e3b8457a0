/**
 * `virtlab tour`: runs the tour notebook of this package and leaves it as a notebook with outputs and as a page to read.
 * Exit status: 0 all cells passed, 1 a cell failed, 2 the folder cannot be written.
 */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import type { NotebookDocument } from "../notebook/document/notebook-document.js";
import { versionsOf } from "../notebook/document/versions.js";
import { writeFile } from "./files.js";
import { runAndSave } from "./notebook.js";
import { type Report, reportErrors } from "./run-report.js";

const PACKAGE = path.join(__dirname, "../..");
const NOTEBOOK = path.join(PACKAGE, "notebooks/00-tour.ipynb");

/** The `tour` command for the command line's table. */
export function tourCommand(): Command {
  return new Command("tour")
    .description("run the tour notebook and say where to read it")
    .option("--output-dir <dir>", "leave the notebook and its page here", ".virtlab")
    .action(async ({ outputDir }: { outputDir: string }) => {
      const { text, status } = await runTour(NOTEBOOK, outputDir);
      // @jupyterlab/services keeps timers that would hold the process for ever.
      process.stdout.write(text, () => process.exit(status));
    });
}

/** Runs a notebook into a folder; gives the result to print and the exit status. Progress goes to `report`. */
export async function runTour(
  file: string,
  outputDir: string,
  report: Report = process.stderr,
): Promise<{ text: string; status: number }> {
  let text = "";
  const status = await reportErrors(report, async () => {
    // What makes the page takes a while to load; the kernel, a process of its own, is starting meanwhile.
    const page = import("../notebook/export/page.js");
    const start = performance.now();
    const [run] = await runAndSave([file], { outputDir }, report);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const { notebook, failure } = run!;
    const name = path.basename(file);
    const target = path.resolve(outputDir, "tour.html");
    const note = `Executed in ${seconds} s`;
    writeFile(target, (await page).notebookPage(notebook, { name, note, versions: versionsOf(notebook) }));
    const cells = countCells(notebook);
    const result = failure === undefined ? `all passed in ${seconds} s` : `cell ${failure.cell} failed`;
    text = `${name}: ${cells} ${cells === 1 ? "cell" : "cells"}, ${result}\n${pathToFileURL(target).href}\n`;
    return failure === undefined ? 0 : 1;
  });
  return { text, status };
}

/** Cells that can be run. */
function countCells({ cells }: NotebookDocument): number {
  return cells.filter(({ cell_type, source }) => cell_type === "code" && source.trim() !== "").length;
}
