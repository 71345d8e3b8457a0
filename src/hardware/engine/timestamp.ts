/** The time-stamp counter as generated code reads it: steps that are left of a budget tell the tick, and registers what it is ahead. */
import { msrWord, timestampAhead } from "../cpu/msr.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { BUDGET_END, TIMESTAMP_OFFSET, TSC_AUX } from "./layout.js";

export class Timestamp {
  readonly #i32: Int32Array;
  readonly #i64: BigInt64Array;

  constructor(buffer: ArrayBuffer) {
    this.#i32 = new Int32Array(buffer);
    this.#i64 = new BigInt64Array(buffer);
  }

  /** The tick at which the present budget is used up. */
  set budgetEnd(tick: number) {
    this.#i32[BUDGET_END >> 2] = tick;
    this.#i32[(BUDGET_END >> 2) + 1] = tick / 2 ** 32;
  }

  /** Registers may be others now. */
  follow(port: ProcessorPort): void {
    this.#i64[TIMESTAMP_OFFSET >> 3] = timestampAhead(port);
    this.#i32[TSC_AUX >> 2] = msrWord(port, "IA32_TSC_AUX");
  }
}
