import { describe, expect, it } from "vitest";
import { loadImage } from "./image.js";
import { addressFieldImage, elf, patched } from "./image-fixtures.test-helper.js";

const MEMORY = 0x400000;
const withoutHeader = elf({ entry: 0x100000, segments: [{ vaddr: 0x100000, bytes: [0xf4] }] });

describe("the image loader", () => {
  it("recognizes multiboot kernels, with and without ELF, and flat binaries", () => {
    expect(loadImage({ image: elf(), memorySize: MEMORY }).kind).toBe("multiboot");
    expect(loadImage({ image: addressFieldImage(), memorySize: MEMORY }).kind).toBe("multiboot");
    expect(loadImage({ image: Uint8Array.of(0xf4), memorySize: MEMORY }).kind).toBe("flat");
  });

  it("starts a flat binary at 1 MiB with a stack in low memory", () => {
    const plan = loadImage({ image: Uint8Array.of(0x90, 0xf4), memorySize: MEMORY });
    expect(plan.entry).toBe(0x100000);
    expect(plan.segments).toEqual([{ address: 0x100000, bytes: Uint8Array.of(0x90, 0xf4) }]);
    expect(plan.registers).toEqual({ eax: 0, ecx: 0, edx: 0, ebx: 0, esp: 0x90000, ebp: 0, esi: 0, edi: 0 });
  });

  it("refuses an ELF file without a multiboot header", () => {
    expect(() => loadImage({ image: withoutHeader, imageName: "a.out", memorySize: MEMORY })).toThrow(
      "a.out: offset 0x0: no multiboot header in the first 0x2000 bytes",
    );
  });

  it("refuses a multiboot header that begins behind the first 8192 bytes", () => {
    const image = new Uint8Array(0x3000);
    image.set(addressFieldImage({}, 0, 0x40), 0x2000);
    expect(() => loadImage({ image, memorySize: MEMORY, kind: "multiboot" })).toThrow("no multiboot header");
  });

  it("says what is wrong with an ELF file before it misses a header", () => {
    const load = (image: Uint8Array) => () => loadImage({ image, imageName: "k", memorySize: MEMORY });
    expect(load(elf().slice(0, 0x50))).toThrow("k: offset 0x2c: program header table reaches past the end of the file");
    expect(load(patched(withoutHeader, 4, 2))).toThrow("k: offset 0x12: ELF machine 3, where 62 (Intel 64)");
    expect(load(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46))).toThrow("k: offset 0x0: ELF header reaches past the end");
  });

  it("takes any file for flat if it is told so", () => {
    expect(loadImage({ image: withoutHeader, memorySize: MEMORY, kind: "flat" }).segments[0]?.bytes).toEqual(
      withoutHeader,
    );
  });

  it("refuses an empty file and a flat binary larger than the memory", () => {
    expect(() => loadImage({ image: new Uint8Array(), memorySize: MEMORY })).toThrow(
      "image: offset 0x0: the file is empty",
    );
    expect(() => loadImage({ image: new Uint8Array(0x1001), imageName: "f", memorySize: 0x101000 })).toThrow(
      "f: offset 0x0: flat binary does not fit: it needs memory up to 0x101001, the machine has 0x101000",
    );
  });

  it("refuses a command line or modules for a flat binary", () => {
    const image = Uint8Array.of(0xf4);
    expect(() => loadImage({ image, memorySize: MEMORY, append: "x" })).toThrow("cannot be given a command line");
    expect(() => loadImage({ image, memorySize: MEMORY, modules: [{ data: image }] })).toThrow(
      "cannot be given modules",
    );
  });

  it("refuses images and modules that are not bytes", () => {
    expect(() => loadImage({ image: "text" as unknown as Uint8Array, memorySize: MEMORY })).toThrow(
      "expected a Uint8Array",
    );
    const modules = [{ data: [1] as unknown as Uint8Array }];
    expect(() => loadImage({ image: elf(), memorySize: MEMORY, modules })).toThrow("module 0: expected its data");
  });

  it("does not change the file it is given", () => {
    const image = elf();
    const before = image.slice();
    loadImage({ image, memorySize: MEMORY, modules: [{ data: image, text: "self" }] });
    expect(image).toEqual(before);
  });
});
