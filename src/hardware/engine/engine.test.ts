/**
 * Cases in which what the engine remembers could have shown in a value. The random programs of tests/ look for more of
 * them; each of these was one that they found.
 */
import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../state/error.js";
import { Machine } from "../machine.js";

const CODE = 0x10000;

/** A machine with a program at CODE, and more bytes elsewhere. */
function program(code: readonly number[], more: Readonly<Record<number, readonly number[]>> = {}): Machine {
  let machine = Machine.create({ memory: "1M" }).write(CODE, Uint8Array.from(code));
  for (const [address, bytes] of Object.entries(more)) machine = machine.write(Number(address), Uint8Array.from(bytes));
  return machine.edit((draft) => {
    draft.registers.eip = CODE;
    draft.registers.esp = 0x9000;
  });
}

const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

function stepped(machine: Machine, count: number): Machine {
  let current = machine;
  for (let index = 0; index < count; index++) current = current.step();
  return current;
}

function expectRunIsSteps(machine: Machine, count: number): Machine {
  const run = machine.run({ maxInstructions: count });
  const steps = stepped(machine, count);
  expect([steps.registers, steps.counters, steps.hash]).toEqual([run.registers, run.counters, run.hash]);
  return run;
}

describe("a jump to address 0", () => {
  // xor eax, eax; jmp eax, and at 0: inc ecx; jmp 0
  const machine = program([0x31, 0xc0, 0xff, 0xe0], { 0: [0x41, 0xeb, 0xfd] });

  it("finds its code, though nothing is remembered of it", () => {
    expect(expectRunIsSteps(machine, 8).registers).toMatchObject({ eip: 0, ecx: 3 });
  });

  it("finds its code after that was changed", () => {
    // mov byte [0], 42h (inc edx); jmp 0
    const changes = program([0xc6, 0x05, 0, 0, 0, 0, 0x42, 0xb8, 0, 0, 0, 0, 0xff, 0xe0], { 0: [0x41, 0xeb, 0xfd] });
    const warm = machine.run({ maxInstructions: 8 });
    expect(warm.registers.ecx).toBe(3);
    expect(expectRunIsSteps(changes, 7).registers).toMatchObject({ ecx: 0, edx: 2 });
  });
});

describe("a code segment", () => {
  it("cannot be written through CS, and can be read", () => {
    // mov al, cs:[2000h]; mov cs:[2000h], al
    const machine = program([0x2e, 0xa0, 0, 0x20, 0, 0, 0x2e, 0xa2, 0, 0x20, 0, 0], { 8192: [7] });
    const end = machine.run({ observe: ["exception"] });
    expect(end.registers.eax).toBe(7);
    expect(end.events[0]).toMatchObject({ kind: "exception", name: "#GP", errorCode: 0 });
  });
});

/** Paging on, every page mapped where it is, accessed and dirty flags clear; code and data may be anywhere. */
function paged(code: readonly number[], more: Readonly<Record<number, readonly number[]>> = {}): Machine {
  const entries = Array.from({ length: 256 }, (_, page) => word((page << 12) | 3)).flat();
  // mov eax, 4000h; mov cr3, eax; mov eax, 80000011h; mov cr0, eax
  const on = [0xb8, ...word(0x4000), 0x0f, 0x22, 0xd8, 0xb8, ...word(0x80000011), 0x0f, 0x22, 0xc0];
  return program([...on, ...code], { 16384: word(0x5003), 20480: entries, ...more }).run({ maxInstructions: 4 });
}

describe("the accessed and dirty flags", () => {
  it("are not set by a store that is tried twice: MOVS reads the flag that its own store sets as it was", () => {
    const entry = 0x5000 + 4 * (CODE >> 12);
    // mov esi, entry of this page; mov edi, the byte behind MOV AL; movsb; mov al, that byte
    const start = CODE + 16;
    const machine = paged([0xbe, ...word(entry), 0xbf, ...word(start + 12), 0xa4, 0xb0, 0]);
    expect(machine.registers.eip).toBe(start);
    expect(expectRunIsSteps(machine, 4).registers.eax & 0xff).toBe(0x23);
  });

  it("that lie in the middle of decoded code are seen by that code", () => {
    // Code on the page table: nops, and a store whose dirty flag is part of the immediate behind it.
    const data = 0x20000;
    const at = 0x5000 + 4 * (data >> 12);
    const ahead = [0xc6, 0x05, ...word(data), 1, 0xb8];
    const machine = paged([0xbb, ...word(at - ahead.length), 0xff, 0xe3], { [at - ahead.length]: ahead });
    const end = expectRunIsSteps(machine, 4);
    expect(end.registers.eax).toBe(data | 0x63);
  });
});

describe("what the supervisor may read", () => {
  it("stays closed to a program, though the supervisor has just read it", () => {
    const entries = Array.from({ length: 256 }, (_, page) => word((page << 12) | (page === 0x20 ? 3 : 7))).flat();
    const gdt = [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300].flatMap(word);
    // lgdt [3000h]; mov eax, [20000h]; push 23h; push 8000h; pushf; push 1bh; push CODE + 200h; iret; mov eax, [20000h]
    const read = [0xa1, ...word(0x20000)];
    const frame = [0x6a, 0x23, 0x68, ...word(0x8000), 0x9c, 0x6a, 0x1b, 0x68, ...word(CODE + 0x200), 0xcf];
    const machine = paged([0x0f, 0x01, 0x15, ...word(0x3000), ...read, ...frame], {
      12288: [0x27, 0, ...word(0x7000)],
      16384: word(0x5007),
      20480: entries,
      28672: gdt,
      [CODE + 0x200]: [0x6a, 0x23, 0x1f, ...read, 0x0f, 0x0b],
    });
    const end = machine.run({ observe: ["exception"] });
    expect(end.events[0]).toMatchObject({ kind: "exception", name: "#PF", cpl: 3, errorCode: 5, cr2: 0x20000 });
  });
});

describe("REP OUTS", () => {
  it("is one instruction, and its iterations but the last are repeats", () => {
    // mov dx, 0e9h; mov esi, CODE; mov ecx, 3; rep outsb
    const machine = program([0x66, 0xba, 0xe9, 0, 0xbe, ...word(CODE), 0xb9, ...word(3), 0xf3, 0x6e]);
    const end = expectRunIsSteps(machine, 6);
    expect(end.counters).toMatchObject({ instructions: 4, repeats: 2, portWrites: 3 });
    expect(end.registers).toMatchObject({ ecx: 0, esi: CODE + 3 });
  });
});

describe("a stop for something unsupported", () => {
  it("leaves everything as it was", () => {
    // jmp 7fff0000h, where there is no memory
    const machine = program([0xe9, ...word(0x7fff0000 - CODE - 5)]).step();
    const stopped = machine.run();
    expect(stopped.stop).toMatchObject({ reason: "unsupported" });
    expect([stopped.hash, stopped.steps, stopped.counters]).toEqual([machine.hash, machine.steps, machine.counters]);
    expect(stopped.run().hash).toBe(machine.hash);
  });
});

describe("the privilege observer", () => {
  it("tells of the change that an instruction makes", () => {
    const gdt = [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300].flatMap(word);
    // lgdt [3000h]; push 23h; push 8000h; pushf; push 1bh; push CODE; iret
    const code = [0x0f, 0x01, 0x15, ...word(0x3000), 0x6a, 0x23, 0x68, ...word(0x8000), 0x9c, 0x6a, 0x1b];
    const machine = program([...code, 0x68, ...word(CODE), 0xcf], { 12288: [0x27, 0, ...word(0x7000)], 28672: gdt });
    const end = machine.run({ maxInstructions: 7, observe: ["privilege"] });
    expect(end.cpl).toBe(3);
    expect(end.events).toEqual([{ kind: "privilege", tick: 7, eip: CODE, from: 0, to: 3 }]);
  });
});

describe("what cannot be run", () => {
  it("is refused when it is edited, and not found out by the engine", () => {
    const machine = program([0x90]);
    const set = (): Machine =>
      machine.edit((draft) => {
        draft.registers.eflags |= 1 << 17;
      });
    expect(set).toThrow(VirtlabError);
    expect(machine.step().registers.eip).toBe(CODE + 1);
  });

  it("is half a step", () => {
    expect(() => program([0x90]).run({ maxInstructions: 0.5 })).toThrow(VirtlabError);
  });
});

it("goes on behind an INTO that raises nothing, in a run as step by step", () => {
  // xor eax, eax; into; inc eax; hlt
  const machine = Machine.boot({ image: Uint8Array.of(0x31, 0xc0, 0xce, 0x40, 0xf4), memory: "2M" });
  expect(machine.run().registers.eip).toBe(0x100005);
  expect(machine.run().registers.eax).toBe(1);
});

describe("an INT that is refused", () => {
  it("counts as the exception that is delivered in its place", () => {
    // lidt [3000h]; int 40h, beyond the limit of an IDT that ends with #GP
    const gate = [0, 0x80, 8, 0, 0, 0x8e, 0, 0];
    const gdt = [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300].flatMap(word);
    const code = [
      0x0f,
      0x01,
      0x15,
      ...word(0x3008),
      0x0f,
      0x01,
      0x1d,
      ...word(0x3000),
      0xbc,
      ...word(0x9000),
      0xcd,
      0x40,
    ];
    const memory = {
      12288: [0x6f, 0, ...word(0x6000), 0, 0, 0x17, 0, ...word(0x7000)],
      28672: gdt,
      [0x6000 + 8 * 13]: gate,
    };
    const end = program(code, memory).run({ maxInstructions: 4 });
    expect(end.registers.eip).toBe(0x8000);
    expect(end.counters).toMatchObject({ instructions: 3, exceptions: 1 });
  });
});
