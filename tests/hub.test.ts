// The hub over HTTP and WebSockets, as @jupyterlab/services uses it, with both protocols of the channels.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Kernel, KernelManager, ServerConnection } from "@jupyterlab/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";
import { type HttpServer, startHttpServer } from "../src/notebook/hub/http-server.js";
import { Hub } from "../src/notebook/hub/hub.js";

const TOKEN = "a token";
const folder = mkdtempSync(path.join(tmpdir(), "virtlab-server-"));
const pageFolder = path.join(folder, "page");
const root = path.join(folder, "root");
let hub: Hub;
let server: HttpServer;

beforeAll(async () => {
  console.debug = () => {};
  mkdirSync(pageFolder);
  mkdirSync(root);
  writeFileSync(path.join(pageFolder, "index.html"), "<!doctype html><html><head><title>t</title></head></html>");
  hub = new Hub(root);
  server = await startHttpServer({ hub, token: TOKEN, port: 0, pageFolder });
});
afterAll(async () => {
  await server.close();
  await hub.dispose();
  rmSync(folder, { recursive: true });
});

/** A WebSocket class that offers no subprotocol, as clients of older servers do. */
class PlainWebSocket extends NodeWebSocket {
  constructor(address: string) {
    super(address);
  }
}

function settings(socket: unknown): ServerConnection.ISettings {
  return ServerConnection.makeSettings({
    baseUrl: `http://127.0.0.1:${server.port}/`,
    wsUrl: `ws://127.0.0.1:${server.port}/`,
    token: TOKEN,
    appendToken: true,
    WebSocket: socket as typeof WebSocket,
  });
}

async function textOf(kernel: Kernel.IKernelConnection, code: string): Promise<string> {
  let text = "";
  const future = kernel.requestExecute({ code });
  future.onIOPub = ({ content }) => {
    if ("evalue" in content) text += String(content.evalue);
    if ("text" in content) text += String(content.text);
    if ("data" in content) text += String((content.data as Record<string, unknown>)["text/plain"]);
  };
  await future.done;
  return text;
}

describe.each([
  ["v1.kernel.websocket.jupyter.org", NodeWebSocket],
  ["the default protocol", PlainWebSocket],
])("a kernel over %s", (_, socket) => {
  it("runs cells, gives all of a burst of output, restarts and goes on", async () => {
    const manager = new KernelManager({ serverSettings: settings(socket) });
    try {
      const kernel = await manager.startNew({ name: "virtlab" });
      expect(await textOf(kernel, "const x = 'ünï'; x")).toBe("ünï");
      const lines = Array.from({ length: 20_000 }, (_, index) => `${index}\n`).join("");
      expect(await textOf(kernel, "for (let i = 0; i < 20000; i++) console.log(i)")).toBe(lines);
      const { id } = kernel;
      await kernel.restart();
      expect(await textOf(kernel, "typeof x")).toContain("Cannot find name 'x'");
      expect(kernel.id).toBe(id);
      await kernel.shutdown();
    } finally {
      manager.dispose();
    }
  });
});
