/** As tests/unicorn.test.ts, with other cases and more of them. */
import { it } from "vitest";
import { casesInCi } from "../support/fuzz-shares.js";
import { compareWith } from "../support/native-test.js";
import { openUnicorn } from "../support/unicorn-judge.js";

const CASES = casesInCi("unicorn");

it(`${CASES} random cases of 16-bit code in real mode do what Unicorn does`, (context) => {
  compareWith(context, openUnicorn, CASES, 0x10c0);
});
