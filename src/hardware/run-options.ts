/** What a run of a machine is told: how far, until what, what to observe, whom to tell. */
import { VirtlabError } from "../state/error.js";
import type { OnProgress } from "../state/progress.js";
import type { EngineRunOptions } from "./engine/engine.js";
import { noStops, type RunStops, type Watchpoint } from "./engine/stops.js";
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
  /**
   * Linear addresses in front of whose instruction the run stops, every time one begins; not in front of the first
   * instruction of the run. Costs no speed elsewhere.
   *
   * @example
   * const machine = Machine.boot({ image: Uint8Array.of(0x40, 0x43, 0x43, 0xeb, 0xfb) }); // inc eax; inc ebx; inc ebx; jmp
   * const there = machine.run({ breakpoints: [0x100001] });
   * there.stop // => { reason: 'breakpoint', address: 1048577 }
   * there.run({ breakpoints: [0x100001] }).steps // => 5
   */
  readonly breakpoints?: readonly number[];
  /**
   * Data behind an access of which the run stops: the access of an instruction, or of a delivery, through the segments; not
   * the processor's own reads of page tables, nor what devices do.
   *
   * @example
   * const machine = Machine.boot({ image: assemble("mov eax, [0x5000]\nmov [0x5002], al", { bits: 32 }).bytes });
   * const watched = machine.run({ watchpoints: [{ address: 0x5000, length: 4, on: "write" }] });
   * [watched.steps, watched.stop?.reason] // => [ 2, 'watchpoint' ]
   */
  readonly watchpoints?: readonly Watchpoint[];
  /** Kinds of events to collect in `events` of the resulting machine. */
  readonly observe?: readonly EventKind[];
  /**
   * Called at the start, every 2^20 steps (2^16 with "instruction", 2^12 with a predicate), and at the end, with
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
  readonly stops: RunStops;
  readonly observe: readonly EventKind[] | undefined;
  /** Length of the serial port's output when the run began: a text that is waited for begins behind it. */
  readonly serialFrom: number;
}

/** Bytes that can be watched at once: each of their pages is looked at access by access. */
const MOST_WATCHED = 0x10000;

/**
 * Where a run stops.
 *
 * @throws VirtlabError for places that are no linear addresses.
 */
export function runStops({ until, breakpoints = [], watchpoints = [] }: RunOptions): RunStops {
  const eip = typeof until === "number" ? [until] : [];
  if (eip.length + breakpoints.length + watchpoints.length === 0) return noStops;
  for (const address of breakpoints)
    if (!Number.isSafeInteger(address)) throw new VirtlabError(`run: ${address} in breakpoints is no linear address`);
  for (const { address, length, on } of watchpoints) {
    if (!Number.isSafeInteger(address)) throw new VirtlabError(`run: ${address} in watchpoints is no linear address`);
    if (!(Number.isInteger(length) && length > 0 && length <= MOST_WATCHED))
      throw new VirtlabError(`run: a watchpoint of ${length} bytes cannot be (1 to ${MOST_WATCHED})`);
    if (!["write", "read", "access"].includes(on))
      throw new VirtlabError(`run: unknown access "${on}" in watchpoints (known: write, read, access)`);
  }
  return { offsets: new Set(eip), addresses: new Set(breakpoints), watchpoints };
}

/**
 * A run that ends behind the next event of a kind.
 *
 * @throws VirtlabError for an unknown kind.
 */
export function upToEvent(kind: EventKind): EngineRunOptions {
  checkRun(1, [kind]);
  return { limit: Number.POSITIVE_INFINITY, observe: new Set([kind]), untilEvent: kind };
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
