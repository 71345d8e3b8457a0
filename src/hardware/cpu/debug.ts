/**
 * Breakpoints of the debug registers. Each function gives the DR6 bits (B0 to B3) of the breakpoints that match.
 * Spec: SDM Vol. 3B, "Debug Registers".
 */
import { models } from "./model.js";
import { CR4, type SystemState } from "./state.js";

type Debug = Pick<SystemState, "debug" | "cr4" | "model">;

/** DR6 bits. */
export const DR6 = { BD: 1 << 13, BS: 1 << 14, BT: 1 << 15 } as const;
/** Condition of a breakpoint: R/W field of DR7. */
const ON = { execute: 0, write: 1, port: 2, access: 3 } as const;
const DR7_GD = 1 << 13;
/** Bytes of a breakpoint by its LEN field. */
const LENGTHS = [1, 2, 8, 4] as const;
/** The same without long mode, where 2 is undefined and taken as 1. */
const LENGTHS_32 = [1, 2, 1, 4] as const;

/** Whether any breakpoint is enabled. */
export const anyBreakpoint = ({ debug }: Debug): boolean => (debug[5] & 0xff) !== 0;

/** Whether any breakpoint watches data: reads and writes have to be looked at then. */
export function anyDataBreakpoint({ debug }: Debug): boolean {
  const dr7 = debug[5];
  if ((dr7 & 0xff) === 0) return false;
  return [0, 1, 2, 3].some((number) => enabled(dr7, number) && (conditionOf(dr7, number) & 1) !== 0);
}

const enabled = (dr7: number, number: number): boolean => (dr7 & (3 << (2 * number))) !== 0;
const conditionOf = (dr7: number, number: number): number => (dr7 >>> (16 + 4 * number)) & 3;

function matches({ debug, model }: Debug, address: number, size: number, conditions: number): number {
  const dr7 = debug[5];
  const lengths = models[model].features.has("LM") ? LENGTHS : LENGTHS_32;
  let bits = 0;
  for (let number = 0; number < 4; number++) {
    if (!enabled(dr7, number) || (conditions & (1 << conditionOf(dr7, number))) === 0) continue;
    const length = lengths[(dr7 >>> (18 + 4 * number)) & 3]!;
    const start = debug[number]! - (debug[number]! & (length - 1));
    if (address < start + length && start < address + size) bits |= 1 << number;
  }
  return bits;
}

/** An instruction that starts at this linear address. */
export const codeBreakpoints = (state: Debug, linear: number): number => matches(state, linear, 1, 1 << ON.execute);

/** A read or write of data at this linear address. */
export const dataBreakpoints = (state: Debug, linear: number, size: number, write: boolean): number =>
  matches(state, linear, size, (1 << ON.access) | (write ? 1 << ON.write : 0));

/** A port access; only with CR4.DE. */
export const portBreakpoints = (state: Debug, port: number, size: number): number =>
  (state.cr4 & CR4.DE) === 0 ? 0 : matches(state, port, size, 1 << ON.port);

/** The debug registers as a handler of #DB finds them: with the bits in DR6, and DR7.GD clear. */
export function recorded({ debug }: Debug, bits: number): SystemState["debug"] {
  const [dr0, dr1, dr2, dr3, dr6, dr7] = debug;
  return [dr0, dr1, dr2, dr3, dr6 | bits, dr7 & ~DR7_GD];
}
