/**
 * `virtlab notebook`: runs notebooks and saves their outputs, exports them as pages, and starts new ones.
 * Exit status: 0 all went well, 1 a cell failed, 2 bad input.
 */
import path from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { formatNotebook, type NotebookDocument } from "../notebook/document/notebook-document.js";
import type { NotebookRun } from "../notebook/document/run-notebook.js";
import { templateNames, templates } from "../notebook/document/templates.js";
import { checkDistinct, checkWritable, makeFolder, readNotebook, writeFile } from "./files.js";
import { type ExportFlags, exportNotebooks } from "./notebook-export.js";
import { type NewFlags, newNotebook } from "./notebook-new.js";
import { type Report, reportErrors, runTelling } from "./run-report.js";

export interface RunFlags {
  readonly outputDir?: string;
  readonly cellTimeout?: number;
}

interface Job {
  readonly file: string;
  readonly target: string;
  readonly notebook: NotebookDocument;
}

/** The `notebook` command for the command line's table. */
export function notebookCommand(): Command {
  // commander ends with 1 for a wrong call, which here means that a cell failed.
  const command = new Command("notebook")
    .description("run notebooks, export them as pages, start new ones")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  command
    .command("run")
    .description("run all cells of notebooks on a TypeScript kernel and save their outputs")
    .argument("<file...>", "notebooks (.ipynb, format 4)")
    .option("--output-dir <dir>", "save the notebooks here and leave the given files as they are")
    .option("--cell-timeout <seconds>", "fail when one cell runs longer", positiveNumber)
    .action(async (files: string[], flags: RunFlags) => end(await runNotebooks(files, flags)));
  command
    .command("export")
    .description("make a page of each notebook that needs nothing else, with what it takes to run it again")
    .argument("<file...>", "notebooks (.ipynb, format 4)")
    .addOption(
      new Option("--to <form>", "one HTML file, or Markdown with its pictures beside it")
        .choices(["html", "md"])
        .default("html"),
    )
    .option("--out <dir>", "write the pages here instead of beside the notebooks")
    .option("--run", "run the notebooks first; their files stay as they are")
    .option("--cell-timeout <seconds>", "with --run: fail when one cell runs longer", positiveNumber)
    .option("--force", "replace files that are no pages of virtlab")
    .action(async (files: string[], flags: ExportFlags) => end(await exportNotebooks(files, flags)));
  command
    .command("new")
    .description("start a notebook from a template; it runs as it is")
    .argument("<name>", "its file; .ipynb is added")
    .addOption(new Option("--template <name>", templateHelp()).choices(templateNames).default(templateNames[0]))
    .action(async (name: string, flags: NewFlags) => end(await newNotebook(name, flags)));
  return command;
}

const templateHelp = (): string => templateNames.map((name) => `${name}: ${templates[name].summary}`).join("; ");

/** @jupyterlab/services keeps timers that would hold the process for ever. */
function end(status: number): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(status)));
}

/** Runs the notebooks one after the other and returns the exit status. Nothing is run when one of them is bad input. */
export async function runNotebooks(
  files: readonly string[],
  flags: RunFlags,
  report: Report = process.stderr,
): Promise<number> {
  return reportErrors(report, async () => {
    const runs = await runAndSave(files, flags, report);
    return runs.some(({ failure }) => failure !== undefined) ? 1 : 0;
  });
}

/**
 * Runs the notebooks one after the other, saves them, and tells about cells that failed.
 * @throws VirtlabError for bad input, before any is run, and for what cannot be written.
 */
export async function runAndSave(files: readonly string[], flags: RunFlags, report: Report): Promise<NotebookRun[]> {
  const runs: NotebookRun[] = [];
  for (const { file, target, notebook } of readJobs(files, flags.outputDir)) {
    const run = await runTelling(file, notebook, report, flags.cellTimeout);
    writeFile(target, formatNotebook(run.notebook));
    runs.push(run);
  }
  return runs;
}

/** Reads all notebooks, and sees that all can be saved, before the first is run. */
function readJobs(files: readonly string[], outputFolder: string | undefined): Job[] {
  const jobs = files.map((file) => ({
    file,
    target: outputFolder === undefined ? file : path.join(outputFolder, path.basename(file)),
    notebook: readNotebook(file),
  }));
  checkDistinct(jobs);
  if (outputFolder !== undefined) makeFolder(outputFolder);
  for (const { target } of jobs) checkWritable(target);
  return jobs;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("not a positive number of seconds.");
  return value;
}
