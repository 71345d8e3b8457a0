/** The comparisons with judges as tests: skipped with a word where the judge is missing. */
import { expect, type TestContext } from "vitest";
import { recordingJudge } from "./isa-coverage.js";
import { compareCases, type Figures } from "./native-comparison.js";
import type { Judge } from "./native-host.js";
import { compareCases64, openHost64 } from "./native64-comparison.js";
import { missing } from "./peers.js";

/** Runs `count` cases on both and expects everything the manual defines to be the same. */
export function compareWith(context: TestContext, open: () => Judge | string, count: number, seed: number): Figures {
  const opened = open();
  if (typeof opened === "string") return missing(context, opened);
  const judge = recordingJudge(opened);
  try {
    const figures = compareCases({ judge, count, seed });
    expect(figures.reports, `${figures.differences} of ${figures.cases} differ`).toEqual([]);
    judge.record();
    return figures;
  } finally {
    judge.close();
  }
}

/** The same of 64-bit code. */
export function compareWith64(context: TestContext, count: number, seed: number): Figures {
  const judge = openHost64();
  if (typeof judge === "string") return missing(context, judge);
  try {
    const figures = compareCases64({ judge, count, seed });
    expect(figures.reports, `${figures.differences} of ${figures.cases} differ`).toEqual([]);
    return figures;
  } finally {
    judge.close();
  }
}
