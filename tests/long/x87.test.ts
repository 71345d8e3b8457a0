/** Single x87 instructions, compared with the processor this runs on: the same as tests/x87.test.ts, many times. */
import { describe, expect, it } from "vitest";
import { casesInCi } from "../support/fuzz-shares.js";
import { missing } from "../support/peers.js";
import { compareX87 } from "../support/x87-comparison.js";
import { openX87Judge } from "../support/x87-judge.js";

const CASES = casesInCi("x87");

describe("x87 instructions, many cases", () => {
  it("do what they do on the host's processor", (context) => {
    const judge = openX87Judge();
    if (typeof judge === "string") return missing(context, judge);
    try {
      expect(compareX87({ judge, count: CASES, seed: 20261121 }).reports).toEqual([]);
    } finally {
      judge.close();
    }
  });
});
