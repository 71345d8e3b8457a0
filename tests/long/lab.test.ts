// The lab page in a real browser: everything that a reader does in it.
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { code, type Lab, startBrowser, startLab, text } from "../support/browser-page.js";
import { colorsInside } from "../support/browser-pixels.js";
import { findPeer, peer } from "../support/peers.js";
import { packageRoot } from "../support/virtlab.js";

const LONG = { timeout: 120_000 };

let browser: Browser;
let lab: Lab;

beforeAll(async () => {
  const chromium = findPeer("chromium");
  if (chromium !== undefined) browser = await startBrowser(chromium);
});
afterAll(async () => browser?.close());
beforeEach(async (context) => {
  peer(context, "chromium");
  lab = await startLab(browser);
});
afterEach(async () => lab?.close());

const cell = (page: Page, index: number): Locator => page.locator(".jp-Notebook .jp-Cell").nth(index);
const output = (page: Page, index: number): Locator => cell(page, index).locator(".jp-OutputArea-output");
const shown = async (page: Page, index: number): Promise<string> =>
  (await output(page, index).allTextContents()).join("\n").trim();

/** Runs a cell and waits until it has run. */
async function run(page: Page, index: number): Promise<void> {
  const count = cell(page, index).locator(".count");
  const before = await count.textContent();
  await cell(page, index).locator(".cm-content").click();
  await page.keyboard.press("Control+Enter");
  await expect.poll(async () => count.textContent(), LONG).not.toBe(before);
  await expect.poll(async () => count.textContent(), LONG).toMatch(/^\d+$/);
  // The kernel drops what comes before it has said that a cell failed.
  await page.waitForSelector(".kernel-state.idle", LONG);
}

async function replaceCode(page: Page, index: number, source: string): Promise<void> {
  await cell(page, index).locator(".cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(source);
}

const saved = (page: Page): Promise<unknown> => page.waitForSelector(".save-state.saved", LONG);

describe("the lab page", () => {
  it("opens, edits, completes, runs, saves, and after a reload everything is there", async () => {
    lab.write("10-first.ipynb", [text("t", "# A *first* question\n\n## Part one"), code("a", "1 + 1"), code("b", "")]);
    const { page, troubles } = await lab.open("10-first.ipynb");
    await expect.poll(() => page.title()).toBe("A first question · virtlab");
    await replaceCode(page, 1, "const numbers = [3, 1, 2];\nnumbers.sort().map((n) => n * 21)");
    await run(page, 1);
    expect(await shown(page, 1)).toContain("[ 21, 42, 63 ]");

    await replaceCode(page, 2, "numbers.leng");
    await page.keyboard.press("Tab");
    // The only completion is taken at once; of several one is chosen.
    const completer = page.locator(".jp-Completer:not(.lm-mod-hidden)");
    await expect
      .poll(async () => (await cell(page, 2).textContent())?.includes("numbers.length") || completer.isVisible(), LONG)
      .toBeTruthy();
    if (await completer.isVisible()) await page.keyboard.press("Enter");
    await expect.poll(() => cell(page, 2).locator(".cm-content").textContent()).toBe("numbers.length");
    await page.keyboard.press("Shift+Enter");
    await expect.poll(() => shown(page, 2), LONG).toBe("3");

    await page.keyboard.press("Control+S");
    await saved(page);
    const file = lab.read("10-first.ipynb");
    expect(file.cells[2]).toMatchObject({ source: "numbers.length", outputs: [{ data: { "text/plain": "3" } }] });

    await page.reload();
    await page.waitForSelector(".kernel-state.idle", LONG);
    expect(await shown(page, 1)).toContain("[ 21, 42, 63 ]");
    expect(await cell(page, 2).locator(".cm-content").textContent()).toBe("numbers.length");
    // The kernel is still the same one.
    await run(page, 2);
    expect(await shown(page, 2)).toBe("3");
    await expect.poll(() => page.locator(".outline .ring.done").count()).toBe(1);
    expect(troubles).toEqual([]);
  });

  it("runs all cells, interrupts a busy loop, and restarts", async () => {
    // Nothing is put out during a busy loop; a file tells that it has begun.
    const loop = 'import { writeFileSync } from "node:fs";\nwriteFileSync("begun", "");\nfor (;;) {}';
    lab.write("a.ipynb", [text("t", "# A"), code("a", "const a = 1;\na"), code("b", loop), code("c", "a + 1")]);
    const { page, troubles } = await lab.open("a.ipynb");
    await page.click('[data-command="run-all"]');
    await expect.poll(() => existsSync(path.join(lab.folder, "begun")), LONG).toBe(true);
    await page.waitForSelector(".kernel-state.busy");
    await cell(page, 2).locator(".mod-running").waitFor(LONG);
    await page.click('[data-command="interrupt"]');
    await page.waitForSelector(".kernel-state.idle", LONG);
    expect(await shown(page, 2)).toMatch(/interrupted/i);
    // What waited behind it did not run.
    expect(await shown(page, 3)).toBe("");

    await run(page, 3);
    expect(await shown(page, 3)).toBe("2");
    await page.click('[data-command="restart"]');
    await page.click("dialog .primary");
    await page.waitForSelector(".kernel-state.restarting");
    await page.waitForSelector(".kernel-state.idle", LONG);
    await run(page, 3);
    expect(await shown(page, 3)).toContain("Cannot find name 'a'");
    expect(troubles).toEqual([]);
  });

  it("marks what the compiler refuses, and the line that throws", async () => {
    const refused = "const right = 1;\nconst wrong: string = 12;";
    lab.write("a.ipynb", [
      code("a", refused),
      code("b", 'const f = () => {\n  throw new RangeError("too far");\n};\nf();'),
    ]);
    const { page, troubles } = await lab.open("a.ipynb");
    await run(page, 0);
    expect(await cell(page, 0).locator(".cm-lintRange-error").textContent()).toBe("wrong");
    expect(await output(page, 0).locator("strong").textContent()).toContain("TypeScriptError");
    await run(page, 1);
    await expect
      .poll(() => cell(page, 1).locator(".cm-lintRange-error").first().textContent())
      .toMatch(/throw|RangeError/);
    expect(await shown(page, 1)).toContain("RangeError: too far");
    await saved(page);
    expect(lab.read("a.ipynb").cells[1]!.outputs).toMatchObject([{ output_type: "error", ename: "RangeError" }]);

    // A place in the trace leads to its line.
    await output(page, 0).locator(".place").first().click();
    await page.keyboard.press("End");
    await page.keyboard.insertText(" // here");
    expect(await cell(page, 0).locator(".cm-line").nth(1).textContent()).toContain("// here");
    expect(troubles).toEqual([]);
  });

  it("tells what a name is", async () => {
    lab.write("a.ipynb", [code("a", 'const answer = 42;\nconsole.log("x".repeat(answer))')]);
    const { page, troubles } = await lab.open("a.ipynb");
    await cell(page, 0).locator(".cm-content").click();
    await page.keyboard.press("Control+Home");
    for (let step = 0; step < 9; step++) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Shift+Tab");
    await expect.poll(() => page.locator(".jp-Tooltip").textContent(), LONG).toContain("const answer: 42");
    expect(troubles).toEqual([]);
  });

  it("draws figures that can be used, in both themes and at any width", async () => {
    const figure = {
      data: [0, 1, 2, 3, 4, 5, 6].map((index) => ({ type: "bar", x: [index], y: [index + 1], name: `bar ${index}` })),
      layout: { title: { text: "Seven colours" }, height: 360, xaxis: { title: { text: "x" } } },
    };
    const source = `({ [Symbol.for("Jupyter.display")]: () => ({ "application/vnd.plotly.v1+json": ${JSON.stringify(figure)}, "text/plain": "seven bars" }) })`;
    lab.write("a.ipynb", [text("t", "# A figure"), code("a", source)]);
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, troubles, context } = await lab.open("a.ipynb", { colorScheme });
      await run(page, 1);
      const plot = cell(page, 1).locator(".plotly-output .nsewdrag").first();
      await plot.waitFor(LONG);
      await expect.poll(async () => (await colorsInside(page, plot)).length, LONG).toBeGreaterThan(5);
      await plot.hover();
      await page.waitForSelector(".hovertext", LONG);
      const width = () =>
        output(page, 1)
          .locator("svg.main-svg")
          .first()
          .evaluate((svg) => svg.clientWidth);
      const wide = await width();
      await page.setViewportSize({ width: 700, height: 900 });
      await expect.poll(width, LONG).toBeLessThan(wide);
      expect(troubles).toEqual([]);
      await saved(page);
      await context.close();
    }
  });

  it("shows a notebook's own figure with more than five colours inside its axes", async () => {
    const tour = JSON.parse(readFileSync(path.join(packageRoot, "notebooks/00-tour.ipynb"), "utf8"));
    writeFileSync(path.join(lab.folder, "00-tour.ipynb"), JSON.stringify(tour));
    const { page, troubles } = await lab.open("00-tour.ipynb");
    await page.click('[data-command="run-all"]');
    await page.waitForSelector(".kernel-state.busy", LONG);
    await page.waitForSelector(".kernel-state.idle", { timeout: 300_000 });
    expect(await page.locator(".error-output").count()).toBe(0);
    const plot = page.locator(".plotly-output .nsewdrag").last();
    await plot.scrollIntoViewIfNeeded();
    await expect.poll(async () => (await colorsInside(page, plot)).length, LONG).toBeGreaterThan(5);
    await page.waitForSelector('.notebook[aria-current="page"] .ring.done', LONG);
    expect(troubles).toEqual([]);
  });

  it("says when the kernel has ended and starts a new one", async () => {
    lab.write("a.ipynb", [code("a", "process.exit(3)"), code("b", "6 * 7")]);
    const { page } = await lab.open("a.ipynb");
    await cell(page, 0).locator(".cm-content").click();
    await page.keyboard.press("Control+Enter");
    const notice = page.locator('[data-notice="kernel"]');
    await notice.waitFor(LONG);
    expect(await notice.textContent()).toContain("The kernel ended with status 3");
    await notice.getByRole("button", { name: "Start a new one" }).click();
    await page.waitForSelector(".kernel-state.idle", LONG);
    await expect.poll(() => notice.count()).toBe(0);
    await run(page, 1);
    expect(await shown(page, 1)).toBe("42");
  });

  it("says when the server has started a kernel anew that had ended", async () => {
    await lab.close();
    lab = await startLab(browser, { autorestart: true });
    lab.write("a.ipynb", [code("a", "const a = 41;"), code("b", "process.exit(3)"), code("c", "a + 1")]);
    const { page, troubles } = await lab.open("a.ipynb");
    await run(page, 0);
    await cell(page, 1).locator(".cm-content").click();
    await page.keyboard.press("Control+Enter");
    const notice = page.locator('[data-notice="death"]');
    await notice.waitFor(LONG);
    await page.waitForSelector(".kernel-state.idle", LONG);
    expect(await page.locator(".jp-Dialog").count()).toBe(0);
    await run(page, 2);
    expect(await shown(page, 2)).toContain("Cannot find name 'a'");
    await run(page, 0);
    await run(page, 2);
    expect(await shown(page, 2)).toBe("42");
    expect(troubles).toEqual([]);
  });

  it("warns of a file that has changed on disk, and does what one answers", async () => {
    const other = "// from elsewhere";
    const changeOnDisk = () => {
      lab.write("a.ipynb", [code("a", other)]);
      // Clocks of file systems can be coarse.
      utimesSync(path.join(lab.folder, "a.ipynb"), new Date(), new Date(Date.now() + 5000));
    };
    for (const answer of ["Overwrite", "Reload", "Keep"]) {
      lab.write("a.ipynb", [code("a", "// as it was")]);
      const { page, context, troubles } = await lab.open("a.ipynb");
      changeOnDisk();
      await replaceCode(page, 0, "// mine");
      const notice = page.locator('[data-notice="file"]');
      await notice.waitFor(LONG);
      await notice.getByRole("button", { name: new RegExp(`^${answer}`) }).click();
      await expect.poll(() => notice.count()).toBe(0);
      const source = () => cell(page, 0).locator(".cm-content").textContent();
      if (answer === "Keep") {
        expect(await page.locator(".save-state").textContent()).toBe("Conflict");
        expect([await source(), lab.read("a.ipynb").cells[0]!.source]).toEqual(["// mine", other]);
      } else {
        await saved(page);
        const expected = answer === "Overwrite" ? "// mine" : other;
        await expect.poll(source).toBe(expected);
        expect(lab.read("a.ipynb").cells[0]!.source).toBe(expected);
      }
      expect(troubles).toEqual([]);
      await context.close();
    }
  });

  it("takes 20,000 lines of output and can still be used", async () => {
    lab.write("a.ipynb", [
      code("a", 'for (let i = 1; i <= 20_000; i++) console.log("line " + i);'),
      code("b", "1 + 2"),
    ]);
    const { page, troubles } = await lab.open("a.ipynb");
    await run(page, 0);
    await page.waitForSelector(".kernel-state.idle", LONG);
    const lines = async () => ((await output(page, 0).locator("pre").textContent()) ?? "").trimEnd().split("\n");
    await expect.poll(async () => (await lines()).length, LONG).toBe(20_000);
    expect((await lines()).at(-1)).toBe("line 20000");
    await run(page, 1);
    expect(await shown(page, 1)).toBe("3");
    await saved(page);
    expect(troubles).toEqual([]);
  });

  it("says when the server does not answer, keeps what was typed, and saves it when the server is back", async () => {
    lab.write("a.ipynb", [code("a", "const kept = 1;"), code("b", "kept + 1")]);
    const { page } = await lab.open("a.ipynb");
    await run(page, 0);
    await saved(page);
    await lab.stopServer();
    await page.waitForSelector('[data-notice="kernel"]', LONG);
    await replaceCode(page, 1, "kept + 2");
    await page.waitForSelector(".save-state.failed", LONG);
    let asked = false;
    page.on("dialog", (dialog) => {
      asked = dialog.type() === "beforeunload";
      void dialog.dismiss();
    });
    await page.close({ runBeforeUnload: true });
    await expect.poll(() => asked, LONG).toBe(true);

    await lab.startServer();
    await saved(page);
    expect(lab.read("a.ipynb").cells[1]!.source).toBe("kept + 2");
    await page.waitForSelector(".kernel-state.idle", LONG);
    await run(page, 1);
    expect(await shown(page, 1)).toBe("3");
  });

  it("loads less than a megabyte before a notebook can be used, and Plotly only for a figure", async () => {
    lab.write("a.ipynb", [text("t", "# A"), code("a", "1")]);
    const { transferred, troubles } = await lab.open("a.ipynb");
    expect(transferred()).toBeGreaterThan(200_000);
    expect(transferred()).toBeLessThan(1_000_000);
    expect(troubles).toEqual([]);
  });

  it("keeps a notebook without changes as it is, and opens what is no notebook with a sentence", async () => {
    lab.write("a.ipynb", [text("t", "# A"), code("a", "1")]);
    const before = readFileSync(path.join(lab.folder, "a.ipynb"), "utf8");
    const { page, troubles, context } = await lab.open("a.ipynb");
    await page.keyboard.press("Control+S");
    await saved(page);
    expect(readFileSync(path.join(lab.folder, "a.ipynb"), "utf8")).toBe(before);
    expect(troubles).toEqual([]);
    await context.close();

    writeFileSync(path.join(lab.folder, "old.ipynb"), JSON.stringify({ nbformat: 3, worksheets: [], metadata: {} }));
    writeFileSync(path.join(lab.folder, "broken.ipynb"), "{");
    const second = await lab.open("");
    for (const name of ["old", "broken"]) {
      await second.page.click(`.outline a[href$="${name}.ipynb"]`);
      const sentence = second.page.locator(".stage [role=alert] p");
      await expect.poll(() => sentence.textContent(), LONG).toContain(`${name}.ipynb`);
    }
  });

  it("has the shortcuts of JupyterLab, a list of them, and a search", async () => {
    lab.write("a.ipynb", [text("t", "# A"), code("a", "1")]);
    const { page, troubles } = await lab.open("a.ipynb");
    const kinds = () =>
      page
        .locator(".jp-Notebook .jp-Cell")
        .evaluateAll((cells) =>
          cells.map((one) => (one.classList.contains("jp-CodeCell") ? "code" : "text")).join(" "),
        );
    await cell(page, 1).locator(".cm-content").click();
    await page.keyboard.press("Escape");
    await page.keyboard.press("b");
    await expect.poll(kinds).toBe("text code code");
    await page.keyboard.press("m");
    await expect.poll(kinds).toBe("text code text");
    await page.keyboard.press("y");
    await page.keyboard.press("a");
    await expect.poll(kinds).toBe("text code code code");
    // What is changed within half a second is undone as one.
    await page.waitForTimeout(800);
    await page.keyboard.press("d");
    await page.keyboard.press("d");
    await expect.poll(kinds).toBe("text code code");
    await page.keyboard.press("z");
    await expect.poll(kinds).toBe("text code code code");

    await page.keyboard.press("h");
    await page.waitForSelector("dialog.palette");
    await page.keyboard.insertText("restart run");
    expect(await page.locator('dialog [role="option"]').count()).toBe(1);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator("dialog").count()).toBe(0);

    await cell(page, 1).locator(".cm-content").click();
    await page.keyboard.press("Control+F");
    await page.waitForSelector(".jp-DocumentSearch-overlay");
    await page.keyboard.press("Escape");
    expect(troubles).toEqual([]);
  });

  it("follows the system's colours, can be switched, and remembers it", async () => {
    lab.write("a.ipynb", [text("t", "# A")]);
    const { page, troubles } = await lab.open("a.ipynb", { colorScheme: "dark" });
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(background).not.toBe(dark);
    const light = await background();
    const button = page.locator(".more button").first();
    await button.click();
    expect(await background()).toBe(light);
    await button.click();
    expect(await background()).toBe(dark);
    await page.reload();
    await page.waitForSelector(".jp-Notebook .jp-Cell");
    expect(await background()).toBe(dark);
    expect(troubles).toEqual([]);
  });
});
