/**
 * How kernel messages travel in WebSocket messages, and the default form of it: JSON text, or, where a message has
 * buffers, a table of 32-bit offsets, the JSON and the buffers. Manual: Jupyter Server, "WebSocket kernel wire protocols".
 */
import { VirtlabError } from "../../state/error.js";
import type { Channel, JupyterMessage, MessageHeader } from "./jupyter-message.js";

export interface ChannelProtocol {
  /** The name of the WebSocket subprotocol; empty for the default. */
  readonly name: string;
  encode(message: JupyterMessage): string | Uint8Array;
  /** @throws VirtlabError when the data is not a message of this protocol. */
  decode(data: string | Uint8Array): JupyterMessage;
}

const WORD = 4;
const CHANNELS: readonly unknown[] = ["shell", "control", "iopub", "stdin"] satisfies Channel[];

export const defaultProtocol: ChannelProtocol = {
  name: "",

  encode({ buffers = [], ...message }) {
    const json = JSON.stringify(message);
    if (buffers.length === 0) return json;
    const parts = [Buffer.from(json), ...buffers];
    const table = Buffer.alloc(WORD * (1 + parts.length));
    table.writeUInt32BE(parts.length, 0);
    let offset = table.length;
    for (const [index, part] of parts.entries()) {
      table.writeUInt32BE(offset, WORD * (1 + index));
      offset += part.length;
    }
    return Buffer.concat([table, ...parts]);
  },

  decode(data) {
    if (typeof data === "string") return messageOf(parseJson(data));
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const count = bytes.length < WORD ? 0 : bytes.readUInt32BE(0);
    if (count === 0 || WORD * (1 + count) > bytes.length) throw malformed("its table of offsets is cut off");
    const offsets = Array.from({ length: count }, (_, index) => bytes.readUInt32BE(WORD * (1 + index)));
    const [json, ...buffers] = cut(bytes, [...offsets, bytes.length], WORD * (1 + count));
    return { ...messageOf(parseJson(String(json))), buffers };
  },
};

/**
 * The parts between neighbouring offsets.
 * @throws VirtlabError when the offsets do not rise from the end of their table to the end of the data.
 */
export function cut(bytes: Buffer, offsets: readonly number[], start: number): Buffer[] {
  const inOrder = offsets.every((offset, index) => offset >= (offsets[index - 1] ?? start) && offset <= bytes.length);
  if (!inOrder) throw malformed("its offsets are out of order");
  return offsets.slice(1).map((end, index) => bytes.subarray(offsets[index], end));
}

/** A message from what a client sent; parts that clients may leave out are empty. */
export function messageOf(value: unknown): JupyterMessage {
  if (!isObject(value)) throw malformed("it is not a JSON object");
  const { channel, header, parent_header, metadata, content } = value;
  if (!CHANNELS.includes(channel)) throw malformed(`there is no channel ${JSON.stringify(channel)}`);
  if (!isObject(header) || typeof header["msg_id"] !== "string" || typeof header["msg_type"] !== "string") {
    throw malformed("its header has no msg_id and msg_type");
  }
  return {
    channel: channel as Channel,
    header: header as unknown as MessageHeader,
    parent_header: isObject(parent_header) ? parent_header : {},
    metadata: isObject(metadata) ? metadata : {},
    content: isObject(content) ? content : {},
  };
}

/** @throws VirtlabError when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("it is not JSON");
  }
}

export function malformed(why: string): VirtlabError {
  return new VirtlabError(`kernel message: ${why}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
