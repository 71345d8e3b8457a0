/** The last stop in a stretch of what has been run, and the last step of one of several processors. */
import type { Machine, RunOptions } from "../hardware/machine.js";
import { rerunTo } from "../state/steppable.js";
import { type History, keptBefore, reach } from "./history.js";
import { currentProcessor } from "./processors.js";

type Stops = Pick<RunOptions, "breakpoints" | "watchpoints">;

const isHit = ({ stop }: Machine): boolean => stop?.reason === "breakpoint" || stop?.reason === "watchpoint";

/** The first stop behind `from`, up to the step `bound`. */
function nextHit(from: Machine, bound: number, present: number, stops: Stops): Machine | undefined {
  for (let machine = from; machine.steps < bound; ) {
    const next = machine.run({ maxInstructions: bound - machine.steps, ...stops });
    // The breakpoint at which the search begins is no stop before it.
    if (isHit(next)) return next.steps === present && next.stop?.reason === "breakpoint" ? undefined : next;
    if (next.steps <= machine.steps) return undefined;
    machine = next;
  }
  return undefined;
}

/**
 * The last stop behind `base`, up to the step `bound`, of a search that began at the step `present`. The stretch is halved
 * behind each stop that is found, so it is run over about twice, however many there are.
 */
export function lastHit(base: Machine, bound: number, present: number, stops: Stops): Machine | undefined {
  let last = nextHit(base, bound, present, stops);
  let high = bound;
  while (last !== undefined && high > last.steps) {
    const middle = last.steps + Math.floor((high - last.steps) / 2);
    const later = nextHit(rerunTo(last, middle), high, present, stops);
    if (later !== undefined) last = later;
    else {
      const between = nextHit(last, middle, present, stops);
      if (between === undefined) return last;
      last = between;
      high = middle;
    }
  }
  return last;
}

/** The last machine from the step `first` on, and before the step `bound`, that a processor's step leads on from. */
export function lastTurnOf(processor: number, history: History, first: number, bound: number): Machine | undefined {
  let last: Machine | undefined;
  let { machine } = reach(history, first);
  while (machine.steps < bound) {
    if (currentProcessor(machine) === processor) last = machine;
    const next = machine.step();
    if (next.steps <= machine.steps) return last;
    // What was changed from outside here was changed before the next step.
    const known = keptBefore(history, next.steps);
    machine = known.steps === next.steps ? known : next;
  }
  return last;
}
