/** Breakpoints and watchpoints as gdb sets them, and a reply that names the one a machine has come to. */
import { codeBitsOf } from "../hardware/cpu/state.js";
import { codeAddress, type Watchpoint } from "../hardware/engine/stops.js";
import type { Machine, RunOptions } from "../hardware/machine.js";
import { addressText } from "./memory.js";

/** Types of the packets `Z` and `z`, by number. */
export const stopPointTypes = ["swbreak", "hwbreak", "watch", "rwatch", "awatch"] as const;

export interface StopPoint {
  readonly type: (typeof stopPointTypes)[number];
  readonly linear: number;
  /** Bytes that are watched; of a breakpoint whatever gdb says. */
  readonly length: number;
}

const watchedAccess = { watch: "write", rwatch: "read", awatch: "access" } as const;

const isBreakpoint = ({ type }: StopPoint): boolean => type === "swbreak" || type === "hwbreak";

/** What a run is asked to stop at. */
export function runStops(points: readonly StopPoint[]): Pick<RunOptions, "breakpoints" | "watchpoints"> {
  const watchpoints = points.flatMap(({ type, linear: address, length }): Watchpoint[] =>
    type === "swbreak" || type === "hwbreak" ? [] : [{ address, length, on: watchedAccess[type] }],
  );
  return { breakpoints: points.filter(isBreakpoint).map(({ linear }) => linear), watchpoints };
}

/** Linear address of the instruction that comes next. */
export function nextInstruction({ cpu: { eip, system } }: Machine): number {
  if (codeBitsOf(system) === 64) return eip;
  return codeAddress(eip >>> 0, system.segments.cs.base);
}

export const breakpointAt = (points: readonly StopPoint[], linear: number): StopPoint | undefined =>
  points.find((point) => isBreakpoint(point) && point.linear === linear);

/** What a stop reply says of why a run stopped; nothing where it was for no breakpoint or watchpoint. */
export function reasonOf({ stop }: Machine, points: readonly StopPoint[]): string {
  if (stop?.reason === "breakpoint") return `${breakpointAt(points, stop.address)?.type ?? "swbreak"}:;`;
  if (stop?.reason !== "watchpoint") return "";
  const { address, length, on } = stop.watchpoint;
  const type = on === "write" ? "watch" : on === "read" ? "rwatch" : "awatch";
  return `${type}:${addressText(Math.min(stop.address, address + length - 1))};`;
}
