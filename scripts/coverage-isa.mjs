/**
 * `npm run coverage:isa [-- --json] [--timeout SECONDS]`: runs the tests that execute instructions and
 * prints, for each form of the instruction table, in which mode and before which judge it was executed. Exit status 1 if
 * a form is run by no test, 2 if tests fail, which counts nothing of theirs, or do not end
 * in time.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const usage = "usage: npm run coverage:isa -- [--json] [--timeout SECONDS]";
const tests = ["privilege", "exceptions", "transfers", "native", "unicorn", "architecture"];

/** Something the caller can put right: one line, no stack, exit status 2. */
class UsageError extends Error {}

function readArguments() {
  try {
    const { json, timeout } = parseArgs({
      options: { json: { type: "boolean", default: false }, timeout: { type: "string", default: "600" } },
    }).values;
    const seconds = Number(timeout);
    if (!(seconds > 0)) throw new UsageError(`--timeout takes a number of seconds, not "${timeout}"`);
    return { json, seconds };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${error.message}\n${usage}`);
  }
}

/** Runs the tests with a folder for what they record; their progress goes to standard error. Gives whether all passed. */
async function runTests(folder, seconds) {
  const vitest = require.resolve("vitest/package.json").replace(/package\.json$/, "vitest.mjs");
  const files = tests.map((name) => `tests/${name}.test.ts`);
  const child = spawn(process.execPath, [vitest, "run", "--project", "unit", ...files], {
    cwd: root,
    env: { ...process.env, VIRTLAB_ISA_COVERAGE: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout.pipe(process.stderr);
  const timer = setTimeout(() => child.kill("SIGKILL"), seconds * 1000);
  const [status, signal] = await new Promise((resolve, reject) => {
    child.on("close", (...ended) => resolve(ended));
    child.on("error", reject);
  });
  clearTimeout(timer);
  if (signal !== null) throw new UsageError(`the tests did not end within ${seconds} s`);
  return status === 0;
}

async function main() {
  const { json, seconds } = readArguments();
  const { runnerImport } = createRequire(require.resolve("vitest/package.json"))("vite");
  const folder = mkdtempSync(join(tmpdir(), "virtlab-coverage-isa-"));
  try {
    const passed = await runTests(folder, seconds);
    const source = join(root, "tests", "support", "isa-coverage.ts");
    const { module } = await runnerImport(source, { configFile: false, logLevel: "error" });
    const coverage = module.readCoverage(folder);
    console.log(json ? JSON.stringify(coverage, undefined, 2) : module.coverageTable(coverage));
    if (!passed) throw new UsageError("some of the tests fail, and what they ran is not counted");
    return coverage.some(module.isUntested) ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`coverage:isa: ${error.message}`);
  process.exitCode = 2;
}
