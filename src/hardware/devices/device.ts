/**
 * What every device is: pure functions over an immutable state record.
 *
 * A device knows the offsets of its own registers and nothing else: not where it is mapped, not which interrupt line it
 * drives, no other device, no clock of the host. The bus (`bus.ts`) maps offsets to ports and pins to lines.
 *
 * Time is the machine's tick (an integer number of ticks since reset), handed in with every call. Nothing is called
 * back: what a device has to say is in the state it returns, but for what a master of the bus does to memory and disks
 * (`guest-memory.ts`).
 */
import type { Reach } from "./guest-memory.js";

/** What a read gives: the next state (reads may have side effects) and the value, an unsigned number of `size` bytes. */
export interface ReadResult<S> {
  readonly state: S;
  readonly value: number;
}

/**
 * A kind of device. `S` is a plain record of readonly numbers, strings, booleans and nested plain records or arrays of
 * those, with the datasheet's register names: it is hashed, saved and compared by name.
 */
export interface Device<S> {
  /** The part's name, as its datasheet has it: "16550A". */
  readonly name: string;
  /** Document and section the registers are taken from. */
  readonly spec: string;
  /** State after a hardware reset. */
  reset(): S;
  /** Reads the register at `offset` (`size` is 1, 2 or 4 bytes) at `tick`. Returns the same state object if unchanged. */
  read(state: S, offset: number, size: number, tick: number, reach?: Reach): ReadResult<S>;
  /** Writes `value` (unsigned, `size` bytes) to the register at `offset` at `tick`. */
  write(state: S, offset: number, size: number, value: number, tick: number, reach?: Reach): S;
  /** Brings the state to `tick`; the same object if nothing changed. Absent for a device that time does not touch. */
  advance?(state: S, tick: number): S;
  /** The next tick, later than `tick`, at which an output pin changes by itself; Infinity for never. */
  nextEvent?(state: S, tick: number): number;
  /** Level of the device's interrupt pin (false for a device without one), as of the state's own time. */
  interrupt?(state: S): boolean;
}
