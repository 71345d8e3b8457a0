/** Time to the first instruction in a fresh process, and to the first cell of a notebook; nothing compiled or cached. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { row } from "./stats.mjs";

const section = "start-up";

/** Of the first import, in milliseconds: what a reader of a notebook waits for in its first cell. */
const importTarget = 800;

/** What `virtlab notebook run` may add to the time of a notebook's cells, in milliseconds. */
const runTarget = 2000;

/** What a notebook's first cell does: some names of the package, and a machine, which has the types of all that it is made of. */
const firstCell = 'import { Machine } from "virtlab";\nconst machine = Machine.create();';

/**
 * @param context rounds, progress(text), wanted(section, name)
 * @returns rows of the table
 */
export async function startup(context) {
  return [...freshProcess(context), ...firstImport(context), ...notebookRun(context)];
}

/** Runs a script beside this file in a process of its own and gives what it prints. */
const child = (script, ...parameters) =>
  JSON.parse(
    execFileSync(process.execPath, [fileURLToPath(new URL(script, import.meta.url)), ...parameters], {
      encoding: "utf8",
    }),
  );

function freshProcess({ rounds, progress, wanted }) {
  if (!wanted(section, "fresh process")) return [];
  const times = { node: [], load: [], boot: [] };
  for (let round = 0; round < rounds; round++) {
    progress(`${section}: fresh process ${round + 1} of ${rounds}`);
    const parts = child("cold.mjs");
    for (const [part, list] of Object.entries(times)) list.push(parts[part]);
  }
  return [
    row(section, "node itself", "ms", times.node),
    row(section, "load the package", "ms", times.load, { atMost: importTarget }),
    row(section, "boot a 64 MiB machine and execute one instruction", "ms", times.boot),
  ];
}

/** The first cell of a fresh kernel that imports the package, less an empty one in another fresh kernel. */
function firstImport({ rounds, progress, wanted }) {
  const name = "import the package in a notebook cell";
  if (!wanted(section, name)) return [];
  const times = [];
  for (let round = 0; round < rounds; round++) {
    progress(`${section}: first cell ${round + 1} of ${rounds}`);
    times.push(child("cell.mjs", firstCell).milliseconds - child("cell.mjs", "undefined").milliseconds);
  }
  return [row(section, name, "ms", times, { atMost: importTarget })];
}

/** The whole command for a notebook of one cell that has nothing to do: what it adds to every notebook. */
function notebookRun({ rounds, progress, wanted }) {
  const name = "virtlab notebook run, beside the cells";
  if (!wanted(section, name)) return [];
  const folder = mkdtempSync(path.join(tmpdir(), "virtlab-bench-"));
  try {
    const file = path.join(folder, "empty.ipynb");
    const cell = { cell_type: "code", id: "a", metadata: {}, execution_count: null, outputs: [], source: "undefined" };
    writeFileSync(file, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [cell] }));
    const command = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
    const times = [];
    for (let round = 0; round < rounds; round++) {
      progress(`${section}: notebook run ${round + 1} of ${rounds}`);
      const started = performance.now();
      execFileSync(process.execPath, [command, "notebook", "run", file, "--output-dir", folder], { stdio: "ignore" });
      times.push(performance.now() - started);
    }
    return [row(section, name, "ms", times, { atMost: runTarget })];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
