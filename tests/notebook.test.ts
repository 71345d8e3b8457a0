// Runs of notebooks on the real kernel, and how a kernel ends. What the kernel does in a cell is in kernel.test.ts.
import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runNotebooks } from "../src/cli/notebook.js";
import { runNotebook } from "../src/notebook/document/run-notebook.js";
import { newConnection, writeConnectionFile } from "../src/notebook/hub/connection-file.js";
import { kernelSpec } from "../src/notebook/hub/kernel-spec.js";
import { formatNotebook, newNotebook } from "./support/notebooks.js";

const PACKAGE = path.resolve(__dirname, "..");
const folder = mkdtempSync(path.join(tmpdir(), "virtlab-notebook-"));
beforeAll(() => {
  console.debug = () => {};
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command on these notebooks and gives its status and what it told. */
async function run(files: string[], flags: { outputDir?: string; cellTimeout?: number } = {}) {
  let told = "";
  const report = new Writable({
    write(chunk, _encoding, done) {
      told += String(chunk);
      done();
    },
  });
  return { status: await runNotebooks(files, flags, report), told: () => told };
}

describe("a cell", () => {
  it("that throws gives an error output whose traceback names cells and lines, and ends the run", async () => {
    const { notebook, failure } = await runNotebook(
      newNotebook(
        "function fail(x: number) {\n  if (x > 1)\n    throw new RangeError('too big');\n}",
        "1\n\nfail(2)",
        "3",
      ),
      { folder },
    );
    const traceback = [
      "RangeError: too big",
      "  1 | function fail(x: number) {",
      "  2 |   if (x > 1)",
      "> 3 |     throw new RangeError('too big');",
      "    |           ^",
      "    at fail ([cell 1]:3:11)",
      "    at [cell 2]:3:1",
    ];
    const error = { ename: "RangeError", evalue: "too big", traceback };
    expect(failure).toEqual({ cell: 2, executionCount: 2, ...error });
    expect(notebook.cells.map((cell) => cell.execution_count)).toEqual([1, 2, null]);
    expect(notebook.cells[1]?.outputs).toEqual([{ output_type: "error", ...error }]);
  });

  it("that ends the kernel or takes too long fails with a word about it", async () => {
    const ended = await runNotebook(newNotebook("process.exit(3)"), { folder });
    expect(ended.failure).toMatchObject({
      cell: 1,
      ename: "DeadKernelError",
      evalue: "the kernel ended with status 3",
    });
    const late = await runNotebook(newNotebook("for (;;) {}"), { folder, cellTimeout: 1000 });
    expect(late.failure).toMatchObject({ cell: 1, ename: "Timeout", evalue: "the cell ran longer than 1 s" });
  });

  it("imports this package by name from any folder, where it is installed", async () => {
    // Stands for an installation: the package's own files with a small library in the place of the real one.
    const modules = path.join(folder, "installed", "node_modules");
    const installed = path.join(modules, "virtlab");
    mkdirSync(path.join(installed, "dist"), { recursive: true });
    for (const name of ["package.json", "kernel-spec"]) {
      cpSync(path.join(PACKAGE, name), path.join(installed, name), { recursive: true });
    }
    writeFileSync(path.join(installed, "dist/index.js"), 'exports.where = () => ({ name: "installed" });');
    const types =
      'export type { Place } from "./place.js";\nexport declare function where(): import("./place.js").Place;';
    writeFileSync(path.join(installed, "dist/index.d.ts"), types);
    writeFileSync(path.join(installed, "dist/place.d.ts"), 'export interface Place { readonly name: "installed" }');
    for (const name of readdirSync(path.join(PACKAGE, "node_modules"))) {
      if (!name.startsWith(".")) symlinkSync(path.join(PACKAGE, "node_modules", name), path.join(modules, name));
    }
    const sources = [
      'import { where } from "virtlab";\nconst place = where();',
      'const name: "installed" = place.name; name',
      'require("virtlab").where().name',
    ];
    const spec = kernelSpec(path.join(installed, "kernel-spec"));
    // Beside the installation and where no package can be seen.
    for (const place of [path.join(folder, "installed"), folder]) {
      const { notebook, failure } = await runNotebook(newNotebook(...sources), { folder: place, spec });
      expect(failure).toBeUndefined();
      const result = { data: { "text/plain": "installed" } };
      expect(notebook.cells.map((cell) => cell.outputs)).toMatchObject([[], [result], [result]]);
    }
  });
});

describe("virtlab notebook run", () => {
  it("saves outputs up to the cell that fails, names it, and gives status 1", async () => {
    const file = path.join(folder, "fails.ipynb");
    writeFileSync(file, formatNotebook(newNotebook("1", "throw new Error('no')", "3")));
    const { status, told } = await run([file]);
    expect(status).toBe(1);
    expect(told()).toContain(`virtlab: ${file}: cell 2 [2] failed: Error: no\n`);
    const { cells, nbformat_minor } = JSON.parse(readFileSync(file, "utf8"));
    expect(nbformat_minor).toBe(5);
    expect(cells.map((cell: { outputs: { output_type: string }[] }) => cell.outputs[0]?.output_type)).toEqual([
      "execute_result",
      "error",
      undefined,
    ]);
  });

  it("saves into --output-dir, leaves the file as it was, and gives status 0", async () => {
    const file = path.join(folder, "works.ipynb");
    const text = formatNotebook(newNotebook("1 + 1"));
    writeFileSync(file, text);
    const outputDir = path.join(folder, "new/out");
    const { status, told } = await run([file], { outputDir });
    expect([status, told()]).toEqual([0, `${file}: 1 of 1 cells run\n`]);
    expect(readFileSync(file, "utf8")).toBe(text);
    const saved = JSON.parse(readFileSync(path.join(outputDir, "works.ipynb"), "utf8"));
    expect(saved.cells[0].outputs[0].data).toEqual({ "text/plain": ["2"] });
    expect(saved.metadata).toMatchObject({ kernelspec: { name: "virtlab" }, language_info: { name: "typescript" } });
    expect(readdirSync(outputDir)).toEqual(["works.ipynb"]);
  });

  it("gives status 2 and one line for bad input, before any notebook is run", async () => {
    const good = path.join(folder, "good.ipynb");
    const bad = path.join(folder, "bad.ipynb");
    writeFileSync(good, formatNotebook(newNotebook("1")));
    writeFileSync(bad, "{");
    const missing = path.join(folder, "missing.ipynb");
    for (const file of [bad, missing, folder]) {
      const { status, told } = await run([good, file]);
      expect(status).toBe(2);
      expect(told()).toMatch(new RegExp(`^virtlab: ${file}: .*\n$`));
    }
    expect(JSON.parse(readFileSync(good, "utf8")).cells[0].outputs).toEqual([]);
  });
});

describe("the kernel", () => {
  it("ends when the process that started it is killed, even while a cell keeps it busy", async () => {
    const busy = path.join(folder, "busy.cjs");
    const sign = path.join(folder, "is-busy");
    const loop = `require("node:fs").writeFileSync(${JSON.stringify(sign)}, ""); for (;;) {}`;
    writeFileSync(busy, `setTimeout(() => { ${loop} }, 500);`);
    const { file, remove } = writeConnectionFile(await newConnection("virtlab"));
    const launcher = path.join(PACKAGE, "kernel-spec/launcher.js");
    const script = `
      const { spawn } = require("node:child_process");
      const child = spawn(process.execPath, ["-r", ${JSON.stringify(busy)}, ${JSON.stringify(launcher)}, ${JSON.stringify(file)}]);
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const kernel = await firstNumber(parent);
    await until(() => existsSync(sign));
    expect(isAlive(kernel)).toBe(true);
    parent.kill("SIGKILL");
    await until(() => !isAlive(kernel));
    remove();
  });
});

async function until(isSo: () => boolean): Promise<void> {
  const limit = Date.now() + 40_000;
  while (!isSo()) {
    if (Date.now() > limit) throw new Error("waited too long");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function firstNumber(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => child.stdout?.once("data", (text) => resolve(Number(text))));
}

function isAlive(processId: number): boolean {
  try {
    // A process that has ended stays as a zombie where nobody waits for it.
    return readFileSync(`/proc/${processId}/stat`, "utf8").split(") ")[1]?.startsWith("Z") === false;
  } catch {
    return false;
  }
}
