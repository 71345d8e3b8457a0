/** The machine's serial port as the system's console. Spec: console(4), ttyS(4). */
import { receivedBytes, sendByte } from "../arch/interrupts.js";
import { E, Wait } from "../errno.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { defineDevice } from "./devices.js";
import { defineKind, mayWait, POLL } from "./kinds.js";
import { type Pipe, putIntoPipe, takeFromPipe } from "./pipes.js";

/** Bytes that came in and were not read lie in a pipe. */
const inputOf = ({ state: { initial } }: Work): number => initial.consoleInput!;

/** The serial port has something. */
export function receive(k: Work): void {
  const bytes = receivedBytes(k.port);
  if (bytes.length > 0) putIntoPipe(k, inputOf(k), bytes);
  wake(k, inputOf(k));
}

defineKind({
  name: "console",
  read(k, file, length) {
    if (k.objectOf<Pipe>(inputOf(k)).size > 0) return takeFromPipe(k, inputOf(k), length);
    if (!mayWait(file)) throw E.EAGAIN;
    throw new Wait([inputOf(k)]);
  },
  write(k, _file, bytes) {
    for (const byte of bytes) sendByte(k.port, byte);
    return bytes.length;
  },
  poll: (k) => ({
    events: POLL.OUT | POLL.WRNORM | (k.objectOf<Pipe>(inputOf(k)).size > 0 ? POLL.IN | POLL.RDNORM : 0),
    on: [inputOf(k)],
  }),
});

const open = () => ({ kind: "console", object: 0, data: undefined });
defineDevice({ name: "console", type: "character", major: 5, minor: 1, open });
defineDevice({ name: "ttyS0", type: "character", major: 4, minor: 64, open });
