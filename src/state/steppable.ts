/**
 * What the timeline and the search for a divergence need of a machine, and running one to an exact step. Nothing here
 * knows what a machine is; stopping on conditions and observing events are left to the machine itself.
 */
import { VirtlabError } from "./error.js";

/** An immutable value that can be run forward. */
export interface Steppable<M> {
  /** Steps made since reset. */
  readonly steps: number;
  /** Names the content; equal for equal content. */
  readonly hash: string;
  /** Why the run that led here ended; undefined if none did. */
  readonly stop: { readonly reason: string } | undefined;
  /** The value `maxInstructions` steps later, or fewer if the machine stops by itself. */
  run(options: { maxInstructions: number }): M;
}

/** Whether the run that led to `value` ended because the machine stopped, and not because the run was over. */
export function stoppedByItself<M extends Steppable<M>>(value: M): boolean {
  const reason = value.stop?.reason;
  return reason !== undefined && reason !== "limit" && reason !== "until";
}

/**
 * Runs `value` on to the step `target`, past places where the machine stops but can be run on; returns an earlier
 * value only where it cannot.
 */
export function runTo<M extends Steppable<M>>(value: M, target: number): M {
  while (value.steps < target) {
    const next = value.run({ maxInstructions: target - value.steps });
    if (next.steps <= value.steps) return next;
    value = next;
  }
  return value;
}

/** As `runTo`, for a step that was reached before. Throws a VirtlabError if it cannot be reached again. */
export function rerunTo<M extends Steppable<M>>(value: M, target: number): M {
  const reached = runTo(value, target);
  if (reached.steps !== target) throw notRepeatable(reached.steps, target);
  return reached;
}

/** The error for a machine that does not do the same again. */
export function notRepeatable(steps: number, target: number): VirtlabError {
  return new VirtlabError(`step ${steps}: the machine stopped on the way to step ${target}, which it reached before`);
}
