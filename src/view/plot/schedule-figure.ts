/** `figureOfSchedule`: which VM had which processor when, as a Gantt chart. */
import type { MachineEvent } from "../../hardware/state.js";
import { turnsOf } from "../../hypervisor/turns.js";
import { axis } from "./axis.js";
import type { ChartOptions } from "./chart.js";
import type { Figure } from "./figure.js";
import { gantt } from "./gantt.js";

/** What the chart is of: a hypervisor whose last run was observed. */
export interface Scheduled {
  readonly events: readonly MachineEvent[];
  /** The host's time at the end of the run. */
  readonly ticks: number;
  readonly hash: string;
}

/**
 * A lane for each VM, in the order of their first turns, and one for idle processors.
 *
 * @param hypervisor One whose run observed `"schedule"`.
 */
export function figureOfSchedule(hypervisor: Scheduled, options: ChartOptions = {}): Figure {
  const turns = turnsOf(hypervisor.events, hypervisor.ticks);
  const idle = turns.filter(({ vm }) => vm === undefined);
  const spans = [...turns.filter(({ vm }) => vm !== undefined), ...idle].map(({ vm, processor, from, to }) => ({
    lane: vm ?? "idle",
    from,
    to,
    what: `processor ${processor}`,
  }));
  return gantt(spans, {
    title: "Who has the processor",
    x: axis("host time", "ticks"),
    y: axis("VM"),
    from: hypervisor,
    ...options,
  });
}
