import { describe, expect, it } from "vitest";
import { loadImage } from "./image.js";
import { pvhElf } from "./linux-fixtures.test-helper.js";

const MEMORY = 0x100_0000;
const load = (image: Uint8Array, more: Partial<Parameters<typeof loadImage>[0]> = {}) =>
  loadImage({ image, imageName: "vmlinux", memorySize: MEMORY, firmwareTables: false, ...more });

/** What the plan puts at a physical address. */
function at(plan: ReturnType<typeof loadImage>, address: number, size: number): DataView {
  const segment = plan.segments.find((s) => address >= s.address && address + size <= s.address + s.bytes.length)!;
  const { bytes } = segment;
  return new DataView(bytes.buffer, bytes.byteOffset + address - segment.address, size);
}

describe("the PVH loader", () => {
  it.each([32, 64] as const)(
    "enters a %i-bit kernel where its note says, with EBX at the start information",
    (bits) => {
      const plan = load(pvhElf({ bits, paddr: 0x20_0000, note: { entry: 0x20_0001 } }));
      expect([plan.kind, plan.entry]).toEqual(["pvh", 0x20_0001]);
      expect(at(plan, plan.registers.ebx, 4).getUint32(0, true)).toBe(0x336ec578);
      expect(at(plan, 0x20_0000, 2).getUint16(0, true)).toBe(0xf490);
    },
  );

  it("loads a 64-bit kernel that is linked to the upper half at its physical addresses", () => {
    const plan = load(pvhElf({ bits: 64, vaddr: 0xffffffff81000000n, paddr: 0x10_0000 }));
    expect(plan.segments.find(({ bytes }) => bytes.length === 2)?.address).toBe(0x10_0000);
  });

  it("hands over the command line, the memory map and the initrd", () => {
    const initrd = new Uint8Array(0x1001).fill(7);
    const plan = load(pvhElf(), { append: "quiet", initrd });
    const info = at(plan, plan.registers.ebx, 56);
    const word = (offset: number): number => Number(info.getBigUint64(offset, true));
    expect([info.getUint32(4, true), info.getUint32(12, true)]).toEqual([1, 1]);
    const text = at(plan, word(24), 6);
    expect(String.fromCharCode(...new Uint8Array(text.buffer, text.byteOffset, 6))).toBe("quiet\0");

    const module = at(plan, word(16), 16);
    expect(Number(module.getBigUint64(8, true))).toBe(0x1001);
    const place = Number(module.getBigUint64(0, true));
    // As high as it may be, on a page.
    expect(place).toBe(MEMORY - 0x2000);
    expect(at(plan, place, 0x1001).getUint8(0x1000)).toBe(7);

    const entries = Array.from({ length: info.getUint32(48, true) }, (_, index) => {
      const entry = at(plan, word(40) + 24 * index, 24);
      return [Number(entry.getBigUint64(0, true)), Number(entry.getBigUint64(8, true)), entry.getUint32(16, true)];
    });
    expect(entries).toContainEqual([0x10_0000, MEMORY - 0x10_0000, 1]);
    expect(entries).toContainEqual([0, 0x9_fc00, 1]);
  });

  it("names no module where there is no initrd", () => {
    const plan = load(pvhElf());
    const info = at(plan, plan.registers.ebx, 56);
    expect([info.getUint32(12, true), Number(info.getBigUint64(16, true))]).toEqual([0, 0]);
  });

  it.each([
    [
      "an ELF file without the note",
      pvhElf({ note: undefined }),
      "offset 0x0: no multiboot header .* no entry note for PVH",
    ],
    ["a note of another type", pvhElf({ note: { entry: 0x10_0000, type: 6 } }), "no entry note for PVH"],
    [
      "an entry outside of the kernel",
      pvhElf({ note: { entry: 0x30_0000 } }),
      "entry point 0x300000 is in no loadable segment",
    ],
    [
      "a note that is too short",
      pvhElf({ note: { entry: 0x10_0000, size: 2 } }),
      "entry note of 2 bytes, where 4 are needed",
    ],
    [
      "a note that reaches too far",
      pvhElf({ note: { entry: 0x10_0000, size: 99 } }),
      "a note reaches past the end of its segment",
    ],
    [
      "a kernel beyond the memory",
      pvhElf({ memsz: 0x200_0000 }),
      "kernel does not fit: it needs memory up to 0x2100000",
    ],
    ["a kernel in low memory", pvhElf({ paddr: 0x8000 }), "segment at 0x8000 is where the boot information goes"],
  ])("refuses %s", (_, image, message) => {
    expect(() => load(image)).toThrow(
      new RegExp(`^vmlinux: offset 0x[0-9a-f]+: .*${message.replace(/^offset 0x0: /, "")}`),
    );
  });

  it("refuses a 64-bit kernel for a 32-bit processor, and names those that can run it", () => {
    expect(() => load(pvhElf({ bits: 64 }), { model: "pentium3" })).toThrow(
      "vmlinux: a 64-bit kernel, which the processor pentium3 cannot run (these can: core2, nehalem, phenom, max)",
    );
    expect(load(pvhElf({ bits: 64 }), { model: "core2" }).kind).toBe("pvh");
  });

  it("refuses a kernel that says it needs PAE for a processor without", () => {
    const pae = { entry: 0x10_0000, more: { type: 9, text: "yes" } };
    expect(() => load(pvhElf({ note: pae }), { model: "pentium" })).toThrow(
      "vmlinux: a kernel that pages by PAE, which the processor pentium cannot run",
    );
    expect(load(pvhElf({ note: pae }), { model: "pentium2" }).kind).toBe("pvh");
  });

  it("refuses an initrd larger than the memory, modules, and a command line that would end early", () => {
    expect(() => load(pvhElf(), { initrd: new Uint8Array(MEMORY) })).toThrow(
      "initrd does not fit: it has 0x1000000 bytes, between the kernel and the end of memory are 0xeffffe",
    );
    expect(() => load(pvhElf(), { modules: [{ data: new Uint8Array(1) }] })).toThrow("takes an initrd, not modules");
    expect(() => load(pvhElf(), { append: "a\0b" })).toThrow("command line: a character of code 0");
    expect(() => load(pvhElf(), { append: "x".repeat(0x9_0000) })).toThrow("command line: 589824 bytes are too long");
    expect(() => load(pvhElf(), { initrd: "x" as unknown as Uint8Array })).toThrow("initrd: expected a Uint8Array");
  });
});
