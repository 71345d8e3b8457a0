/** The lab in Debian's Chromium: a server on a folder of notebooks, and pages that note what goes wrong in them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { startHttpServer } from "../../src/notebook/hub/http-server.js";
import { Hub, type HubOptions } from "../../src/notebook/hub/hub.js";

const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

export const startBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({ executablePath, args: FLAGS });

/** A cell of a notebook file. */
export const code = (id: string, source: string): object => ({
  ...{ id, cell_type: "code", metadata: {}, source },
  ...{ execution_count: null, outputs: [] },
});

export const text = (id: string, source: string): object => ({ id, cell_type: "markdown", metadata: {}, source });

export interface Lab {
  readonly folder: string;
  /** Writes a notebook into the folder. */
  write(name: string, cells: readonly object[]): void;
  /** What the file says now, texts in one piece. */
  read(name: string): { cells: { id: string; source: string; outputs: unknown[] }[] };
  /** A new window on a notebook, once its kernel is ready. */
  open(name: string, options?: WindowOptions): Promise<LabWindow>;
  /** The server goes away while its kernels live on, and comes back at the same address. */
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
  close(): Promise<void>;
}

export interface WindowOptions {
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

export interface LabWindow {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console and of scripts, requests that failed, and requests to elsewhere. */
  readonly troubles: string[];
  /** How many bytes of the page's own files have come so far, as they came. */
  transferred(): number;
}

/** Notebook files have long texts as lists of lines. */
const joined = (_: string, value: unknown): unknown =>
  Array.isArray(value) && value.length > 0 && value.every((line) => typeof line === "string") ? value.join("") : value;

export async function startLab(browser: Browser, options: HubOptions = {}): Promise<Lab> {
  const folder = mkdtempSync(path.join(tmpdir(), "virtlab-lab-"));
  const hub = new Hub(folder, undefined, options);
  const serve = (port: number) => startHttpServer({ hub, token: "for-tests", port });
  let server = await serve(0);
  const origin = `http://127.0.0.1:${server.port}`;
  const metadata = {
    kernelspec: { display_name: "virtlab (TypeScript)", language: "typescript", name: "virtlab" },
    language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/x-typescript" },
  };
  return {
    folder,
    write(name, cells) {
      const notebook = { cells, metadata, nbformat: 4, nbformat_minor: 5 };
      writeFileSync(path.join(folder, name), JSON.stringify(notebook, null, 1));
    },
    read: (name) => JSON.parse(readFileSync(path.join(folder, name), "utf8"), joined),
    async open(name, { colorScheme = "light", width = 1366, height = 768 } = {}) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      const page = await context.newPage();
      const troubles: string[] = [];
      page.on("pageerror", (error) => troubles.push(`script: ${error.message}`));
      page.on("console", (message) => {
        if (message.type() === "error") troubles.push(`console: ${message.text()}`);
      });
      page.on("request", (request) => {
        const { protocol, host } = new URL(request.url());
        const own = host === `127.0.0.1:${server.port}` || protocol === "data:" || protocol === "blob:";
        if (!own) troubles.push(`elsewhere: ${request.url()}`);
      });
      let bytes = 0;
      page.on("response", (response) => {
        if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
        const { pathname } = new URL(response.url());
        if (/^\/(static|lab)\//.test(pathname)) bytes += Number(response.headers()["content-length"]);
      });
      await page.goto(`${origin}/lab/tree/${name}?token=for-tests`);
      if (name.endsWith(".ipynb")) await page.waitForSelector(".kernel-state.idle", { timeout: 90_000 });
      return { page, context, troubles, transferred: () => bytes };
    },
    stopServer: () => server.close(),
    async startServer() {
      server = await serve(server.port);
    },
    async close() {
      await server.close();
      await hub.dispose();
      rmSync(folder, { recursive: true });
    },
  };
}
