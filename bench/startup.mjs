/** Time to the first instruction in a fresh process, nothing compiled or cached in memory. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { row } from "./stats.mjs";

const section = "start-up";

/** Of the first import, in milliseconds: what a reader of a notebook waits for in its first cell. */
const importTarget = 800;

/**
 * @param context rounds, progress(text), wanted(section, name)
 * @returns rows of the table
 */
export async function startup({ rounds, progress, wanted }) {
  if (!wanted(section, "fresh process")) return [];
  const child = fileURLToPath(new URL("cold.mjs", import.meta.url));
  const times = { node: [], load: [], boot: [] };
  for (let round = 0; round < rounds; round++) {
    progress(`${section}: fresh process ${round + 1} of ${rounds}`);
    const parts = JSON.parse(execFileSync(process.execPath, [child], { encoding: "utf8" }));
    for (const [part, list] of Object.entries(times)) list.push(parts[part]);
  }
  return [
    row(section, "node itself", "ms", times.node),
    row(section, "load the package", "ms", times.load, { atMost: importTarget }),
    row(section, "boot a 64 MiB machine and execute one instruction", "ms", times.boot),
  ];
}
