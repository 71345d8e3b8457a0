/**
 * `progress(…)`: shows how far a run, a search or a loop is, with percentage, rate and time left: below the cell of a
 * notebook, on standard error where that is a terminal, nowhere else. This is where the clock comes in: those who work
 * tell by amounts of work (state/progress.ts), and here it is decided what of that is shown.
 */
import type { Progress } from "../../state/progress.js";
import { type Place, presentPlace } from "./places.js";
import { newRate, type Rate } from "./rate.js";

export interface ProgressOptions {
  /** What is counted, in the plural. What a run says itself comes first. */
  readonly unit?: string;
  /** How many there will be, where neither the run nor what is iterated over says so. */
  readonly total?: number;
  /**
   * Whether the end tells how long it took. By default it does on a terminal and does not in a notebook, whose outputs
   * are saved and compared.
   */
  readonly time?: boolean;
}

/** What a bar is told: how much is done, and what else is known. */
export type ProgressWord = Pick<Progress, "done"> & Partial<Progress>;

/** Shows what it is told; made to be given as `onProgress`. Told of a new beginning, it begins a new bar. */
export type ProgressBar = (word: ProgressWord) => void;

/** Seconds between two pictures. */
const PERIOD = 0.1;

/** One thing from its beginning to its end. */
interface Course {
  readonly place: Place | undefined;
  readonly began: number;
  readonly rate: Rate;
  done: number;
  next: number;
  over: boolean;
}

const now = (): number => performance.now() / 1000;
const beginAt = (place: Place | undefined, done: number): Course => ({
  place,
  began: now(),
  rate: newRate(done),
  done,
  next: 0,
  over: false,
});

/**
 * A bar for `onProgress`, or the items of an iterable one by one with a bar that counts them.
 *
 * In a notebook the last picture is one line without times, so that a saved output is the same at every run.
 *
 * @example
 * const machine = Machine.boot({ image: guest("rings") });
 * machine.run({ maxInstructions: 1_000_000, onProgress: progress("boot") }).steps // => 377345
 * new Timeline(machine).goto(2000, { onProgress: progress("to the fault") }).steps // => 2000
 *
 * let sum = 0;
 * for (const seed of progress([1, 2, 3], "seeds")) sum += seed;
 * sum // => 6
 */
export function progress(label?: string, options?: ProgressOptions): ProgressBar;
export function progress<T>(items: Iterable<T>, label?: string, options?: ProgressOptions): Iterable<T>;
export function progress<T>(
  first: string | Iterable<T> = "",
  second?: string | ProgressOptions,
  third: ProgressOptions = {},
): ProgressBar | Iterable<T> {
  if (typeof first === "string") return progressAt(presentPlace, first, second as ProgressOptions | undefined);
  return counted(first, progressAt(presentPlace, second as string | undefined, third), third.total ?? lengthOf(first));
}

/** A bar at a place, which is asked for at every beginning: a bar can be made in one cell and used in another. */
export function progressAt(placeNow: () => Place | undefined, label = "", options: ProgressOptions = {}): ProgressBar {
  let course: Course | undefined;
  return (word) => {
    const { done, finished = false } = word;
    if (course === undefined || course.over || done < course.done) course = beginAt(placeNow(), done);
    course.done = done;
    course.over = finished;
    if (course.place === undefined) return;
    const at = now();
    if (at < course.next && !finished) return;
    course.next = at + PERIOD;
    const seconds = at - course.began;
    course.place.show({
      label,
      progress: {
        ...word,
        total: word.total ?? options.total,
        unit: word.unit ?? options.unit ?? "",
        finished,
      },
      seconds,
      rate: course.rate.at(done, seconds),
      phase: finished ? "finished" : "running",
      timed: options.time ?? !course.place.saved,
    });
  };
}

function* counted<T>(items: Iterable<T>, bar: ProgressBar, total: number | undefined): Generator<T, void, undefined> {
  let done = 0;
  const tell = (finished: boolean): void => bar({ done, finished, ...(total === undefined ? {} : { total }) });
  tell(false);
  try {
    for (const item of items) {
      yield item;
      done++;
      tell(false);
    }
  } finally {
    // Also where the loop is left early, by a break or by what its body throws.
    tell(true);
  }
}

function lengthOf(items: Iterable<unknown>): number | undefined {
  const { length, size } = items as { length?: unknown; size?: unknown };
  return [length, size].find((count) => typeof count === "number");
}
