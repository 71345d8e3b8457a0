/**
 * The hub over HTTP and WebSockets on the loopback address, and the page. Every request must have the token.
 * Addresses, headers and statuses are those of Jupyter Server. Manual: Jupyter Server, "REST API".
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type Access, accessWith } from "./access.js";
import { channelSockets } from "./channel-sockets.js";
import { type Answer, errorAnswer, hubAnswer, refusalPage, send } from "./http-answer.js";
import type { Hub } from "./hub.js";
import { packageVersion } from "./package-version.js";
import { PAGE_FOLDER, pageFile, pageIndex } from "./page-files.js";
import { discardBody, readBody } from "./request-body.js";
import { decodePart, HubError, splitTarget } from "./rest.js";

const LOOPBACK = "127.0.0.1";

export interface ServerOptions {
  readonly hub: Hub;
  /** What requests must have in `Authorization: token …`, in `?token=…` or, from then on, in a cookie. */
  readonly token: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The folder of the built page. */
  readonly pageFolder?: string;
  /** More for the page to know, beside its addresses and the token. */
  readonly pageConfig?: Readonly<Record<string, unknown>>;
}

export interface HttpServer {
  readonly port: number;
  /** The page's address with the token. */
  readonly address: string;
  /** The page's address that opens once and does not tell the token. */
  ticketAddress(): string;
  /** Stops listening and closes all connections; the hub's kernels live on. */
  close(): Promise<void>;
}

/**
 * Starts the server.
 * @throws Error with the code EADDRINUSE or EACCES when the port cannot be had.
 */
export async function startHttpServer(options: ServerOptions): Promise<HttpServer> {
  const { hub, token } = options;
  const server = createServer();
  await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  const access = accessWith(token, port);
  const sockets = channelSockets(hub);
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    // Nobody is left to tell of what goes wrong while an answer is sent.
    respond(request, response, { ...options, access }).catch(() => response.destroy());
  server.on("request", answer);
  // Without this a client would be told to go on before anything is checked.
  server.on("checkContinue", answer);
  server.on("upgrade", (request, stream, head) => {
    stream.on("error", () => stream.destroy());
    const { refusal } = access.admit(request);
    if (refusal !== undefined) refuseUpgrade(stream, 403, "Forbidden");
    else if (!sockets.open(request, stream, head)) refuseUpgrade(stream, 404, "Not Found");
  });
  const page = `http://${LOOPBACK}:${port}/lab`;
  return {
    port,
    address: `${page}?token=${encodeURIComponent(token)}`,
    ticketAddress: () => `${page}?ticket=${access.ticket()}`,
    async close() {
      sockets.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 500).unref();
      await closed;
    },
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServerOptions & { readonly access: Access },
): Promise<void> {
  const { refusal, cookie } = options.access.admit(request);
  let answer: Answer;
  try {
    answer = refusal === undefined ? await route(request, response, options) : refuse(request, refusal);
  } catch (error) {
    // Beside bad input: the client has gone away in the middle of its request.
    answer = error instanceof HubError ? errorAnswer(error.status, error.message) : errorAnswer(500, "no answer");
  }
  if (response.destroyed) return;
  const headers = { ...answer.headers, ...(cookie === undefined ? {} : { "Set-Cookie": cookie }) };
  send(request, response, { ...answer, headers });
  discardBody(request);
}

async function route(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<Answer> {
  const { hub, token, pageFolder = PAGE_FOLDER, pageConfig } = options;
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  const target = request.url ?? "/";
  const { pathname } = splitTarget(target);
  const reads = method === "GET";
  if (reads && pathname === "/") return { status: 302, headers: { Location: "/lab" } };
  const page = /^\/lab(?:\/?|\/tree(?:\/(?<tree>.*))?)$/.exec(pathname);
  if (reads && page !== null) {
    const addresses = { baseUrl: "/", appUrl: "/lab", treeUrl: "/lab/tree", fullStaticUrl: "/static/lab" };
    const treePath = decodePart(page.groups?.["tree"] ?? "");
    return pageIndex(pageFolder, { ...addresses, treePath, token, appVersion: packageVersion(), ...pageConfig });
  }
  const file = pathname === "/favicon.ico" ? pathname : /^\/static\/lab(\/.+)/.exec(pathname)?.[1];
  if (reads && file !== undefined) {
    const name = decodePart(file.slice(1));
    return pageFile(pageFolder, name, String(request.headers["accept-encoding"] ?? ""));
  }
  const body = await readBody(request, response);
  if (body === undefined) return errorAnswer(413, "the request is too large: at most 64 MiB");
  return hubAnswer(await hub.handle(method, target, body));
}

function refuse({ method, headers, url = "" }: IncomingMessage, why: string): Answer {
  const isPage = method === "GET" && !url.startsWith("/api") && /\btext\/html\b/.test(headers.accept ?? "");
  return isPage ? refusalPage(why) : errorAnswer(403, `Forbidden: ${why}`);
}

function refuseUpgrade(stream: Duplex, status: number, reason: string): void {
  stream.once("finish", () => stream.destroy());
  stream.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
