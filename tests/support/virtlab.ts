/** Runs the built `virtlab` command as a user does. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Ended, type RunOptions, runProcess } from "./processes.js";

/** The package's directory. */
export const packageRoot = join(__dirname, "..", "..");

const command = join(packageRoot, "dist", "cli", "main.js");

/** `virtlab ARGS…`. */
export function virtlab(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  if (!existsSync(command)) throw new Error(`${command} is not there: run "npm run build" first`);
  return runProcess(process.execPath, [command, ...args], options);
}
