/**
 * What was pushed between two machines: the words from the new top of the stack up to where it began, by what they are.
 * After a change to an inner level that is the whole of the new stack, with what the processor put there of the old one.
 * Spec: SDM Vol. 3A, "Stack Switching", "Exception- and Interrupt-Handler Procedures", "64-Bit Mode Stack Frame".
 */
import { VirtlabError } from "../../state/error.js";
import { ACCESS, codeBitsOf, FLAG } from "../cpu/state.js";
import type { Machine } from "../machine.js";
import { littleEndian, littleEndianLong, readIfMapped } from "./reading.js";
import { taskState } from "./task-state.js";

export interface StackEntry {
  /** From the new stack pointer. */
  readonly offset: number;
  /** Physical address. */
  readonly address: number;
  /** What was at this place before. Words of 64 bits are bigints. */
  readonly before: number | bigint;
  readonly after: number | bigint;
  /** What the processor saved here when it changed stacks: "ss", "esp", "eflags", "cs", "eip", "error code", "parameter". */
  readonly holds?: string;
}

export interface StackChange {
  /** The stack is another one, taken from the TSS. */
  readonly switched: boolean;
  /** Bytes of an entry: 8 in 64-bit code. */
  readonly bytes: 4 | 8;
  /** From the top of the stack, which is the lowest address. */
  readonly entries: readonly StackEntry[];
}

/** More than a gate's 31 parameters and what is saved beside them is no frame. */
const MOST_ENTRIES = 36;

/** Undefined where nothing was pushed, and for stacks of words of 16 bits. */
export function stackChange(before: Machine, after: Machine): StackChange | undefined {
  if (codeBitsOf(after.cpu.system) === 64) return longChange(before, after);
  const { ss } = after.cpu.system.segments;
  if ((ss.access & ACCESS.BIG) === 0 || (before.registers.eflags & FLAG.VM) !== 0) return undefined;
  const switched = after.cpl < before.cpl;
  const top = switched ? innerStackOf(after) : before.registers.ss === after.registers.ss ? before.registers.esp : 0;
  const { esp } = after.registers;
  const count = (top - esp) / 4;
  const entries = entriesOf(before, after, (offset) => (ss.base + esp + offset) >>> 0, count, 4);
  if (entries === undefined) return undefined;
  return { switched, bytes: 4, entries: switched ? named(entries, before) : entries };
}

/** A number of words from the top of the stack, if all of them are there. */
function entriesOf(
  before: Machine,
  after: Machine,
  linear: (offset: number) => number,
  count: number,
  size: 4 | 8,
): readonly StackEntry[] | undefined {
  if (!Number.isInteger(count) || count < 1 || count > MOST_ENTRIES) return undefined;
  const entries: StackEntry[] = [];
  for (let offset = 0; offset < count * size; offset += size) {
    const address = after.walk(linear(offset)).physical;
    const bytes = readIfMapped(after, linear(offset), size);
    if (address === undefined || bytes === undefined || address + size > before.memory.size) return undefined;
    const old = before.memory.read(address, size);
    const value = (from: Uint8Array): number | bigint =>
      size === 4 ? littleEndian(from, 0, 4) : littleEndianLong(from, 0, 8);
    entries.push({ offset, address, before: value(old), after: value(bytes) });
  }
  return entries;
}

/** Where the stack of the machine's level begins; 0 where that is not known. */
function innerStackOf(machine: Machine): number {
  try {
    return Number(taskState(machine).fields[`esp${machine.cpl}`] ?? 0);
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
  const [ss, esp, third] = highestFirst.map(({ after }) => Number(after));
  if (third === undefined || (ss! & 0xffff) !== registers.ss || esp !== registers.esp) return entries;
  if ((third & ~FLAG.RF) === (registers.eflags & ~FLAG.RF)) names.push("eflags", "cs", "eip", "error code");
  else names.push(...Array.from({ length: entries.length - 4 }, () => "parameter"), "cs", "eip");
  return highestFirst.map((entry, index) => ({ ...entry, ...(names[index] ? { holds: names[index] } : {}) })).reverse();
}

const LONG_FRAME = ["rip", "cs", "rflags", "rsp", "ss"];

/** In 64-bit code: the frame of an event, which always has the old stack pointer in it, or what was pushed. */
function longChange(before: Machine, after: Machine): StackChange | undefined {
  const top = Number(BigInt.asIntN(64, after.registers.rsp));
  const read = (count: number): readonly StackEntry[] | undefined =>
    entriesOf(before, after, (offset) => top + offset, count, 8);
  for (const names of [LONG_FRAME, ["error code", ...LONG_FRAME]]) {
    const frame = read(names.length);
    if (frame === undefined || !isFrame(frame, before)) continue;
    const entries = frame.map((entry, index) => ({ ...entry, holds: names[index]! }));
    return { switched: after.cpl < before.cpl, bytes: 8, entries };
  }
  const entries = read(Number(before.registers.rsp - after.registers.rsp) / 8);
  return entries === undefined ? undefined : { switched: false, bytes: 8, entries };
}

/** The last two words are SS and RSP as they were. */
function isFrame(entries: readonly StackEntry[], { registers }: Machine): boolean {
  const [rsp, ss] = entries.slice(-2).map(({ after }) => after);
  return rsp === registers.rsp && Number(ss) === registers.ss && Number(entries.at(-4)?.after) === registers.cs;
}
