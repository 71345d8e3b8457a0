/** As tests/native.test.ts, with other cases and more of them. */
import { it } from "vitest";
import { casesInCi } from "../support/fuzz-shares.js";
import { openHost } from "../support/native-host.js";
import { compareWith } from "../support/native-test.js";

const CASES = casesInCi("native");

it(`${CASES} random cases of user-mode instructions do what the host's processor does`, (context) => {
  compareWith(context, openHost, CASES, 0x10c0);
});
