/**
 * Real programs that tests compare virtlab with: QEMU, compilers.
 *
 * A test whose peer is not installed is skipped with a word that says what is missing; where CI=true it fails instead,
 * because there everything is to be installed and a skipped comparison would go unnoticed.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "vitest";

/** Full path of an installed program, or undefined. */
export function findPeer(name: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path of a peer; if it is missing, ends the test of `context`: skipped on a user's machine, failed in CI.
 *
 * @param probe arguments with which the program must succeed to count as present, for what an installation may lack.
 */
export function peer(context: TestContext, name: string, probe?: readonly string[]): string {
  const path = findPeer(name);
  if (path === undefined) return missing(context, `${name} is not installed`);
  if (probe !== undefined && spawnSync(path, probe, { input: "", stdio: ["pipe", "ignore", "ignore"] }).status !== 0) {
    return missing(context, `${name} cannot do what this test needs (${[name, ...probe].join(" ")})`);
  }
  return path;
}

/** Ends the test of `context`, as `peer` does: skipped on a user's machine, failed in CI. */
export function missing(context: TestContext, what: string): never {
  if (process.env["CI"] === "true") throw new Error(`${what}, and CI must not skip this test`);
  return context.skip(what);
}
