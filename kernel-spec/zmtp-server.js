// The listening side of ZeroMQ's wire protocol, without encryption, for sockets that answer those who ask. It is here
// because ZeroMQ for Node cannot be used on two threads of a process. Left out: versions before 3, other mechanisms.
// Manual: ZeroMQ RFC 23, "ZMTP - ZeroMQ Message Transport Protocol", version 3.0, and its NULL mechanism.

const { createServer } = require("node:net");

const FLAG = { more: 1, long: 2, command: 4 };
const GREETING = Buffer.alloc(64);
GREETING[0] = 0xff;
GREETING[9] = 0x7f;
GREETING[10] = 3;
GREETING.write("NULL", 12);
/** What is asked here is small; who sends more is no Jupyter client. */
const LONGEST_FRAME = 1 << 26;

/**
 * Listens as a socket of this ZeroMQ type, such as ROUTER. `receive(frames, reply)` gets each message without an
 * address: `reply(frames)` answers the one who sent it. Rejects when the port is taken.
 */
function listen({ transport, ip }, port, socketType, receive) {
  const server = createServer((socket) => serve(socket, socketType, receive));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const place = transport === "ipc" ? { path: `${ip}-${port}` } : { host: ip, port };
    server.listen(place, () => resolve(server));
  });
}

function serve(socket, socketType, receive) {
  const read = reader(
    () => socket.write(encodeFrame(FLAG.command, readyCommand(socketType))),
    (frames) => receive(frames, (reply) => socket.write(encodeMessage(reply))),
  );
  socket.setNoDelay(true);
  // Who goes away in the middle of a message is not missed.
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    if (!read(bytes)) socket.destroy();
  });
  socket.write(GREETING);
}

/** Takes bytes as they come; calls `greeted` once and `received(frames)` for each message. False: not this protocol. */
function reader(greeted, received) {
  let buffer = Buffer.alloc(0);
  let frames = [];
  let isGreeted = false;
  return (bytes) => {
    buffer = Buffer.concat([buffer, bytes]);
    if (!isGreeted) {
      if (buffer.length < GREETING.length) return buffer[0] === GREETING[0];
      if (buffer[0] !== GREETING[0] || buffer[10] < GREETING[10]) return false;
      buffer = buffer.subarray(GREETING.length);
      isGreeted = true;
      greeted();
    }
    for (;;) {
      const isLong = (buffer[0] & FLAG.long) !== 0;
      const start = isLong ? 9 : 2;
      if (buffer.length < start) return true;
      const size = isLong ? Number(buffer.readBigUInt64BE(1)) : buffer[1];
      if (size > LONGEST_FRAME) return false;
      if (buffer.length < start + size) return true;
      const flags = buffer[0];
      // Commands of this version only greet.
      if ((flags & FLAG.command) === 0) {
        frames.push(Buffer.from(buffer.subarray(start, start + size)));
        if ((flags & FLAG.more) === 0) {
          received(frames);
          frames = [];
        }
      }
      buffer = buffer.subarray(start + size);
    }
  };
}

function readyCommand(socketType) {
  const [name, key, value] = ["READY", "Socket-Type", socketType].map((text) => Buffer.from(text));
  const size = Buffer.alloc(4);
  size.writeUInt32BE(value.length);
  return Buffer.concat([Buffer.of(name.length), name, Buffer.of(key.length), key, size, value]);
}

function encodeMessage(frames) {
  return Buffer.concat(frames.map((body, index) => encodeFrame(index < frames.length - 1 ? FLAG.more : 0, body)));
}

function encodeFrame(flags, body) {
  if (body.length < 256) return Buffer.concat([Buffer.of(flags, body.length), body]);
  const head = Buffer.alloc(9);
  head[0] = flags | FLAG.long;
  head.writeBigUInt64BE(BigInt(body.length), 1);
  return Buffer.concat([head, body]);
}

module.exports = { listen };
