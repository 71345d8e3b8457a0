/**
 * What the bus asks of a device beyond `Device`: pulses of its interrupt pins that their levels before and after hide,
 * and what spares the bus work.
 *
 * An edge-triggered interrupt controller takes the rise at a pulse's end for an interrupt. Pulses the other way, of a pin
 * that is low before and after, request nothing that lasts and need no word.
 */
import type { Device } from "./device.js";

export interface BusDevice<S> extends Device<S> {
  /** Level of interrupt pin `pin`: 0, the default, or a further one that the port map names. */
  interrupt?(state: S, pin?: number): boolean;
  /**
   * The value a read gives if that read leaves the state as it is, or -1 if it may not or this does not know: what a
   * polling loop reads needs no result record then.
   */
  peek?(state: S, offset: number, size: number, tick: number): number;
  /** The first tick at which `advance` gives another state; Infinity for never. Goes with `advance`. */
  due?(state: S): number;
  /** Whether a pin that is high before and after this access was low for a moment in between. */
  pulsedByAccess?(before: S, after: S): boolean;
  /** The same for what only a read can tell, asked of a read that changed the state. */
  pulsedByRead?(before: S, after: S): boolean;
  /** Whether the pin, high before and after this advance, was low in between. */
  pulsedByTime?(before: S, after: S): boolean;
  /** Whether a write to the device, in this state, pulls the processor's reset line. */
  resetsOnWrite?(state: S, offset: number, value: number): boolean;
}
