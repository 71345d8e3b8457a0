/** A run in pieces, with a word after each. That a run in pieces is one run is what engines see to (`Counting is exact`). */
import type { OnProgress } from "../state/progress.js";

/** Steps of a piece by how the run goes on: some tens of milliseconds at the most, mostly less. */
export const PIECE = {
  /** As fast as it goes. */
  free: 2 ** 20,
  /** One instruction at a time, because each is looked at. */
  single: 2 ** 16,
  /** A machine made after each step, for a predicate to see. */
  whole: 2 ** 12,
} as const;

/** Steps of a piece of a run until something; `each`: whether each instruction is looked at. */
export function pieceOf(until: unknown, each = false): number {
  if (typeof until === "function") return PIECE.whole;
  return each ? PIECE.single : PIECE.free;
}

/** What a piece of a run gives. */
interface Piece {
  readonly steps: number;
  readonly ticks?: number;
  readonly stop: { readonly reason: string } | undefined;
}

export interface PiecesOptions<M> {
  /** Steps at the most; may be infinite. */
  readonly limit: number;
  /** Steps of a piece. */
  readonly every: number;
  readonly onProgress: OnProgress;
  /** Runs a machine at most so many steps. */
  readonly run: (machine: M, limit: number) => M;
}

/** Runs `start` piece by piece and gives the last machine. It is sealed while the word is told: the listener may run others. */
export function runInPieces<M extends Piece>(start: M, { limit, every, onProgress, run }: PiecesOptions<M>): M {
  const total = limit === Number.POSITIVE_INFINITY ? undefined : limit;
  const tell = ({ steps, ticks }: M, finished: boolean): void => {
    const time = ticks === undefined ? {} : { ticks: ticks - (start.ticks ?? 0) };
    onProgress({ done: steps - start.steps, total, unit: "steps", ...time, finished });
  };
  tell(start, false);
  for (let machine = start; ; ) {
    const left = limit - (machine.steps - start.steps);
    machine = run(machine, Math.min(every, left));
    const finished = machine.stop?.reason !== "limit" || machine.steps - start.steps >= limit;
    tell(machine, finished);
    if (finished) return machine;
  }
}
