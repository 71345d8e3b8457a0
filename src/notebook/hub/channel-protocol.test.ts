import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binaryProtocol } from "./binary-protocol.js";
import { type ChannelProtocol, defaultProtocol } from "./channel-protocol.js";
import type { JupyterMessage } from "./jupyter-message.js";

const protocols: readonly (readonly [string, ChannelProtocol])[] = [
  ["the default protocol", defaultProtocol],
  ["v1.kernel.websocket.jupyter.org", binaryProtocol],
];

const fields = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4, noNullPrototype: true });
const messages: fc.Arbitrary<JupyterMessage> = fc.record({
  channel: fc.constantFrom("shell", "control", "iopub", "stdin"),
  header: fc.record({
    msg_id: fc.string(),
    msg_type: fc.string(),
    session: fc.string(),
    username: fc.string(),
    version: fc.constant("5.3"),
  }),
  parent_header: fc.constantFrom({}, { msg_id: "1", session: "s" }),
  metadata: fields,
  content: fields,
  buffers: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 3 }),
});

/** A message as the two sides compare it: JSON has no -0, and no buffers are as good as an empty list. */
function plain({ buffers = [], ...message }: JupyterMessage): unknown {
  return { ...JSON.parse(JSON.stringify(message)), buffers: buffers.map((buffer) => [...buffer]) };
}

function arrayBuffer(data: string | Uint8Array): string | ArrayBuffer {
  return typeof data === "string" ? data : Uint8Array.from(data).buffer;
}

describe.each(protocols)("%s", (_, protocol) => {
  it("gives back every message that it encoded", () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(plain(protocol.decode(protocol.encode(message)))).toEqual(plain(message));
      }),
    );
  });

  it("is read and written by @jupyterlab/services", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const read = deserialize(arrayBuffer(protocol.encode(message)) as ArrayBuffer, protocol.name);
        const buffers = (read.buffers ?? []) as DataView[];
        expect({
          ...(plain({ ...(read as unknown as JupyterMessage), buffers: [] }) as object),
          buffers: buffers.map((view) => [...new Uint8Array(view.buffer)]),
        }).toEqual(plain(message));
        const copies = (message.buffers ?? []).map((buffer) => Uint8Array.from(buffer).buffer);
        const written = serialize({ ...message, buffers: copies } as never, protocol.name);
        const data = typeof written === "string" ? written : new Uint8Array(written);
        expect(plain(protocol.decode(data))).toEqual(plain(message));
      }),
    );
  });

  it("refuses what is cut off or damaged with one sentence, or reads a whole message", () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat({ max: 255 }), (message, place, byte) => {
        const data = Buffer.from(protocol.encode(message));
        const text = typeof protocol.encode(message) === "string";
        const damaged = Buffer.from(data);
        damaged[place % data.length] = byte;
        for (const bytes of [data.subarray(0, place % data.length), damaged]) {
          try {
            const read = protocol.decode(text ? bytes.toString("utf8") : bytes);
            expect(typeof read.header.msg_id).toBe("string");
          } catch (error) {
            expect((error as Error).name).toBe("VirtlabError");
            expect((error as Error).message).toMatch(/^kernel message: [^\n]+$/);
          }
        }
      }),
    );
  });
});

describe("a message to a kernel", () => {
  const header = { msg_id: "1", msg_type: "kernel_info_request" };
  const decode = (message: unknown) => defaultProtocol.decode(JSON.stringify(message));

  it("may leave out what is empty", () => {
    expect(decode({ channel: "shell", header })).toEqual({
      channel: "shell",
      header,
      parent_header: {},
      metadata: {},
      content: {},
    });
  });

  it.each([
    ["no channel of a kernel", { channel: "heart", header }, 'there is no channel "heart"'],
    ["no header", { channel: "shell" }, "its header has no msg_id and msg_type"],
    ["a header without a type", { channel: "shell", header: { msg_id: "1" } }, "its header has no msg_id and msg_type"],
    ["no object", [], "it is not a JSON object"],
  ])("is refused with %s", (_, message, why) => {
    expect(() => decode(message)).toThrow(why);
  });

  it("is refused as text where the subprotocol has binary data", () => {
    expect(() => binaryProtocol.decode("{}")).toThrow("text where the subprotocol has binary data");
  });
});
