/** Requests as they are written, byte by byte, for tests of what a well-behaved client would not send. */
import { connect } from "node:net";

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends these bytes to a port on this machine and gives what comes back until the other side has said all or closes. */
export function rawRequest(port: number, request: string | Uint8Array): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const finish = (): void => {
      socket.destroy();
      const response = parse(text);
      if (response === undefined) reject(new Error(`no whole response: ${text.slice(0, 200)}`));
      else resolve(response);
    };
    socket.setEncoding("latin1");
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (isWhole(text)) finish();
    });
    socket.on("close", finish);
    socket.on("error", () => {});
  });
}

/** The text of a request. Host is the server's, unless it is given; HTTP asks for one. */
export function requestText(
  port: number,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body = "",
): string {
  const all = {
    Host: `127.0.0.1:${port}`,
    ...(body === "" ? {} : { "Content-Length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** A response to HEAD has no body whatever its length says; nobody asks here. */
function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /^content-length: (\d+)\r?$/im.exec(text.slice(0, end))?.[1];
  return /^HTTP\/1.1 1/.test(text) || (length !== undefined && text.length >= end + 4 + Number(length));
}

function parse(text: string): RawResponse | undefined {
  const end = text.indexOf("\r\n\r\n");
  const [first, ...lines] = text.slice(0, Math.max(end, 0)).split("\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(first ?? "")?.[1];
  if (status === undefined) return undefined;
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(":")).toLowerCase(),
    line.slice(line.indexOf(":") + 2),
  ]);
  return { status: Number(status), headers: Object.fromEntries(headers), body: text.slice(end + 4) };
}
