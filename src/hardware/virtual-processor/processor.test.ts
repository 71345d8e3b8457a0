/** A virtual processor does to a machine's parts what the engine does to the machine, step by step. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bootState, stateWith } from "../../../tests/support/engine-states.js";
import { images } from "../../../tests/support/guests.js";
import { Random } from "../../../tests/support/random.js";
import { randomProgram } from "../../../tests/support/random-programs.js";
import { type CpuState, CR0, CR4, EFER, FLAG, type SystemState } from "../cpu/state.js";
import { Engine } from "../engine/engine.js";
import type { MachineState } from "../state.js";
import { type Counts, compareAlong, compareStep, PageMemory } from "./against-engine.test-helper.js";
import { VirtualBoard, type VirtualMemory, VirtualProcessor } from "./index.js";

const engine = new Engine();

function compareRandomPrograms(programs: number, steps: number): Counts {
  const counts: Counts = {};
  for (let seed = 0; seed < programs; seed++) {
    const random = new Random(seed);
    const seeds = Array.from({ length: 40 }, () => random.word());
    const { state } = randomProgram((own) => new Random(own), seeds);
    compareAlong(engine, state, { steps, window: steps, skip: 0, counts });
  }
  return counts;
}

describe("a virtual processor makes the steps of a machine", () => {
  it("in random programs of all rows: instructions, faults, deliveries, shutdowns", () => {
    const {
      done = 0,
      repeats = 0,
      raised = 0,
      delivered = 0,
      "triple-fault": shutdowns = 0,
    } = compareRandomPrograms(20, 120);
    expect(done).toBeGreaterThan(400);
    expect(repeats).toBeGreaterThan(20);
    expect(raised).toBeGreaterThan(100);
    expect(delivered).toBeGreaterThan(30);
    expect(shutdowns).toBeGreaterThan(0);
  });

  it("all along runs of guests", () => {
    const counts: Counts = {};
    // Those whose interesting part is short as a whole, of the others a part.
    for (const name of ["sensitive", "triple", "halt", "hello", "vmx-hypervisor"])
      compareGuest(name, 400, 2000, counts);
    for (const name of ["kernel", "faults", "rings"]) compareGuest(name, 30, 3000, counts);
    const { done = 0, raised = 0, delivered = 0 } = counts;
    expect(done).toBeGreaterThan(400);
    expect(raised).toBeGreaterThan(0);
    expect(delivered).toBeGreaterThan(0);
  });
});

const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const out = (port: number, value: number): number[] => [0xb0, value, 0xe6, port];

/** Flat protected mode with a GDT, an IDT whose gate 20H leads to an IRET at 3000H, and `code` at 4000H. */
function protectedState(code: readonly number[], change: Partial<CpuState> = {}): MachineState {
  const state = stateWith(
    [
      { address: 0x1008, bytes: Uint8Array.from([...dword(0xffff), ...dword(0xcf9b00)]) },
      { address: 0x2000 + 8 * 0x20, bytes: Uint8Array.from([...dword(0x83000), ...dword(0x8e00)]) },
      { address: 0x3000, bytes: Uint8Array.of(...out(0x20, 0x20), 0xcf) },
      { address: 0x4000, bytes: Uint8Array.from(code) },
    ],
    2 ** 20,
  );
  const tables = { gdtr: { base: 0x1000, limit: 0xf }, idtr: { base: 0x2000, limit: 0x7ff } };
  const system = { ...state.cpu.system, ...tables };
  return { ...state, cpu: { ...state.cpu, eip: 0x4000, esp: 0x8000, system, ...change } };
}

/** The parts of a state as a virtual processor with its board. */
function virtual({ cpu, devices, disks, ticks: tick }: MachineState, memory: VirtualMemory): VirtualProcessor {
  return new VirtualProcessor(cpu, new VirtualBoard({ devices, disks, tick }, memory));
}

describe("HLT", () => {
  const timer = [
    ...[...out(0x20, 0x11), ...out(0x21, 0x20), ...out(0x21, 4), ...out(0x21, 1), ...out(0x21, 0xfe)],
    ...[...out(0x43, 0x34), ...out(0x40, 2), ...out(0x40, 0), 0xfb, 0xf4, 0xeb, 0xfd],
  ];

  it("ends at the tick at which the timer interrupts, and the handler returns behind it", () => {
    const counts: Counts = {};
    compareAlong(engine, protectedState(timer), { steps: 80, window: 80, skip: 0, counts });
    expect(counts.woken).toBeGreaterThan(5);
  });

  it("that nothing ends is left as it is", () => {
    const { after } = compareStep(engine, protectedState([0xf4]));
    expect([after.cpu.halted, compareStep(engine, after).compared]).toEqual([true, "halted"]);
  });
});

describe("an instruction", () => {
  it("of generated code is not executed here, and told what it is", () => {
    const state = protectedState([0x40]);
    const processor = virtual(state, new PageMemory(state));
    expect(processor.execute()).toMatchObject({ kind: "not-here", instruction: { row: { mnemonic: "INC" } } });
    expect(processor.cpu).toEqual(state.cpu);
    expect(processor.board.now).toBe(0);
  });

  it("that was decoded already is executed without its bytes", () => {
    const state = protectedState([0xfb]);
    const instruction = virtual(state, new PageMemory(state)).fetch();
    const empty: VirtualMemory = { has: () => false, read: () => 0, write: () => {} };
    const processor = virtual(state, empty);
    expect(processor.execute(instruction).kind).toBe("done");
    expect([processor.cpu.eflags & FLAG.IF, processor.cpu.eip, processor.cpu.shadow]).toEqual([FLAG.IF, 0x4001, "sti"]);
  });

  it("that faults leaves the registers, RF and what keeps interrupts waiting as they were", () => {
    // LTR of a null selector.
    const state = protectedState([0x0f, 0x00, 0xd8], { eflags: 2 | FLAG.RF, shadow: "mov-ss" });
    const processor = virtual(state, new PageMemory(state));
    expect(processor.execute()).toMatchObject({ kind: "fault", fault: { vector: 13, errorCode: 0 } });
    expect(processor.cpu).toEqual(state.cpu);
  });

  it("ends what RF and a MOV to SS hold back", () => {
    const state = protectedState([0xfa], { eflags: 2 | FLAG.RF, shadow: "mov-ss" });
    const { after } = compareStep(engine, state);
    expect([after.cpu.eflags & FLAG.RF, after.cpu.shadow]).toEqual([0, "none"]);
  });

  it("of a guest of a guest is not there, and nothing is done", () => {
    const state = protectedState([0xe6, 0x80]);
    const virtualization = { kind: "svm", gif: true, guest: {} } as unknown as SystemState["virtualization"];
    const cpu = { ...state.cpu, system: { ...state.cpu.system, virtualization } };
    const processor = virtual({ ...state, cpu }, new PageMemory(state));
    const detail = "a virtual machine inside of a virtual machine at EIP 0x4000";
    expect(processor.execute()).toEqual({ kind: "unsupported", detail });
    expect(processor.deliver({ vector: 0x20, type: "interrupt" })).toEqual({ kind: "unsupported", detail });
    expect(processor.cpu).toEqual(cpu);
    expect(processor.board.portWrites).toBe(0);
  });

  it("PUSHF of virtual-8086 mode is #GP(0) below IOPL 3, and pushes 16 bits else", () => {
    for (const iopl of [0, FLAG.IOPL]) {
      const state = protectedState([0x9c], { eflags: 2 | FLAG.VM | iopl });
      const outcome = compareStep(engine, state);
      const processor = virtual(state, new PageMemory(state));
      expect(processor.execute()).toMatchObject(
        iopl === 0 ? { kind: "fault", fault: { vector: 13 } } : { kind: "done" },
      );
      if (iopl !== 0) expect(processor.cpu).toEqual(outcome.after.cpu);
    }
  });
});

describe("a fetch from a page without code", () => {
  it("is a #PF that leaves the page unmarked as accessed, though the bytes there are remembered for people", () => {
    const bytes = new Uint8Array(0x4000);
    const words = new DataView(bytes.buffer);
    // A pointer table, a directory and a page table at 1000H to 3000H; the page at 4000H is mapped with XD.
    words.setUint32(0x2000 - 0x1000, 0x3007, true);
    words.setUint32(0x3020 - 0x1000, 0x4007, true);
    words.setUint32(0x3024 - 0x1000, 0x8000_0000, true);
    const state = stateWith([{ address: 0x1000, bytes }], 2 ** 16);
    const { system } = state.cpu;
    const paging = { cr0: system.cr0 | CR0.PG, cr3: 0x1000, cr4: CR4.PAE, efer: EFER.NXE, model: "max" } as const;
    const cpu = { ...state.cpu, eip: 0x4000, system: { ...system, ...paging, pdptes: [0x2001, 0, 0, 0, 0, 0, 0, 0] } };
    const { after, stop } = compareStep(engine, { ...state, cpu });
    expect([stop.reason, after.lastException?.chain[0]?.vector]).toEqual(["triple-fault", 14]);
    expect(after.memory.get(3)!.bytes()[0x20]).toBe(7);
  });
});

function compareGuest(name: string, window: number, skip: number, counts: Counts): void {
  const state = bootState(readFileSync(join(images, `${name}.elf`)));
  compareAlong(engine, state, { steps: 200_000, window, skip, counts });
}
