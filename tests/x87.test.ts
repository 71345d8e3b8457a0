/** Single x87 instructions, compared with the processor this runs on. The long test has more of them. */
import { describe, expect, it } from "vitest";
import { missing } from "./support/peers.js";
import { compareX87 } from "./support/x87-comparison.js";
import { openX87Judge } from "./support/x87-judge.js";

const CASES = 2_000;

describe("x87 instructions", () => {
  it("do what they do on the host's processor, in all rounding modes and with exceptions masked and not", (context) => {
    const judge = openX87Judge();
    if (typeof judge === "string") return missing(context, judge);
    try {
      expect(compareX87({ judge, count: CASES, seed: 87 }).reports).toEqual([]);
    } finally {
      judge.close();
    }
  });
});
