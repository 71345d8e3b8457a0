import { describe, expect, it } from "vitest";
import { Machine } from "../machine.js";
import { loadImage } from "./image.js";
import { patched } from "./image-fixtures.test-helper.js";
import { type BzImageOptions, bzImage } from "./linux-fixtures.test-helper.js";

const MEMORY = 0x100_0000;
const load = (options: BzImageOptions = {}, more: Partial<Parameters<typeof loadImage>[0]> = {}) =>
  loadImage({ image: bzImage(options), imageName: "bzImage", memorySize: MEMORY, firmwareTables: false, ...more });
const segmentAt = (plan: ReturnType<typeof loadImage>, address: number) =>
  plan.segments.find((segment) => segment.address === address)!.bytes;

describe("the Linux loader", () => {
  it("puts the protected-mode kernel at 1 MiB and enters it there with ESI at the zero page", () => {
    const plan = load();
    expect([plan.kind, plan.entry]).toEqual(["linux", 0x10_0000]);
    expect([...segmentAt(plan, 0x10_0000)]).toEqual([0xf4, 0, 0, 0, 0]);
    expect(plan.registers).toMatchObject({ ebp: 0, edi: 0, ebx: 0, esi: 0x1_0000 });
  });

  it("copies the setup header into the zero page and adds what a loader knows", () => {
    const initrd = new Uint8Array(0x800);
    const plan = load({ initrdLimit: 0x7f_ffff }, { append: "quiet", initrd });
    const page = segmentAt(plan, 0x1_0000);
    const view = new DataView(page.buffer, page.byteOffset);
    expect([view.getUint16(0x1fe, true), view.getUint32(0x202, true)]).toEqual([0xaa55, 0x53726448]);
    // Loader type, and behind the header nothing.
    expect([page[0x210], page[0x268], view.getUint32(0x228, true)]).toEqual([0xff, 0, 0x2_0000]);
    // The initrd as high as the kernel lets it be.
    expect([view.getUint32(0x218, true), view.getUint32(0x21c, true)]).toEqual([0x7f_f000, 0x800]);
    expect(segmentAt(plan, 0x7f_f000)).toBe(initrd);
    expect(new TextDecoder().decode(segmentAt(plan, 0x2_0000))).toBe("quiet\0");
    const map = Array.from({ length: page[0x1e8]! }, (_, index) => {
      const entry = 0x2d0 + 20 * index;
      return [view.getUint32(entry, true), view.getUint32(entry + 8, true), view.getUint32(entry + 16, true)];
    });
    expect(map).toContainEqual([0x10_0000, MEMORY - 0x10_0000, 1]);
  });

  it("loads the flat segments __BOOT_CS and __BOOT_DS from a table that holds them", () => {
    const machine = Machine.boot({ image: bzImage(), memory: "16M" });
    expect(machine.registers).toMatchObject({ cs: 0x10, ds: 0x18, es: 0x18, ss: 0x18, eip: 0x10_0000 });
    // mov ax, cs / mov ds, ax: the descriptor is read from the table.
    const reloads = Machine.boot({ image: bzImage({ payload: [0x8e, 0xda, 0xf4, 0, 0, 0, 0] }), memory: "16M" });
    const { registers } = reloads
      .edit((draft) => {
        draft.registers.edx = 0x18;
      })
      .step();
    expect([registers.ds, registers.eip]).toEqual([0x18, 0x10_0002]);
    expect(machine.cpu.system.gdtr.limit).toBe(0x1f);
  });

  it.each([
    ["an old kernel", { version: 0x204 }, "offset 0x206: a Linux kernel of boot protocol 2.04, where 2.10"],
    ["a zImage", { loadFlags: 0 }, "offset 0x211: a Linux kernel that is loaded below 1 MiB"],
    [
      "a kernel that needs more memory",
      { initSize: 0x200_0000 },
      "offset 0x260: kernel does not fit: it needs memory up to",
    ],
  ] as const)("refuses %s", (_, options, message) => {
    expect(() => load(options)).toThrow(`bzImage: ${message}`);
  });

  it("refuses a 64-bit kernel for a 32-bit processor", () => {
    const image = patched(bzImage(), 0x236, 1);
    const boot = (model: "pentium3" | "max") => loadImage({ image, imageName: "k", memorySize: MEMORY, model });
    expect(() => boot("pentium3")).toThrow("k: a 64-bit kernel, which the processor pentium3 cannot run");
    expect(boot("max").kind).toBe("linux");
  });

  it("enters a kernel in 64-bit mode with memory mapped to itself, where that is wanted", () => {
    // 48 89 F0 mov rax, rsi at the 64-bit entry point; 48 A1 mov rax, [0x200000]
    const payload = [...new Array<number>(0x200).fill(0xcc), 0x48, 0x89, 0xf0, 0x48, 0xa1, 0, 0, 0x20, 0, 0, 0, 0, 0];
    const image = patched(bzImage({ payload: [...payload, 0, 0, 0, 0] }), 0x236, 1);
    const machine = Machine.boot({ image, memory: "16M", model: "core2", entry: 64 });
    const there = machine.write(0x20_0000, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    expect([machine.cpu.eip, machine.registers.cs]).toEqual([0x10_0200, 0x10]);
    expect(there.step().cpu).toMatchObject({ eax: 0x1_0000, eip: 0x10_0203 });
    expect(there.step().step().cpu).toMatchObject({ eax: 0x04030201, eip: 0x10_020d });
    expect(() => Machine.boot({ image: bzImage(), model: "core2", entry: 64 })).toThrow("without a 64-bit entry point");
    expect(() => Machine.boot({ image: Uint8Array.of(0xf4), entry: 64 })).toThrow("only a bzImage has a choice");
  });

  it("refuses a kernel that its release calls a PAE one for a processor without", () => {
    const image = bzImage();
    image.set([0x00, 0x01], 0x20e); // 0x100 behind the first sector
    image.set(new TextEncoder().encode("6.1.0-50-686-pae (someone)"), 0x300);
    const boot = (model: "pentium" | "pentium2") => Machine.boot({ image, imageName: "k", model });
    expect(() => boot("pentium")).toThrow("k: a kernel that pages by PAE, which the processor pentium cannot run");
    expect(boot("pentium2").steps).toBe(0);
  });

  it("refuses a kernel that is cut off in its header", () => {
    const message = "offset 0x202: the setup header of a Linux kernel reaches past the end of the file";
    for (const length of [0x206, 0x263])
      expect(() => Machine.boot({ image: bzImage().subarray(0, length), imageName: "k" })).toThrow(`k: ${message}`);
  });

  it("refuses a kernel that is cut off", () => {
    const image = patched(bzImage(), 0x24c, 0xff, 0xff, 0xff, 0x7f);
    expect(() => loadImage({ image, imageName: "k", memorySize: MEMORY })).toThrow(
      "k: offset 0x24c: the compressed kernel reaches past the end of the file",
    );
  });

  it("refuses a command line that is longer than the kernel takes", () => {
    expect(() => load({ commandLineSize: 4 }, { append: "quiet" })).toThrow(
      "command line: 5 bytes, where the kernel takes 4",
    );
  });

  it("refuses an initrd that does not fit between kernel and limit", () => {
    expect(() => load({ initrdLimit: 0x1f_ffff }, { initrd: new Uint8Array(0x10_0000) })).toThrow(
      "initrd does not fit: it has 0x100000 bytes, between the kernel and the end of memory are 0xf0000",
    );
  });
});
