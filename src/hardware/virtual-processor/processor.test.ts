/** A virtual processor does to a machine's parts what the engine does to the machine, step by step. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bootState } from "../../../tests/support/engine-states.js";
import { images } from "../../../tests/support/guests.js";
import { Random } from "../../../tests/support/random.js";
import { randomProgram } from "../../../tests/support/random-programs.js";
import { Engine } from "../engine/engine.js";
import { type Counts, compareAlong } from "./against-engine.test-helper.js";

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
    const { done = 0, repeats = 0, raised = 0, "triple-fault": shutdowns = 0 } = compareRandomPrograms(24, 150);
    expect(done).toBeGreaterThan(600);
    expect(repeats).toBeGreaterThan(20);
    expect(raised).toBeGreaterThan(200);
    expect(shutdowns).toBeGreaterThan(0);
  });

  it("all along runs of guests", () => {
    const counts: Counts = {};
    // Those whose interesting part is short as a whole, of the others a part.
    for (const name of ["sensitive", "triple", "halt", "hello", "vmx-hypervisor"])
      compareGuest(name, 1200, 3000, counts);
    for (const name of ["kernel", "faults", "rings"]) compareGuest(name, 40, 2000, counts);
    const { done = 0, raised = 0, halted = 0 } = counts;
    expect(done).toBeGreaterThan(1000);
    expect(raised).toBeGreaterThan(1);
    expect(halted).toBeGreaterThan(0);
  });
});

function compareGuest(name: string, window: number, skip: number, counts: Counts): void {
  const state = bootState(readFileSync(join(images, `${name}.elf`)));
  compareAlong(engine, state, { steps: 200_000, window, skip, counts });
}
