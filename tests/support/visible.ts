/** What of two machines a guest could tell apart: tests of hypervisors compare a bare machine and a VM by it. */
import { Machine } from "../../src/hardware/machine.js";
import type { MachineDifference } from "../../src/hardware/machine-content.js";

/** Counts of what happened, which no hypervisor sees: REP's repetitions and exceptions that leave no guest. */
const UNSEEN = ["counts.repeats", "counts.exceptions"];

export function visible(a: Machine, b: Machine): Pick<MachineDifference, "state" | "memory"> {
  const { state, memory } = Machine.diff(a, b);
  return { state: state.filter(({ path }) => !UNSEEN.includes(path)), memory };
}

export const NOTHING = { state: [], memory: [] };
