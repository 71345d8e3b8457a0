/**
 * The client's side of GDB's remote serial protocol, over any pair of streams: one request, one answer.
 *
 * Left out on purpose: run-length encoding, no-ack mode and notifications, which QEMU's stub does not use.
 * Spec: GDB manual, appendix "GDB Remote Serial Protocol".
 */
import type { Readable, Writable } from "node:stream";

const ESCAPE = 0x7d;
const ESCAPED_BITS = 0x20;
/** Longest piece of an object asked for at once: QEMU's PacketSize is 0x1000. */
const PIECE = 0xf00;

const checksum = (payload: Uint8Array): string =>
  (payload.reduce((sum, byte) => sum + byte, 0) & 0xff).toString(16).padStart(2, "0");

/** A payload as it goes over the line: `$payload#checksum`. */
export const packet = (payload: string): string => `$${payload}#${checksum(Buffer.from(payload, "latin1"))}`;

/** What is in front of the first complete packet is dropped: acknowledgements, which say nothing on a pipe. */
export function takePacket(received: Buffer): { readonly payload: string; readonly rest: Buffer } | undefined {
  const start = received.indexOf("$");
  const end = start < 0 ? -1 : received.indexOf("#", start);
  if (end < 0 || received.length < end + 3) return undefined;
  const body = received.subarray(start + 1, end);
  const sum = received.toString("latin1", end + 1, end + 3);
  if (sum !== checksum(body)) throw new Error(`gdb stub: checksum of a packet is ${sum}, expected ${checksum(body)}`);
  return { payload: decodeEscapes(body), rest: received.subarray(end + 3) };
}

function decodeEscapes(body: Buffer): string {
  if (!body.includes(ESCAPE)) return body.toString("latin1");
  const bytes: number[] = [];
  for (let at = 0; at < body.length; at++) bytes.push(body[at] === ESCAPE ? body[++at]! ^ ESCAPED_BITS : body[at]!);
  return Buffer.from(bytes).toString("latin1");
}

/** The stub's side is gone: the peer has ended. */
export class StubClosed extends Error {}

export class GdbStub {
  #received: Buffer = Buffer.alloc(0);
  #waiting: { readonly take: (payload: string) => void; readonly fail: (error: Error) => void } | undefined;
  #closed = false;

  constructor(
    from: Readable,
    private readonly to: Writable,
  ) {
    from.on("data", (bytes: Buffer) => {
      this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
      this.#deliver();
    });
    const close = (): void => {
      this.#closed = true;
      this.#waiting?.fail(new StubClosed("gdb stub: the connection was closed"));
    };
    from.on("close", close);
    from.on("error", close);
    to.on("error", close);
  }

  #deliver(): void {
    if (this.#waiting === undefined) return;
    try {
      const taken = takePacket(this.#received);
      if (taken === undefined) return;
      this.#received = taken.rest;
      this.#waiting.take(taken.payload);
    } catch (error) {
      this.#waiting.fail(error as Error);
    }
  }

  #next(what: string, milliseconds: number): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#waiting?.fail(new Error(`gdb stub: no answer to "${what}" in ${milliseconds / 1000} s`)),
        milliseconds,
      );
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
      };
      this.#waiting = {
        take: (payload) => {
          done();
          resolve(payload);
        },
        fail: (error) => {
          done();
          reject(error);
        },
      };
      this.#deliver();
      if (this.#closed) this.#waiting?.fail(new StubClosed("gdb stub: the connection was closed"));
    });
  }

  /**
   * Sends a request and gives the payload of its answer; for a request that lets the processor run (`s`, `c`) that is why
   * it stopped.
   *
   * @throws StubClosed when the other side ends instead.
   */
  request(payload: string, milliseconds = 30_000): Promise<string> {
    // The acknowledgement of the answer before goes along: QEMU takes a byte while the processor runs as a request to stop.
    if (!this.#closed) this.to.write(`+${packet(payload)}`, "latin1");
    return this.#next(payload, milliseconds);
  }

  /** A request whose answer must be "OK". */
  async order(payload: string): Promise<void> {
    const answer = await this.request(payload);
    if (answer !== "OK") throw new Error(`gdb stub: "${payload}" was answered with "${answer}"`);
  }

  /** A request whose answer is bytes in hexadecimal. */
  async bytes(payload: string): Promise<Buffer> {
    const answer = await this.request(payload);
    if (!/^([0-9a-f]{2})+$/.test(answer)) throw new Error(`gdb stub: "${payload}" was answered with "${answer}"`);
    return Buffer.from(answer, "hex");
  }

  /** An object of `qXfer:OBJECT:read`, whole. Spec: "General Query Packets", qXfer. */
  async object(name: string): Promise<string> {
    let text = "";
    for (;;) {
      const answer = await this.request(`qXfer:${name}:${text.length.toString(16)},${PIECE.toString(16)}`);
      if (answer[0] !== "m" && answer[0] !== "l") throw new Error(`gdb stub: ${name} was answered with "${answer}"`);
      text += answer.slice(1);
      if (answer[0] === "l") return text;
    }
  }

  /** What a command of the peer's own monitor prints. Spec: "General Query Packets", qRcmd. */
  async monitor(command: string): Promise<string> {
    let text = "";
    let answer = await this.request(`qRcmd,${Buffer.from(command).toString("hex")}`);
    while (answer.startsWith("O") && answer !== "OK") {
      text += Buffer.from(answer.slice(1), "hex").toString();
      answer = await this.#more();
    }
    if (answer !== "OK") throw new Error(`gdb stub: monitor command "${command}" was answered with "${answer}"`);
    return text;
  }

  #more(): Promise<string> {
    this.to.write("+", "latin1");
    return this.#next("the rest of a monitor command's output", 30_000);
  }
}
