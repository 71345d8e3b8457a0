/** What was observed of a hypervisor's schedule, as spans of time: what a Gantt chart shows. */
import type { MachineEvent } from "../hardware/state.js";

/** A VM had a processor, or none did, from one tick of the host's to another. */
export interface TurnSpan {
  /** Undefined: the processor idled. */
  readonly vm: string | undefined;
  readonly processor: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The turns among a run's events, in the order of their ends. What a processor was at before the first event about it is not known, and
 * not told.
 *
 * @param end The tick up to which the last of them last: `hypervisor.ticks`.
 */
export function turnsOf(events: readonly MachineEvent[], end: number): readonly TurnSpan[] {
  const spans: TurnSpan[] = [];
  const open = new Map<number, TurnSpan>();
  const close = (span: TurnSpan | undefined, to: number): void => {
    if (span !== undefined && to > span.from) spans.push({ ...span, to });
  };
  for (const event of events) {
    if (event.kind !== "schedule") continue;
    const { processor, tick, vm } = event;
    const before = open.get(processor);
    if (before !== undefined && before.vm === vm) continue;
    close(before, tick);
    open.set(processor, { vm, processor, from: tick, to: tick });
  }
  for (const span of open.values()) close(span, end);
  return spans;
}
