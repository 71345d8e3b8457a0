/**
 * How many random cases each judge gets: of 2 million in `npm run fuzz`, of 300,000 in the long tests. The forms of 32- and
 * 64-bit code have x87, MMX and SSE among them; x87 instructions get cases of their own besides, with operands at which
 * floating point changes its ways; Unicorn judges 16-bit code in real mode.
 */
export const fuzzShares = { native: 35, long: 35, x87: 15, unicorn: 15 } as const;
export type FuzzJudge = keyof typeof fuzzShares;

const CASES_IN_CI = 300_000;

/** A judge's part of so many cases, if those named share them. */
export function shareOf(judge: FuzzJudge, cases: number, among: readonly FuzzJudge[]): number {
  const all = among.reduce((sum, name) => sum + fuzzShares[name], 0);
  return Math.ceil((cases * fuzzShares[judge]) / all);
}

/** A judge's cases in the long tests. */
export const casesInCi = (judge: FuzzJudge): number =>
  shareOf(judge, CASES_IN_CI, Object.keys(fuzzShares) as FuzzJudge[]);
