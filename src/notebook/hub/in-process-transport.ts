/**
 * The hub without a network: a fetch function and a WebSocket class for @jupyterlab/services.
 * Manual: Jupyter Server, "WebSocket kernel wire protocols" (the default JSON protocol).
 */
import { ServerConnection } from "@jupyterlab/services";
import type { Hub } from "./hub.js";
import type { JupyterMessage } from "./jupyter-message.js";

/** An address that never leads to a network. */
const BASE = "http://hub.invalid/";

/** Settings that connect a client of @jupyterlab/services to this hub. */
export function inProcessSettings(hub: Hub): ServerConnection.ISettings {
  return ServerConnection.makeSettings({
    baseUrl: BASE,
    appUrl: "",
    token: "",
    fetch: (async (input: Request) => {
      const { pathname, search } = new URL(input.url);
      const { status, body } = await hub.handle(input.method, pathname + search, await input.text());
      return new Response(body === undefined ? null : JSON.stringify(body), { status });
    }) as typeof fetch,
    WebSocket: webSocketClass(hub) as unknown as typeof WebSocket,
  });
}

/** A WebSocket class whose sockets end at the hub's kernels. It has what @jupyterlab/services uses. */
function webSocketClass(hub: Hub) {
  return class InProcessWebSocket {
    static readonly CONNECTING = 0;
    static readonly OPEN = 1;
    static readonly CLOSING = 2;
    static readonly CLOSED = 3;
    readonly protocol = "";
    binaryType = "arraybuffer";
    readyState: number = InProcessWebSocket.CONNECTING;
    onopen: (event: object) => void = () => {};
    onmessage: (event: { data: string }) => void = () => {};
    onclose: (event: { code: number }) => void = () => {};
    onerror: (event: object) => void = () => {};
    readonly #kernelId: string | undefined;
    #disconnect: (() => void) | undefined;

    constructor(readonly url: string) {
      const { pathname, searchParams } = new URL(url);
      this.#kernelId = /^\/api\/kernels\/([^/]+)\/channels$/.exec(pathname)?.[1];
      const session = searchParams.get("session_id") ?? "";
      // The caller sets its handlers after construction.
      setImmediate(() => this.#open(session));
    }

    #open(session: string): void {
      if (this.readyState !== InProcessWebSocket.CONNECTING) return;
      const kernel = this.#kernelId === undefined ? undefined : hub.kernel(this.#kernelId);
      if (kernel === undefined) {
        this.readyState = InProcessWebSocket.CLOSED;
        this.onclose({ code: 1008 });
        return;
      }
      this.readyState = InProcessWebSocket.OPEN;
      this.#disconnect = kernel.connect({
        session,
        receive: ({ buffers: _, ...message }) => this.onmessage({ data: JSON.stringify(message) }),
      });
      this.onopen({});
    }

    send(data: string): void {
      if (this.readyState !== InProcessWebSocket.OPEN || this.#kernelId === undefined) return;
      hub.kernel(this.#kernelId)?.send(JSON.parse(data) as JupyterMessage);
    }

    close(): void {
      if (this.readyState === InProcessWebSocket.CLOSED) return;
      this.readyState = InProcessWebSocket.CLOSED;
      this.#disconnect?.();
      this.onclose({ code: 1000 });
    }
  };
}
