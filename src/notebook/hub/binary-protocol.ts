/**
 * The WebSocket subprotocol v1.kernel.websocket.jupyter.org: a table of 64-bit offsets, then the channel's name and the
 * parts of the message as a kernel sends them. Manual: Jupyter Server, "WebSocket kernel wire protocols".
 */
import { type ChannelProtocol, cut, malformed, messageOf, parseJson } from "./channel-protocol.js";

const WORD = 8;
/** Offsets of channel, header, parent header, metadata and content, and the end. */
const LEAST_OFFSETS = 6;

export const binaryProtocol: ChannelProtocol = {
  name: "v1.kernel.websocket.jupyter.org",

  encode({ channel, header, parent_header, metadata, content, buffers = [] }) {
    const texts = [header, parent_header, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
    const parts = [Buffer.from(channel), ...texts, ...buffers];
    const table = Buffer.alloc(WORD * (2 + parts.length));
    table.writeBigUInt64LE(BigInt(parts.length + 1), 0);
    let offset = table.length;
    table.writeBigUInt64LE(BigInt(offset), WORD);
    for (const [index, part] of parts.entries()) {
      offset += part.length;
      table.writeBigUInt64LE(BigInt(offset), WORD * (2 + index));
    }
    return Buffer.concat([table, ...parts]);
  },

  decode(data) {
    if (typeof data === "string") throw malformed("text where the subprotocol has binary data");
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const count = bytes.length < WORD ? 0 : Number(bytes.readBigUInt64LE(0));
    if (count < LEAST_OFFSETS || WORD * (1 + count) > bytes.length) throw malformed("its table of offsets is cut off");
    const offsets = Array.from({ length: count }, (_, index) => Number(bytes.readBigUInt64LE(WORD * (1 + index))));
    const [channel, header, parent_header, metadata, content, ...buffers] = cut(bytes, offsets, WORD * (1 + count));
    const json = (part: Buffer | undefined): unknown => parseJson(String(part));
    const message = messageOf({
      channel: String(channel),
      header: json(header),
      parent_header: json(parent_header),
      metadata: json(metadata),
      content: json(content),
    });
    return { ...message, buffers };
  },
};
