/** What a run of a machine is told: how far, until what, what to observe, whom to tell. */
import { VirtlabError } from "../state/error.js";
import type { OnProgress } from "../state/progress.js";
import type { Machine } from "./machine.js";
import { type EventKind, eventKinds } from "./state.js";

/** Run until this EIP, until the serial port has put out a text, or until a predicate holds after a step. */
export type Until = number | { readonly serial: string } | ((machine: Machine) => boolean);

export interface RunOptions {
  /**
   * Steps at the most: instructions, REP iterations, and deliveries of exceptions and interrupts. Default: no limit.
   */
  readonly maxInstructions?: number;
  readonly until?: Until;
  /** Kinds of events to collect in `events` of the resulting machine. */
  readonly observe?: readonly EventKind[];
  /**
   * Called at the start, every 2^20 steps (2^16 with an EIP or "instruction", 2^12 with a predicate), and at the end, with
   * the steps and ticks of this run. What it throws ends the run. The result is the same with and without it.
   *
   * @example
   * const machine = Machine.boot({ image: guest("rings") });
   * const told: number[] = [];
   * machine.run({ maxInstructions: 3_000_000, onProgress: ({ done }) => told.push(done) }).steps // => 377345
   * told // => [ 0, 377345 ]
   */
  readonly onProgress?: OnProgress;
}

/** What a run looks for; the same for all its pieces. */
export interface RunTask {
  readonly until: Until | undefined;
  readonly observe: readonly EventKind[] | undefined;
  /** Length of the serial port's output when the run began: a text that is waited for begins behind it. */
  readonly serialFrom: number;
}

/** @throws VirtlabError for a limit that is no number of steps, and for unknown kinds of events. */
export function checkRun(limit: number, kinds: readonly EventKind[] = []): void {
  if (!(limit >= 0 && (Number.isInteger(limit) || limit === Number.POSITIVE_INFINITY)))
    throw new VirtlabError(`run: maxInstructions ${limit} is not a number of steps`);
  for (const kind of kinds) {
    if (!eventKinds.includes(kind))
      throw new VirtlabError(`run: unknown kind of event "${kind}" in observe (known: ${eventKinds.join(", ")})`);
  }
}
