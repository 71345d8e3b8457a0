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

/** Why a browser is not let in, and how it is, as a page. */
export function refusalPage(why: string): Answer {
  const style = `
    :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
    body { display: grid; place-items: center; min-height: 90vh; margin: 0 1.5rem }
    main { max-width: 34rem } h1 { font-size: 1.4rem; font-weight: 600 }
    input, button { font: inherit; padding: .4rem .6rem } input { width: 100%; box-sizing: border-box }
    form { display: grid; grid-template-columns: 1fr auto; gap: .5rem }`;
  const body = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>virtlab</title>
<style>${style}</style></head>
<body><main>
<h1>This page needs its token</h1>
<p>${why[0]!.toUpperCase()}${why.slice(1)}. Open the address that <code>virtlab lab</code> printed, or enter the part behind
<code>token=</code> here.</p>
<form action="/lab"><input name="token" aria-label="token" autocomplete="off" required><button>Open</button></form>
</main></body>
</html>
`;
  const policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'self'";
  return {
    status: 403,
    headers: { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy },
    body,
  };
}
