/** As tests/random-programs.test.ts, with other programs, more of them, and longer runs. */
import { expect, it } from "vitest";
import { Engine } from "../../src/hardware/engine/engine.js";
import { describeState, FEW_SLOTS, type RunTo, runInPieces } from "../support/engine-states.js";
import { Random } from "../support/random.js";
import { randomProgram } from "../support/random-programs.js";

const PROGRAMS = 16_000;
const STEPS = 600;

it(`${PROGRAMS} random programs end alike in one run, in single steps, and in pieces on two engines`, () => {
  const [inOneGo, stepping, evicting] = [new Engine(), new Engine(), new Engine(FEW_SLOTS)];
  const asText = ({ state, stop }: RunTo): string => `${stop} ${describeState(state)}`;
  for (let seed = 0; seed < PROGRAMS; seed++) {
    const random = new Random(seed);
    const seeds = Array.from({ length: 10 + random.below(60) }, () => random.word());
    const { state } = randomProgram((own) => new Random(own), seeds);
    const whole = asText(runInPieces(state, STEPS, [STEPS], () => inOneGo));
    const pieces = Array.from({ length: 1 + random.below(6) }, () => 1 + random.below(40));
    expect(asText(runInPieces(state, STEPS, [1], () => stepping)), `program ${seed}, single steps`).toBe(whole);
    const mixed = runInPieces(state, STEPS, pieces, (piece) => (piece % 2 === 0 ? evicting : stepping));
    expect(asText(mixed), `program ${seed}, pieces of ${pieces.join()}`).toBe(whole);
  }
});
