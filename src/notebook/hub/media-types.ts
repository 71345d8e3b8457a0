/** Media types of files by the ends of their names. Source: IANA, "Media Types". */
import path from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".avif": "image/avif",
  ".c": "text/x-c",
  ".css": "text/css",
  ".csv": "text/csv",
  ".gif": "image/gif",
  ".h": "text/x-c",
  ".htm": "text/html",
  ".html": "text/html",
  ".ico": "image/x-icon",
  ".ipynb": "application/x-ipynb+json",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".map": "application/json",
  ".md": "text/markdown",
  ".mjs": "text/javascript",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ts": "text/x-typescript",
  ".ttf": "font/ttf",
  ".txt": "text/plain",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".xml": "application/xml",
};

/** The media type of a file; undefined when its name does not tell. */
export function mediaType(file: string): string | undefined {
  return TYPES[path.extname(file).toLowerCase()];
}

/** The same as a header: text is said to be UTF-8. */
export function contentType(file: string): string {
  const type = mediaType(file) ?? "application/octet-stream";
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}
