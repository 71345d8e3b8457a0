/**
 * Unicorn as the judge of 16-bit code in real mode, which no program of the host can execute: one to four instructions
 * with random operands and segments. Registers, segments, memory and all defined flags must come out the same.
 */
import { expect, it } from "vitest";
import { compareWith } from "./support/native-test.js";
import { openUnicorn } from "./support/unicorn-judge.js";

const CASES = 8000;

it(`${CASES} random cases of 16-bit code in real mode do what Unicorn does`, (context) => {
  const { ends } = compareWith(context, openUnicorn, CASES, 0x5eed);
  expect(ends[255]).toBeGreaterThan(CASES / 2);
});
