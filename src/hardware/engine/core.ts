/**
 * What of an engine is bound to no architecture: its memory, the interpreter of an instruction set in it, decoded blocks,
 * the address space, and exact budgets. An engine of an architecture decides what runs next, and deals with what the
 * generated code leaves for.
 */

import type { VmExit } from "../cpu/guest-operation.js";
import { pageFaultRule } from "../cpu/paging.js";
import { Fault, VECTOR } from "../cpu/processor.js";
import { AddressSpace } from "./address-space.js";
import { Blocks, wholeAddress } from "./blocks.js";
import type { CodeKind } from "./dispatch.js";
import type { CodeMode, InstructionSet } from "./instruction-set.js";
import {
  EXIT,
  EXIT_ERROR_CODE,
  EXIT_LEFT,
  EXIT_RECORD,
  EXIT_TARGET,
  EXIT_TARGET_HIGH,
  EXIT_VECTOR,
  MEMORY_SIZE,
  RESERVE,
  SLOW_EXIT,
} from "./layout.js";
import type { SlowPaths } from "./slow-paths.js";

/** Runs from a record whose block is charged already, with so many steps left. */
type Go = (record: number, left: number) => number;

export interface CoreOptions {
  /** Bounds how many page frames are held at a time; fewer than there are is for tests. */
  readonly slotLimit: number | undefined;
  /** Deal with what the generated code cannot do; see `SlowPaths`. */
  readonly leave: SlowPaths["leave"];
  readonly system: SlowPaths["system"];
  /** Told of every page fault's address. */
  readonly pageFault: (linear: number) => void;
}

/** What generated code raises: -1 is no error code. */
export function asFault(vector: number, errorCode: number): Fault {
  const rule = vector === VECTOR.PF ? pageFaultRule(errorCode) : undefined;
  return new Fault(vector, errorCode < 0 ? undefined : errorCode, rule);
}

export class Core<Mode extends CodeMode> {
  readonly buffer: ArrayBuffer;
  readonly space: AddressSpace;
  readonly blocks: Blocks<Mode>;
  readonly #i32: Int32Array;
  readonly #go: Readonly<Record<CodeKind, Go>>;

  constructor(set: InstructionSet<Mode>, { slotLimit, leave, system, pageFault }: CoreOptions) {
    const memory = new WebAssembly.Memory({ initial: MEMORY_SIZE / 65536 });
    this.buffer = memory.buffer;
    this.#i32 = new Int32Array(memory.buffer);
    this.blocks = new Blocks(memory.buffer, set);
    this.space = new AddressSpace(memory.buffer, slotLimit, this.blocks, pageFault);
    const { exports } = new WebAssembly.Instance(set.module(), {
      engine: { memory, leave, system, ...this.space.slowPaths },
    });
    const [flat, segmented, long] = (["flat", "segmented", "long"] as const).map((kind) => exports[kind] as Go);
    this.#go = { flat: flat!, segmented: segmented!, long: long! };
    this.space.flush();
  }

  /**
   * Charges the block at `record` to EXIT_LEFT and gives the record to run from, which is a copy of the block's
   * beginning if `left` steps do not cover it. An instruction that must run alone gets a budget of its own.
   */
  charge(record: number, left: number): number {
    const { space, blocks } = this;
    const reserve = space.single ? left - 1 : 0;
    this.#i32[RESERVE >> 2] = reserve;
    const budget = left - reserve;
    space.single = budget === 1;
    const count = blocks.count(record);
    if (count <= budget) {
      this.#i32[EXIT_LEFT >> 2] = budget - count;
      return record;
    }
    this.#i32[EXIT_LEFT >> 2] = 0;
    return blocks.truncated(record, budget);
  }

  /** Runs from what `charge` gave, until `leave` gives 0. */
  go(record: number, kind: CodeKind): void {
    const run = this.#go[kind];
    run(record, this.#i32[EXIT_LEFT >> 2]!);
  }

  /** The record that was left from. */
  get exitRecord(): number {
    return this.#i32[EXIT_RECORD >> 2]!;
  }

  /** Steps that are left of what `charge` was given. */
  exitLeft(exit: number): number {
    const left = this.#i32[EXIT_LEFT >> 2]! + this.#i32[RESERVE >> 2]!;
    return exit === EXIT.budget ? left + this.blocks.count(this.exitRecord) : left;
  }

  /** The same at an instruction that has no generated code, itself included. */
  systemLeft(record: number): number {
    return this.#i32[EXIT_LEFT >> 2]! + this.#i32[RESERVE >> 2]! + this.blocks.count(record);
  }

  /** Where execution is to go on. */
  exitAddress(exit: number): number {
    if (exit !== EXIT.lookup) return this.blocks.eip(this.exitRecord);
    return wholeAddress(this.#i32[EXIT_TARGET >> 2]!, this.#i32[EXIT_TARGET_HIGH >> 2]!);
  }

  /** EXIT.bail: the next instruction runs alone. */
  bail(): void {
    this.#i32[SLOW_EXIT >> 2] = 0;
    this.space.single = true;
  }

  /** EXIT.fault: what was raised. */
  takeFault(): Fault | VmExit {
    const { space } = this;
    const fault = space.takePendingFault() ?? asFault(this.#i32[EXIT_VECTOR >> 2]!, this.#i32[EXIT_ERROR_CODE >> 2]!);
    this.#i32[SLOW_EXIT >> 2] = 0;
    return fault;
  }
}
