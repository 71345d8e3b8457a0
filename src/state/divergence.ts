/**
 * The first step at which two machines that should do the same do not.
 *
 * Both are run in equal chunks that widen, and compared after each; the chunk after which they differ is halved.
 * Left out on purpose: a difference that is gone again at the end of its chunk (give a `same` that looks at something
 * that lasts, such as the output so far, or compare step by step).
 */
import { VirtlabError } from "./error.js";
import { type OnProgress, tally } from "./progress.js";
import { runTo, type Steppable } from "./steppable.js";

/** Where two machines part. */
export interface Divergence<M> {
  /**
   * Steps made by both, counted from the given values, after which they differ for the first time; 0 if the given
   * values differ already.
   */
  readonly step: number;
  /** The two one step before; the given values if `step` is 0. */
  readonly before: readonly [M, M];
  /** The two after `step` steps. If one cannot be run that far, it is as far as it gets. */
  readonly after: readonly [M, M];
}

/** How `firstDivergence` compares. */
export interface DivergenceOptions<M> {
  /** How many steps each is run at most; 10,000,000 unless given. */
  readonly maxInstructions?: number;
  /** Whether two values count as the same; unless given, whether their hashes are equal. */
  readonly same?: (a: M, b: M) => boolean;
  /** Is told how many steps both were run, of how many at the most. What it throws ends the search. */
  readonly onProgress?: OnProgress;
}

const WIDEST_CHUNK = 2 ** 18;

/**
 * Runs `a` and `b` forward by equal steps until they differ; undefined if they do not within `maxInstructions` steps
 * or until both stop for good. One that stops for good before the other differs from it. Takes one comparison for
 * each 2^18 steps and about 20 for the chunk with the difference, which is run about twice. A difference that begins
 * and ends within one chunk (1, 2, 4 … 2^18 steps) is missed.
 * Throws a VirtlabError if `maxInstructions` is not a whole number, 0 or greater.
 *
 * @example
 * const waiting = Machine.boot({ image: guest("echo") }).run();
 * const same = (a: Machine, b: Machine) => a.serial === b.serial;
 * firstDivergence(waiting.type("hi\n"), waiting.type("ho\n"), { same })?.after.map((m) => m.serial.slice(-1)) // => [ 'I', 'O' ]
 */
export function firstDivergence<M extends Steppable<M>>(
  a: M,
  b: M,
  options: DivergenceOptions<M> = {},
): Divergence<M> | undefined {
  const { maxInstructions = 10_000_000, same = (one, other) => one.hash === other.hash, onProgress } = options;
  if (!Number.isSafeInteger(maxInstructions) || maxInstructions < 0) {
    throw new VirtlabError(`${maxInstructions} is not a number of instructions: it must be whole`);
  }
  const work = tally(onProgress, maxInstructions);
  const found = a === b ? undefined : search(a, b, { maxInstructions, same, add: work.add });
  work.end();
  return found;
}

interface SearchOptions<M> {
  readonly maxInstructions: number;
  readonly same: (a: M, b: M) => boolean;
  /** Called with the steps that have been found to be alike. */
  readonly add: (steps: number) => void;
}

function search<M extends Steppable<M>>(a: M, b: M, options: SearchOptions<M>): Divergence<M> | undefined {
  const { maxInstructions, same, add } = options;
  const advance = (pair: Pair<M>, count: number): Pair<M> => ({
    step: pair.step + count,
    values: [runTo(pair.values[0], a.steps + pair.step + count), runTo(pair.values[1], b.steps + pair.step + count)],
  });
  const distance = (pair: Pair<M>) => [pair.values[0].steps - a.steps, pair.values[1].steps - b.steps] as const;
  const alike = (pair: Pair<M>) => {
    const [first, second] = distance(pair);
    return first === second && same(...pair.values);
  };

  let before: Pair<M> = { step: 0, values: [a, b] };
  if (!alike(before)) return { step: 0, before: before.values, after: before.values };
  for (let chunk = 1; before.step < maxInstructions; chunk = Math.min(2 * chunk, WIDEST_CHUNK)) {
    let after = advance(before, Math.min(chunk, maxInstructions - before.step));
    if (alike(after)) {
      if (distance(after)[0] < after.step) return undefined;
      add(after.step - before.step);
      before = after;
      continue;
    }
    while (after.step - before.step > 1) {
      const middle = advance(before, Math.floor((after.step - before.step) / 2));
      if (alike(middle)) before = middle;
      else after = middle;
    }
    return { step: after.step, before: before.values, after: after.values };
  }
  return undefined;
}

interface Pair<M> {
  readonly step: number;
  readonly values: readonly [M, M];
}
