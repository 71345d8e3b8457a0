import { describe, expect, it } from "vitest";
import { assemble, Hypervisor, Machine } from "../../index.js";
import { DISPLAY, type Displayable } from "../display.js";

const source = `
        org 0x100000
        mov ecx, 3
again:  dec ecx
        jnz again
        mov eax, 16
        out 0xf4, eax
        hlt`;

function ended(): Hypervisor {
  const guest = Machine.boot({ image: assemble(source, { bits: 32 }).bytes, model: "pentium2", memory: "4M" });
  return Hypervisor.create({ model: "pentium2", bits: 32, memory: "16M" })
    .addVm({ name: "a", guest, technique: "bt" })
    .run({ until: { vm: "a" } });
}

const bundleOf = async (value: unknown): Promise<Readonly<Record<string, unknown>>> =>
  (value as Displayable)[DISPLAY]();

describe("a translation", () => {
  const view = ended().vm("a").translation!;

  it("shows each block beside its translation: what is copied, what is another, and where jumps lead", async () => {
    const text = String((await bundleOf(view.blocks[0]))["text/plain"]);
    expect(text).toMatch(/^Block at 00100000: 6 instructions, \d+ bytes in, \d+ out/);
    expect(text).toMatch(/\n00100005 {2}dec ecx += {2}\w{8} {2}dec ecx\n/);
    expect(text).toMatch(/\n\w{8} {2}jne 0x100005 +→ {2}\w{8} {2}jne 0x\w{8} {2}; translation of 00100005\n/);
    expect(text).toMatch(/\n\w{8} {2}out 0xf4, eax +→ {2}\w{8} {2}int 0xf1 {2}; calls the hypervisor\n/);
  });

  it("shows the cache with a row for each block", async () => {
    const { "text/plain": text, "text/html": html } = await bundleOf(view);
    expect(String(text).split("\n")).toHaveLength(2 + view.blocks.length);
    expect(String(text)).toMatch(/^Translation cache: 1 block; \d+ bytes; /);
    expect(String(html)).toContain("00100000");
  });

  it("is made only when somebody asks for it, and is absent under other techniques", () => {
    const guest = Machine.boot({ image: Uint8Array.of(0xf4), model: "pentium2", memory: "4M" });
    const host = Hypervisor.create({ model: "pentium2", bits: 32, memory: "16M" });
    expect(host.addVm({ name: "a", guest, technique: "trap" }).vm("a").translation).toBeUndefined();
    expect(host.addVm({ name: "a", guest, technique: "bt" }).vm("a").translation).toBeUndefined();
  });
});
