/** A virtual processor does to a machine's parts what the engine does to the machine, step by step. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bootState, stateWith } from "../../../tests/support/engine-states.js";
import { images } from "../../../tests/support/guests.js";
import { Random } from "../../../tests/support/random.js";
import { randomProgram } from "../../../tests/support/random-programs.js";
import { CR0, CR4, EFER } from "../cpu/state.js";
import { Engine } from "../engine/engine.js";
import { type Counts, compareAlong, compareStep } from "./against-engine.test-helper.js";

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
    const { done = 0, repeats = 0, raised = 0, "triple-fault": shutdowns = 0 } = compareRandomPrograms(20, 120);
    expect(done).toBeGreaterThan(400);
    expect(repeats).toBeGreaterThan(20);
    expect(raised).toBeGreaterThan(100);
    expect(shutdowns).toBeGreaterThan(0);
  });

  it("all along runs of guests", () => {
    const counts: Counts = {};
    // Those whose interesting part is short as a whole, of the others a part.
    for (const name of ["sensitive", "triple", "halt", "hello", "vmx-hypervisor"])
      compareGuest(name, 400, 2000, counts);
    for (const name of ["kernel", "faults", "rings"]) compareGuest(name, 30, 3000, counts);
    const { done = 0, raised = 0, halted = 0 } = counts;
    expect(done).toBeGreaterThan(400);
    expect(raised).toBeGreaterThan(0);
    expect(halted).toBeGreaterThan(0);
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
