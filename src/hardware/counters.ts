/** What is counted of a machine, for people. */
import type { MachineState } from "./state.js";

export interface Counters {
  /** Instructions retired. */
  readonly instructions: number;
  /** REP iterations beyond the instruction they belong to. */
  readonly repeats: number;
  readonly exceptions: number;
  readonly interrupts: number;
  readonly portReads: number;
  readonly portWrites: number;
  /** Entries into guests of VT-x or AMD-V; those among them that were refused behind their first checks count as exits too. */
  readonly vmEntries: number;
  readonly vmExits: number;
}

export function countersOf({ steps, counts }: Pick<MachineState, "steps" | "counts">): Counters {
  const { repeats, exceptions, interrupts } = counts;
  const instructions = steps - repeats - exceptions - interrupts;
  return Object.freeze({ instructions, vmEntries: 0, vmExits: 0, ...counts });
}
