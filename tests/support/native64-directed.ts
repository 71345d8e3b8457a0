/** Cases of 64-bit code made by hand, run here and before the host's processor. */
import { expect, type TestContext } from "vitest";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { codePlaces, WINDOW_BYTES } from "./native-layout.js";
import { blankFloats64, type Case64, type Step64 } from "./native64-cases.js";
import { differences64, openHost64 } from "./native64-comparison.js";
import { type Choice64, type Memory64, sizesIn64 } from "./native64-encode.js";
import { NativeMachine64, type Outcome64 } from "./native64-machine.js";
import { missing } from "./peers.js";
import { Random } from "./random.js";

/** An instruction of a row, in the first of its sizes if nothing else is said. */
export const step64 = (row: Row, more: Partial<Choice64> = {}): Step64 => ({
  choice: {
    ...{ row, size: sizesIn64(row)[0]!, addressSize: 64, register: 0, target: 0, immediates: [], distance: 0 },
    ...{ address: 0n, prefixes: [], rex: false, ...more },
  },
  count: 0,
});

/** A memory operand relative to RIP. */
export const relativeTo = (linear: bigint): Memory64 => ({
  ...{ base: -1, index: -1, scale: 0, displacement: 0, relative: true, linear },
});

/** A case whose registers are zero, or as given. */
export const test64 = (steps: readonly Step64[], more: Partial<Case64> = {}): Case64 => ({
  ...{ steps, floats: blankFloats64, high: false, start: codePlaces[0], rflags: 0x202 },
  ...{ registers: Array.from({ length: 16 }, () => 0n), window: new Random(1).bytes(WINDOW_BYTES), ...more },
});

/** Runs cases on both; gives what was left here, once nothing differs. */
export function judged64(context: TestContext, tests: readonly Case64[]): Outcome64[] {
  const judge = openHost64();
  if (typeof judge === "string") return missing(context, judge);
  const machine = new NativeMachine64();
  try {
    const outcomes = judge.run(tests);
    return tests.map((test, index) => {
      const ours = machine.run(test);
      if (typeof ours === "string") throw new Error(`${test.steps[0]!.choice.row.mnemonic} is ${ours}`);
      expect(differences64(test, outcomes[index]!, ours), test.steps[0]!.choice.row.mnemonic).toEqual([]);
      return ours;
    });
  } finally {
    judge.close();
  }
}
