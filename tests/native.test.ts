/**
 * The machine's own processor as the judge of what a program may execute: every such row of the instruction table, one to
 * four in a row, with random operands, segments and faults. Registers, memory, all defined flags, and the exception must
 * come out the same.
 */
import { expect, it } from "vitest";
import { openHost } from "./support/native-host.js";
import { compareWith } from "./support/native-test.js";

const CASES = 24_000;

it(`${CASES} random cases of user-mode instructions do what the host's processor does`, (context) => {
  const { ends, skipped } = compareWith(context, openHost, CASES, 0x5eed);
  // Most cases are to get somewhere, and all are to be compared.
  expect(ends[13]).toBeGreaterThan(CASES / 2);
  expect(Object.values(skipped).reduce((sum, count) => sum + count, 0)).toBeLessThan(CASES / 10);
});
