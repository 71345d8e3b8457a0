// Figures and progress in the pages of a real JupyterLab 4 and a real Notebook 7, with the kernel and the Plotly renderer
// as `virtlab kernelspec install --with-plotly` has installed them.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startBrowser } from "../support/browser-page.js";
import { colorsInside } from "../support/browser-pixels.js";
import { jupyterWithKernel, startJupyterServer, writeNotebook } from "../support/jupyter.js";
import { findPeer, peer } from "../support/peers.js";

const LONG = { timeout: 120_000 };

let browser: Browser | undefined;
beforeAll(async () => {
  const chromium = findPeer("chromium");
  if (chromium !== undefined) browser = await startBrowser(chromium);
});
afterAll(async () => browser?.close());

const bars = `({ [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "bars", "application/vnd.plotly.v1+json": {
  data: ["one", "two", "three", "four", "five", "six"].map((name, i) => ({ type: "bar", name, x: [name], y: [i + 5] })),
  layout: { showlegend: false, height: 300 } } }) })`;

/** Goes on when the file is there: what is seen before has left a kernel that is busy. */
const busy = (file: string): string => `import { existsSync } from "node:fs";
import { assemble, Machine, progress } from "virtlab";
const bar = progress("busy");
Machine.boot({ image: assemble("jmp $").bytes }).run({ maxInstructions: 2 ** 21, onProgress: (word) => {
  bar(word);
  while (word.done > 0 && !existsSync(${JSON.stringify(file)}));
} }).steps`;

const figure = (page: Page): Locator => page.locator(".js-plotly-plot").first();
const axes = (page: Page): Locator => figure(page).locator(".nsewdrag").first();
const outputs = (page: Page, index: number): Locator =>
  page.locator(".jp-Notebook .jp-CodeCell").nth(index).locator(".jp-OutputArea-output");

async function chooseMenu(page: Page, menu: string, ...items: (string | RegExp)[]): Promise<void> {
  await page.locator(".lm-MenuBar-item", { hasText: menu }).first().click();
  for (const [index, item] of items.entries()) {
    const entry = page.locator(".lm-Menu").nth(index).locator(".lm-Menu-item", { hasText: item }).first();
    await (index < items.length - 1 ? entry.hover(LONG) : entry.click(LONG));
  }
}

/** What stands at the pointer when it is in the middle of the axes. */
async function textAtPointer(page: Page): Promise<string> {
  const box = (await axes(page).boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height - 8);
  await page.mouse.move(box.x + box.width * 0.42, box.y + box.height - 10);
  return (await figure(page).locator(".hoverlayer").allTextContents()).join("");
}

describe.each([
  ["JupyterLab", "jupyter-lab"],
  ["Notebook", "jupyter-notebook"],
] as const)("%s", (_, name) => {
  it("draws a figure that reacts, fits its room and follows the theme, and shows progress of a busy kernel", async (context) => {
    peer(context, "chromium");
    const jupyter = await jupyterWithKernel(context, ["--with-plotly"]);
    const server = await startJupyterServer(jupyter, name);
    const window = await browser!.newContext({ viewport: { width: 1300, height: 900 } });
    try {
      const file = path.join(jupyter.folder, "figure.ipynb");
      const goOn = path.join(jupyter.folder, "go-on");
      writeNotebook(file, [bars, busy(goOn)]);
      const page = await window.newPage();
      const failed: string[] = [];
      page.on("response", (response) => {
        if (response.status() >= 400 && response.url().includes("virtlab")) failed.push(response.url());
      });
      await page.goto(server.address("figure.ipynb"));
      await outputs(page, 0)
        .first()
        .waitFor({ state: "detached", ...LONG });
      await page.locator(".jp-Notebook .jp-CodeCell").first().click(LONG);
      await chooseMenu(page, "Run", /^Run All Cells$/);

      await axes(page).waitFor(LONG);
      expect((await colorsInside(page, axes(page))).length).toBeGreaterThan(5);
      await expect.poll(() => textAtPointer(page), LONG).toMatch(/three|two/);

      const progressbar = outputs(page, 1).locator("[role=progressbar]");
      await expect.poll(() => progressbar.getAttribute("aria-valuenow"), LONG).toBe("50");
      expect(await outputs(page, 1).first().textContent()).toMatch(/^busy50 %1,048,576 of 2,097,152 steps/);
      writeFileSync(goOn, "");
      await expect
        .poll(() => outputs(page, 1).allTextContents(), LONG)
        .toEqual([
          expect.stringMatching(/^✓busy2,097,152 steps · [\d.]+ ms of machine time$/),
          expect.stringContaining("2097152"),
        ]);

      const wide = (await figure(page).boundingBox())!.width;
      await page.setViewportSize({ width: 900, height: 900 });
      await expect
        .poll(async () => (await figure(page).locator(".main-svg").first().boundingBox())!.width, LONG)
        .toBeLessThan(wide - 100);

      const ink = (): Promise<string> =>
        figure(page)
          .locator(".xtick text")
          .first()
          .evaluate((text) => getComputedStyle(text).fill);
      const light = await ink();
      await chooseMenu(page, "Settings", /^Theme$/, /^JupyterLab Dark$/);
      await expect.poll(ink, LONG).not.toBe(light);
      expect((await colorsInside(page, axes(page))).length).toBeGreaterThan(5);

      await page.keyboard.press("Control+S");
      await expect.poll(() => readFileSync(file, "utf8"), LONG).toContain("2,097,152 steps");
      expect(readFileSync(file, "utf8")).not.toMatch(/steps\/s|progressbar/);
      await page.reload();
      await axes(page).waitFor(LONG);
      expect((await colorsInside(page, axes(page))).length).toBeGreaterThan(5);
      await expect.poll(() => textAtPointer(page), LONG).toMatch(/three|two/);
      expect(failed).toEqual([]);
    } finally {
      await window.close();
      await server.close();
      jupyter.remove();
    }
  });
});
