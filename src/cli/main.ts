#!/usr/bin/env node
/** The command `virtlab`. Each subcommand is one file. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Command, CommanderError } from "commander";
import { VirtlabError } from "../state/error.js";
import { bootCommand } from "./boot.js";
import { kernelspecCommand } from "./kernelspec.js";
import { labCommand } from "./lab.js";
import { notebookCommand } from "./notebook.js";
import { reproduceCommand } from "./reproduce.js";
import { EXIT_STATUS } from "./status.js";
import { tourCommand } from "./tour.js";

/** Subcommands in the order help shows them. */
const commands = [bootCommand, labCommand, notebookCommand, reproduceCommand, kernelspecCommand, tourCommand];

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(path.join(__dirname, "../../package.json"), "utf8")) as {
    version: string;
  };
  const program = new Command("virtlab")
    .description("Emulated x86 hardware as values: boot, step, fork and compare real programs.")
    .version(version)
    .showHelpAfterError("(virtlab --help lists what there is)");
  for (const command of commands) program.addCommand(command());
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
