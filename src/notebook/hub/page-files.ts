/** The files of the page, as `npm run build` leaves them: the page itself with its configuration, and what it loads. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Answer, errorAnswer } from "./http-answer.js";
import { contentType } from "./media-types.js";

/** The folder of the built page; sources and built files lie equally deep below the package. */
export const PAGE_FOLDER = path.resolve(__dirname, "../../../dist/lab");

/** A name with a hash of the content in it, as esbuild makes them: what it names never changes. */
const HASHED = /[-.][0-9A-Z]{8}\.[^/]+$/i;

/** A file of the page by its name below the folder; its compressed twin where the client takes it. */
export async function pageFile(folder: string, name: string, acceptEncoding: string): Promise<Answer> {
  const file = path.resolve(folder, name);
  if (name.includes("\0") || !file.startsWith(folder + path.sep)) return notFound(name);
  const headers = {
    "Content-Type": contentType(file),
    "Cache-Control": HASHED.test(file) ? "private, max-age=31536000, immutable" : "no-cache",
    Vary: "Accept-Encoding",
  };
  const compressed = /\bgzip\b/.test(acceptEncoding) ? await read(`${file}.gz`) : undefined;
  if (compressed !== undefined) {
    return { status: 200, headers: { ...headers, "Content-Encoding": "gzip" }, body: compressed };
  }
  const body = await read(file);
  return body === undefined ? notFound(name) : { status: 200, headers, body };
}

/** The page with its configuration, where JupyterLab's own components look for it. */
export async function pageIndex(folder: string, config: Readonly<Record<string, unknown>>): Promise<Answer> {
  const text = await read(path.join(folder, "index.html"));
  if (text === undefined) return errorAnswer(503, "the page is not built; npm run build makes it");
  // A "<" could end the element.
  const json = JSON.stringify(config).replaceAll("<", "\\u003c");
  const block = `<script id="jupyter-config-data" type="application/json">${json}</script>`;
  const body = String(text).replace(/<head\b[^>]*>/i, (head) => `${head}\n${block}`);
  return { status: 200, headers: { "Content-Type": contentType("index.html") }, body };
}

async function read(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch {
    return undefined;
  }
}

function notFound(name: string): Answer {
  return errorAnswer(404, `${name}: no such file of the page`);
}
