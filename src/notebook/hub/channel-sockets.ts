/** WebSockets of the server: the channels of a kernel, and events. Manual: Jupyter Server, "WebSocket kernel wire protocols". */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { VirtlabError } from "../../state/error.js";
import { binaryProtocol } from "./binary-protocol.js";
import { defaultProtocol } from "./channel-protocol.js";
import type { Hub } from "./hub.js";
import type { HubKernel } from "./hub-kernel.js";
import { outputMerger } from "./output-merger.js";
import { BODY_LIMIT } from "./request-body.js";
import { splitTarget } from "./rest.js";

/** Close codes. Manual: RFC 6455, "Defined Status Codes". */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const MALFORMED = 1007;

export interface ChannelSockets {
  /** Opens a socket on an upgrade; false when the path is none of a socket. */
  open(request: IncomingMessage, stream: Duplex, head: Buffer): boolean;
  /** Closes all sockets. */
  close(): void;
}

export function channelSockets(hub: Hub): ChannelSockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: BODY_LIMIT,
    handleProtocols: (offered) => (offered.has(binaryProtocol.name) ? binaryProtocol.name : false),
  });
  return {
    open(request, stream, head) {
      const { pathname, query } = splitTarget(request.url ?? "/");
      const id = /^\/api\/kernels\/([^/]+)\/channels$/.exec(pathname)?.[1];
      const kernel = id === undefined ? undefined : hub.kernel(id);
      if (kernel !== undefined) {
        const session = query.get("session_id") ?? "";
        server.handleUpgrade(request, stream, head, (socket) => connect(socket, kernel, session));
        return true;
      }
      if (pathname !== "/api/events/subscribe") return false;
      server.handleUpgrade(request, stream, head, (socket) => {
        socket.on("error", () => {});
        socket.on(
          "close",
          hub.events.listen((event) => socket.send(JSON.stringify(event))),
        );
      });
      return true;
    },
    close() {
      for (const socket of server.clients) {
        socket.close(GOING_AWAY, "the server ends");
        // A client that does not answer must not hold the server.
        setTimeout(() => socket.terminate(), 500).unref();
      }
    },
  };
}

function connect(socket: WebSocket, kernel: HubKernel, session: string): void {
  const protocol = socket.protocol === binaryProtocol.name ? binaryProtocol : defaultProtocol;
  const output = outputMerger({
    send(message) {
      if (socket.readyState === WebSocket.OPEN) socket.send(protocol.encode(message));
    },
    backlog: () => socket.bufferedAmount,
  });
  const disconnect = kernel.connect({ session, receive: output.receive, end: () => socket.close(NORMAL) });
  socket.on("close", () => {
    output.end();
    disconnect();
  });
  // What is wrong with a socket is told by its close.
  socket.on("error", () => {});
  socket.on("message", (data: Buffer, isBinary) => {
    try {
      kernel.send(protocol.decode(isBinary ? data : data.toString("utf8")));
    } catch (error) {
      if (!(error instanceof VirtlabError)) throw error;
      socket.close(MALFORMED, error.message.slice(0, 120));
    }
  });
}
