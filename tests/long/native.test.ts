/** As tests/native.test.ts, with other cases and more of them. */
import { it } from "vitest";
import { compareWithHost } from "../support/native-comparison.js";

const CASES = 1_000_000;

it(`${CASES} random user-mode instructions do what the host's processor does`, (context) => {
  compareWithHost(context, CASES, 0x10c0);
});
