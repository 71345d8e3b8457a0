/**
 * The machine's own processor as the judge of 64-bit code: rows of the instruction table, one to four in a row, on sixteen
 * registers of 64 bits, with code and data below 4 GiB and far above, MMX and SSE among them.
 */
import { expect, it } from "vitest";
import { compareWith64 } from "./support/native-test.js";

const CASES = 8_000;

it(`${CASES} random cases of 64-bit instructions do what the host's processor does`, (context) => {
  const { ends, skipped } = compareWith64(context, CASES, 0x64);
  expect(ends[13]).toBeGreaterThan(CASES / 2);
  expect(Object.values(skipped).reduce((sum, count) => sum + count, 0)).toBeLessThan(CASES / 10);
});
