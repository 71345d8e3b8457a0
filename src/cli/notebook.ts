/**
 * `virtlab notebook run FILE…`: runs notebooks and saves their outputs.
 * Exit status: 0 all ran, 1 a cell failed, 2 bad input.
 */
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { SingleBar } from "cli-progress";
import { Command, InvalidArgumentError } from "commander";
import { writeAtomically } from "../notebook/atomic-file.js";
import { formatNotebook, type NotebookDocument, parseNotebook } from "../notebook/document/notebook-document.js";
import { type CellFailure, type NotebookRun, runNotebook } from "../notebook/document/run-notebook.js";
import { VirtlabError } from "../state/error.js";

/** Where progress and errors are told; a bar is drawn when it is a terminal. */
export type Report = NodeJS.WritableStream & { readonly isTTY?: boolean };

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
    .description("run notebooks")
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  command
    .command("run")
    .description("run all cells of notebooks on a TypeScript kernel and save their outputs")
    .argument("<file...>", "notebooks (.ipynb, format 4)")
    .option("--output-dir <dir>", "save the notebooks here and leave the given files as they are")
    .option("--cell-timeout <seconds>", "fail when one cell runs longer", positiveNumber)
    .action(async (files: string[], flags: RunFlags) => {
      const status = await runNotebooks(files, flags);
      // @jupyterlab/services keeps timers that would hold the process for ever.
      process.stderr.write("", () => process.exit(status));
    });
  return command;
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
  for (const job of readJobs(files, flags.outputDir)) runs.push(await runJob(job, flags, report));
  return runs;
}

/** Tells a VirtlabError in one line; its status is 2. */
export async function reportErrors(report: Report, action: () => Promise<number>): Promise<number> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof VirtlabError)) throw error;
    report.write(`virtlab: ${error.message}\n`);
    return 2;
  }
}

/** Reads all notebooks before the first is run. */
function readJobs(files: readonly string[], outputFolder: string | undefined): Job[] {
  const jobs = files.map((file) => ({
    file,
    target: outputFolder === undefined ? file : path.join(outputFolder, path.basename(file)),
    notebook: parseNotebook(readText(file), file),
  }));
  const targets = new Map<string, string>();
  for (const { file, target } of jobs) {
    const other = targets.get(path.resolve(target));
    if (other !== undefined) throw new VirtlabError(`${file}: would be saved over ${other} as ${target}`);
    targets.set(path.resolve(target), file);
  }
  if (outputFolder !== undefined) {
    attempt(outputFolder, "cannot be made a folder", () => mkdirSync(outputFolder, { recursive: true }));
  }
  return jobs;
}

async function runJob({ file, target, notebook }: Job, flags: RunFlags, report: Report): Promise<NotebookRun> {
  const progress = startProgress(file, report);
  const { cellTimeout } = flags;
  const folder = path.dirname(path.resolve(file));
  let run: NotebookRun;
  try {
    run = await runNotebook(notebook, {
      folder,
      onProgress: progress.update,
      ...(cellTimeout === undefined ? {} : { cellTimeout: cellTimeout * 1000 }),
    });
  } finally {
    progress.stop();
  }
  writeFile(target, formatNotebook(run.notebook));
  if (run.failure !== undefined) report.write(failureText(file, run.failure));
  return run;
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

/** @throws VirtlabError */
export function writeFile(file: string, text: string): void {
  attempt(file, "cannot be written", () => writeAtomically(file, text));
}

function readText(file: string): string {
  return attempt(file, "cannot be read", () => readFileSync(file, "utf8"));
}

function attempt<T>(file: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new VirtlabError(`${file}: ${what}: ${REASONS[code ?? ""] ?? message}`);
  }
}

/** errno(3) in words; other errors tell themselves. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  ENOTDIR: "a part of its path is not a folder",
  EEXIST: "a file of that name exists",
};

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("not a positive number of seconds.");
  return value;
}
