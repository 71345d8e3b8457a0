/**
 * `npm run coverage:syscalls [-- --json] [--timeout SECONDS]`: runs our C programs inside and on Linux, and prints for each system call of
 * Linux how far it is there. Exit status 2 if programs differ, which counts nothing of theirs, or do not end in time.
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
const usage = "usage: npm run coverage:syscalls -- [--json] [--timeout SECONDS]";
const test = "tests/long/linux-programs.test.ts";

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
  const child = spawn(process.execPath, [vitest, "run", "--project", "long", test], {
    cwd: root,
    env: { ...process.env, VIRTLAB_SYSCALL_COVERAGE: folder },
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
  const folder = mkdtempSync(join(tmpdir(), "virtlab-coverage-syscalls-"));
  try {
    const passed = await runTests(folder, seconds);
    const source = join(root, "tests", "support", "syscall-coverage.ts");
    const { module } = await runnerImport(source, { configFile: false, logLevel: "error" });
    const coverage = module.readCoverage(folder);
    console.log(json ? JSON.stringify(coverage, undefined, 2) : module.coverageTable(coverage));
    if (!passed) throw new UsageError("some programs differ, and what they called is not counted");
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`coverage:syscalls: ${error.message}`);
  process.exitCode = 2;
}
