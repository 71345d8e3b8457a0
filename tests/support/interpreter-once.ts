/**
 * Generates the x86 interpreter once for all test files of a run, as the build does for the package: each would generate it
 * for itself otherwise. The configuration of the tests has the file's name.
 */
import { renameSync, writeFileSync } from "node:fs";
import { generateInterpreter } from "../../src/hardware/engine/interpreter.js";
import { x86 } from "../../src/hardware/isa/x86.js";

export function setup(): void {
  const file = process.env["VIRTLAB_TEST_INTERPRETER"];
  if (file === undefined) throw new Error("VIRTLAB_TEST_INTERPRETER is not set");
  const unfinished = `${file}-${process.pid}`;
  writeFileSync(unfinished, Buffer.from(generateInterpreter(x86)).toString("base64"));
  renameSync(unfinished, file);
}
