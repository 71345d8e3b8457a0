/**
 * `virtlab reproduce PAGE…`: runs the notebook of a page again in a fresh kernel and says of every display whether it is
 * the same. Takes exported pages (HTML, Markdown) and notebooks with outputs.
 * Exit status: 0 all the same, 1 something differs or a cell failed, 2 bad input.
 */
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { type ComparedDisplay, compareDisplays, type Outcome } from "../notebook/document/comparison.js";
import { type DisplayFingerprint, fingerprints, sourceHash, type Versions } from "../notebook/document/fingerprint.js";
import { type NotebookDocument, parseNotebook } from "../notebook/document/notebook-document.js";
import { currentVersions, versionsOf, versionsText } from "../notebook/document/versions.js";
import { openPage } from "../notebook/export/record.js";
import { VirtlabError } from "../state/error.js";
import { stampText } from "../view/plot/provenance.js";
import { readText } from "./files.js";
import { type Report, reportErrors, runTelling } from "./run-report.js";

export interface ReproduceFlags {
  readonly json?: true;
  readonly cellTimeout?: number;
}

/** What a page says of a run. */
interface Recorded {
  readonly file: string;
  readonly notebook: NotebookDocument;
  readonly versions: Versions | undefined;
  readonly displays: readonly DisplayFingerprint[];
}

/** What `--json` gives for each page. */
interface Reproduction {
  readonly file: string;
  /** Hash of the notebook's source. */
  readonly source: string;
  /** Whether every display is the same and no cell failed that had not failed. */
  readonly same: boolean;
  readonly versions: { readonly before: Versions | null; readonly now: Versions };
  readonly displays: readonly ComparedDisplay[];
  /** Why the run ended early. */
  readonly failure?: { readonly cell: number; readonly ename: string; readonly evalue: string };
}

/** The `reproduce` command for the command line's table. */
export function reproduceCommand(): Command {
  return new Command("reproduce")
    .description("run the notebook of an exported page again and compare every display with the page")
    .argument("<page...>", "pages of virtlab notebook export (.html, .md), or notebooks with outputs (.ipynb)")
    .option("--json", "print the result as JSON: a list with an entry for each page")
    .option("--cell-timeout <seconds>", "fail when one cell runs longer", (text) => {
      if (!(Number(text) > 0)) throw new InvalidArgumentError("not a positive number of seconds.");
      return Number(text);
    })
    .action(async (files: string[], flags: ReproduceFlags) => {
      const { text, status } = await reproducePages(files, flags);
      // @jupyterlab/services keeps timers that would hold the process for ever.
      process.stdout.write(text, () => process.exit(status));
    });
}

/** Runs the pages one after the other; gives what is to be printed and the exit status. All are read before one is run. */
export async function reproducePages(
  files: readonly string[],
  { json, cellTimeout }: ReproduceFlags,
  report: Report = process.stderr,
): Promise<{ text: string; status: number }> {
  let text = "";
  const status = await reportErrors(report, async () => {
    const results: Reproduction[] = [];
    for (const recorded of files.map(readRecorded)) {
      const result = await reproduce(recorded, report, cellTimeout);
      results.push(result);
      if (!json) text += resultText(result);
    }
    if (json) text = `${JSON.stringify(results, null, 2)}\n`;
    return results.every(({ same }) => same) ? 0 : 1;
  });
  return { text, status };
}

/** @throws VirtlabError for what holds no run that could be compared. */
function readRecorded(file: string): Recorded {
  const text = readText(file);
  if (/^\uFEFF?\s*\{/.test(text) || path.extname(file) === ".ipynb") {
    const notebook = parseNotebook(text, file);
    const displays = fingerprints(notebook);
    if (displays.length === 0)
      throw new VirtlabError(`${file}: has no outputs to compare with; "virtlab notebook run" makes them`);
    return { file, notebook, versions: versionsOf(notebook), displays };
  }
  const { notebook, versions, displays } = openPage(text, file);
  if (displays.length === 0) throw new VirtlabError(`${file}: shows no results to compare with`);
  return { file, notebook: parseNotebook(notebook, file), versions, displays };
}

async function reproduce(recorded: Recorded, report: Report, cellTimeout: number | undefined): Promise<Reproduction> {
  const { file, notebook, versions, displays } = recorded;
  const { notebook: again, failure } = await runTelling(file, notebook, report, cellTimeout);
  const compared = compareDisplays(displays, fingerprints(again));
  return {
    file,
    source: sourceHash(notebook),
    same: compared.every(({ outcome }) => outcome === "same"),
    versions: { before: versions ?? null, now: currentVersions() },
    displays: compared,
    ...(failure && { failure: { cell: failure.cell, ename: failure.ename, evalue: failure.evalue } }),
  };
}

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  same: "same hash",
  changed: "changed",
  missing: "is missing now",
  new: "was not there before",
};
const SHORT = 12;

function resultText({ file, versions, displays }: Reproduction): string {
  const rows = displays.map((display) => [`cell ${display.cell}`, display.kind, display.title, outcomeText(display)]);
  const width = (text: string): number => [...text].length;
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => width(row[column]!))));
  const lines = rows.map((row) =>
    row.map((text, column) => text + " ".repeat(Math.max(0, (widths[column] ?? 0) - width(text)))).join("  "),
  );
  return [`${file}: ${summary(displays)}`, versionsLine(versions), ...lines.map((line) => `  ${line}`), ""].join("\n");
}

/** Of a figure the hashes that stand below it, of others that of all their forms. */
function outcomeText({ outcome, changes, hash, provenance }: ComparedDisplay): string {
  const words = OUTCOMES[outcome];
  if (outcome !== "same") return changes.length === 0 ? words : `${words}: ${changes.join(", ")}`;
  const stamp = provenance?.now;
  return `${words} (${stamp === undefined ? (hash.now ?? "").slice(0, SHORT) : stampText(stamp)})`;
}

function summary(displays: readonly ComparedDisplay[]): string {
  const same = displays.filter(({ outcome }) => outcome === "same").length;
  const figures = displays.filter(({ kind }) => kind === "figure").length;
  const what = `${displays.length} ${displays.length === 1 ? "display" : "displays"} (${figures} ${figures === 1 ? "figure" : "figures"})`;
  return same === displays.length ? `all ${what} have the same hash` : `${displays.length - same} of ${what} differ`;
}

function versionsLine({ before, now }: Reproduction["versions"]): string {
  const text = versionsText(now);
  if (before !== null && versionsText(before) === text) return `  with the same versions: ${text}`;
  return `  run now by ${text}; before by ${before === null ? "versions that are not known" : versionsText(before)}`;
}
