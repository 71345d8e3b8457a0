/**
 * What was pushed between two machines: the dwords from the new top of the stack up to where it began, by what they are.
 * After a change to an inner level that is the whole of the new stack, with what the processor put there of the old one.
 * Spec: SDM Vol. 3A, "Stack Switching", "Exception- and Interrupt-Handler Procedures".
 */
import { VirtlabError } from "../../state/error.js";
import { FLAG } from "../cpu/state.js";
import type { Machine } from "../machine.js";
import { littleEndian, readIfMapped } from "./reading.js";
import { taskState } from "./task-state.js";

export interface StackEntry {
  /** From the new ESP. */
  readonly offset: number;
  /** Physical address. */
  readonly address: number;
  /** What was at this place before. */
  readonly before: number;
  readonly after: number;
  /** What the processor saved here when it changed stacks: "ss", "esp", "eflags", "cs", "eip", "error code", "parameter". */
  readonly holds?: string;
}

export interface StackChange {
  /** The stack is another one, taken from the TSS. */
  readonly switched: boolean;
  /** From the top of the stack, which is the lowest address. */
  readonly entries: readonly StackEntry[];
}

/** More than a gate's 31 parameters and what is saved beside them is no frame. */
const MOST_ENTRIES = 36;

/** Undefined where nothing was pushed, and for stacks that are not of dwords. */
export function stackChange(before: Machine, after: Machine): StackChange | undefined {
  const { ss } = after.cpu.system.segments;
  if ((ss.access & BIG) === 0 || (before.registers.eflags & FLAG.VM) !== 0) return undefined;
  const switched = after.cpl < before.cpl;
  const top = switched ? innerStackOf(after) : before.registers.ss === after.registers.ss ? before.registers.esp : 0;
  const { esp } = after.registers;
  const count = (top - esp) / 4;
  if (!Number.isInteger(count) || count < 1 || count > MOST_ENTRIES) return undefined;
  const entries: StackEntry[] = [];
  for (let offset = 0; offset < count * 4; offset += 4) {
    const linear = (ss.base + esp + offset) >>> 0;
    const address = after.walk(linear).physical;
    const bytes = readIfMapped(after, linear, 4);
    if (address === undefined || bytes === undefined || address + 4 > before.memory.size) return undefined;
    const old = before.memory.read(address, 4);
    entries.push({ offset, address, before: littleEndian(old, 0, 4), after: littleEndian(bytes, 0, 4) });
  }
  return { switched, entries: switched ? named(entries, before) : entries };
}

const BIG = 1 << 14;

/** Where the stack of the machine's level begins; 0 where that is not known. */
function innerStackOf(machine: Machine): number {
  try {
    return taskState(machine).fields[`esp${machine.cpl}`] ?? 0;
  } catch (error) {
    if (error instanceof VirtlabError) return 0;
    throw error;
  }
}

/**
 * The frame from its highest dword down. EFLAGS is there after an interrupt, not after a call gate: it is known by its
 * value, but for RF, which faults set in what they save.
 */
function named(entries: readonly StackEntry[], { registers }: Machine): readonly StackEntry[] {
  const names = ["ss", "esp"];
  const highestFirst = [...entries].reverse();
  const [ss, esp, third] = highestFirst.map(({ after }) => after);
  if (third === undefined || (ss! & 0xffff) !== registers.ss || esp !== registers.esp) return entries;
  if ((third & ~FLAG.RF) === (registers.eflags & ~FLAG.RF)) names.push("eflags", "cs", "eip", "error code");
  else names.push(...Array.from({ length: entries.length - 4 }, () => "parameter"), "cs", "eip");
  return highestFirst.map((entry, index) => ({ ...entry, ...(names[index] ? { holds: names[index] } : {}) })).reverse();
}
