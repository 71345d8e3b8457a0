import { describe, expect, it } from "vitest";
import { createMessage, decodeFrames, encodeFrames } from "./jupyter-message.js";

const message = { ...createMessage("shell", "execute_request", { code: "1 + 1" }, "session"), buffers: [] };

describe("frames of a Jupyter message", () => {
  it("give the message back after routing identities are put in front", () => {
    const frames = [Buffer.from("identity"), ...encodeFrames(message, "key")];
    expect(decodeFrames("shell", frames, "key")).toEqual(message);
  });

  it("carry buffers behind the four signed parts", () => {
    const buffers = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    const decoded = decodeFrames("iopub", encodeFrames({ ...message, buffers }, "key"), "key");
    expect(decoded.buffers?.map((buffer) => [...buffer])).toEqual([[1, 2], [3]]);
  });

  it("are refused when a byte of the content changed", () => {
    const frames = encodeFrames(message, "key");
    frames[5] = Buffer.from('{"code":"1 + 2"}');
    expect(() => decodeFrames("shell", frames, "key")).toThrow("Jupyter message on shell: the signature is wrong");
  });

  it("are refused under another key", () => {
    expect(() => decodeFrames("shell", encodeFrames(message, "key"), "other")).toThrow("signature is wrong");
  });

  it("are refused without the delimiter", () => {
    expect(() => decodeFrames("shell", encodeFrames(message, "key").slice(1), "key")).toThrow("<IDS|MSG> is missing");
  });

  it("are refused when a part is missing", () => {
    expect(() => decodeFrames("shell", encodeFrames(message, "key").slice(0, 5), "key")).toThrow("3 of 4 parts");
  });

  it("are signed as the protocol's documentation computes it", () => {
    // HMAC-SHA256 with key "k" over "{}{}{}{}", computed apart from this code: openssl dgst -sha256 -hmac k
    const empty = { ...message, header: {}, metadata: {}, content: {} } as unknown as typeof message;
    expect(String(encodeFrames(empty, "k")[1])).toBe(
      "6f7c3dea506a2fb840fc9377d65462646f8e8df4acfafa710cf0c50bb2db8de2",
    );
  });
});
