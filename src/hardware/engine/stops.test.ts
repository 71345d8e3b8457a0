/** Runs that stop in front of instructions and behind accesses: where, and that nothing of it shows in a value. */
import { describe, expect, it } from "vitest";
import { guest } from "../../systems/packaged-guest.js";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import type { Watchpoint } from "./stops.js";

const rings = Machine.boot({ image: guest("rings"), memory: "16M" });
const faults = Machine.boot({ image: guest("faults"), memory: "16M" });
const program = (source: string): Machine =>
  Machine.boot({ image: assemble(source, { bits: 32 }).bytes, memory: "4M", model: "core2" });

/** Linear address of the next instruction. */
const place = ({ registers, cpu }: Machine): number => (cpu.system.segments.cs.base + registers.eip) >>> 0;

/** Where a run with these breakpoints is to stop, found step by step. */
function arrivals(start: Machine, steps: number, breakpoints: ReadonlySet<number>): number[] {
  const found: number[] = [];
  let machine = start;
  for (let step = 0; step < steps; step++) {
    const next = machine.step();
    const repeats = next.counters.repeats > machine.counters.repeats && next.registers.eip === machine.registers.eip;
    machine = next;
    if (!repeats && !machine.halted && breakpoints.has(place(machine))) found.push(machine.steps);
  }
  return found;
}

function stops(start: Machine, steps: number, breakpoints: readonly number[]): Machine[] {
  const found: Machine[] = [];
  for (let machine = start; machine.steps < start.steps + steps; ) {
    machine = machine.run({ maxInstructions: start.steps + steps - machine.steps, breakpoints });
    if (machine.stop?.reason !== "breakpoint") break;
    found.push(machine);
  }
  return found;
}

describe("breakpoints", () => {
  it.each([
    ["rings", rings, 100_000],
    ["faults", faults, 40_000],
  ])("of %s stop a run where single steps arrive, at values that no breakpoint shows in", (_name, boot, from) => {
    const start = boot.run({ maxInstructions: from });
    const steps = 3000;
    // Every 97th place that is come by, which in these guests are in both rings, in handlers and in the middle of loops.
    const visited = new Set<number>();
    for (let machine = start, step = 0; step < steps; step++) {
      machine = machine.step();
      if (step % 97 === 0) visited.add(place(machine));
    }
    const found = stops(start, steps, [...visited]);
    expect(found.map((machine) => machine.steps)).toEqual(arrivals(start, steps, visited));
    for (const machine of found.filter((_, index) => index % 50 === 0))
      expect(machine.hash).toBe(start.run({ maxInstructions: machine.steps - start.steps }).hash);
    expect(found.length).toBeGreaterThan(20);
  });

  it("are looked for at the speed of a run, and no more of them than asked for", () => {
    const machine = program("mov ecx, 3000000\nagain: dec ecx\njnz again\nend: hlt");
    expect(machine.run({ breakpoints: [0x100008] }).steps).toBe(6_000_001);
    expect(machine.run({ breakpoints: [0x100005], maxInstructions: 10 }).steps).toBe(1);
    expect(machine.run({ breakpoints: [0x100006], maxInstructions: 10 }).steps).toBe(2);
    expect(machine.run({ maxInstructions: 10 }).stop).toEqual({ reason: "limit" });
  });

  it("stop in front of a repeated instruction once, however often it repeats and runs are cut", () => {
    const machine = program("mov ecx, 50\nmov edi, 0x5000\nrep stosb\njmp $-2");
    const there = machine.run({ breakpoints: [0x10000a] });
    expect(there.steps).toBe(2);
    const cut = there.run({ maxInstructions: 20, breakpoints: [0x10000a] });
    expect(cut.stop).toEqual({ reason: "limit" });
    expect(cut.run({ breakpoints: [0x10000a] }).steps).toBe(2 + 50 + 1);
  });

  it("on a page that is not there yet stop in front of the page fault, and no fetch is seen before", () => {
    // A page directory at 0x2000 and a table at 0x3000 that maps the first 2 MiB, but the page at 0x1ff000 later.
    const machine = program(`
      mov edi, 0x3000
      mov eax, 3
      mov ecx, 512
      fill: stosd
      add eax, 4096
      loop fill
      mov dword [0x2000], 0x3003
      mov dword [0x3000 + 4 * 0x1fe], 0x1fe003
      mov eax, 0x2000
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      mov eax, 0x1fe000
      jmp eax`);
    const there = machine.run({ breakpoints: [0x1fe000] });
    expect(there.stop).toEqual({ reason: "breakpoint", address: 0x1fe000 });
    expect(there.memory.read(0x3000 + 4 * 0x1fe, 1)).toEqual(Uint8Array.of(0x03));
    expect(there.hash).toBe(machine.run({ maxInstructions: there.steps }).hash);
  });

  it("and an EIP to run until are told apart", () => {
    const machine = program("nop\nnop\nnop\nhlt");
    expect(machine.run({ breakpoints: [0x100001], until: 0x100002 }).stop?.reason).toBe("breakpoint");
    expect(machine.run({ breakpoints: [0x100003], until: 0x100002 }).stop?.reason).toBe("until");
  });

  it("must be linear addresses", () => {
    expect(() => rings.run({ breakpoints: [0.5] })).toThrow("run: 0.5 in breakpoints is no linear address");
    const watchpoint = { address: 0, length: 0, on: "write" } as const;
    expect(() => rings.run({ watchpoints: [watchpoint] })).toThrow("a watchpoint of 0 bytes cannot be");
  });
});

describe("watchpoints", () => {
  const watch = (machine: Machine, watchpoint: Watchpoint, limit = 1000): number[] => {
    const found: number[] = [];
    for (let at = machine; at.steps < limit; ) {
      at = at.run({ maxInstructions: limit - at.steps, watchpoints: [watchpoint] });
      if (at.stop?.reason !== "watchpoint") break;
      found.push(at.steps);
    }
    return found;
  };
  const machine = program(`
    mov esp, 0x6000
    mov eax, [0x5000]
    mov [0x5000], eax
    add [0x5000], eax
    push dword [0x5000]
    pop dword [0x5004]
    mov al, [0x5003]
    mov [0x5004], al
    mov esi, 0x4ffe
    mov edi, 0x5002
    mov ecx, 4
    rep movsb
    mov [0x4ffe], eax
    mov edx, [0x5ffc]
    hlt`);

  it("stop behind every instruction that writes", () => {
    expect(watch(machine, { address: 0x5000, length: 4, on: "write" })).toEqual([3, 4, 12, 13, 16]);
  });

  it("stop behind every instruction that reads", () => {
    expect(watch(machine, { address: 0x5000, length: 4, on: "read" })).toEqual([2, 4, 5, 7, 14, 15]);
  });

  it("stop behind both, and say which", () => {
    const both = { address: 0x5000, length: 4, on: "access" } as const;
    expect(watch(machine, both)).toEqual([2, 3, 4, 5, 7, 12, 13, 14, 15, 16]);
    expect(machine.run({ watchpoints: [both] }).stop).toEqual({
      reason: "watchpoint",
      watchpoint: both,
      address: 0x5000,
      access: "read",
    });
  });

  it("see the stack", () => {
    expect(watch(machine, { address: 0x5ffc, length: 4, on: "write" })).toEqual([5]);
    expect(watch(machine, { address: 0x5ffc, length: 4, on: "read" })).toEqual([6, 17]);
  });

  it("see accesses of x87 and of vectors", () => {
    const floating = program(`
      mov eax, 0x200
      mov cr4, eax
      movups [0x4ff8], xmm0
      movups xmm1, [0x4ff8]
      movups [0x5004], xmm0
      fninit
      fld qword [0x5000]
      db 0xd9, 0xc0 ; fld st0
      fstp qword [0x4ffc]
      db 0xdb, 0x3d, 0xf8, 0x4f, 0, 0 ; fstp tword [0x4ff8]
      movq mm0, [0x5000]
      movlps [0x5000], xmm0
      fxsave [0x4f00]
      hlt`);
    expect(watch(floating, { address: 0x5000, length: 4, on: "write" })).toEqual([3, 9, 10, 12, 13]);
    expect(watch(floating, { address: 0x5000, length: 4, on: "read" })).toEqual([4, 7, 11]);
  });

  it("are the same whether a run goes at full speed or step by step, and leave the same values", () => {
    const start = rings.run({ maxInstructions: 100_000 });
    // The stack of the kernel, on which frames of interrupts come to lie, and a program's.
    for (const address of [start.registers.esp & ~3, 0x400000]) {
      const watchpoint = { address: address - 32, length: 64, on: "access" } as const;
      const fast: number[] = [];
      for (let at = start; at.steps < start.steps + 3000; ) {
        at = at.run({ maxInstructions: start.steps + 3000 - at.steps, watchpoints: [watchpoint] });
        if (at.stop?.reason === "watchpoint") fast.push(at.steps);
      }
      const slow: number[] = [];
      let at = start;
      while (at.steps < start.steps + 3000) {
        at = at.run({ maxInstructions: 1, watchpoints: [watchpoint] });
        if (at.stop?.reason === "watchpoint") slow.push(at.steps);
      }
      expect(fast).toEqual(slow);
      expect(at.hash).toBe(start.run({ maxInstructions: 3000 }).hash);
    }
  });

  it("miss no change of memory over exceptions, tasks and page tables", () => {
    const start = faults.run({ maxInstructions: 40_000 });
    const address = start.registers.esp & ~63;
    const bytes = (at: Machine): string => Array.from(at.readLinear(address, 128)).join();
    const changes: number[] = [];
    let before = start;
    for (let step = 0; step < 4000; step++) {
      const next = before.step();
      if (bytes(next) !== bytes(before)) changes.push(next.steps);
      before = next;
    }
    const hits = watch(start, { address, length: 128, on: "write" }, start.steps + 4000);
    expect(changes.length).toBeGreaterThan(10);
    expect(changes.filter((step) => !hits.includes(step))).toEqual([]);
  });
});
