/**
 * What a machine remembers of the last exception it delivered: enough to say why, and nothing that decides what it does
 * next. An observation, outside of hash and difference.
 */
import type { RuleName } from "../cpu/rules.js";
import type { Mode } from "../cpu/state.js";
import type { CodeBits } from "../isa/instruction.js";

/** A fault that was met: the exception itself, or one on the way to its handler. */
export interface MetFault {
  readonly vector: number;
  /** Absent for vectors without an error code. */
  readonly errorCode?: number;
  /** The address that could not be used, with #PF. */
  readonly cr2?: number;
  /** The check that failed, where the fault names one. */
  readonly rule?: RuleName;
}

export interface DeliveredException {
  /** Of the instruction that raised it, or that was to be executed next. */
  readonly eip: number;
  readonly cs: number;
  readonly cpl: number;
  readonly mode: Mode;
  /** Every fault met, in order: #PF, then #NP for a gate that is not there, then the #DF that was delivered. */
  readonly chain: readonly MetFault[];
  /** The bytes at EIP as far as they can be read: at the most 15. */
  readonly instructionBytes: readonly number[];
  /** Default operand size of the code segment. */
  readonly codeBits: CodeBits;
}
