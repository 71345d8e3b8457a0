/**
 * What floating-point operations work under, and what they report: rounding, masks and flags, in the order the x87 status
 * word and MXCSR have them.
 * Spec: SDM Vol. 1, "Floating-Point Exceptions", "Rounding", "MXCSR Control and Status Register", "x87 FPU Control Word".
 */

/** Exception flags, and masks at the same places. */
export const EXCEPTION = {
  INVALID: 1,
  DENORMAL: 2,
  ZERO_DIVIDE: 4,
  OVERFLOW: 8,
  UNDERFLOW: 16,
  PRECISION: 32,
} as const;
/** Those that are found before anything is computed: unmasked, they keep the operation from being done. */
export const BEFORE_COMPUTATION: number = EXCEPTION.INVALID | EXCEPTION.DENORMAL | EXCEPTION.ZERO_DIVIDE;
const ALL = 63;

/** Rounding control. */
export const ROUNDING = { nearest: 0, down: 1, up: 2, zero: 3 } as const;
export type Rounding = (typeof ROUNDING)[keyof typeof ROUNDING];

/** One instruction's; `flags` and `roundedUp` are what operations leave there. */
export interface Environment {
  rounding: Rounding;
  /** Bits of the significand that add, subtract, multiply, divide and square root keep, if the format has more. */
  readonly precision: number;
  /** Exceptions that are masked. */
  readonly masks: number;
  /** x87 takes the NaN with the larger significand, SSE the first one. */
  readonly unit: "x87" | "sse";
  readonly denormalsAreZero: boolean;
  /** Tiny results are zero while underflow is masked. */
  readonly flushToZero: boolean;
  /** Exceptions that were met, masked or not. */
  flags: number;
  /** The last rounding made the magnitude larger: x87's C1. */
  roundedUp: boolean;
}

const precisions = [24, 64, 53, 64] as const;

/** The environment that an x87 control word says. */
export const x87Environment = (control: number): Environment => ({
  rounding: ((control >>> 10) & 3) as Rounding,
  precision: precisions[(control >>> 8) & 3]!,
  masks: control & ALL,
  unit: "x87",
  denormalsAreZero: false,
  flushToZero: false,
  flags: 0,
  roundedUp: false,
});

/** The environment that MXCSR says. */
export const sseEnvironment = (mxcsr: number): Environment => ({
  rounding: ((mxcsr >>> 13) & 3) as Rounding,
  precision: 64,
  masks: (mxcsr >>> 7) & ALL,
  unit: "sse",
  denormalsAreZero: (mxcsr & 0x40) !== 0,
  flushToZero: (mxcsr & 0x8000) !== 0,
  flags: 0,
  roundedUp: false,
});

/** Exceptions that were met and are not masked. */
export const unmasked = ({ flags, masks }: Environment): number => flags & ~masks;

/** Whether an unmasked exception keeps the operation from being done: its result is then not to be used. */
export const isStopped = (env: Environment): boolean => (unmasked(env) & BEFORE_COMPUTATION) !== 0;
