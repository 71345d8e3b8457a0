/**
 * The seven nanobenchmarks of Adams & Agesen 2006: what the paper has, and what counts of primitives come to, side by side.
 * The guest `nanobench` does them; a hypervisor counts what each repetition takes.
 */
import { VirtlabError } from "../../state/error.js";
import { deepFreeze } from "../machine-content.js";
import type { CostTable } from "./cost-table.js";
import { cycles } from "./cycles.js";
import type { CostCounts, CostPrimitive } from "./primitives.js";
import { type PerturbOptions, perturbed, winners, worstFor } from "./sensitivity.js";

/** How a kernel is run: alone, under binary translation, under VT-x with shadow page tables. */
export type NanobenchmarkWay = "native" | "translation" | "vmx";

/** The ways that are compared. */
export type VmmWay = Exclude<NanobenchmarkWay, "native">;

/** A published figure. */
export interface PublishedCycles {
  readonly cycles: number;
  /** Told as about so much, or as what the native figure is. */
  readonly about?: true;
  /** Found in a source that quotes the paper, or known but not looked up. */
  readonly mark: "found" | "not looked up";
}

const found = (count: number): PublishedCycles => ({ cycles: count, mark: "found" });
const about = (count: number): PublishedCycles => ({ cycles: count, about: true, mark: "found" });

/**
 * Adams & Agesen 2006, "A Comparison of Software and Hardware Techniques for x86 Virtualization", nanobenchmarks: cycles on a
 * Pentium 4 672 at 3.8 GHz. The software VMM translates, the hardware VMM has VT-x without EPT. For comparison only: no cost
 * table has any of these.
 *
 * @example
 * adamsAgesen2006.in.translation // => { cycles: 214, about: true, mark: 'found' }
 * adamsAgesen2006.syscall.native.mark // => 'not looked up'
 */
export const adamsAgesen2006 = deepFreeze({
  syscall: {
    native: { cycles: 242, mark: "not looked up" } as PublishedCycles,
    translation: { cycles: 2242, about: true, mark: "not looked up" } as PublishedCycles,
    vmx: { cycles: 242, about: true, mark: "not looked up" } as PublishedCycles,
  },
  in: { native: found(3209), translation: about(214), vmx: found(15826) },
  cr8wr: { native: about(140), translation: found(35), vmx: about(140) },
  callret: { native: found(11), translation: found(51), vmx: found(11) },
  pgfault: { native: found(1093), translation: found(3927), vmx: found(11242) },
  divzero: { native: found(889), translation: found(3223), vmx: found(1014) },
  ptemod: { native: found(1), translation: found(391), vmx: found(12733) },
} as const satisfies Readonly<Record<string, Readonly<Record<NanobenchmarkWay, PublishedCycles>>>>);

/** Names of the seven, as the guest `nanobench` has them. */
export type Nanobenchmark = keyof typeof adamsAgesen2006;
export const nanobenchmarkNames: readonly Nanobenchmark[] = Object.freeze(
  Object.keys(adamsAgesen2006) as Nanobenchmark[],
);

/** What one repetition takes in each way, beyond one of the empty loop. */
export type NanobenchmarkCounts = Readonly<Record<Nanobenchmark, Readonly<Record<NanobenchmarkWay, CostCounts>>>>;

/** A figure that, changed alone, makes the other VMM the cheaper one. */
export interface NanobenchmarkFlip {
  readonly primitive: CostPrimitive;
  readonly factor: number;
}

export interface NanobenchmarkResult {
  readonly name: Nanobenchmark;
  /** Cycles of a repetition that the counts come to. */
  readonly predicted: Readonly<Record<NanobenchmarkWay, number>>;
  readonly published: Readonly<Record<NanobenchmarkWay, PublishedCycles>>;
  /** The cheaper VMM by the prediction. */
  readonly winner: VmmWay;
  /** The cheaper VMM in the paper. */
  readonly publishedWinner: VmmWay;
  readonly agrees: boolean;
  /** Uncertain figures that turn the winner over when they alone are changed. */
  readonly flips: readonly NanobenchmarkFlip[];
  /** The winner stays whatever combination of the uncertain figures is changed, within the factors. */
  readonly holds: boolean;
  /** Cycles by which the winner is ahead: by the table, and by the worst combination. */
  readonly margin: number;
  readonly worstMargin: number;
}

const other = (way: VmmWay): VmmWay => (way === "vmx" ? "translation" : "vmx");

/**
 * One of the nanobenchmarks, as `compareNanobenchmarks` has all of them.
 *
 * @param ways what one repetition takes in each way, without the empty loop's.
 * @throws VirtlabError as `cycles` does.
 * @example
 * const ways = { native: { "port access": 1 }, translation: { logic: 9 }, vmx: { "VM entry": 1 } };
 * const { winner, publishedWinner, predicted } = compareNanobenchmark("in", ways, costTables["pentium4-672"]);
 * [winner, publishedWinner, predicted.native] // => [ 'translation', 'translation', 3800 ]
 */
export function compareNanobenchmark(
  name: Nanobenchmark,
  ways: Readonly<Record<NanobenchmarkWay, CostCounts>>,
  table: CostTable,
  options: PerturbOptions = {},
): NanobenchmarkResult {
  const { native, translation, vmx } = ways;
  const changed = perturbed(table, options);
  const [result] = winners([{ name, ways: { translation, vmx } }], [table, ...changed.map((change) => change.table)]);
  const winner: VmmWay = result!.winner === "vmx" ? "vmx" : "translation";
  const turning = new Set(result!.flips.map(({ hash }) => hash));
  const predicted = {
    native: cycles(native, table),
    translation: cycles(translation, table),
    vmx: cycles(vmx, table),
  };
  const worst = worstFor(ways[winner], ways[other(winner)], table, options);
  const worstMargin = cycles(ways[other(winner)], worst) - cycles(ways[winner], worst);
  const published = adamsAgesen2006[name];
  const publishedWinner = published.vmx.cycles < published.translation.cycles ? "vmx" : "translation";
  return deepFreeze({
    name,
    predicted,
    published,
    winner,
    publishedWinner,
    agrees: winner === publishedWinner,
    flips: changed
      .filter((change) => turning.has(change.table.hash))
      .map(({ primitive, factor }) => ({ primitive, factor })),
    holds: worstMargin >= 0,
    margin: predicted[other(winner)] - predicted[winner],
    worstMargin,
  });
}

/**
 * The seven nanobenchmarks by counts and a cost table: predicted cycles beside the paper's, which VMM is the cheaper, and
 * whether that depends on figures nobody has measured. Uncertain figures (assumed, or not looked up) are halved and doubled,
 * each alone (`flips`) and in every combination (`holds`).
 *
 * @param counts of one repetition, without the empty loop's: exact numbers, from a run.
 * @throws VirtlabError for a benchmark that is missing, and as `cycles` does.
 * @example
 * const ways = { native: { logic: 1 }, translation: { logic: 2 }, vmx: { logic: 1, "VM entry": 1 } };
 * const names = Object.keys(adamsAgesen2006) as Nanobenchmark[];
 * const counts = Object.fromEntries(names.map((name) => [name, ways])) as NanobenchmarkCounts;
 * const [syscall] = compareNanobenchmarks(counts, costTables["pentium4-672"]);
 * [syscall?.winner, syscall?.publishedWinner, syscall?.holds, syscall?.margin] // => [ 'translation', 'vmx', true, 2408 ]
 */
export function compareNanobenchmarks(
  counts: NanobenchmarkCounts,
  table: CostTable,
  options: PerturbOptions = {},
): readonly NanobenchmarkResult[] {
  return nanobenchmarkNames.map((name) => {
    const ways = counts[name];
    if (ways === undefined) throw new VirtlabError(`nanobenchmarks: there are no counts of "${name}"`);
    return compareNanobenchmark(name, ways, table, options);
  });
}
