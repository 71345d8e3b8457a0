/**
 * Ways through gates and back that the engine has gone before: a run that may repeat them, and one in which every event
 * is observed, so that none is repeated, end alike, whatever of tables, stacks and flags changes on the way.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asText, outside, waysProgram } from "./support/ways-program.js";

const { user, changes, prepare } = waysProgram();
const RUNS = 200;
describe("a way that was gone before", () => {
  it("is gone again or not as the tables say at that moment", () => {
    let exceptions = 0;
    fc.assert(
      fc.property(
        changes,
        outside,
        fc.array(fc.integer({ min: 4, max: 700 }), { minLength: 4, maxLength: 4 }),
        (words, event, limits) => {
          const machine = prepare(user, words, event);
          // The first time ways are found; later they are known.
          for (const limit of [600, ...limits]) {
            const known = machine.run({ maxInstructions: limit });
            const observed = machine.run({ maxInstructions: limit, observe: ["exception"] });
            expect(asText(known)).toBe(asText(observed));
            expect(known.lastException).toEqual(observed.lastException);
            exceptions += known.counters.exceptions;
          }
        },
      ),
      { seed: 20261121, numRuns: RUNS },
    );
    expect(exceptions).toBeGreaterThan(RUNS * 60);
  });

  it("is the same in one run, in single steps and in pieces", () => {
    const whole = user.run({ maxInstructions: 400 });
    let stepped = user;
    for (let step = 0; step < 400; step++) stepped = stepped.step();
    let pieces = user;
    for (let step = 0; step < 400; step += 8) pieces = pieces.run({ maxInstructions: 8 });
    expect([stepped.hash, pieces.hash]).toEqual([whole.hash, whole.hash]);
    expect([stepped.counters, pieces.counters]).toEqual([whole.counters, whole.counters]);
    expect(whole.counters).toMatchObject({ portReads: 19, exceptions: 20 });
  });
});
