// `virtlab tour`: the package's first notebook on the real kernel, and the page it leaves.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { runTour } from "../../src/cli/tour.js";
import { virtlab } from "../support/virtlab.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-tour-"));
afterAll(() => rmSync(folder, { recursive: true }));

function writeNotebook(name: string, ...sources: string[]): string {
  const file = join(folder, name);
  const cells = sources.map((source) => ({ cell_type: "code", metadata: {}, source, outputs: [] }));
  writeFileSync(file, JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }));
  return file;
}

/** Runs a tour and gives what it prints, what it tells on the way, and its status. */
async function run(file: string, outputDir: string) {
  let told = "";
  const report = new Writable({
    write(chunk, _encoding, done) {
      told += String(chunk);
      done();
    },
  });
  return { ...(await runTour(file, outputDir, report)), told: () => told };
}

describe("a tour", () => {
  it("leaves the notebook with its outputs and a page, and says where the page is", async () => {
    const outputDir = join(folder, "out #1");
    const { text, status } = await run(writeNotebook("small.ipynb", "40 + 2", "", "console.log('done')"), outputDir);
    const address = pathToFileURL(resolve(outputDir, "tour.html")).href;
    expect(text).toMatch(/^small\.ipynb: 2 cells, all passed in \d+\.\d s\nfile:.*\n$/);
    expect(text.split("\n")[1]).toBe(address);
    expect(status).toBe(0);
    expect(readdirSync(outputDir).sort()).toEqual(["small.ipynb", "tour.html"]);
    expect(readFileSync(join(outputDir, "small.ipynb"), "utf8")).toContain('"42"');
    expect(readFileSync(new URL(address), "utf8")).toMatch(/2 cells passed[\s\S]*>42<\/pre>[\s\S]*>done<\/pre>/);
  });

  it("with a cell that fails leaves both too, names the cell, and gives status 1", async () => {
    const outputDir = join(folder, "failed");
    const { text, status, told } = await run(writeNotebook("bad.ipynb", "1", "throw new Error('no')"), outputDir);
    expect([status, text.split("\n")[0]]).toEqual([1, "bad.ipynb: 2 cells, cell 2 failed"]);
    expect(told()).toContain("cell 2 [2] failed: Error: no\n");
    expect(readFileSync(join(outputDir, "tour.html"), "utf8")).toContain("cell 2 failed</a>");
  });

  it("into a folder that cannot be made gives status 2 and one line", async () => {
    const file = writeNotebook("small.ipynb", "1");
    const { text, status, told } = await run(file, file);
    expect([status, text]).toEqual([2, ""]);
    expect(told()).toMatch(/^virtlab: .*small\.ipynb: cannot be made a folder: [^\n]*\n$/);
  });
});

describe("virtlab tour", () => {
  it("passes on the package's own notebook within 20 seconds", async () => {
    const started = performance.now();
    const { status, stdout, stderr } = await virtlab(["tour"], { cwd: folder, milliseconds: 40_000 });
    expect([status, stdout, stderr]).toEqual([
      0,
      expect.stringMatching(/^00-tour\.ipynb: \d+ cells, all passed in /),
      expect.any(String),
    ]);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(readdirSync(join(folder, ".virtlab")).sort()).toEqual(["00-tour.ipynb", "tour.html"]);
  });
});
