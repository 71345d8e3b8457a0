/** A toy machine's whole state as one immutable record: what is hashed, saved, compared, opened and sealed. */
import type { MemoryState } from "../machine-content.js";

export const toyRegisterNames = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"] as const;
export type ToyRegisterName = (typeof toyRegisterNames)[number];

export interface ToyCpu extends Readonly<Record<ToyRegisterName, number>> {
  /** Address of the next instruction. */
  readonly pc: number;
  readonly halted: boolean;
}

export interface ToyState extends MemoryState {
  /** Registers as signed 32-bit numbers. */
  readonly cpu: ToyCpu;
  /** What was printed, a character a byte. */
  readonly output: string;
  /** Instructions executed. */
  readonly steps: number;
}

/** Why a run ended. Not part of the state. */
export type ToyStop =
  /** `maxInstructions` steps were made. */
  | { readonly reason: "limit" }
  /** What `until` asked for has come. */
  | { readonly reason: "until" }
  /** HALT was executed. */
  | { readonly reason: "halted" }
  /** The instruction at pc cannot be executed; nothing of it was done. */
  | { readonly reason: "exception"; readonly detail: string };
