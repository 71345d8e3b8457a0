import { describe, expect, it } from "vitest";
import { VirtlabError } from "./error.js";
import { parseMemorySize } from "./memory-size.js";

describe("a memory size", () => {
  it.each([
    ["64M", 64 * 2 ** 20],
    ["512K", 512 * 2 ** 10],
    ["1g", 2 ** 30],
    ["3G", 3 * 2 ** 30],
    ["8192", 8192],
    [4096, 4096],
  ])("of %j is %i bytes", (size, bytes) => {
    expect(parseMemorySize(size)).toBe(bytes);
  });

  it.each([
    [0, "memory size 0: a machine needs at least 4096 bytes"],
    ["0", 'memory size "0": a machine needs'],
    ["-1M", 'memory size "-1M": a machine needs'],
    [-4096, "memory size -4096: a machine needs"],
    [Number.NaN, "memory size NaN: expected bytes"],
    [4096.5, "memory size 4096.5: expected bytes"],
    ["1.5M", 'memory size "1.5M": expected bytes or a whole number of K, M or G'],
    ["", 'memory size "": expected'],
    ["64MB", 'memory size "64MB": expected'],
    ["M", 'memory size "M": expected'],
    [5000, "memory size 5000: 5000 bytes is not a multiple of 4096"],
    ["1K", 'memory size "1K": 1024 bytes is not a multiple of 4096'],
    ["4G", 'memory size "4G": at most 3G (3221225472 bytes) is possible'],
    [Number.POSITIVE_INFINITY, "memory size Infinity: expected"],
    ["9".repeat(400), "expected bytes"],
  ])("of %j is refused", (size, message) => {
    expect(() => parseMemorySize(size)).toThrow(VirtlabError);
    expect(() => parseMemorySize(size)).toThrow(message);
  });
});
