/** As tests/native64.test.ts, with other cases and more of them. */
import { it } from "vitest";
import { casesInCi } from "../support/fuzz-shares.js";
import { compareWith64 } from "../support/native-test.js";

const CASES = casesInCi("long");

it(`${CASES} random cases of 64-bit instructions do what the host's processor does`, (context) => {
  compareWith64(context, CASES, 0x10c64);
});
