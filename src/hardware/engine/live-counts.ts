/** Counts of the open machine, changed in place while it runs, and those that generated code keeps in the engine's memory. */
import type { Counts } from "../state.js";
import { EXCEPTIONS, PORT_READS, REPEATS } from "./layout.js";

const NO_COUNTS: Counts = { repeats: 0, exceptions: 0, interrupts: 0, portReads: 0, portWrites: 0 };

export class LiveCounts {
  repeats = 0;
  exceptions = 0;
  interrupts = 0;
  portReads = 0;
  portWrites = 0;
  vmEntries = 0;
  vmExits = 0;
  /** The value they were last. */
  #value: Counts = NO_COUNTS;
  readonly #i32: Int32Array;

  constructor(buffer: ArrayBuffer) {
    this.#i32 = new Int32Array(buffer);
  }

  open(value: Counts): void {
    this.repeats = value.repeats;
    this.exceptions = value.exceptions;
    this.interrupts = value.interrupts;
    this.portReads = value.portReads;
    this.portWrites = value.portWrites;
    this.vmEntries = value.vmEntries ?? 0;
    this.vmExits = value.vmExits ?? 0;
    this.#value = value;
  }

  seal(): Counts {
    const { repeats, exceptions, interrupts, portReads, portWrites, vmEntries, vmExits } = this;
    const value = this.#value;
    const same =
      value.repeats === repeats &&
      value.exceptions === exceptions &&
      value.interrupts === interrupts &&
      value.portReads === portReads &&
      value.portWrites === portWrites &&
      (value.vmEntries ?? 0) === vmEntries &&
      (value.vmExits ?? 0) === vmExits;
    if (same) return value;
    // A machine that has entered no guest is the value it has always been.
    const guests = vmEntries === 0 ? {} : { vmEntries, vmExits };
    this.#value = { repeats, exceptions, interrupts, portReads, portWrites, ...guests };
    return this.#value;
  }

  /** Counts what generated code did by itself. */
  collect(): void {
    this.repeats += this.#take(REPEATS);
    this.exceptions += this.#take(EXCEPTIONS);
    this.portReads += this.#take(PORT_READS);
  }

  #take(address: number): number {
    const value = this.#i32[address >> 2]!;
    if (value !== 0) this.#i32[address >> 2] = 0;
    return value;
  }

  /** What generated code did in a run that was left by an error is forgotten. */
  recover(): void {
    for (const address of [REPEATS, EXCEPTIONS, PORT_READS]) this.#i32[address >> 2] = 0;
  }
}
