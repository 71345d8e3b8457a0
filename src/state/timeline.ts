/**
 * A cursor over the values of one machine: forward, back, to any step, and searches in what has been run.
 *
 * The timeline is the one mutable thing; the values never change. It keeps some of them (kept-values.ts says which) and
 * reaches the others by running again, which gives the same values because a machine is deterministic. Input is an
 * edit: a recorded change of the value at one step, which running again never passes over. Left out on purpose: any
 * knowledge of what a machine is, and a tree of branches (a branch is another timeline).
 */
import { samePlain } from "./diff.js";
import { VirtlabError } from "./error.js";
import { KeptValues, nextToKeep } from "./kept-values.js";
import { type OnProgress, type Tally, tally } from "./progress.js";
import { notRepeatable, rerunTo, type Steppable, stoppedByItself } from "./steppable.js";

/** How `Timeline` moves. */
export interface MoveOptions {
  /** Is told how many steps are run, of how many. What it throws ends the way, and the cursor stays. */
  readonly onProgress?: OnProgress;
}

/** How `Timeline.lastChange` searches. */
export interface LastChangeOptions {
  /** Whether every step is looked at, which is so unless `false` is given. */
  readonly exact?: boolean;
  /** Is told how many steps are searched, of how many. What it throws ends the search. */
  readonly onProgress?: OnProgress;
}

/** Where and how `Timeline.find` searches. */
export interface FindOptions {
  /** The first step looked at; the start of the timeline unless given (searching forward: the cursor). */
  readonly from?: number;
  /** The last step looked at; the cursor unless given (searching forward: the end of the timeline). */
  readonly to?: number;
  /** "backward" (unless given): the last step at which the predicate holds; "forward": the first. */
  readonly direction?: "backward" | "forward";
  /** Is told how many steps are searched, of how many. What it throws ends the search. */
  readonly onProgress?: OnProgress;
}

/** A step that changed what was selected. */
export interface Change<M> {
  /** The step that made the change: it led from `steps - 1` to `steps`. */
  readonly steps: number;
  readonly before: M;
  readonly after: M;
  /** Whether the change was made by an edit at this step, and not by the machine. `before` is then at this step too. */
  readonly edited: boolean;
}

/**
 * A mutable cursor over immutable values of a machine. Steps are counted since the machine's reset, so a
 * timeline may begin at any step. Memory is bounded by what `kept` lists, time to reach a value near the cursor by 2^18
 * steps of running.
 *
 * @example
 * const timeline = new Timeline(Machine.boot({ image: guest("rings") }));
 * timeline.forward(1000);
 * timeline.back().steps // => 999
 * timeline.goto(10).steps // => 10
 */
export class Timeline<M extends Steppable<M>> {
  #current: M;
  #kept: KeptValues<M>;
  #end: number;
  /** Steps at which the machine stopped by itself, in order: `forward` stops there again, as a run would. */
  #stops: readonly number[] = [];

  constructor(machine: M) {
    this.#current = machine;
    this.#kept = KeptValues.startingWith(machine);
    this.#end = machine.steps;
  }

  /** The value at the cursor. */
  get current(): M {
    return this.#current;
  }

  /** The cursor: the steps of `current`. */
  get position(): number {
    return this.#current.steps;
  }

  /** The first step of the timeline. */
  get start(): number {
    return this.#kept.start;
  }

  /** The last step that was run. */
  get end(): number {
    return this.#end;
  }

  /** Steps between start and end. */
  get length(): number {
    return this.#end - this.start;
  }

  /** The steps whose values are kept at the moment, ascending. */
  get kept(): readonly number[] {
    return this.#kept.positions;
  }

  /** The steps at which there were edits, ascending. */
  get edits(): readonly number[] {
    return this.#kept.edits;
  }

  /**
   * Moves `count` steps forward, running the machine where it was not run yet, and returns the value there. Ends
   * earlier where the machine stops by itself; called again it goes on from there if the machine can.
   * Throws a VirtlabError if `count` is not a whole number, 0 or greater.
   */
  forward(count = 1, { onProgress }: MoveOptions = {}): M {
    checkWhole(count, "count of steps");
    const from = this.position;
    const stop = this.#stops.find((steps) => steps > from) ?? Number.POSITIVE_INFINITY;
    this.#current = this.#reach(Math.min(from + count, stop), from, onProgress);
    return this.#current;
  }

  /**
   * Moves `count` steps back, at most to the start, and returns the value there.
   * Throws a VirtlabError if `count` is not a whole number, 0 or greater.
   */
  back(count = 1, options: MoveOptions = {}): M {
    checkWhole(count, "count of steps");
    return this.goto(Math.max(this.start, this.position - count), options);
  }

  /**
   * Moves to the step `steps` and returns the value there, which is after the edit if there is one. Beyond the end it
   * runs the machine, past places where it stops, and ends earlier only where it cannot be run on.
   * Throws a VirtlabError if `steps` is not a whole number or before the start.
   */
  goto(steps: number, { onProgress }: MoveOptions = {}): M {
    checkWhole(steps, "step");
    if (steps < this.start) throw new VirtlabError(`step ${steps} is before the timeline's start at ${this.start}`);
    this.#current = this.#reach(steps, Number.POSITIVE_INFINITY, onProgress);
    return this.#current;
  }

  /** A timeline of its own with the same past and the same cursor, and no future. Shares the kept values. */
  branch(): Timeline<M> {
    const branch = new Timeline(this.#current);
    branch.#kept = this.#kept.upTo(this.position);
    branch.#stops = this.#stops.filter((steps) => steps <= this.position);
    return branch;
  }

  /**
   * Changes the value at the cursor from outside, as by typing, and returns the changed value. From now on it is the
   * value at this step, and what was run beyond is forgotten. A change that returns the same object counts as none.
   * Throws a VirtlabError, and nothing changes, if the value has other steps: an edit does not run the machine.
   */
  edit(change: (machine: M) => M): M {
    const before = this.#current;
    const after = change(before);
    if (after === before) return before;
    if (after.steps !== before.steps) {
      throw new VirtlabError(`step ${before.steps}: an edit may not run the machine, but led to step ${after.steps}`);
    }
    this.#kept.addEdit(before, after);
    this.#end = after.steps;
    this.#stops = this.#stops.filter((steps) => steps <= after.steps);
    this.#current = after;
    return after;
  }

  /**
   * The last step (searching forward: the first) between `from` and `to` at which the predicate holds, or undefined.
   * The cursor stays. Every value in between is looked at, interval by interval from where the search begins, so it
   * takes one `run` of one step for each step from there to the one that is found.
   * Throws a VirtlabError if `from` and `to` are not in order within what has been run.
   */
  find(predicate: (machine: M) => boolean, options: FindOptions = {}): number | undefined {
    const forward = options.direction === "forward";
    const from = options.from ?? (forward ? this.position : this.start);
    const to = options.to ?? (forward ? this.#end : this.position);
    checkWhole(from, "step");
    checkWhole(to, "step");
    if (from < this.start || to > this.#end || from > to) {
      throw new VirtlabError(`cannot search steps ${from} to ${to}: the timeline has ${this.start} to ${this.#end}`);
    }
    const work = tally(options.onProgress, to - from);
    const found = forward ? this.#findFirst(predicate, from, to, work) : this.#findLast(predicate, from, to, work);
    work.end();
    return found;
  }

  /**
   * The last step, up to the cursor, that changed what `select` gives (such as the bytes at an address, a register),
   * or undefined if none did since the start. Selections are compared as plain data: bytes, arrays and records by
   * content, other objects by identity. The cursor stays; going to the step that was found is cheap.
   *
   * Exact unless told otherwise: from the cursor backwards every step is run once more, until the change is found. With
   * `exact: false`, intervals between kept values that have the same selection at both ends are skipped and the others
   * halved, which takes about 20 runs and finds a change that may not be the last if something changed and
   * changed back.
   */
  lastChange(select: Select<M>, { exact = true, onProgress }: LastChangeOptions = {}): Change<M> | undefined {
    const work = tally(onProgress, this.position - this.start);
    const change = this.#lastChange(select, exact ? stepThrough : halve, work);
    work.end();
    return change;
  }

  #lastChange(select: Select<M>, search: Search, work: Tally): Change<M> | undefined {
    let high = this.position;
    let valueAtHigh = this.#current;
    for (;;) {
      const top = this.#kept.at(high);
      if (top?.beforeEdit !== undefined) {
        if (!samePlain(select(top.beforeEdit), select(top.value))) {
          return { steps: high, before: top.beforeEdit, after: top.value, edited: true };
        }
        valueAtHigh = top.beforeEdit;
      }
      if (high === this.start) return undefined;
      const base = this.#kept.atOrBefore(high - 1);
      const change = search(base.value, valueAtHigh, select, work);
      if (change !== undefined) {
        this.#kept.add(change.before);
        this.#kept.add(change.after);
        return { steps: change.after.steps, ...change, edited: false };
      }
      high = base.steps;
      valueAtHigh = base.value;
    }
  }

  /** The value at `target`; an earlier one if the machine stops there after the step `stopAfter` or cannot go on. */
  #reach(target: number, stopAfter: number, onProgress?: OnProgress): M {
    let value = this.#kept.atOrBefore(target).value;
    const work = tally(onProgress, target - value.steps);
    while (value.steps < target) {
      const next = value.run({ maxInstructions: nextToKeep(value.steps, target) - value.steps });
      const count = next.steps - value.steps;
      if (count <= 0 && value.steps < this.#end) throw notRepeatable(value.steps, target);
      value = next;
      if (count <= 0) break;
      this.#kept.add(value);
      this.#end = Math.max(this.#end, value.steps);
      const stopped = stoppedByItself(value);
      if (stopped) this.#recordStop(value.steps);
      work.add(count);
      if (stopped && value.steps > stopAfter) break;
    }
    work.end();
    return value;
  }

  #recordStop(steps: number): void {
    if (!this.#stops.includes(steps)) this.#stops = [...this.#stops, steps].sort((a, b) => a - b);
  }

  #findFirst(predicate: (machine: M) => boolean, from: number, to: number, work: Tally): number | undefined {
    let value = this.#reach(from, Number.POSITIVE_INFINITY);
    for (;;) {
      if (predicate(value)) {
        this.#kept.add(value);
        return value.steps;
      }
      if (value.steps >= to) return undefined;
      const next = value.steps + 1;
      value = this.#kept.at(next)?.value ?? rerunTo(value, next);
      work.add(1);
    }
  }

  #findLast(predicate: (machine: M) => boolean, from: number, to: number, work: Tally): number | undefined {
    for (let high = to; high >= from; ) {
      const low = this.#kept.atOrBefore(high).steps;
      let value = low >= from ? this.#kept.atOrBefore(high).value : this.#reach(from, Number.POSITIVE_INFINITY);
      let found = predicate(value) ? value : undefined;
      while (value.steps < high) {
        value = rerunTo(value, value.steps + 1);
        work.add(1);
        if (predicate(value)) found = value;
      }
      if (found !== undefined) {
        this.#kept.add(found);
        return found.steps;
      }
      high = low - 1;
    }
    return undefined;
  }
}

type Select<M> = (machine: M) => unknown;
/** A search between two values for a step that changed the selection; gives the values around it. */
type Search = <M extends Steppable<M>>(
  base: M,
  end: M,
  select: Select<M>,
  work: Tally,
) => { before: M; after: M } | undefined;

/** The last of the steps from `base` to `end` that changed the selection. */
const stepThrough: Search = (base, end, select, work) => {
  let change: { before: typeof base; after: typeof base } | undefined;
  let selected = select(base);
  for (let value = base; value.steps < end.steps; work.add(1)) {
    const next = rerunTo(value, value.steps + 1);
    const nextSelected = select(next);
    if (!samePlain(selected, nextSelected)) change = { before: value, after: next };
    value = next;
    selected = nextSelected;
  }
  return change;
};

/** The step that brought the selection to what it is at `end`, found by halving; undefined if it was so at `base`. */
const halve: Search = (base, end, select, work) => {
  work.add(end.steps - base.steps);
  const last = select(end);
  if (samePlain(select(base), last)) return undefined;
  let before = base;
  let after = end;
  while (after.steps - before.steps > 1) {
    const middle = rerunTo(before, Math.floor((before.steps + after.steps) / 2));
    if (samePlain(select(middle), last)) after = middle;
    else before = middle;
  }
  return { before, after };
};

function checkWhole(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new VirtlabError(`${value} is not a ${what}: it must be whole`);
}
