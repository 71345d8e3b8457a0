// What browsers are given: the core, free of modules of Node.js and with the same hashes there, and notebook pages.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { notebookPage } from "../src/notebook/export/page.js";
import { exercise } from "./support/browser-entry.js";
import { browserScript } from "./support/browser-script.js";
import { documentOf } from "./support/chromium.js";
import { images } from "./support/guests.js";
import { peer } from "./support/peers.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-browser-"));
afterAll(() => rmSync(folder, { recursive: true }));

const image = readFileSync(join(images, "rings.elf"));

/** The script of a page that does the exercise; modules of Node.js that it asks for are noted and left out. */
function exerciseScript(nodeModules: string[]): Promise<string> {
  return browserScript(
    folder,
    `import { exercise } from ${JSON.stringify(join(__dirname, "support/browser-entry.ts"))};
    const out = document.getElementById("out");
    try {
      const image = Uint8Array.from(atob(document.getElementById("image").textContent), (c) => c.charCodeAt(0));
      out.textContent = JSON.stringify(exercise(image));
    } catch (error) {
      out.textContent = JSON.stringify({ error: String(error.stack) });
    }`,
    nodeModules,
  );
}

describe("the core in a browser", () => {
  const nodeModules: string[] = [];
  let script = "";
  beforeAll(async () => {
    script = await exerciseScript(nodeModules);
  });

  it("is bundled without a module of Node.js", () => {
    expect(nodeModules).toEqual([]);
    expect(script).not.toMatch(/\brequire\(["'`]|["'`]node:/);
  });

  it("runs a guest to the same hashes, output and events as in Node.js", async (context) => {
    const chromium = peer(context, "chromium");
    const page = join(folder, "page.html");
    const source = script.replaceAll("</script", "<\\/script");
    writeFileSync(
      page,
      `<!doctype html><meta charset="utf-8"><pre id="out">did not run</pre>
      <script type="text/plain" id="image">${image.toString("base64")}</script><script>${source}</script>`,
    );
    const text = /<pre id="out">([^<]*)<\/pre>/.exec(await documentOf(chromium, page, folder))?.[1] ?? "";
    const inBrowser = JSON.parse(text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"));
    const inNode = exercise(image);
    expect(inNode.serial).toContain("kernel: done");
    expect(inBrowser).toEqual(JSON.parse(JSON.stringify(inNode)));
  });
});

describe("a notebook page in a browser", () => {
  it("shows displays with a style of their own and runs nothing that a guest has put into its outputs", async (context) => {
    const chromium = peer(context, "chromium");
    const attack = "document.documentElement.dataset.attacked = 1";
    const hostile = `<script>${attack}</script><img src=x onerror="${attack}"><svg onload="${attack}"><script>${attack}</script></svg>
      <details open ontoggle="${attack}">a</details><input autofocus onfocus="${attack}"><style onload="${attack}">p {}</style>
      <iframe srcdoc="<script>parent.${attack}</script>"></iframe><form id="body"></form></template></div></main>`;
    const bundles = [
      { "text/html": hostile },
      { "text/html": `${hostile}<style>p { color: red }</style>` },
      {
        "image/svg+xml": `<svg xmlns="http://www.w3.org/2000/svg" onload="${attack}"><script>parent.${attack}</script></svg>`,
      },
      { "text/plain": hostile },
      { "text/markdown": hostile },
    ];
    const outputs = bundles.map((data) => ({ output_type: "display_data", data, metadata: {} }));
    const cells = [
      { id: "a", cell_type: "code" as const, metadata: {}, source: hostile, execution_count: 1, outputs },
      { id: "b", cell_type: "markdown" as const, metadata: {}, source: `# ${hostile}\n\n${hostile}` },
    ];
    const page = join(folder, "notebook.html");
    writeFileSync(page, notebookPage({ cells, metadata: {} }, { name: hostile, note: hostile }));
    const document = await documentOf(chromium, page, folder);
    expect(document.match(/<html[^>]*>/)?.[0]).toBe('<html lang="en">');
    // All of it is still where it belongs: one main part with the two cells, and the footer after it.
    expect(document).toMatch(/<main>[\s\S]*id="_cell-1"[\s\S]*class="text"[\s\S]*<\/main>\s*<footer>/);
    expect(document.match(/<section/g)).toHaveLength(2);
  });
});
