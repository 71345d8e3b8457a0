/** `virtlab state`: machines that are booted once on this computer and then begin at their prompt. */
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { terminalPlace } from "../notebook/progress/places.js";
import { progressAt } from "../notebook/progress/progress.js";
import { VirtlabError } from "../state/error.js";
import type { OnProgress } from "../state/progress.js";
import {
  type BuiltStateRecord,
  builtState,
  builtStateBoot,
  builtStateRecord,
  STATE_KIND,
  STATE_VERSION,
  stateFile,
  stateFolder,
} from "../systems/built-state.js";
import { type DebianOptions, debianPackages } from "./debian/debian-system.js";
import { firstOfState, makeState, type StateRecipe, stateRecipe, states } from "./debian/states.js";
import { makeFolder, writeFile } from "./files.js";

interface MakeFlags {
  readonly packages?: string;
  readonly download?: true;
  readonly again?: true;
}

const FOLDER = "folder with the .deb files (default: the cache)";

export function stateCommand(): Command {
  const command = new Command("state").description("machines booted once on this computer, to begin at their prompt");
  command
    .command("list")
    .description("show the states there are, and which have been made")
    .option("--json", "as JSON")
    .action(({ json }: { readonly json?: true }) => {
      process.stdout.write(json ? `${JSON.stringify(known(), null, 2)}\n` : known().map(line).join(""));
    });
  command
    .command("make")
    .description("boot a machine to its prompt and keep it")
    .argument("<name>", Object.keys(states).join(", "))
    .option("--packages <folder>", FOLDER)
    .option("--download", "fetch packages that are missing by apt-get")
    .option("--again", "make it anew if it is there")
    .action((name: string, flags: MakeFlags) => make(name, flags));
  command
    .command("fetch")
    .description("fetch the packages of states by apt-get, and make nothing yet")
    .argument("<names...>", Object.keys(states).join(", "))
    .option("--packages <folder>", FOLDER)
    .action((names: readonly string[], { packages }: MakeFlags) => {
      for (const { flavour } of names.map(stateRecipe)) {
        for (const { file } of Object.values(debianPackages(flavour, { packages, download: true })))
          process.stdout.write(`${file}\n`);
      }
    });
  return command;
}

/** The record of a state that can be used; another version of this library may have written one that cannot. */
function madeRecord(name: string): BuiltStateRecord | undefined {
  try {
    builtState(name);
    builtStateBoot(name);
    return builtStateRecord(name);
  } catch {
    return undefined;
  }
}

function known() {
  return Object.entries(states).map(([name, { about }]) => {
    const record = madeRecord(name);
    return {
      name,
      about,
      made: record !== undefined,
      ...(record === undefined ? {} : { hash: record.hash, file: stateFile(record.hash) }),
    };
  });
}

const line = ({ name, about, made }: ReturnType<typeof known>[number]): string =>
  `${name.padEnd(16)}${made ? "made    " : "not made"}  ${about}\n`;

/** A bar on a terminal; the end of a boot is when its prompt comes, so what it takes is known only about. */
function progressOf(name: string, { steps }: StateRecipe): OnProgress {
  const bar = progressAt(() => (process.stderr.isTTY ? terminalPlace(process.stderr) : undefined), name);
  return (word) => bar({ ...word, total: word.finished ? word.done : Math.max(steps, word.done) });
}

function make(name: string, { packages, download, again }: MakeFlags): void {
  const recipe = stateRecipe(name);
  const old = madeRecord(name);
  if (old !== undefined && !again && begins(old, name, { packages, download })) {
    process.stdout.write(`${stateFile(old.hash)}\n`);
    return;
  }
  makeFolder(stateFolder());
  const made = makeState(name, { packages, download }, progressOf(name, recipe));
  const { hash } = made.machine;
  for (const machine of [made.start, made.machine]) writeFile(stateFile(machine.hash), machine.save());
  const record: BuiltStateRecord = {
    kind: STATE_KIND,
    version: STATE_VERSION,
    name,
    hash,
    start: made.start.hash,
    course: made.course,
    packages: made.packages,
  };
  writeFile(`${stateFolder()}/${name}.json`, `${JSON.stringify(record, null, 2)}\n`);
  removeUnused();
  process.stdout.write(`${stateFile(hash)}\n`);
}

/** Whether it would begin in the same way today: with these packages and this version. Without packages it has to do. */
function begins({ start }: BuiltStateRecord, name: string, options: DebianOptions): boolean {
  try {
    const today = firstOfState(name, options).hash;
    if (today !== start)
      process.stderr.write(`virtlab: ${name}: made from other packages or by another version; making it again\n`);
    return today === start;
  } catch (error) {
    if (error instanceof VirtlabError) return true;
    throw error;
  }
}

/** Machines of states that were made again. */
function removeUnused(): void {
  const records = Object.keys(states).map(builtStateRecord);
  const used = new Set(records.flatMap((record) => (record ? [record.hash, record.start].map(stateFile) : [])));
  for (const name of readdirSync(stateFolder())) {
    const file = path.join(stateFolder(), name);
    if (name.endsWith(".machine") && !used.has(file)) rmSync(file, { force: true });
  }
}
