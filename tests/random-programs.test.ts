/**
 * Random programs in ring 0 and 3, made from all rows: self-modifying stores, stores to page tables, page borders,
 * faults, interrupts. However a run is cut into pieces, and whatever an engine remembers, the result is the same.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Engine } from "../src/hardware/engine/engine.js";
import { describeState, FEW_SLOTS, type RunTo, runInPieces } from "./support/engine-states.js";
import { Random } from "./support/random.js";
import { randomProgram } from "./support/random-programs.js";

const STEPS = 400;

const inOneGo = new Engine();
const stepping = new Engine();
const evicting = new Engine(FEW_SLOTS);

const programSeeds = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 64 });
const asText = ({ state, stop }: RunTo): string => `${stop} ${describeState(state)}`;

it("a run equals single steps, and pieces on two engines of which one evicts all the time", () => {
  fc.assert(
    fc.property(
      programSeeds,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
      (seeds, pieces) => {
        const { state } = randomProgram((seed) => new Random(seed), seeds);
        const whole = asText(runInPieces(state, STEPS, [STEPS], () => inOneGo));
        expect(asText(runInPieces(state, STEPS, [1], () => stepping))).toBe(whole);
        expect(asText(runInPieces(state, STEPS, pieces, (piece) => (piece % 2 === 0 ? evicting : stepping)))).toBe(
          whole,
        );
      },
    ),
    { seed: 20261120, numRuns: 700 },
  );
});

it("the programs get somewhere: most go on to the end, with exceptions on the way", () => {
  let steps = 0;
  let exceptions = 0;
  let interrupts = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed);
    const { state } = randomProgram(
      (own) => new Random(own),
      Array.from({ length: 40 }, () => random.word()),
    );
    const end = runInPieces(state, STEPS, [STEPS], () => inOneGo).state;
    steps += end.steps;
    exceptions += end.counts.exceptions;
    interrupts += end.counts.interrupts;
  }
  expect(steps).toBeGreaterThan(60 * STEPS * 0.7);
  expect(exceptions).toBeGreaterThan(steps / 20);
  expect(exceptions).toBeLessThan(steps / 3);
  expect(interrupts).toBeGreaterThan(10);
});
