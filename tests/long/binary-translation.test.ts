import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { assemble } from "../../src/hardware/isa/assembler/assembler.js";
import { Machine } from "../../src/hardware/machine.js";
import { Hypervisor } from "../../src/hypervisor/hypervisor.js";
import { TOP } from "../../src/hypervisor/layout.js";
import { NOTHING, visible } from "../support/visible.js";

const imageOf = (name: string) => readFileSync(path.join(__dirname, `../../guests/images/${name}.elf`));
/** What no hypervisor sees happen. */

const boot = (image: Uint8Array, model: ModelName = "pentium2") => Machine.boot({ image, memory: "16M", model });

function hostOf(guest: Machine, model: ModelName = "pentium2"): Hypervisor {
  return Hypervisor.create({ model, memory: "64M", bits: 32 }).addVm({ name: "a", guest, technique: "bt" });
}

/** 32-bit code at 1 MiB, which ends by the debug exit. */
const program = (source: string) =>
  boot(assemble(`bits 32\norg 0x100000\n${source}\nmov eax, 16\nout 0xf4, eax\nhlt`).bytes);

const endOf = (guest: Machine): { bare: Machine; done: Hypervisor } => ({
  bare: guest.run({ maxInstructions: 3_000_000 }),
  done: hostOf(guest).run({ until: { vm: "a" }, maxInstructions: 10_000_000 }),
});

describe("a VM under binary translation", () => {
  it.each(["kernel", "rings", "faults", "hello", "triple"])(
    "ends as the bare machine does, in the same guest time: %s",
    (name) => {
      const { bare, done } = endOf(boot(imageOf(name)));
      const vm = done.vm("a");
      expect(vm.status).toEqual({ kind: "stopped", stop: bare.stop });
      expect(visible(bare, vm.machine)).toEqual(NOTHING);
      expect(vm.ledger.reduce((sum, { count }) => sum + count, 0)).toBe(vm.exits);
    },
  );

  it("shows the guest between any two of its instructions, wherever the host is", () => {
    let bare = boot(imageOf("hello"));
    let host = hostOf(bare);
    for (let steps = 1; steps < 24 && host.vm("a").status.kind === "ready"; steps++) {
      for (let again = 0; again < 12; again++) {
        host = host.run({ maxInstructions: steps });
        const { machine } = host.vm("a");
        if (machine.steps > bare.steps) bare = bare.run({ maxInstructions: machine.steps - bare.steps });
        expect([host.steps, visible(bare, machine)]).toEqual([host.steps, NOTHING]);
      }
    }
  });

  it("never fetches an instruction of the guest's kernel from its own page", () => {
    const host = hostOf(boot(imageOf("sensitive")));
    const { events } = host.run({ until: { vm: "a" }, observe: ["instruction"] });
    const rings: Record<number, number> = {};
    let [program, kernel] = [0, 0];
    for (const event of events) {
      if (event.kind !== "instruction") continue;
      rings[event.cpl] = (rings[event.cpl] ?? 0) + 1;
      if (event.cpl === 3) program++;
      else if (event.cpl === 1) kernel += event.eip >= TOP ? 0 : 1;
      // The host's own startup code goes to the top of the linear space by itself.
      else if (event.tick > 30 && event.eip < TOP) kernel++;
    }
    expect(kernel).toBe(0);
    expect(program).toBeGreaterThan(20);
    expect(Object.keys(rings)).toEqual(["0", "1", "3"]);
    expect(rings[1]).toBeGreaterThan(20_000);
  });

  it("gets right in the kernel what trap-and-emulate cannot; programs see the tables of the hypervisor", () => {
    const { bare, done } = endOf(boot(imageOf("sensitive")));
    const [expected, seen] = [bare.serial, done.vm("a").serial].map((text) => text.trimEnd().split("\n"));
    const kernel = (line: string): string => line.replace(/ring 3 \S+\s+/, "");
    expect(seen!.map(kernel)).toEqual(expected!.map(kernel));
    const told = seen!.filter((line, index) => line !== expected![index]).map((line) => line.split("  ").at(-1));
    expect(told).toEqual([
      "SGDT: limit",
      "SGDT: base lies in the image",
      "SIDT: limit",
      "SIDT: base lies in the image",
      "STR: selector",
    ]);
  });

  it("executes code that was written over translated code", () => {
    const { bare, done } = endOf(
      program(`
        mov ecx, 50
again:  call work
        add byte [work + 1], 3
        dec ecx
        jnz again
        jmp done
work:   mov ebx, 7
        add edx, ebx
        ret
done:`),
    );
    expect(bare.registers.edx).toBe(50 * 7 + (3 * 49 * 50) / 2);
    expect(visible(bare, done.vm("a").machine)).toEqual(NOTHING);
    expect(done.vm("a").translation!.flushes).toBe(50);
  });

  it("executes what a page of code is mapped to, once that is another", () => {
    const { bare, done } = endOf(
      program(`
        mov edi, 0x200000
        lea eax, [edi + 0x1003]
        mov [edi], eax
        mov ecx, 1024
        mov eax, 3
fill:   mov [edi + ecx*4 + 0xffc], eax
        dec ecx
        jnz fill
        xor ecx, ecx
pages:  mov eax, ecx
        shl eax, 12
        or eax, 3
        mov [edi + 0x1000 + ecx*4], eax
        inc ecx
        cmp ecx, 1024
        jne pages
        mov dword [0x300000], 0xc301c383
        mov dword [0x301000], 0xc302c383
        mov cr3, edi
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov esp, 0x280000
        mov esi, 0x300000
        mov ebp, 20
turn:   call esi
        xor dword [edi + 0x1000 + 0x300*4], 0x1000
        invlpg [esi]
        dec ebp
        jnz turn`),
    );
    expect(bare.registers.ebx).toBe(30);
    expect(visible(bare, done.vm("a").machine)).toEqual(NOTHING);
  });

  it("shows blocks: what went in, what came out, what is chained", () => {
    const { done } = endOf(
      program(`
        xor eax, eax
        mov ecx, 5
again:  add eax, ecx
        call sub
        dec ecx
        jnz again
        cli
        jmp end
sub:    inc ebx
        ret
end:`),
    );
    const { blocks, translatedBlocks, cacheBytes, flushes, callOuts, remembered } = done.vm("a").translation!;
    expect(translatedBlocks).toBe(blocks.length);
    expect(flushes).toBe(0);
    expect(cacheBytes).toBe(blocks.reduce((sum, { output }) => sum + output.length, 0));
    expect(remembered).toBe(1);
    expect(callOuts).toMatchObject({ emulate: 2, simulate: 0, indirect: 1 });
    const [first] = blocks;
    expect(first!.guestAddress).toBe(0x10_0000);
    expect([...first!.output.slice(0, first!.pairs[3]!.output)]).toEqual([
      ...first!.input.slice(0, first!.pairs[3]!.input),
    ]);
    expect(first!.chained).toBe(true);
    const last = blocks.find(({ callOuts: { emulate } }) => emulate === 1)!;
    expect(last.links).toEqual([{ target: 0x10_0016, chained: true }]);
  });

  it("has room for three VMs", () => {
    const guest = boot(imageOf("halt"));
    let host = Hypervisor.create({ model: "pentium2", memory: "128M" });
    for (const name of ["a", "b", "c"]) host = host.addVm({ name, guest, technique: "bt" });
    expect(() => host.addVm({ name: "d", guest, technique: "bt" })).toThrow(
      "d: binary translation has room for 3 VMs of a host",
    );
  });
});
