/** Finding the next exception of a kind in what a machine is going to do. */
import type { Machine } from "../machine.js";
import type { Stop } from "../state.js";

export interface Found {
  /** The machine whose next step delivers the exception. */
  readonly before: Machine;
  readonly after: Machine;
}

export interface NotFound {
  /** Steps that were looked at. */
  readonly steps: number;
  readonly stop: Stop | undefined;
}

/** The first exception within `limit` steps of which `wanted` holds by name. The machine itself stays where it is. */
export function findException(machine: Machine, wanted: (name: string) => boolean, limit: number): Found | NotFound {
  const run = machine.run({ maxInstructions: limit, observe: ["exception"] });
  const event = run.events.find((one) => one.kind === "exception" && wanted(one.name));
  if (event === undefined) return { steps: run.steps - machine.steps, stop: run.stop };
  const before = machineAt(machine, event.tick, run.steps - machine.steps);
  return { before, after: before.step() };
}

/** The last machine not behind a tick. A step takes one tick; more pass only where HLT waits. */
function machineAt(machine: Machine, tick: number, mostSteps: number): Machine {
  let low = 0;
  let high = Math.min(mostSteps, tick - machine.ticks);
  let best = machine;
  for (let steps = high; low <= high; steps = (low + high) >> 1) {
    const at = machine.run({ maxInstructions: steps });
    if (at.ticks === tick) return at;
    if (at.ticks < tick) {
      best = at;
      low = steps + 1;
    } else high = steps - 1;
  }
  return best;
}
