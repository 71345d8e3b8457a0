// The core in a browser: no module of Node.js gets into it, and the same machine has the same hashes there.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exercise } from "./support/browser-entry.js";
import { images } from "./support/guests.js";
import { peer } from "./support/peers.js";
import { runProcess } from "./support/processes.js";

/** What is used of vite, which vitest brings. */
interface Vite {
  build(config: object): Promise<{ readonly output: readonly { readonly code?: string }[] }[]>;
}

const folder = mkdtempSync(join(tmpdir(), "virtlab-browser-"));
afterAll(() => rmSync(folder, { recursive: true }));

const image = readFileSync(join(images, "rings.elf"));

/** The script of a page that does the exercise; modules of Node.js that it asks for are noted and left out. */
async function bundle(nodeModules: string[]): Promise<string> {
  const { build } = createRequire(require.resolve("vitest/package.json"))("vite") as Vite;
  const entry = join(folder, "entry.ts");
  writeFileSync(
    entry,
    `import { exercise } from ${JSON.stringify(join(__dirname, "support/browser-entry.ts"))};
    const out = document.getElementById("out");
    try {
      const image = Uint8Array.from(atob(document.getElementById("image").textContent), (c) => c.charCodeAt(0));
      out.textContent = JSON.stringify(exercise(image));
    } catch (error) {
      out.textContent = JSON.stringify({ error: String(error.stack) });
    }`,
  );
  const noteNodeModules = {
    name: "note-node-modules",
    enforce: "pre",
    resolveId(id: string, importer: string | undefined) {
      if (!isBuiltin(id)) return undefined;
      nodeModules.push(`${id} in ${importer}`);
      return { id, external: true };
    },
  };
  const results = await build({
    root: join(__dirname, ".."),
    configFile: false,
    publicDir: false,
    logLevel: "error",
    // As bundlers of web pages do; immer asks for it.
    define: { "process.env.NODE_ENV": '"production"' },
    plugins: [noteNodeModules],
    build: {
      write: false,
      minify: false,
      modulePreload: false,
      lib: { entry, formats: ["iife"], name: "page", fileName: "page" },
    },
  });
  return results.flatMap(({ output }) => output.map(({ code }) => code ?? "")).join("\n");
}

describe("the core in a browser", () => {
  const nodeModules: string[] = [];
  let script = "";
  beforeAll(async () => {
    script = await bundle(nodeModules);
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
    const { stdout, stderr } = await runProcess(chromium, [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      ...[`--user-data-dir=${join(folder, "profile")}`, "--dump-dom", pathToFileURL(page).href],
    ]);
    const text = /<pre id="out">([^<]*)<\/pre>/.exec(stdout)?.[1];
    if (text === undefined) throw new Error(`chromium showed no page: ${stderr.slice(-500)}`);
    const inBrowser = JSON.parse(text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"));
    const inNode = exercise(image);
    expect(inNode.serial).toContain("kernel: done");
    expect(inBrowser).toEqual(JSON.parse(JSON.stringify(inNode)));
  });
});
