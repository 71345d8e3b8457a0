/** Answers over HTTP: the headers that all of them have, JSON, files and errors. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { errorResponse, type HubResponse } from "./rest.js";

/** In every answer: no guessing of types, no framing by other pages, no address (with its token) told to other servers. */
export const COMMON_HEADERS: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "frame-ancestors 'self'; base-uri 'self'; object-src 'none'",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Sends an answer; a request by HEAD gets its headers alone. */
export function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  const hasBody = status !== 204 && status !== 304;
  const length = hasBody ? { "Content-Length": String(body === undefined ? 0 : Buffer.byteLength(body)) } : {};
  response.writeHead(status, { ...COMMON_HEADERS, "Cache-Control": "no-store", ...length, ...headers });
  response.end(request.method === "HEAD" || !hasBody ? undefined : body);
}

/** The hub's answer as HTTP. */
export function hubAnswer({ status, body, file, headers }: HubResponse): Answer {
  if (file !== undefined) return { status, headers: { "Content-Type": file.type, ...headers }, body: file.bytes };
  if (body === undefined) return { status, ...(headers === undefined ? {} : { headers }) };
  return { status, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
}

/** An error in the form of Jupyter Server's. */
export function errorAnswer(status: number, message: string): Answer {
  return hubAnswer(errorResponse(status, message));
}
