/**
 * The machine's own processor as the judge of user-mode instructions: every row that a program may execute, in register
 * and memory forms, with random operands. Registers, memory and all defined flags must come out the same.
 */
import { it } from "vitest";
import { compareWithHost } from "./support/native-comparison.js";

const CASES = 24_000;

it(`${CASES} random user-mode instructions do what the host's processor does`, (context) => {
  compareWithHost(context, CASES, 0x5eed);
});
