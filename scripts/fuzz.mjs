/**
 * `npm run fuzz [-- --cases N] [--seed N] [--native] [--long] [--x87] [--unicorn] [--json]`: random cases run here and before
 * judges: the host's processor in 32- and in 64-bit code (native-comparison.ts and native64-comparison.ts in tests/support,
 * x87, MMX and SSE among them) and for single x87 instructions (x87-comparison.ts), and Unicorn for 16-bit code in real mode.
 * Without a judge all share the cases, 2 million if nothing else is said, as tests/support/fuzz-shares.ts says. Exit status
 * 1 if anything differs, 2 if it cannot run.
 */
import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const usage = "usage: npm run fuzz -- [--cases N] [--seed N] [--native] [--long] [--x87] [--unicorn] [--json]";

/** Something the caller can put right: one line, no stack, exit status 2. */
class UsageError extends Error {}

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      options: {
        cases: { type: "string", default: "2000000" },
        seed: { type: "string", default: "1" },
        native: { type: "boolean", default: false },
        long: { type: "boolean", default: false },
        x87: { type: "boolean", default: false },
        unicorn: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${error.message}\n${usage}`);
  }
  const number = (name, least) => {
    const value = Number(parsed[name]);
    if (!Number.isSafeInteger(value) || value < least)
      throw new UsageError(`--${name} takes a number, not "${parsed[name]}"`);
    return value;
  };
  return { ...parsed, cases: number("cases", 1), seed: number("seed", 0) };
}

/** Lets `require` read the tests' TypeScript as it is: they are no part of the package, so nothing else compiles them. */
function readTypeScript() {
  const { ModuleKind, ScriptTarget, transpileModule } = require("typescript");
  const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022, esModuleInterop: true };
  require.extensions[".ts"] = (module, file) => {
    module._compile(transpileModule(readFileSync(file, "utf8"), { compilerOptions, fileName: file }).outputText, file);
  };
  const find = Module._resolveFilename;
  Module._resolveFilename = (request, parent, ...rest) => {
    const relative = request.startsWith(".") && request.endsWith(".js") && parent?.filename.endsWith(".ts");
    if (!relative) return find(request, parent, ...rest);
    return resolve(dirname(parent.filename), `${request.slice(0, -3)}.ts`);
  };
}

/** The judges by their option. */
function judges() {
  const { compareCases } = require(`${root}tests/support/native-comparison.ts`);
  const { openHost } = require(`${root}tests/support/native-host.ts`);
  const { openUnicorn } = require(`${root}tests/support/unicorn-judge.ts`);
  const { compareCases64, openHost64 } = require(`${root}tests/support/native64-comparison.ts`);
  const { compareX87 } = require(`${root}tests/support/x87-comparison.ts`);
  const { openX87Judge } = require(`${root}tests/support/x87-judge.ts`);
  return {
    native: { name: "the host's processor, 32 bits", open: openHost, compare: compareCases },
    long: { name: "the host's processor, 64 bits", open: openHost64, compare: compareCases64 },
    x87: { name: "the host's processor, x87", open: openX87Judge, compare: compareX87 },
    unicorn: { name: "Unicorn, real mode", open: openUnicorn, compare: compareCases },
  };
}

function fuzz({ cases, seed, json, ...options }) {
  readTypeScript();
  const { commandPlace } = require(`${root}src/notebook/progress/places.ts`);
  const { progressAt } = require(`${root}src/notebook/progress/progress.ts`);
  const { shareOf } = require(`${root}tests/support/fuzz-shares.ts`);
  const all = Object.entries(judges());
  const asked = all.filter(([key]) => options[key]);
  const comparisons = asked.length === 0 ? all : asked;
  const keys = comparisons.map(([key]) => key);
  const results = comparisons.map(([key, { name, open, compare }]) => {
    const judge = open();
    if (typeof judge === "string") throw new UsageError(judge);
    const share = shareOf(key, cases, keys);
    const bar = progressAt(() => (json ? undefined : commandPlace(process.stderr)), name, {
      unit: "cases",
      total: share,
    });
    const started = performance.now();
    bar({ done: 0 });
    try {
      const figures = compare({
        ...{ judge, count: share, seed },
        progress: (done, differences) => bar({ done, note: `${differences} differ` }),
      });
      return { judge: name, seed, ...figures, seconds: Math.round(performance.now() - started) / 1000 };
    } finally {
      bar({ done: share, finished: true });
      judge.close();
    }
  });
  if (json) console.log(JSON.stringify(results, undefined, 2));
  else for (const result of results) report(result);
  const sum = (of) => results.reduce((total, result) => total + of(result), 0);
  const differences = sum((result) => result.differences);
  if (!json) console.log(`\n${sum((result) => result.cases)} cases, ${differences} differ`);
  return differences === 0 ? 0 : 1;
}

function report({ judge, cases, differences, reports, skipped, seconds, seed }) {
  const left = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  console.log(`${judge}: ${cases} cases of seed ${seed}, ${differences} differ, ${seconds} s`);
  if (left.length > 0) console.log(`  not compared: ${left.join("; ")}`);
  for (const text of reports) console.log(`\n${text}`);
}

try {
  process.exitCode = fuzz(readArguments());
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`fuzz: ${error.message}`);
  process.exitCode = 2;
}
