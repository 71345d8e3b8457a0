/** Time to the first instruction in a fresh process, and to the first cell of a notebook; nothing compiled or cached. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { row } from "./stats.mjs";

const section = "start-up";

/** Of the first import, in milliseconds: what a reader of a notebook waits for in its first cell. */
const importTarget = 800;

/** What a notebook's first cell does: some names of the package, and a machine, which has the types of all that it is made of. */
const firstCell = 'import { Machine } from "virtlab";\nconst machine = Machine.create();';

/**
 * @param context rounds, progress(text), wanted(section, name)
 * @returns rows of the table
 */
export async function startup(context) {
  return [...freshProcess(context), ...firstImport(context)];
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
