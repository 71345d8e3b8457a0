// Pages of notebooks with a real kernel and a real browser: every notebook of the package exported and reproduced, and the
// scrubber in an exported page, under the page's own security policy.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { runNotebooks } from "../../src/cli/notebook.js";
import { newNotebook } from "../../src/cli/notebook-new.js";
import { guest, Machine, scrubber, Timeline } from "../../src/index.js";
import { formatNotebook, type NotebookDocument, parseNotebook } from "../../src/notebook/document/notebook-document.js";
import { templateNames } from "../../src/notebook/document/templates.js";
import { notebookPage } from "../../src/notebook/export/page.js";
import { peer } from "../support/peers.js";
import { packageRoot } from "../support/virtlab.js";
import { exported, FIGURE, paper, reproduced, writeNotebook } from "../support/write-ups.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-pages-"));
beforeAll(() => {
  console.debug = () => {};
});
afterAll(() => rmSync(folder, { recursive: true }));

const inFolder = (name: string): string => join(folder, name);

describe("an exported page", () => {
  it("is run again with the same hashes, and what changed is told figure by figure", async () => {
    const file = writeNotebook(folder, "figure.ipynb", "# A figure?", FIGURE, "console.log('out')", "1 + 1");
    writeFileSync(inFolder("value.txt"), "1");
    const before = readFileSync(file, "utf8");
    const html = await exported([file], { run: true });
    expect(html).toEqual({ status: 0, told: `${file}: 3 of 3 cells run\n`, printed: `${inFolder("figure.html")}\n` });
    const md = await exported([file], { run: true, to: "md", out: inFolder("deep/pages") });
    expect(md.printed).toBe(`${inFolder("deep/pages/figure.md")}\n`);
    expect(readFileSync(file, "utf8")).toBe(before);
    expect(readdirSync(inFolder("deep/pages")).sort()).toEqual(["figure.md", "figure_files"]);
    expect(readdirSync(inFolder("deep/pages/figure_files"))).toEqual(["cell-2-1.svg"]);

    const same = await reproduced(inFolder("figure.html"));
    expect(same.status).toBe(0);
    expect(same.text).toMatch(
      /figure\.html: all 3 displays \(1 figure\) have the same hash\n {2}with the same versions: virtlab /,
    );
    expect(same.text).toContain("  cell 2  figure   a-figure  same hash (state 111111111111, data 111111111111)\n");
    expect(same.text).toMatch(/ {2}cell 3 {2}text {5}out {7}same hash \([0-9a-f]{12}\)\n/);

    writeFileSync(inFolder("value.txt"), "2");
    writeFileSync(inFolder("deep/pages/value.txt"), "2");
    const changed = await reproduced(inFolder("figure.html"), { json: true });
    expect(changed.status).toBe(1);
    const [result] = JSON.parse(changed.text);
    expect(result).toMatchObject({ same: false, versions: { before: result.versions.now } });
    expect(result.displays.map((one: { outcome: string }) => one.outcome)).toEqual(["changed", "same", "same"]);
    expect(result.displays[0]).toMatchObject({ kind: "figure", changes: ["data 111111111111 → 222222222222"] });
    const text = await reproduced(inFolder("deep/pages/figure.md"));
    expect(text.status).toBe(1);
    expect(text.text).toContain("figure.md: 1 of 3 displays (1 figure) differ\n");
    expect(text.text).toContain("  cell 2  figure   a-figure  changed: data 111111111111 → 222222222222\n");
  });

  it("of a notebook whose cell fails is written, with status 1; run again it fails in the same way", async () => {
    const file = writeNotebook(folder, "fails.ipynb", "1", "throw new Error('no')", "3");
    const { status, told } = await exported([file], { run: true });
    expect([status, told.split("\n")[1]]).toEqual([1, `virtlab: ${file}: cell 2 [2] failed: Error: no`]);
    expect((await reproduced(inFolder("fails.html"))).status).toBe(0);
  });
});

describe("a notebook with outputs", () => {
  it("tells what ran it while its source is what was run, and can be run again like a page", async () => {
    const file = writeNotebook(folder, "saved.ipynb", "1 + 1");
    expect(await runNotebooks([file], {}, paper().stream)).toBe(0);
    const saved = parseNotebook(readFileSync(file, "utf8"), file);
    const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
    expect(saved.metadata["virtlab"]).toMatchObject({ virtlab: version, node: process.version });
    expect(await reproduced(file)).toMatchObject({
      status: 0,
      text: expect.stringContaining("with the same versions"),
    });
    writeFileSync(file, formatNotebook({ ...saved, cells: [{ ...saved.cells[0]!, source: "1 + 2" }] }));
    const { status, text } = await reproduced(file);
    expect(status).toBe(1);
    expect(text).toContain("before by versions that are not known\n  cell 1  display  2  changed: text/plain\n");
  });
});

describe("every notebook of the package", () => {
  const notebooks = readdirSync(join(packageRoot, "notebooks")).filter((name) => name.endsWith(".ipynb"));

  it.each(notebooks)("%s is exported as a page that reproduces with the same hashes", async (name) => {
    const out = inFolder("pages");
    const file = join(packageRoot, "notebooks", name);
    expect((await exported([file], { run: true, out })).status).toBe(0);
    const page = join(out, name.replace(".ipynb", ".html"));
    const { status, text } = await reproduced(page);
    expect(text).toMatch(/: all \d+ displays \(\d+ figures?\) have the same hash\n/);
    expect(status).toBe(0);
    writeFileSync(page, readFileSync(page, "utf8").replace("assert", "assure"));
    expect(await reproduced(page)).toMatchObject({
      status: 2,
      told: expect.stringContaining("changed since it was made"),
    });
  });

  it.each(templateNames)("and one from the template %s runs as it is, and reproduces as Markdown", async (template) => {
    await newNotebook(inFolder(template), { template }, paper().stream, paper().stream);
    expect(await exported([inFolder(`${template}.ipynb`)], { run: true, to: "md" })).toMatchObject({ status: 0 });
    expect((await reproduced(inFolder(`${template}.md`))).status).toBe(0);
  });
});

describe("a scrubber in an exported page", () => {
  const start = Machine.boot({ image: guest("rings"), memory: "16M" });
  const timeline = new Timeline(start);
  timeline.forward(1_000_000);
  timeline.goto(14_450);
  const file = inFolder("scrubber.html");
  let browser: Browser | undefined;

  beforeAll(() => {
    const attack = "document.documentElement.dataset.attacked = 1";
    const hostile = `<script>${attack}</script><img src=x onerror="${attack}"><div class="vl-scrubber"><script type="application/json">{"places":1e9}</script><script>${attack}</script></div>`;
    const outputs = [scrubber(timeline, { from: 14_400, to: 14_500 }).html, hostile].map((html) => ({
      output_type: "display_data",
      data: { "text/html": html, "text/plain": "scrubber" },
      metadata: {},
    }));
    const cells = [
      { id: "a", cell_type: "code" as const, metadata: {}, source: "scrubber(timeline)", execution_count: 1, outputs },
    ];
    const notebook: NotebookDocument = { cells, metadata: {} };
    writeFileSync(file, notebookPage(notebook, { name: "scrubber.ipynb" }));
  });
  afterAll(() => browser?.close());

  /** The page in a browser of its own that notes every request and everything the page complains about. */
  async function opened(
    context: TestContext,
    options: Parameters<Browser["newPage"]>[0],
    check: (page: Page) => Promise<void>,
  ) {
    const args = [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
    ];
    browser ??= await chromium.launch({
      executablePath: peer(context, "chromium"),
      args: [...args, "--disable-component-update", "--disable-sync"],
    });
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, ...options });
    const [requests, complaints]: [string[], string[]] = [[], []];
    page.on("request", (request) => requests.push(request.url()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await page.goto(pathToFileURL(file).href);
    await check(page);
    await page.close();
    return { requests, complaints };
  }

  const placeOf = (page: Page) => page.getByRole("slider").getAttribute("aria-valuetext");
  /** What the panel shows, without the buttons. */
  const panelOf = async (page: Page) =>
    (await page.locator(".vl-scrubber .box").first().innerText()).replace(/place [\d,]+ of [\d,]+/, "");
  const register = (page: Page, name: string) =>
    page
      .locator(".registers tr", { has: page.locator(`th:text-is("${name}")`) })
      .locator("td")
      .first();

  it("shows another place when it is dragged, the machine's own registers there, and goes back", async (context) => {
    const { requests, complaints } = await opened(context, {}, async (page) => {
      const slider = page.getByRole("slider", { name: "Place in the timeline" });
      expect(await placeOf(page)).toMatch(/^step 14,450, /);
      const before = await panelOf(page);
      const { x, y, width, height } = (await slider.boundingBox())!;
      await page.mouse.move(x + width / 2, y + height / 2);
      await page.mouse.down();
      await page.mouse.move(x + width * 0.25, y + height / 2, { steps: 5 });
      await page.mouse.move(x + width * 0.2, y + height / 2, { steps: 5 });
      await page.mouse.up();
      const step = Number(/^step ([\d,]+),/.exec((await placeOf(page))!)![1]!.replaceAll(",", ""));
      expect(step).toBeGreaterThan(14_410);
      expect(step).toBeLessThan(14_430);
      const { registers } = timeline.goto(step);
      for (const name of ["eax", "esp", "eip"] as const)
        expect(await register(page, name).innerText()).toBe(registers[name].toString(16).padStart(8, "0"));
      expect(await panelOf(page)).not.toBe(before);
      await page.keyboard.press("Control+z");
      expect(await placeOf(page)).toMatch(/^step 14,450, /);
      expect(await panelOf(page)).toBe(before);
    });
    // The file itself, and nothing else; not one word about the security policy but for what the attacks tried.
    expect(requests.filter((url) => !url.startsWith("data:"))).toEqual([pathToFileURL(file).href]);
    expect(complaints).toEqual([]);
  });

  it("is moved by keys, and by its buttons, with the focus seen", async (context) => {
    await opened(context, {}, async (page) => {
      await page.getByRole("slider").focus();
      const press = async (key: string) => {
        await page.keyboard.press(key);
        return placeOf(page);
      };
      expect(await press("ArrowRight")).toMatch(/^step 14,451, /);
      expect(await press("ArrowDown")).toMatch(/^step 14,450, /);
      expect(await press("PageUp")).toMatch(/^step 14,460, /);
      expect(await press("Home")).toMatch(/^step 14,400, /);
      expect(await press("End")).toMatch(/^step 14,500, /);
      const outline = await page.getByRole("slider").evaluate((element) => getComputedStyle(element).outlineStyle);
      expect(outline).toBe("solid");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      expect(await placeOf(page)).toMatch(/^step 14,400, /);
      expect(await page.getByRole("button", { name: "First place" }).isDisabled()).toBe(true);
      await page.getByRole("button", { name: "One place forward" }).click();
      expect(await placeOf(page)).toMatch(/^step 14,401, /);
    });
  });

  it("plays by itself to the end, and can be paused", async (context) => {
    await opened(context, {}, async (page) => {
      await page.getByRole("slider").focus();
      await page.keyboard.press("Home");
      await page.keyboard.press("Space");
      await page.getByRole("button", { name: "Pause" }).waitFor();
      await expect.poll(() => placeOf(page), { timeout: 30_000 }).toMatch(/^step 14,40[3-9], /);
      await page.getByRole("button", { name: "Pause" }).click();
      const paused = await placeOf(page);
      await page.waitForTimeout(700);
      expect(await placeOf(page)).toBe(paused);
      await page.keyboard.press("Space");
      await page.getByRole("slider").focus();
      await page.keyboard.press("End");
      expect(await placeOf(page)).toMatch(/^step 14,500, /);
    });
  });

  it("runs nothing that came with an output, and needs no script to show the cursor's place", async (context) => {
    await opened(context, {}, async (page) => {
      expect(await page.locator("html").getAttribute("data-attacked")).toBeNull();
      expect(await page.getByRole("slider").count()).toBe(1);
    });
    await opened(context, { javaScriptEnabled: false }, async (page) => {
      const text = await page.locator(".vl-scrubber .box").first().innerText();
      expect(text).toMatch(/step 14,450/);
      expect(text).toMatch(/steps 14,400 to 14,500/);
      expect(await page.getByRole("slider").count()).toBe(0);
    });
  });

  it.for([
    { width: 1200, colorScheme: "light" },
    { width: 1200, colorScheme: "dark" },
    { width: 390, colorScheme: "light" },
    { width: 390, colorScheme: "dark" },
  ] as const)(
    "fits into $width pixels and can be read in $colorScheme colours",
    async ({ width, colorScheme }, context) => {
      await opened(context, { viewport: { width, height: 800 }, colorScheme }, async (page) => {
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        const box = (await page.locator(".vl-scrubber").first().boundingBox())!;
        expect(box.x + box.width).toBeLessThanOrEqual(width);
        for (const button of await page.locator(".vl-scrubber button").all()) {
          const { width: across, height } = (await button.boundingBox())!;
          expect(Math.min(across, height)).toBeGreaterThanOrEqual(24);
        }
        const [ink, paper_] = await page.evaluate(() => {
          const lightness = (colour: string) =>
            (colour.match(/[\d.]+/g) ?? []).slice(0, 3).reduce((sum, one) => sum + Number(one), 0);
          return [
            lightness(getComputedStyle(document.body).color),
            lightness(getComputedStyle(document.body).backgroundColor),
          ];
        });
        expect(Math.sign(ink! - paper_!)).toBe(colorScheme === "dark" ? 1 : -1);
      });
    },
  );
});
