/**
 * Generates the x86 interpreter once for all test files of a run, as the build does for the package: each would generate it
 * for itself otherwise.
 */
import { createHash } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** Where the bytes lie, in base64; one place for each working tree. */
export const interpreterFile = path.join(
  tmpdir(),
  `virtlab-interpreter-${createHash("sha256").update(process.cwd()).digest("hex").slice(0, 16)}`,
);

export async function setup(): Promise<void> {
  const { generateInterpreter } = await import("../../src/hardware/engine/interpreter.js");
  const { x86 } = await import("../../src/hardware/isa/x86.js");
  const unfinished = `${interpreterFile}-${process.pid}`;
  writeFileSync(unfinished, Buffer.from(generateInterpreter(x86)).toString("base64"));
  renameSync(unfinished, interpreterFile);
}
