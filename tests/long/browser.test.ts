// Debian's kernels in Chromium: from the first instruction to an answer at the prompt, the same machines as in Node.js.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, describe, expect, it } from "vitest";
import type { BootOptions } from "../../src/hardware/boot/start.js";
import { type Boot, bootAndAsk } from "../support/browser-boot.js";
import { startBrowser } from "../support/browser-page.js";
import { browserScript } from "../support/browser-script.js";
import { debianBootOptions, debianCases, PROMPT } from "../support/debian.js";
import { peer } from "../support/peers.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-browser-"));
afterAll(() => rmSync(folder, { recursive: true }));

const LINE = "uname -rm; cat /proc/interrupts";

/** What runs in the page's worker, where a module of any size may be compiled at once. */
const worker = `
  import { bootAndAsk } from ${JSON.stringify(join(__dirname, "../support/browser-boot.ts"))};
  const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  self.onmessage = async ({ data: { options, prompt, line } }) => {
    try {
      const files = { image: await bytes("/image"), initrd: await bytes("/initrd") };
      self.postMessage(bootAndAsk({ ...options, ...files }, prompt, line));
    } catch (error) {
      self.postMessage({ error: String(error.stack) });
    }
  };`;

function serve(files: Readonly<Record<string, { readonly type: string; readonly body: string | Uint8Array }>>): Server {
  const server = createServer(({ url = "" }, response) => {
    const file = files[url];
    response.writeHead(file === undefined ? 404 : 200, { "Content-Type": file?.type ?? "text/plain" });
    response.end(file?.body);
  });
  return server.listen(0, "127.0.0.1");
}

/** The same, in a worker of a page that gets kernel and initrd from a server. */
async function inBrowser(browser: Browser, { image, initrd, ...options }: BootOptions): Promise<Boot> {
  const type = "application/octet-stream";
  const server = serve({
    "/": { type: "text/html", body: "<!doctype html><title>boot</title>" },
    "/worker.js": { type: "text/javascript", body: await browserScript(folder, worker, []) },
    "/image": { type, body: image! },
    "/initrd": { type, body: initrd! },
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const task = JSON.stringify({ options, prompt: PROMPT, line: LINE });
    return await page.evaluate<Boot>(`new Promise((resolve, reject) => {
      const worker = new Worker("/worker.js");
      worker.onmessage = ({ data }) => data.error === undefined ? resolve(data) : reject(new Error(data.error));
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(${task});
    })`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe.each(debianCases.slice(0, 2))("Debian's kernel $name in Chromium", (which) => {
  it("comes to its prompt and answers there with the hashes it has in Node.js", async (context) => {
    const browser = await startBrowser(peer(context, "chromium"));
    try {
      const options = debianBootOptions(context, which);
      const there = await inBrowser(browser, options);
      expect(there.serial).toMatch(/^6\.1\.0-\d+-\S+ (i686|x86_64)\r$/m);
      expect(there).toEqual(bootAndAsk(options, PROMPT, LINE));
    } finally {
      await browser.close();
    }
  });
});
