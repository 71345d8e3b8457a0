/**
 * The turn goes to another processor: what of the engine belongs to the one at work is parked, and the next one's put in its
 * place.
 */
import type { CpuState } from "../cpu/state.js";
import { ParkedProcessor } from "./parked-processor.js";
import type { Processor } from "./processor.js";
import { SystemRegisters } from "./system-registers.js";

export class Exchange {
  readonly #processor: Processor;
  readonly #i32: Int32Array;

  constructor(processor: Processor, buffer: ArrayBuffer) {
    this.#processor = processor;
    this.#i32 = new Int32Array(buffer);
  }

  /** Parks the processor whose turn is over, and goes on with another. */
  pass(over: ParkedProcessor, next: ParkedProcessor, number: number): void {
    this.#park(over);
    this.#unpark(next);
    const processor = this.#processor;
    processor.apicId = number;
    processor.pausedAt = -1;
    this.#settle();
    processor.debugging.watchPrivilege();
  }

  /** The registers of the one at work are set from outside: INIT, a start-up message. */
  become(cpu: CpuState): void {
    this.#processor.openCpu(cpu);
    this.#processor.present.forget();
    this.#settle();
  }

  /** What follows from registers that are others now. */
  #settle(): void {
    this.#processor.devicePort.noteRequests();
    this.#processor.invalidate();
  }

  #park(into: ParkedProcessor): void {
    const { systemRegisters: system, floating, eip, halted, shadow, pending } = this.#processor;
    into.save(this.#i32);
    into.cpu = undefined;
    into.fields = { system, floating: floating.last, eip, halted, shadow, pending };
  }

  #unpark(from: ParkedProcessor): void {
    const processor = this.#processor;
    const { fields } = from;
    if (fields === undefined) {
      processor.systemRegisters = new SystemRegisters(from.cpu!.system);
      processor.openCpu(from.cpu!);
      return;
    }
    from.restore(this.#i32);
    processor.registers.wideChanges = true;
    processor.systemRegisters = fields.system;
    processor.floating.last = fields.floating;
    processor.eip = fields.eip;
    processor.halted = fields.halted;
    processor.shadow = fields.shadow;
    processor.pending = fields.pending;
  }

  /** A parked processor as a value. */
  valueOf(parked: ParkedProcessor): CpuState {
    const own = new ParkedProcessor();
    this.#park(own);
    this.#unpark(parked);
    const value = this.#processor.seal();
    parked.save(this.#i32);
    parked.fields!.floating = this.#processor.floating.last;
    this.#unpark(own);
    return value;
  }
}
