/** Which VM has the processor next. */
import type { HypervisorState } from "./state.js";

/** Ticks of a turn. */
export const SLICE = 1_000_000;

/** The next VM that can run, in turn; undefined where none can. */
export function pick({ vms, current = -1 }: HypervisorState): number | undefined {
  for (let offset = 1; offset <= vms.length; offset++) {
    const number = (current + offset) % vms.length;
    if (vms[number]!.status.kind === "ready") return number;
  }
  return undefined;
}
