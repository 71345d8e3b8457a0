import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { formatPath, isBytes, isPlainRecord } from "./plain-data.js";

describe("formatPath", () => {
  it("writes names with dots, indexes in brackets and quotes what cannot stand after a dot", () => {
    expect(formatPath(["channels", 0, "count"])).toBe("channels[0].count");
    expect(formatPath(["files", "a.b", "", "size"])).toBe('files["a.b"][""].size');
    expect(formatPath([])).toBe("(root)");
  });
});

describe("isPlainRecord", () => {
  it("takes records of any context and refuses instances, arrays and functions", () => {
    expect([{}, Object.create(null), runInNewContext("({})")].every(isPlainRecord)).toBe(true);
    expect([[], null, new Map(), new Date(0), () => 1, "x", Object.create({ a: 1 })].some(isPlainRecord)).toBe(false);
  });
});

describe("isBytes", () => {
  it("takes a Uint8Array of any context and no other typed array", () => {
    expect([new Uint8Array(1), Buffer.from([1]), runInNewContext("new Uint8Array(1)")].every(isBytes)).toBe(true);
    expect([new Uint8ClampedArray(1), new DataView(new ArrayBuffer(1)), [1]].some(isBytes)).toBe(false);
  });
});
