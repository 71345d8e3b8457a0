/**
 * What one instruction did: it trapped, or it changed something of the guest's, something of the monitor's, or both.
 *
 * The guest's are the general registers, EIP, the flags a program may change, the x87, MMX and XMM registers, and the
 * bytes of its window. Everything else is the monitor's, but for time, counts and where the random numbers stand; and for
 * the selectors x87 instructions leave in FCS and FDS, which decide nothing (reading them is another matter).
 */
import { FLAG } from "../../hardware/cpu/state.js";
import type { MetFault } from "../../hardware/inspect/exception.js";
import { Machine, type MachineDifference } from "../../hardware/machine.js";
import { GUEST_FRAMES, WINDOW, WINDOW_BYTES } from "./layout.js";
import type { Location } from "./tables.js";

/** A change by name: a register ("cpu.eax"), or guest memory by its offset ("memory 41f3fc"). */
export interface Effect {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

export interface Outcome {
  /** The fault that the instruction raised; the first one, if its delivery met others. */
  readonly trap?: MetFault;
  /** What changed for the guest. Empty if it trapped. */
  readonly guest: readonly Effect[];
  /** What changed of what the monitor keeps for itself. Empty if it trapped. */
  readonly monitor: readonly Effect[];
}

const { CF, PF, AF, ZF, SF, TF, DF, OF, NT, AC, ID, IF, IOPL, RF, VM, VIF, VIP } = FLAG;
const GUEST_FLAGS = CF | PF | AF | ZF | SF | TF | DF | OF | NT | AC | ID;
const MONITOR_FLAGS = IF | IOPL | RF | VM | VIF | VIP;
const guestParts = /^cpu\.(e[a-ds][xpi]|eip|wide|floating)/;
const nobodysParts = /^(steps|ticks|counts|cpu\.system\.random)\b|^cpu\.floating\.(instruction|data)Selector$/;

/** Registers are signed words; addresses of 64-bit code may be more. */
function numberText(value: number | bigint): string {
  const isWord = typeof value === "number" && value < 0 && value >= -0x8000_0000;
  return `0x${(isWord ? value >>> 0 : value).toString(16)}`;
}

const textOfPart = (_key: string, value: unknown): unknown =>
  typeof value === "number" || typeof value === "bigint" ? numberText(value) : value;

function textOf(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return numberText(value);
  if (typeof value === "string") return value;
  return (JSON.stringify(value, textOfPart) ?? "absent").replaceAll('"', "");
}
const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

function flagEffects(before: number, after: number): { guest: Effect[]; monitor: Effect[] } {
  const part = (mask: number): Effect[] =>
    ((before ^ after) & mask) === 0
      ? []
      : [{ name: "cpu.eflags", before: textOf(before & mask), after: textOf(after & mask) }];
  return { guest: part(GUEST_FLAGS), monitor: part(MONITOR_FLAGS) };
}

const inWindow = (address: number, location: Location): boolean =>
  address >= GUEST_FRAMES[location] && address < GUEST_FRAMES[location] + WINDOW_BYTES;

function effectsOf({ state, memory }: MachineDifference, location: Location): Pick<Outcome, "guest" | "monitor"> {
  const guest: Effect[] = [];
  const monitor: Effect[] = [];
  for (const { path, before, after } of state) {
    if (nobodysParts.test(path)) continue;
    if (path === "cpu.eflags") {
      const flags = flagEffects(before as number, after as number);
      guest.push(...flags.guest);
      monitor.push(...flags.monitor);
    } else (guestParts.test(path) ? guest : monitor).push({ name: path, before: textOf(before), after: textOf(after) });
  }
  for (const { address, before, after } of memory) {
    const own = inWindow(address, location);
    const at = own ? address - GUEST_FRAMES[location] + WINDOW : address;
    const name = `${own ? "" : "monitor's "}memory ${at.toString(16)}`;
    (own ? guest : monitor).push({ name, before: hexOf(before), after: hexOf(after) });
  }
  return { guest, monitor };
}

/** What the instruction did that led from one machine to the next. */
export function outcomeOf(before: Machine, after: Machine, location: Location): Outcome {
  const fault = after.lastException;
  if (fault !== before.lastException) return { trap: fault!.chain[0]!, guest: [], monitor: [] };
  return effectsOf(Machine.diff(before, after), location);
}
