/**
 * What has been, as a value: some machines of one run, and the edits made to it. The others are reached by running again.
 *
 * Kept are every machine within 16 steps of the present, then about eight for each doubling of the distance; never more
 * than one in 2^22 steps while the run goes on, which is what an engine runs in some tens of milliseconds. So a past of 10^12 steps
 * is some 300 machines, and they share the pages that did not change between them. Input and other edits are kept for
 * ever: running again never passes over them. Beside `Timeline`, which is what people move through a run with, this one
 * keeps fewer machines, and is a value.
 */
import type { Machine } from "../hardware/machine.js";
import { rerunTo } from "../state/steppable.js";

interface Kept {
  readonly machine: Machine;
  /** The machine was changed from outside here. */
  readonly edited: boolean;
}

/** In order; the first is where everything begins. */
export type History = readonly Kept[];

/** Steps that are run in one go at the most. */
export const PIECE = 2 ** 22;
const NEAR = 2 ** 26;
const THIN_ABOVE = 400;

/** Steps between kept machines at a distance from the present: a power of two. */
function spacing(distance: number): number {
  if (distance < 16) return 1;
  const eighth = 2 ** Math.floor(Math.log2(distance / 8));
  return distance < NEAR ? Math.min(PIECE, eighth) : eighth;
}

/** Where a run from one step to another keeps its next machine. */
const nextKept = (from: number, target: number): number => {
  const width = Math.min(PIECE, spacing(target - from));
  return Math.min(target, (Math.floor(from / width) + 1) * width);
};

export const begun = (machine: Machine): History => [{ machine, edited: false }];

export const startOf = (history: History): number => history[0]!.machine.steps;

/** The last step of which anything is known. */
export const endOf = (history: History): number => history[history.length - 1]!.machine.steps;

function indexAtOrBefore(history: History, steps: number): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (history[middle]!.machine.steps <= steps) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The last kept machine at or before a step, which must not be before the start. */
export const keptBefore = (history: History, steps: number): Machine =>
  history[indexAtOrBefore(history, steps)]!.machine;

/** The step of the next edit behind a step; Infinity if there is none. */
export function nextEdit(history: History, steps: number): number {
  for (let index = indexAtOrBefore(history, steps) + 1; index < history.length; index++)
    if (history[index]!.edited) return history[index]!.machine.steps;
  return Number.POSITIVE_INFINITY;
}

/** The history with a machine of the run, unless one is kept at its step. */
export function keep(history: History, machine: Machine): History {
  const { steps } = machine;
  const index = indexAtOrBefore(history, steps);
  if (history[index]!.machine.steps === steps) return history;
  const longer = [...history.slice(0, index + 1), { machine, edited: false }, ...history.slice(index + 1)];
  if (longer.length <= THIN_ABOVE) return longer;
  const last = longer.length - 1;
  return longer.filter(
    (kept, at) =>
      at === 0 ||
      at === last ||
      kept.edited ||
      kept.machine.steps % spacing(Math.abs(kept.machine.steps - steps)) === 0,
  );
}

/** The history in which a machine was changed to this one from outside. What came later is forgotten. */
export function edit(history: History, machine: Machine): History {
  const index = indexAtOrBefore(history, machine.steps);
  const known = history[index]!.machine.steps === machine.steps;
  return [...history.slice(0, known ? index : index + 1), { machine, edited: true }];
}

/** A step on the way to a step that was reached before: at the most `PIECE` steps from what is kept; again until it is there. */
export function approach(history: History, target: number): { readonly history: History; readonly machine: Machine } {
  const from = keptBefore(history, target);
  if (from.steps >= target) return { history, machine: from };
  const machine = rerunTo(from, nextKept(from.steps, target));
  return { history: keep(history, machine), machine };
}

/** The machine at a step that was reached before. */
export function reach(history: History, target: number): { readonly history: History; readonly machine: Machine } {
  let at = approach(history, target);
  while (at.machine.steps < target) at = approach(at.history, target);
  return at;
}
