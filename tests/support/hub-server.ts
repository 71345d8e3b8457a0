/** A server with a folder of its own, for tests, and settings for @jupyterlab/services that lead to it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ServerConnection } from "@jupyterlab/services";
import { WebSocket as NodeWebSocket } from "ws";
import { type HttpServer, startHttpServer } from "../../src/notebook/hub/http-server.js";
import { Hub } from "../../src/notebook/hub/hub.js";

export const TOKEN = "a token";

export interface HubServer {
  readonly hub: Hub;
  readonly server: HttpServer;
  /** The folder that is served. */
  readonly root: string;
  /** A folder for a page, with an index.html. */
  readonly pageFolder: string;
  /** Asks the server, with the token. */
  ask(method: string, target: string, body?: unknown): Promise<Response>;
  settings(socket?: unknown): ServerConnection.ISettings;
  /** Ends server and kernels and removes the folder. */
  end(): Promise<void>;
}

export async function startHubServer(): Promise<HubServer> {
  const folder = mkdtempSync(path.join(tmpdir(), "virtlab-server-"));
  const [root, pageFolder] = [path.join(folder, "root"), path.join(folder, "page")];
  for (const name of [root, pageFolder]) mkdirSync(name);
  writeFileSync(path.join(pageFolder, "index.html"), "<!doctype html><html><head></head><body></body></html>");
  const hub = new Hub(root, undefined, { autorestart: true });
  const server = await startHttpServer({ hub, token: TOKEN, port: 0, pageFolder });
  const address = `127.0.0.1:${server.port}`;
  return {
    hub,
    server,
    root,
    pageFolder,
    ask: (method, target, body) =>
      fetch(`http://${address}${target}`, {
        method,
        headers: { Authorization: `token ${TOKEN}` },
        redirect: "manual",
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    settings: (socket = NodeWebSocket) =>
      ServerConnection.makeSettings({
        baseUrl: `http://${address}/`,
        wsUrl: `ws://${address}/`,
        token: TOKEN,
        appendToken: true,
        WebSocket: socket as typeof WebSocket,
      }),
    async end() {
      await Promise.all([server.close(), hub.dispose()]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** A WebSocket class that offers no subprotocol, as clients of older servers do. */
export class PlainWebSocket extends NodeWebSocket {
  constructor(address: string) {
    super(address);
  }
}
