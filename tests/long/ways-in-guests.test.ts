/**
 * Ways through gates and back in guests of VT-x and AMD-V: a run that may repeat them, and one in which every event is observed,
 * so that none is repeated, end alike, whatever of tables, stacks, flags and of what leaves the guest changes on the way.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Hosted, RING, svmHosted, vmxHosted } from "../support/guest-hosts.js";
import { asText, outside, waysProgram } from "../support/ways-program.js";

/** It leaves its guest each time it changes something: CPUID always leaves one of VT-x, and one of AMD-V here. */
const LEAVES = "pushad\n cpuid\n popad\n";
/** What is kept of an exception has to be at hand: the code there as data. */
const READS_CODE = "mov dl, [user]\n";
const { user, changes, prepare } = waysProgram(LEAVES, READS_CODE);

const bits = (...numbers: readonly number[]): number => numbers.reduce((sum, number) => sum | (1 << number), 0);
/** #DE, #BP, #GP, #PF and all of them. */
const exceptions = fc.constantFrom(0, 0, bits(0), bits(3), bits(13), bits(14), bits(0, 3, 13, 14), -1);
const none = { pin: 0, primary: 0, exceptions: 0, mask: 0, match: 0 };
/** Interrupts, NMIs, NMIs with virtual blocking; interrupt window, NMI window, monitor trap flag. */
const vmxControls = fc.record({
  pin: fc.constantFrom(0, 0, 0, bits(0), bits(3), bits(3, 5)),
  primary: fc.constantFrom(0, 0, 0, bits(2), bits(2), bits(22), bits(27)),
  exceptions,
  mask: fc.constantFrom(0, 0, 1, 4, 5),
  match: fc.constantFrom(0, 0, 1, 4, 5),
});
/** Interrupts, NMIs, PUSHF, POPF, IRET, INT n. */
const svmControls = fc.record({
  exceptions,
  instructions: fc.constantFrom(0, 0, bits(0), bits(1), bits(16), bits(17), bits(20), bits(21), bits(20, 21)),
});
/** Of a ring some ask for nothing, so that the guest goes on. */
const ringOf = <T>(controls: fc.Arbitrary<T>, nothing: T): fc.Arbitrary<readonly T[]> =>
  fc.array(controls, { minLength: RING - 3, maxLength: RING - 3 }).map((list) => [nothing, nothing, ...list, nothing]);

interface Kind<Controls> {
  readonly name: string;
  readonly host: Hosted<Controls>;
  readonly rings: fc.Arbitrary<readonly Controls[]>;
}
const vmx = (nested: boolean): Kind<typeof none> => ({
  name: `VT-x ${nested ? "with" : "without"} EPT`,
  host: vmxHosted(user, nested),
  rings: ringOf(vmxControls, none),
});
const svm = (nested: boolean): Kind<{ exceptions: number; instructions: number }> => ({
  name: `AMD-V ${nested ? "with" : "without"} nested paging`,
  host: svmHosted(user, nested),
  rings: ringOf(svmControls, { exceptions: 0, instructions: 0 }),
});

const RUNS = 40;

function testKind<Controls>({ name, host, rings }: Kind<Controls>): void {
  it(`is gone again or not as tables and controls say at that moment under ${name}`, () => {
    let exits = 0;
    let events = 0;
    fc.assert(
      fc.property(
        changes,
        outside,
        rings,
        fc.array(fc.integer({ min: 50, max: 2500 }), { minLength: 3, maxLength: 3 }),
        (words, event, ring, limits) => {
          const machine = host.withControls(prepare(host.machine, words, event), ring);
          for (const limit of [2500, ...limits]) {
            const known = machine.run({ maxInstructions: limit });
            const observed = machine.run({ maxInstructions: limit, observe: ["exception"] });
            expect(asText(known)).toBe(asText(observed));
            expect(known.lastException).toEqual(observed.lastException);
            exits += known.counters.vmExits ?? 0;
            events += known.counters.exceptions;
          }
        },
      ),
      { seed: 20261122, numRuns: RUNS },
    );
    expect(exits).toBeGreaterThan(RUNS * 20);
    expect(events).toBeGreaterThan(RUNS * 40);
  });

  it(`is the same in one run and in pieces under ${name}`, () => {
    fc.assert(
      fc.property(changes, outside, rings, fc.integer({ min: 1, max: 9 }), (words, event, ring, piece) => {
        const machine = host.withControls(prepare(host.machine, words, event), ring);
        const whole = machine.run({ maxInstructions: 900 });
        let pieces = machine;
        while (pieces.steps < whole.steps)
          pieces = pieces.run({ maxInstructions: Math.min(piece, whole.steps - pieces.steps) });
        expect(asText(pieces)).toBe(asText(whole));
      }),
      { seed: 20261123, numRuns: 12 },
    );
  });
}

describe("a way that a guest has gone before", () => {
  for (const nested of [true, false]) testKind(vmx(nested));
  for (const nested of [true, false]) testKind(svm(nested));
});
