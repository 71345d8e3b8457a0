/**
 * The values a timeline keeps: few enough to fit, dense enough that any other is reached quickly by running on from
 * the last kept one before it.
 *
 * Which are kept depends on the distance to the cursor: every one within 16 steps, then about 8 for each doubling of
 * the distance up to intervals of 2^18 steps, which is what an interpreter runs in a few milliseconds; these reach 2^24
 * steps (16 million) far. Beyond, the intervals widen with the distance, 64 for each doubling. So a timeline of 10^12
 * steps keeps some 1,300 values. The start and all edits are always kept. How much memory a value takes is
 * not looked at: values share the pages that did not change between them.
 */

/** A kept value. */
export interface Kept<M> {
  readonly steps: number;
  readonly value: M;
  /** Present if there was an edit at this step: the value before it. */
  readonly beforeEdit?: M;
}

/** The widest interval that is left in one go when running, in steps. */
export const WIDEST_INTERVAL = 2 ** 18;

const FAR = 2 ** 24;
const THIN_EVERY = 128;

/** The interval between kept values at a distance from the cursor, in steps; a power of two. */
function interval(distance: number): number {
  if (distance < 16) return 1;
  if (distance >= FAR) return 2 ** Math.floor(Math.log2(distance / 64));
  return Math.min(WIDEST_INTERVAL, 2 ** Math.floor(Math.log2(distance / 8)));
}

/** The step, after `from` and at most `target`, at which a run from `from` to `target` keeps its next value. */
export function nextToKeep(from: number, target: number): number {
  const width = Math.min(WIDEST_INTERVAL, interval(target - from));
  return Math.min(target, (Math.floor(from / width) + 1) * width);
}

/** Values by their step, in order; the first is the start. */
export class KeptValues<M extends { readonly steps: number }> {
  #values: Kept<M>[];
  #thinAt: number;

  private constructor(values: Kept<M>[]) {
    this.#values = values;
    this.#thinAt = values.length + THIN_EVERY;
  }

  static startingWith<M extends { readonly steps: number }>(value: M): KeptValues<M> {
    return new KeptValues([{ steps: value.steps, value }]);
  }

  get start(): number {
    return this.#values[0]!.steps;
  }

  get positions(): readonly number[] {
    return this.#values.map((kept) => kept.steps);
  }

  get edits(): readonly number[] {
    return this.#values.filter(isEdit).map((kept) => kept.steps);
  }

  /** The last kept value at or before `steps`, which must not be before the start. */
  atOrBefore(steps: number): Kept<M> {
    return this.#values[this.#indexAtOrBefore(steps)]!;
  }

  /** The kept value at `steps`, if there is one. */
  at(steps: number): Kept<M> | undefined {
    const kept = this.#values[this.#indexAtOrBefore(steps)];
    return kept?.steps === steps ? kept : undefined;
  }

  /** Keeps `value` unless one is kept at its step. Values far from it may be dropped. */
  add(value: M): void {
    const index = this.#indexAtOrBefore(value.steps);
    if (this.#values[index]?.steps === value.steps) return;
    this.#values.splice(index + 1, 0, { steps: value.steps, value });
    if (this.#values.length >= this.#thinAt) this.#thin(value.steps);
  }

  /** Keeps an edit: `before` became `after` at one step. Everything later is dropped. */
  addEdit(before: M, after: M): void {
    this.dropAfter(before.steps);
    const known = this.at(before.steps);
    if (known !== undefined) this.#values.pop();
    this.#values.push({ steps: before.steps, value: after, beforeEdit: known?.beforeEdit ?? before });
  }

  dropAfter(steps: number): void {
    this.#values.length = this.#indexAtOrBefore(steps) + 1;
  }

  /** A copy without what is after `steps`. */
  upTo(steps: number): KeptValues<M> {
    return new KeptValues(this.#values.slice(0, this.#indexAtOrBefore(steps) + 1));
  }

  #thin(cursor: number): void {
    this.#values = this.#values.filter(
      (kept, index) => index === 0 || isEdit(kept) || kept.steps % interval(Math.abs(kept.steps - cursor)) === 0,
    );
    this.#thinAt = this.#values.length + THIN_EVERY;
  }

  #indexAtOrBefore(steps: number): number {
    let low = 0;
    let high = this.#values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#values[middle]!.steps <= steps) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function isEdit(kept: Kept<unknown>): boolean {
  return kept.beforeEdit !== undefined;
}
