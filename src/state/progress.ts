/**
 * How far something long is, told by whoever does it. It is told by amounts of work and never by a clock, so what is told
 * of a run is part of what it does every time. Showing it, which needs a clock, is notebook/progress.ts.
 */

/** A word on something long. */
export interface Progress {
  /** How much was done since it began. */
  readonly done: number;
  /** How much it is at the most; undefined where only the end shows it. */
  readonly total: number | undefined;
  /** What is counted, in the plural: "steps". */
  readonly unit: string;
  /** Ticks of the machine's own clock that went by since it began; only where one machine runs. */
  readonly ticks?: number;
  /** What else there is to say, in few words: "2 differ". */
  readonly note?: string;
  /** The last word. It may come before `total` is reached: a machine stops, a search finds. */
  readonly finished: boolean;
}

/**
 * Called at the beginning, from time to time, and at the end. What it throws ends the work and reaches whoever began it;
 * that is how to stop one. Nothing has changed then, and there is no last word.
 */
export type OnProgress = (progress: Progress) => void;

/** Counts work that is done in small pieces. */
export interface Tally {
  /** So much more is done. */
  add(amount: number): void;
  end(): void;
}

/** Steps between two words of a search, which looks at each: some milliseconds. */
const EVERY = 2 ** 12;
const SILENT: Tally = Object.freeze({ add: () => {}, end: () => {} });

/** A tally of steps, begun; it tells whenever `EVERY` more are done. Without a listener it does nothing. */
export function tally(onProgress: OnProgress | undefined, total: number): Tally {
  if (onProgress === undefined) return SILENT;
  let done = 0;
  let told = 0;
  const tell = (finished: boolean): void => {
    told = done;
    onProgress({ done, total, unit: "steps", finished });
  };
  tell(false);
  return {
    add: (amount) => {
      done += amount;
      if (done - told >= EVERY) tell(false);
    },
    end: () => tell(true),
  };
}
