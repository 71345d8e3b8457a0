// Pages of notebooks: exported, run again and compared, started from templates; and every bad input in one sentence.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runNotebooks } from "../src/cli/notebook.js";
import { newNotebook } from "../src/cli/notebook-new.js";
import { parseNotebook } from "../src/notebook/document/notebook-document.js";
import { templateNames } from "../src/notebook/document/templates.js";
import { packageRoot } from "./support/virtlab.js";
import { exported, FIGURE, paper, reproduced, writeNotebook } from "./support/write-ups.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-write-ups-"));
beforeAll(() => {
  console.debug = () => {};
});
afterAll(() => rmSync(folder, { recursive: true }));

const inFolder = (name: string): string => join(folder, name);

describe("an exported page", () => {
  it("is run again, and what changed is told figure by figure", async () => {
    const file = writeNotebook(folder, "figure.ipynb", "# A figure?", FIGURE, "console.log('out')");
    writeFileSync(inFolder("value.txt"), "1");
    const before = readFileSync(file, "utf8");
    expect(await exported([file], { run: true })).toEqual({
      status: 0,
      told: `${file}: 2 of 2 cells run\n`,
      printed: `${inFolder("figure.html")}\n`,
    });
    expect(readFileSync(file, "utf8")).toBe(before);
    writeFileSync(inFolder("value.txt"), "2");
    const { status, text } = await reproduced(inFolder("figure.html"));
    expect(status).toBe(1);
    expect(text).toMatch(/figure\.html: 1 of 2 displays \(1 figure\) differ\n {2}with the same versions: virtlab /);
    expect(text).toContain("  cell 2  figure  a-figure  changed: data 111111111111 → 222222222222\n");
    expect(text).toMatch(/ {2}cell 3 {2}text {4}out {7}same hash \([0-9a-f]{12}\)\n/);
  });

  it("of a notebook that was not run says so, and cannot be compared", async () => {
    const file = writeNotebook(folder, "fresh.ipynb", "1");
    const { status, told } = await exported([file]);
    expect([status, told]).toEqual([
      0,
      `virtlab: ${file}: has not been run, so its page shows no results; --run runs it\n`,
    ]);
    expect(await reproduced(inFolder("fresh.html"))).toMatchObject({
      status: 2,
      told: expect.stringContaining("shows no results to compare with"),
    });
    expect(await reproduced(file)).toMatchObject({
      status: 2,
      told: expect.stringContaining("has no outputs to compare with"),
    });
  });
});

describe("virtlab notebook new", () => {
  it.each(templateNames)(
    "writes a notebook from the template %s with its name as the title, and never over another",
    async (template) => {
      const [told, printed] = [paper(), paper()];
      const name = inFolder(`20-why_${template}`);
      expect(await newNotebook(name, { template }, told.stream, printed.stream)).toBe(0);
      expect(printed.text()).toBe(`${name}.ipynb\n`);
      const text = readFileSync(`${name}.ipynb`, "utf8");
      const { cells } = parseNotebook(text, name);
      expect(cells[0]!.source.split("\n")[0]).toBe(`# Why ${template}?`);
      // The shape that notebooks have: short cells.
      for (const { source, cell_type } of cells)
        if (cell_type === "code") expect(source.split("\n").length).toBeLessThanOrEqual(10);
      expect(await newNotebook(`${name}.ipynb`, { template }, told.stream, printed.stream)).toBe(2);
      expect(told.text()).toBe(`virtlab: ${name}.ipynb: exists already\n`);
      expect(readFileSync(`${name}.ipynb`, "utf8")).toBe(text);
    },
  );
});

describe("bad input", () => {
  const good = () => writeNotebook(folder, "good.ipynb", "1");
  const bad = (name: string, text: string): string => {
    writeFileSync(inFolder(name), text);
    return inFolder(name);
  };

  it("gives one sentence and status 2 in every command, and leaves nothing", async () => {
    mkdirSync(inFolder("a.ipynb"), { recursive: true });
    const files: readonly [string, RegExp][] = [
      [bad("text.ipynb", "hello"), /not JSON/],
      [bad("list.ipynb", "[]"), /not a notebook: no JSON object/],
      [bad("old.ipynb", '{"nbformat":3,"worksheets":[]}'), /nbformat 3, older than the 4 that can be run/],
      [bad("newer.ipynb", '{"nbformat":5,"cells":[]}'), /nbformat 5, newer than the 4 that can be run/],
      [inFolder("absent.ipynb"), /cannot be read: no such file or folder/],
      [inFolder("a.ipynb"), /cannot be read: it is a folder/],
      [
        bad("py.ipynb", '{"nbformat":4,"cells":[],"metadata":{"kernelspec":{"language":"python"}}}'),
        /in python, only TypeScript/,
      ],
    ];
    const before = readdirSync(folder).length;
    const first = good();
    for (const [file, message] of files) {
      const told = paper();
      const statuses = [
        await runNotebooks([first, file], {}, told.stream),
        (await exported([first, file], { out: inFolder("never") })).status,
        (await reproduced(file)).status,
      ];
      expect(statuses).toEqual([2, 2, 2]);
      for (const line of [told.text(), (await exported([file])).told, (await reproduced(file)).told]) {
        expect(line).toMatch(message);
        expect(line).toMatch(/^virtlab: [^\n]*\n$/);
      }
    }
    expect(existsSync(inFolder("never"))).toBe(false);
    expect(readdirSync(folder).length - before).toBeLessThanOrEqual(1);
  });

  it("of pages is told by what is wrong with them", async () => {
    const [none, image] = [bad("none.html", "<!doctype html><p>a"), bad("image.html", "\u0089PNG")];
    for (const file of [none, image])
      expect((await reproduced(file)).told).toMatch(/: no page of virtlab: it carries no notebook to run again\n$/);
    expect((await reproduced(inFolder("absent.html"))).told).toMatch(
      /absent\.html: cannot be read: no such file or folder\n$/,
    );
  });

  it("would not be written over a file that is no page, nor two notebooks over each other", async () => {
    const file = good();
    writeFileSync(inFolder("good.md"), "my own text");
    const { status, told } = await exported([file], { to: "md" });
    expect([status, told]).toEqual([
      2,
      `virtlab: ${inFolder("good.md")}: exists and is no page of virtlab; --force replaces it\n`,
    ]);
    expect(readFileSync(inFolder("good.md"), "utf8")).toBe("my own text");
    expect((await exported([file], { to: "md", force: true })).status).toBe(0);
    expect((await exported([file], { to: "md" })).status).toBe(0);
    mkdirSync(inFolder("other"));
    writeFileSync(inFolder("other/good.ipynb"), readFileSync(file));
    expect((await exported([file, inFolder("other/good.ipynb")], { out: folder })).told).toMatch(/would be saved over/);
    expect((await exported([file], { out: file })).told).toMatch(/good\.ipynb: cannot be made a folder: /);
  });

  it("is noticed before a run where nothing may be written", (context) => {
    const closed = inFolder("closed");
    mkdirSync(closed);
    writeFileSync(join(closed, "n.ipynb"), readFileSync(good()));
    chmodSync(join(closed, "n.ipynb"), 0o644);
    chmodSync(closed, 0o555);
    chmodSync(folder, 0o755);
    const main = join(packageRoot, "dist/cli/main.js");
    // Who may do everything has to become somebody else first.
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const look = spawnSync(process.execPath, ["-e", `require("fs").accessSync(${JSON.stringify(main)})`], user);
    if (look.status !== 0) return context.skip("nobody else may read this package");
    for (const args of [
      ["notebook", "run", join(closed, "n.ipynb")],
      ["notebook", "export", "--run", join(closed, "n.ipynb")],
      ["notebook", "new", join(closed, "other")],
    ]) {
      const { status, stderr } = spawnSync(process.execPath, [main, ...args], { ...user, cwd: "/", encoding: "utf8" });
      expect(stderr).toMatch(/^virtlab: [^\n]*: cannot be written: permission denied\n$/);
      expect(status).toBe(2);
    }
    expect(readdirSync(closed)).toEqual(["n.ipynb"]);
    chmodSync(closed, 0o755);
  });
});
