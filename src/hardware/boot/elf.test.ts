import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../state/error.js";
import { parseElf } from "./elf.js";
import { ImageFile } from "./image-file.js";
import { dwords, elf, patched } from "./image-fixtures.test-helper.js";

const parse = (image: Uint8Array) => parseElf(new ImageFile(image, "kernel.elf"));
const good = elf();
const withSymbols = elf({
  symbols: [
    { name: "later", value: 0x100008, info: 0x12 },
    { name: "start", value: 0x100000, info: 0x10 },
    { name: "file.c", value: 0, info: 0x04 },
    { name: "data", value: 0x100004, info: 0x01 },
  ],
});

describe("the ELF reader", () => {
  it("gives the segments that have bytes in memory, with their zeros", () => {
    const image = elf({
      entry: 0x100000,
      segments: [
        { vaddr: 0x100000, bytes: [1, 2, 3], memsz: 0x2000 },
        { vaddr: 0x200000, bytes: [] },
      ],
    });
    expect(parse(image).segments).toEqual([
      { virtualAddress: 0x100000, physicalAddress: 0x100000, fileOffset: 0x74, fileSize: 3, memorySize: 0x2000 },
    ]);
  });

  it("turns a virtual entry point into the physical address of its code", () => {
    const segments = [{ vaddr: 0xc0100000, paddr: 0x100000, bytes: [0x90, 0xf4] }];
    expect(parse(elf({ entry: 0xc0100001, segments })).entry).toBe(0x100001);
    expect(parse(elf({ entry: 0x100001, segments })).entry).toBe(0x100001);
  });

  it("gives the symbols for code, data and places by rising address", () => {
    expect(parse(withSymbols).symbols).toEqual([
      { name: "start", address: 0x100000, size: 4, type: "none" },
      { name: "data", address: 0x100004, size: 4, type: "object" },
      { name: "later", address: 0x100008, size: 4, type: "function" },
    ]);
    expect(parse(good).symbols).toEqual([]);
  });

  it.each([
    [
      "a file cut off in the ELF header",
      good.slice(0, 0x20),
      "offset 0x0: ELF header reaches past the end of the file (needs 0x34, has 0x20)",
    ],
    ["a 64-bit file", patched(good, 4, 2), "offset 0x4: a 64-bit ELF file, where a 32-bit one is needed"],
    ["an unknown class", patched(good, 4, 9), "offset 0x4: ELF class 9, where"],
    ["a big-endian file", patched(good, 5, 2), "offset 0x5: not a little-endian ELF file"],
    ["a shared object", patched(good, 0x10, 3), "offset 0x10: ELF type 3 (shared or position-independent), where 2"],
    ["another machine's file", patched(good, 0x12, 40), "offset 0x12: ELF machine 40, where 3 (Intel 80386) is needed"],
    ["no program headers", patched(good, 0x2c, 0), "offset 0x2c: no program headers"],
    ["a wrong program header size", patched(good, 0x2a, 56), "offset 0x2a: program headers of 56 bytes are not known"],
    [
      "a program header table past the end",
      good.slice(0, 0x40),
      "offset 0x2c: program header table reaches past the end of the file (needs 0x54, has 0x40)",
    ],
    [
      "a segment past the end",
      good.slice(0, -1),
      "offset 0x38: segment 0 reaches past the end of the file (needs 0x61, has 0x60)",
    ],
    [
      "more bytes in the file than in memory",
      elf({ segments: [{ vaddr: 0x100000, bytes: [1, 2], memsz: 1 }] }),
      "offset 0x44: segment 0 has 0x2 bytes in the file but 0x1 in memory",
    ],
    [
      "a segment past 4 GiB",
      patched(good, 0x40, ...dwords(0xfffffff8)),
      "offset 0x40: segment 0 reaches past the end of the 32-bit address space",
    ],
    ["nothing to load", patched(good, 0x34, 4), "offset 0x34: no loadable segment"],
    ["an entry point outside", elf({ entry: 0x300000 }), "offset 0x18: entry point 0x300000 is in no loadable segment"],
    [
      "overlapping segments",
      elf({
        segments: [
          { vaddr: 0x100000, bytes: [1], memsz: 0x1001 },
          { vaddr: 0x101000, bytes: [2] },
        ],
      }),
      "offset 0x54: segment at 0x101000 overlaps the one at 0x100000",
    ],
    [
      "a section header table past the end",
      withSymbols.slice(0, -1),
      "offset 0x30: section header table reaches past the end",
    ],
  ])("refuses %s and says where", (_what, image, message) => {
    expect(() => parse(image)).toThrow(VirtlabError);
    expect(() => parse(image)).toThrow(`kernel.elf: ${message}`);
  });

  it("reads any damaged file or refuses it with a VirtlabError", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(withSymbols.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(withSymbols.length),
        (changes, length) => {
          const image = withSymbols.slice(0, length);
          for (const [offset, byte] of changes) if (offset < length) image[offset] = byte;
          try {
            parse(image);
          } catch (error) {
            expect(error).toBeInstanceOf(VirtlabError);
          }
        },
      ),
      { seed: 32, numRuns: 2000 },
    );
  });
});
