/**
 * A processor that waits for its turn: a value, or what `Exchange` has copied out of the engine's memory, which is
 * done at every turn and must cost little.
 */
import type { FloatingState } from "../cpu/floating.js";
import { afterInit, startedAt } from "../cpu/reset.js";
import { type CpuState, FLAG, noEvents, type PendingEvents, type Shadow } from "../cpu/state.js";
import { EFLAGS_REST, FLAG_RESULT, REGISTERS, X87_REGISTERS } from "./layout.js";
import type { SystemRegisters } from "./system-registers.js";

/** What of the engine's memory belongs to one processor: word indexes of first and behind last. */
const RANGES: readonly (readonly [first: number, end: number])[] = [
  [REGISTERS >> 2, (REGISTERS + 16 * 8) >> 2],
  [FLAG_RESULT >> 2, (EFLAGS_REST >> 2) + 1],
  // Floating-point and vector registers and their control words.
  [X87_REGISTERS >> 2, 1024 >> 2],
];
const WORDS = RANGES.reduce((sum, [first, end]) => sum + end - first, 0);
/** Where EFLAGS_REST is among the words. */
const REST = 32 + ((EFLAGS_REST - FLAG_RESULT) >> 2);

/** What is copied beside the words. */
export interface ParkedFields {
  system: SystemRegisters;
  floating: FloatingState;
  eip: number;
  halted: boolean;
  shadow: Shadow;
  pending: PendingEvents;
}

export class ParkedProcessor {
  /** The value it is, if that is known. */
  cpu: CpuState | undefined;
  /** Absent: it is the value, and nothing has been copied. */
  fields: ParkedFields | undefined;
  readonly #words = new Int32Array(WORDS);

  /** Copies the engine's memory. */
  save(memory: Int32Array): void {
    const words = this.#words;
    let at = 0;
    for (const [first, end] of RANGES) for (let index = first; index < end; index++) words[at++] = memory[index]!;
  }

  restore(memory: Int32Array): void {
    const words = this.#words;
    let at = 0;
    for (const [first, end] of RANGES) for (let index = first; index < end; index++) memory[index] = words[at++]!;
  }

  become(cpu: CpuState): void {
    this.cpu = cpu;
    this.fields = undefined;
  }

  get halted(): boolean {
    return this.fields?.halted ?? this.cpu!.halted;
  }

  get pending(): PendingEvents {
    return this.fields?.pending ?? this.cpu!.pending;
  }

  get interruptFlag(): boolean {
    return ((this.fields === undefined ? this.cpu!.eflags : this.#words[REST]!) & FLAG.IF) !== 0;
  }

  /** The NMI pin is pulsed. */
  nmi(): void {
    const pending = { ...this.pending, nmi: true };
    if (this.fields !== undefined) this.fields.pending = pending;
    if (this.cpu !== undefined) this.cpu = { ...this.cpu, pending };
  }
}

/** What INIT and a start-up message make of a processor. */
export const initialized = afterInit;
export const started = (cpu: CpuState, page: number): CpuState => ({ ...startedAt(cpu, page), pending: noEvents });
