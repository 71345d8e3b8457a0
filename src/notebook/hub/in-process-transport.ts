/**
 * The hub without a network: a fetch function and a WebSocket class for @jupyterlab/services.
 * Manual: Jupyter Server, "WebSocket kernel wire protocols".
 */
import { ServerConnection } from "@jupyterlab/services";
import { defaultProtocol } from "./channel-protocol.js";
import type { Hub } from "./hub.js";

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
      const { status, body, file, headers } = await hub.handle(input.method, pathname + search, await input.text());
      const content = file === undefined ? (body === undefined ? null : JSON.stringify(body)) : file.bytes;
      return new Response(content as BodyInit | null, { status, ...(headers === undefined ? {} : { headers }) });
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
    onmessage: (event: { data: string | ArrayBuffer }) => void = () => {};
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
        receive: (message) => {
          const data = defaultProtocol.encode(message);
          this.onmessage({ data: typeof data === "string" ? data : Uint8Array.from(data).buffer });
        },
        end: () => this.close(),
      });
      this.onopen({});
    }

    send(data: string | ArrayBuffer): void {
      if (this.readyState !== InProcessWebSocket.OPEN || this.#kernelId === undefined) return;
      hub.kernel(this.#kernelId)?.send(defaultProtocol.decode(typeof data === "string" ? data : new Uint8Array(data)));
    }

    close(): void {
      if (this.readyState === InProcessWebSocket.CLOSED) return;
      this.readyState = InProcessWebSocket.CLOSED;
      this.#disconnect?.();
      this.onclose({ code: 1000 });
    }
  };
}
