/**
 * Jupyter kernel messages and their form on ZeroMQ: signed frames. What the messages mean is left to those who send and
 * read them. Manual: Messaging in Jupyter, "The Wire Protocol".
 */
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { VirtlabError } from "../../state/error.js";

/** The channels a client uses; the heartbeat carries no messages. */
export type Channel = "shell" | "control" | "iopub" | "stdin";

export interface MessageHeader {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session: string;
  readonly username: string;
  readonly version: string;
  readonly date?: string;
}

export interface JupyterMessage {
  readonly channel: Channel;
  readonly header: MessageHeader;
  /** The header of the request this message belongs to; empty when there is none. */
  readonly parent_header: Partial<MessageHeader>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly content: Readonly<Record<string, unknown>>;
  readonly buffers?: readonly Uint8Array[];
}

/** The version of the protocol these messages follow. */
export const PROTOCOL_VERSION = "5.3";

const DELIMITER = Buffer.from("<IDS|MSG>");

/** A new message with an id of its own. */
export function createMessage(
  channel: Channel,
  type: string,
  content: Readonly<Record<string, unknown>>,
  session: string,
): JupyterMessage {
  const header = {
    msg_id: randomUUID(),
    msg_type: type,
    session,
    username: "virtlab",
    version: PROTOCOL_VERSION,
    date: new Date().toISOString(),
  };
  return { channel, header, parent_header: {}, metadata: {}, content };
}

/** The frames of a message, without routing identities: a dealer socket adds its own. */
export function encodeFrames(message: JupyterMessage, key: string): Buffer[] {
  const parts = [message.header, message.parent_header, message.metadata, message.content].map((part) =>
    Buffer.from(JSON.stringify(part)),
  );
  const buffers = (message.buffers ?? []).map((buffer) =>
    Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength),
  );
  return [DELIMITER, Buffer.from(sign(parts, key)), ...parts, ...buffers];
}

/**
 * The message in these frames.
 * @throws VirtlabError when the delimiter, a part or the right signature is missing, or a part is not a JSON object.
 */
export function decodeFrames(channel: Channel, frames: readonly Uint8Array[], key: string): JupyterMessage {
  const delimiter = frames.findIndex((frame) => DELIMITER.equals(frame));
  if (delimiter < 0) throw new VirtlabError(`Jupyter message on ${channel}: the delimiter <IDS|MSG> is missing`);
  const signature = frames[delimiter + 1];
  const parts = frames.slice(delimiter + 2, delimiter + 6);
  if (signature === undefined || parts.length < 4) {
    throw new VirtlabError(`Jupyter message on ${channel}: ${parts.length} of 4 parts after the signature`);
  }
  const expected = Buffer.from(sign(parts, key));
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
    throw new VirtlabError(`Jupyter message on ${channel}: the signature is wrong`);
  }
  const [header, parent, metadata, content] = parts.map((part, index) => parseObject(channel, part, index));
  return {
    channel,
    header: header as unknown as MessageHeader,
    parent_header: parent as Partial<MessageHeader>,
    metadata: metadata!,
    content: content!,
    buffers: frames.slice(delimiter + 6),
  };
}

/** HMAC-SHA256 of the four parts in hexadecimal; empty when the key is empty, which turns signing off. */
function sign(parts: readonly Uint8Array[], key: string): string {
  if (key === "") return "";
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
}

function parseObject(channel: Channel, part: Uint8Array, index: number): Record<string, unknown> {
  const name = ["header", "parent header", "metadata", "content"][index];
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(part).toString("utf8"));
  } catch {
    throw new VirtlabError(`Jupyter message on ${channel}: its ${name} is not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new VirtlabError(`Jupyter message on ${channel}: its ${name} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}
