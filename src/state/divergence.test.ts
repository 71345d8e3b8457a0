import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CountingMachine } from "../../tests/support/counting-machine.js";
import { firstDivergence } from "./divergence.js";
import { VirtlabError } from "./error.js";

/** A machine that writes its register at one step only. */
function writingAt(step: number | undefined, more: { last?: number; breaks?: number[] } = {}): CountingMachine {
  return CountingMachine.create({ ...more, writes: (at) => (at === step ? 1 : undefined) });
}

describe("firstDivergence", () => {
  it("finds the first step after which they differ, and the values around it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (step) => {
        const found = firstDivergence(writingAt(undefined), writingAt(step), { maxInstructions: 100_000 })!;
        expect(found.step).toBe(step);
        expect(found.before.map((machine) => machine.steps)).toEqual([step - 1, step - 1]);
        expect(found.before[0].hash).toBe(found.before[1].hash);
        expect(found.after.map((machine) => machine.register)).toEqual([0, 1]);
        expect(found.after.map((machine) => machine.steps)).toEqual([step, step]);
      }),
      { seed: 20271, numRuns: 40 },
    );
  });

  it("gives nothing if they do not differ within the limit, and runs no further", () => {
    const work = { steps: 0, runs: 0 };
    const a = CountingMachine.create({}, work);
    const b = CountingMachine.create({ writes: (at) => (at === 5001 ? 1 : undefined) }, work);
    expect(firstDivergence(a, b, { maxInstructions: 5000 })).toBeUndefined();
    expect(work.steps).toBe(10_000);
    expect(firstDivergence(a, b, { maxInstructions: 5001 })?.step).toBe(5001);
  });

  it("gives nothing for one and the same value, without running it", () => {
    const work = { steps: 0, runs: 0 };
    const machine = CountingMachine.create({}, work);
    expect(firstDivergence(machine, machine)).toBeUndefined();
    expect(work.steps).toBe(0);
  });

  it("gives step 0 if the given values differ already", () => {
    const a = CountingMachine.create();
    expect(firstDivergence(a, a.type("x"))).toMatchObject({ step: 0, before: [a, a.type("x")] });
  });

  it("compares as it is told to", () => {
    const a = CountingMachine.create({}, undefined, 7);
    const b = writingAt(300);
    const same = (one: CountingMachine, other: CountingMachine) => one.register === other.register;
    const found = firstDivergence(a, b, { same })!;
    expect([found.step, found.after[0].steps, found.after[1].steps]).toEqual([300, 307, 300]);
  });

  it("takes one that stops for good before the other as different from there on", () => {
    const found = firstDivergence(writingAt(undefined, { last: 1000 }), writingAt(undefined), { same: () => true })!;
    expect([found.step, found.before[0].steps, found.after[0].steps, found.after[1].steps]).toEqual([
      1001, 1000, 1000, 1001,
    ]);
  });

  it("runs past stops that a machine can be run on from, and ends when both have stopped for good", () => {
    const breaks = [3, 500, 501];
    expect(firstDivergence(writingAt(undefined, { breaks }), writingAt(900, { breaks }))?.step).toBe(900);
    const work = { steps: 0, runs: 0 };
    const stopping = () => CountingMachine.create({ last: 700 }, work);
    expect(firstDivergence(stopping(), stopping())).toBeUndefined();
    expect(work.steps).toBe(1400);
  });

  it("refuses a limit that is not a whole number", () => {
    for (const maxInstructions of [-1, 0.5, Number.NaN]) {
      expect(() => firstDivergence(writingAt(1), writingAt(2), { maxInstructions })).toThrow(VirtlabError);
    }
  });
});
