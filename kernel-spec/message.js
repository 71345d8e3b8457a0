// Jupyter messages and their form on ZeroMQ: signed frames behind the addresses of those who ask.
// Manual: Messaging in Jupyter, "The Wire Protocol".

const { createHmac, randomUUID, timingSafeEqual } = require("node:crypto");

const DELIMITER = Buffer.from("<IDS|MSG>");
const PROTOCOL_VERSION = "5.3";
/** Clients take another session in a header for a restarted kernel. */
const SESSION = randomUUID();

/** The message in these frames; throws when it is none, or was not signed with our key. */
function parseMessage(frames, key) {
  const delimiter = frames.findIndex((frame) => DELIMITER.equals(frame));
  const [signature, ...parts] = frames.slice(delimiter + 1);
  if (delimiter < 0 || parts.length < 4) throw new Error("not a Jupyter message");
  const expected = Buffer.from(sign(parts.slice(0, 4), key));
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) throw new Error("wrong signature");
  const [header, parent, metadata, content] = parts.slice(0, 4).map((part) => JSON.parse(Buffer.from(part).toString()));
  return { identities: frames.slice(0, delimiter), header, parent, metadata, content };
}

/** The frames of a message that answers `parent`; `identities` are the addresses on a router, a topic elsewhere. */
function messageFrames(identities, parent, type, content, key) {
  const header = {
    msg_id: randomUUID(),
    msg_type: type,
    session: SESSION,
    username: "virtlab",
    version: PROTOCOL_VERSION,
    date: new Date().toISOString(),
  };
  const parts = [header, parent, {}, content].map((part) => Buffer.from(JSON.stringify(part)));
  return [...identities, DELIMITER, Buffer.from(sign(parts, key)), ...parts];
}

/** HMAC-SHA256 in hexadecimal; an empty key turns signing off. */
function sign(parts, key) {
  if (key === "") return "";
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
}

module.exports = { messageFrames, parseMessage, PROTOCOL_VERSION };
