import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../state/error.js";
import { type ImageOptions, loadImage } from "./image.js";
import { addressFieldImage, dwords, elf, multibootHeader, patched } from "./image-fixtures.test-helper.js";
import type { LoadPlan } from "./load-plan.js";

const MEBIBYTE = 0x100000;

function load(options: Partial<ImageOptions> = {}): LoadPlan {
  return loadImage({ image: elf(), imageName: "kernel.elf", memorySize: 64 * MEBIBYTE, ...options });
}

/** Physical memory after loading, as far as anything is there. */
function memory(plan: LoadPlan): DataView {
  const end = Math.max(...plan.segments.map(({ address, bytes }) => address + bytes.length));
  const bytes = new Uint8Array(end);
  for (const segment of plan.segments) bytes.set(segment.bytes, segment.address);
  return new DataView(bytes.buffer);
}

function textAt(view: DataView, address: number): string {
  let text = "";
  for (let next = address; view.getUint8(next) !== 0; next++) text += String.fromCharCode(view.getUint8(next));
  return text;
}

const words = (view: DataView, address: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => view.getUint32(address + 4 * index, true));

describe("the multiboot loader", () => {
  it("starts an ELF kernel at its entry point with the magic number and the information structure", () => {
    const plan = load();
    expect(plan.kind).toBe("multiboot");
    expect(plan.entry).toBe(0x10000c);
    expect(plan.registers).toMatchObject({ eax: 0x2badb002, ebx: 0x9500, esp: 0 });
    expect(plan.segments[0]).toEqual({ address: MEBIBYTE, bytes: Uint8Array.from([...multibootHeader(), 0xf4]) });
  });

  it("puts information, lists, strings and modules where QEMU's loader puts them", () => {
    // Numbers seen under QEMU 7.2 with the same sizes, but for the loader's name, which is last.
    const plan = load({
      imageName: "k.bin",
      append: "a b",
      modules: [
        { data: new Uint8Array(5).fill(0x61), text: "mod1 arg1" },
        { data: new Uint8Array(5000).fill(0x62), text: "mod2" },
      ],
    });
    const view = memory(plan);
    const info = (offset: number): number => view.getUint32(0x9500 + offset, true);
    expect([info(4), info(8), info(16), info(20), info(24), info(44), info(48), info(64)]).toEqual([
      0x27f, 0xfb80, 0x10102f, 2, 0x101000, 0x90, 0x9000, 0x101039,
    ]);
    expect(words(view, 0x101000, 8)).toEqual([0x102000, 0x102005, 0x101020, 0, 0x103000, 0x104388, 0x10102a, 0]);
    expect(textAt(view, 0x10102f)).toBe("k.bin a b");
    expect(textAt(view, 0x101020)).toBe("mod1 arg1");
    expect(textAt(view, 0x101039)).toBe("virtlab");
    expect([view.getUint8(0x102004), view.getUint8(0x104387)]).toEqual([0x61, 0x62]);
  });

  it("says which fields are there, and no boot device, in the flags", () => {
    expect(memory(load()).getUint32(0x9500, true)).toBe(0x24d);
  });

  it("makes the memory map that QEMU's firmware makes of 64 MiB", () => {
    const view = memory(load());
    const entries = Array.from({ length: 6 }, (_, index) => words(view, 0x9000 + 24 * index, 6));
    expect(entries).toEqual([
      [0x14, 0, 0, 0x9fc00, 0, 1],
      [0x14, 0x9fc00, 0, 0x400, 0, 2],
      [0x14, 0xf0000, 0, 0x10000, 0, 2],
      [0x14, 0x100000, 0, 0x3ee0000, 0, 1],
      [0x14, 0x3fe0000, 0, 0x20000, 0, 2],
      [0x14, 0xfffc0000, 0, 0x40000, 0, 2],
    ]);
  });

  it("passes the command line alone if the image has no name", () => {
    const view = memory(load({ imageName: undefined, append: "quiet" }));
    expect(textAt(view, view.getUint32(0x9500 + 16, true))).toBe("quiet");
  });

  it("puts the information structure behind a kernel that needs the low area", () => {
    const segments = [
      { vaddr: 0x100000, bytes: [...multibootHeader(), 0xf4] },
      { vaddr: 0x8000, bytes: [1], memsz: 0x1001 },
    ];
    const plan = load({ image: elf({ segments }) });
    expect(plan.registers.ebx).toBe(0x102500);
    expect(memory(plan).getUint32(0x102500 + 48, true)).toBe(0x102000);
  });

  it("keeps lists and modules of a low kernel out of the video memory", () => {
    const segments = [{ vaddr: 0x8f000, bytes: [...multibootHeader(), 0xf4] }];
    const plan = load({ image: elf({ segments }), modules: [{ data: new Uint8Array(0x20000) }] });
    expect(memory(plan).getUint32(0x9500 + 24, true)).toBe(0x100000);
  });

  it("loads by address fields what lies between load and end of load", () => {
    const image = addressFieldImage({ load: 0x100004, loadEnd: 0x100030, bssEnd: 0x108000 }, 8);
    const plan = load({ image: image });
    expect(plan.segments[0]).toEqual({ address: 0x100004, bytes: image.slice(4, 0x30) });
    expect(plan.entry).toBe(0x100020);
    // The lists start on the page behind the zeros.
    expect(memory(plan).getUint32(0x9500 + 24, true)).toBe(0x108000);
  });

  it("loads by address fields to the end of the file if no end is given", () => {
    expect(load({ image: addressFieldImage() }).segments[0]?.bytes.length).toBe(0x40);
  });

  it("prefers address fields to ELF headers", () => {
    const segment = [...multibootHeader(0x10003), ...dwords(0x200054, 0x200054, 0, 0, 0x200074), 0xf4];
    const plan = load({ image: elf({ segments: [{ vaddr: 0x100000, bytes: segment }] }) });
    expect(plan.entry).toBe(0x200074);
    expect(plan.segments[0]).toEqual({ address: 0x200054, bytes: Uint8Array.from(segment) });
  });

  it("finds a header whose magic number occurs without a checksum before it", () => {
    const segments = [{ vaddr: 0x100000, bytes: [...dwords(0x1badb002, 1, 1), ...multibootHeader(), 0xf4] }];
    expect(load({ image: elf({ segments }) }).kind).toBe("multiboot");
  });

  const header = addressFieldImage();
  it.each([
    ["a wrong checksum", patched(header, 8, 0), "offset 0x8: multiboot checksum is 0xe4514f00, expected 0xe4514ffb"],
    ["a header cut off", header.slice(0, 8), "offset 0x0: multiboot header is cut off at 0x8"],
    [
      "address fields cut off",
      header.slice(0, 28),
      "offset 0x0: address fields of the multiboot header are cut off at 0x1c",
    ],
    [
      "an unknown requirement",
      Uint8Array.from([...multibootHeader(0x13), 0xf4]),
      "offset 0x4: multiboot header requires features that are not known: flags 0x10",
    ],
    [
      "neither ELF nor address fields",
      Uint8Array.from([...multibootHeader(), 0xf4]),
      "offset 0x4: not an ELF file, and the multiboot header has no address fields (flags bit 16)",
    ],
    [
      "a header below the load address",
      addressFieldImage({ load: 0x100100 }),
      "offset 0xc: multiboot header at 0x100000 is below the load address 0x100100",
    ],
    [
      "a load address before the file",
      addressFieldImage({ load: 0xff000 }),
      "offset 0x10: load address 0xff000 is 0x1000 before the start of the file",
    ],
    [
      "an end of load past the file",
      addressFieldImage({ loadEnd: 0x100041 }),
      "offset 0x14: what is to be loaded reaches past the end of the file (needs 0x41, has 0x40)",
    ],
    [
      "an end of load before the header",
      addressFieldImage({ loadEnd: 0x1000 }),
      "offset 0x14: end of load 0x1000 is not behind the multiboot header",
    ],
    [
      "an end of bss before the end of load",
      addressFieldImage({ bssEnd: 0x100010 }),
      "offset 0x18: end of bss 0x100010 is below the end of load 0x100040",
    ],
    [
      "an entry point outside",
      addressFieldImage({ entry: 0x100040 }),
      "offset 0x1c: entry point 0x100040 is outside what is loaded",
    ],
    [
      "bss past the memory",
      addressFieldImage({ bssEnd: 0x4000001 }),
      "offset 0x18: kernel does not fit: it needs memory up to 0x4000001, the machine has 0x4000000",
    ],
  ])("refuses %s and says where", (_what, image, message) => {
    expect(() => load({ image, imageName: "kernel.bin" })).toThrow(VirtlabError);
    expect(() => load({ image, imageName: "kernel.bin" })).toThrow(`kernel.bin: ${message}`);
  });

  it("refuses a kernel or modules that are larger than the memory", () => {
    expect(() => load({ memorySize: MEBIBYTE })).toThrow(
      "kernel.elf: offset 0x54: kernel does not fit: it needs memory up to 0x10000d",
    );
    const modules = [{ data: new Uint8Array(1) }, { data: new Uint8Array(MEBIBYTE) }];
    expect(() => load({ memorySize: 2 * MEBIBYTE, modules })).toThrow(
      "module 1 does not fit: it needs memory up to 0x203000, the machine has 0x200000",
    );
    expect(() => load({ memorySize: MEBIBYTE + 0x1000 })).toThrow("kernel.elf: boot information does not fit");
  });

  it("refuses a text with a character of code 0", () => {
    expect(() => load({ append: "a\0b" })).toThrow("command line: a character of code 0 would end it early");
    expect(() => load({ modules: [{ data: new Uint8Array(1), text: "\0" }] })).toThrow("text of module 0");
  });
});
