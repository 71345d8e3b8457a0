/** The processors of a machine as gdb's threads: thread n is processor n - 1. */
import type { CpuState } from "../hardware/cpu/state.js";
import type { Machine } from "../hardware/machine.js";

export const processorCount = ({ turn }: Machine): number => (turn === undefined ? 1 : turn.others.length + 1);

/** The one whose turn it is. */
export const currentProcessor = ({ turn }: Machine): number => turn?.processor ?? 0;

export function processorState({ cpu, turn }: Machine, number: number): CpuState {
  if (turn === undefined || number === turn.processor) return cpu;
  return turn.others[number < turn.processor ? number : number - 1] ?? cpu;
}

export const threadOf = (processor: number): string => (processor + 1).toString(16);

/** The processor of a thread; of "any" (0) and "all" (-1) the one whose turn it is. Undefined for none. */
export function processorOf(machine: Machine, thread: string): number | undefined {
  if (thread === "-1" || /^0+$/.test(thread)) return currentProcessor(machine);
  const number = /^[0-9a-f]{1,4}$/i.test(thread) ? Number.parseInt(thread, 16) - 1 : -1;
  return number >= 0 && number < processorCount(machine) ? number : undefined;
}
