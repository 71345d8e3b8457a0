/**
 * What the bus asks of a device beyond `Device`: pulses of the interrupt pin that its level before and after hide.
 *
 * An edge-triggered interrupt controller takes the rise at a pulse's end for an interrupt. Pulses the other way, of a pin
 * that is low before and after, request nothing that lasts and need no word.
 */
import type { Device } from "./device.js";

export interface BusDevice<S> extends Device<S> {
  /** Whether the pin, high before and after this access, was low for a moment in between. */
  pulsedByAccess?(before: S, after: S): boolean;
  /** Whether the pin, high before and after this advance, was low in between. */
  pulsedByTime?(before: S, after: S): boolean;
}
