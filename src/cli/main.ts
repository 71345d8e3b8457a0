#!/usr/bin/env node
/** The command `virtlab`. Each subcommand is one file. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Command, CommanderError } from "commander";
import { VirtlabError } from "../state/error.js";
import { EXIT_STATUS } from "./status.js";

/** Subcommands in the order help shows them. Each is loaded when it is called, for most have much to load. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  boot: async () => (await import("./boot.js")).bootCommand(),
  exec: async () => (await import("./exec.js")).execCommand(),
  state: async () => (await import("./state.js")).stateCommand(),
  lab: async () => (await import("./lab.js")).labCommand(),
  notebook: async () => (await import("./notebook.js")).notebookCommand(),
  reproduce: async () => (await import("./reproduce.js")).reproduceCommand(),
  kernelspec: async () => (await import("./kernelspec.js")).kernelspecCommand(),
  tour: async () => (await import("./tour.js")).tourCommand(),
};

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(path.join(__dirname, "../../package.json"), "utf8")) as {
    version: string;
  };
  const program = new Command("virtlab")
    .description("Emulated x86 hardware as values: boot, step, fork and compare real programs.")
    .version(version)
    // What stands behind the program of exec is the program's.
    .enablePositionalOptions()
    .showHelpAfterError("(virtlab --help lists what there is)");
  const called = Object.entries(commands).filter(([name]) => name === process.argv[2]);
  for (const [, load] of called.length > 0 ? called : Object.entries(commands)) program.addCommand(await load());
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_STATUS.badInput;
    else if (error instanceof VirtlabError) {
      process.stderr.write(`virtlab: ${error.message}\n`);
      process.exitCode = EXIT_STATUS.badInput;
    } else throw error;
  }
}

void main();
