/**
 * `npm run bench [-- --peers] [--only NAME] [--json FILE] [--rounds N]`: measures the built package, prints a table with
 * targets, and writes the figures as JSON. See README.md beside this file.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { debian } from "./debian.mjs";
import { exits } from "./exits.mjs";
import { hosts } from "./hosts.mjs";
import { interpreter } from "./interpreter.mjs";
import { kernel } from "./kernel.mjs";
import { lab } from "./lab.mjs";
import { openV86 } from "./peers/v86.mjs";
import { startup } from "./startup.mjs";
import { table } from "./stats.mjs";
import { toy } from "./toy.mjs";
import { traps } from "./traps.mjs";
import { values } from "./values.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const usage = "usage: npm run bench -- [--peers] [--only NAME] [--json FILE] [--rounds N]";

/** Something the caller can put right: one line, no stack, exit status 2. */
class UsageError extends Error {}

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      options: {
        peers: { type: "boolean", default: false },
        only: { type: "string" },
        json: { type: "string" },
        rounds: { type: "string", default: "5" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${error.message}\n${usage}`);
  }
  const rounds = Number(parsed.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new UsageError(`--rounds takes a number from 1 to 100, not "${parsed.rounds}"`);
  }
  return { ...parsed, rounds };
}

/** One line on stderr, overwritten on a terminal. */
function progressLine() {
  const terminal = process.stderr.isTTY === true;
  return {
    show: (text) => process.stderr.write(terminal ? `\r\x1b[K${text}` : `${text}\n`),
    clear: () => terminal && process.stderr.write("\r\x1b[K"),
  };
}

async function loadPackage() {
  try {
    return await import("../dist/index.js");
  } catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND") throw new UsageError("dist/index.js is not there: run npm run build");
    throw error;
  }
}

async function main() {
  const options = readArguments();
  const virtlab = await loadPackage();
  const peer = options.peers ? await openV86() : undefined;
  if (peer?.missing !== undefined) throw new UsageError(`--peers: ${peer.missing}`);
  const only = options.only?.toLowerCase();
  const line = progressLine();
  const context = {
    virtlab,
    v86: peer,
    rounds: options.rounds,
    images: join(here, "..", "guests", "images"),
    progress: line.show,
    wanted: (section, name) => only === undefined || `${section}: ${name}`.toLowerCase().includes(only),
  };
  const rows = [];
  for (const section of [interpreter, toy, traps, exits, hosts, kernel, values, startup, lab, debian])
    rows.push(...(await section(context)));
  line.clear();
  if (rows.length === 0) throw new UsageError(`--only: nothing is called "${options.only}"`);

  process.stdout.write(`${table(rows)}\n`);
  const targets = rows.filter((r) => r.pass !== undefined);
  const missed = targets.filter((r) => !r.pass);
  if (targets.length > 0)
    process.stdout.write(`\n${targets.length - missed.length} of ${targets.length} targets met\n`);

  // A part of the run does not replace the figures of a whole one.
  const file = options.json ?? (only === undefined ? join(here, "results", "latest.json") : undefined);
  if (file === undefined) return;
  const packageFile = JSON.parse(readFileSync(join(here, "..", "package.json"), "utf8"));
  const versions = { virtlab: packageFile.version, node: process.version, v8: process.versions.v8 };
  if (peer !== undefined) versions.v86 = peer.version;
  const result = {
    versions,
    cpu: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    rounds: options.rounds,
    rows,
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`written to ${file}\n`);
}

main().catch((error) => {
  process.stderr.write(`bench: ${error instanceof UsageError ? error.message : error.stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
