/**
 * The notebook page in Chromium: how long until it can be used, how long until the first result, and how much it loads
 * for that. A fresh browser and a fresh kernel each time; the files come from this machine, so the network costs nothing.
 */
import { accessSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { row } from "./stats.mjs";

const section = "lab";
const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
const NOTEBOOK = "00-tour.ipynb";

const names = {
  interactive: "from the address to a notebook that can be edited",
  result: "from there to the result of its first cell, which imports the package",
  payload: "loaded before that, compressed",
};
const targets = { interactive: 3000, result: 2000, payload: 1_000_000 };

/**
 * @param context rounds, progress(text), wanted(section, name)
 * @returns rows of the table; none where there is no Chromium
 */
export async function lab({ rounds, progress, wanted }) {
  const parts = Object.keys(names).filter((part) => wanted(section, names[part]));
  if (parts.length === 0 || !exists(CHROMIUM)) return [];
  const samples = { interactive: [], result: [], payload: [] };
  for (let round = 0; round < rounds; round++) {
    progress(`${section}: page ${round + 1} of ${rounds}`);
    const measured = await openOnce();
    for (const [part, list] of Object.entries(samples)) list.push(measured[part]);
  }
  const unit = (part) => (part === "payload" ? "bytes" : "ms");
  return parts.map((part) => row(section, names[part], unit(part), samples[part], { atMost: targets[part] }));
}

async function openOnce() {
  const { chromium } = await import("playwright-core");
  const { Hub } = await import("../dist/notebook/hub/hub.js");
  const { startHttpServer } = await import("../dist/notebook/hub/http-server.js");
  const folder = mkdtempSync(join(tmpdir(), "virtlab-bench-"));
  cpSync(fileURLToPath(new URL(`../notebooks/${NOTEBOOK}`, import.meta.url)), join(folder, NOTEBOOK));
  const hub = new Hub(folder);
  const server = await startHttpServer({ hub, token: "bench", port: 0 });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    const transferred = watchTransfers(page);
    const start = performance.now();
    await page.goto(`http://127.0.0.1:${server.port}/lab/tree/${NOTEBOOK}?token=bench`, { waitUntil: "commit" });
    // A cell that can be clicked and typed into.
    const code = page.locator(".jp-CodeCell .cm-content").first();
    await code.click();
    const interactive = performance.now() - start;
    const payload = transferred();
    await page.keyboard.press("Control+Enter");
    await page.locator(".jp-CodeCell .jp-OutputArea-output").first().waitFor({ timeout: 60_000 });
    const result = performance.now() - start - interactive;
    return { interactive, result, payload };
  } finally {
    await browser.close();
    await server.close();
    await hub.dispose();
    rmSync(folder, { recursive: true });
  }
}

/** How many bytes of the page's own files have come, as they came. */
function watchTransfers(page) {
  let bytes = 0;
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    if (pathname.startsWith("/static/") || pathname.startsWith("/lab")) {
      bytes += Number(response.headers()["content-length"] ?? 0);
    }
  });
  return () => bytes;
}

function exists(file) {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}
