/** Reading the body of a request, up to a limit. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** The largest body, in bytes: notebooks with all their figures fit, and a mistake does not fill the memory. */
export const BODY_LIMIT = 64 * 2 ** 20;
/** How long a client may go on sending what is not wanted; who closes at once takes the answer away from it. */
const LINGER_MILLISECONDS = 10_000;

/**
 * The body as text; undefined when it is larger than the limit. Where its length is told, nothing of it is read then, and
 * a client that asks before it sends is not told to go on.
 */
export async function readBody(request: IncomingMessage, response: ServerResponse): Promise<string | undefined> {
  const { expect, "content-length": length = "0" } = request.headers;
  if (Number(length) > BODY_LIMIT) return undefined;
  if (expect !== undefined) response.writeContinue();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > BODY_LIMIT) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Throws the rest of a body away, for a while. */
export function discardBody(request: IncomingMessage): void {
  if (request.complete) return;
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MILLISECONDS);
  request.once("close", () => clearTimeout(timer));
  request.resume();
}
