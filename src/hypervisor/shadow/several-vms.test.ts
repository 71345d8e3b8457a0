/** Several VMs on shadow tables: a turn may end with any exit, so also with the one that a store to a page table was. */
import { describe, expect, it } from "vitest";
import { assemble } from "../../hardware/isa/assembler/assembler.js";
import { Machine } from "../../hardware/machine.js";
import { Hypervisor } from "../hypervisor.js";

/** Has a window show one of two frames by turns, which hold 1 and 2, and makes a sum of all that it sees there. */
const WINDOW = `
  mov edi, 0x11000
  mov eax, 3
fill:
  stosd
  add eax, 0x1000
  cmp eax, 0x400003
  jne fill
  mov dword [0x10000], 0x11003
  mov dword [0x20000], 1
  mov dword [0x21000], 2
  mov eax, 0x10000
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov ecx, 150
  mov eax, 0x20003
show:
  mov [0x11800], eax
  invlpg [0x200000]
  rol ebx, 1
  add ebx, [0x200000]
  xor eax, 0x1000
  loop show
  mov al, 1
  out 0xf4, al
  hlt`;
const image = assemble(WINDOW, { bits: 32 }).bytes;
const names = ["a", "b"];

describe.each([
  { technique: "vmx-shadow", model: "nehalem", bits: 64 },
  { technique: "trap", model: "pentium2", bits: 32 },
  { technique: "bt", model: "pentium2", bits: 32 },
] as const)("two VMs under $technique with short turns", ({ technique, model, bits }) => {
  const guest = Machine.boot({ image, memory: "4M", model });
  const bare = guest.run();
  const host = names.reduce(
    (all, name) => all.addVm({ name, guest, technique }),
    Hypervisor.create({ model, memory: "64M", bits, slice: 1000 }),
  );

  it("see what their page tables say on the bare machine, at the same time", () => {
    const done = names.reduce((ran, name) => ran.run({ until: { vm: name } }), host);
    for (const name of names) {
      const { status, machine } = done.vm(name);
      expect(status).toEqual({ kind: "stopped", stop: bare.stop });
      const { state, memory } = Machine.diff(bare, machine);
      expect(state.filter(({ path }) => path !== "counts.repeats" && path !== "counts.exceptions")).toEqual([]);
      expect(memory).toEqual([]);
    }
  });
});
