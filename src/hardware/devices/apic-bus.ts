/**
 * A processor's way to its own local APIC, past the bus that all processors share: registers in memory, model-specific
 * registers, task priority, and what waits for the processor itself. Each call is of one processor, at a tick.
 *
 * Manual: SDM Vol. 3A, "Local APIC", "Extended XAPIC (x2APIC)", "TSC-Deadline Mode".
 */
import * as apics from "./apic-system.js";
import { advance, type ReadValue } from "./bus.js";
import { type DeviceSet, replaced } from "./device-set.js";

const withApic = (devices: DeviceSet, apic: apics.ApicSystemState): DeviceSet =>
  apic === devices.apic ? devices : replaced(devices, "apic", apic);

/** Whether IA32_APIC_BASE has switched the APIC on. */
export const isOn = ({ apic }: DeviceSet, processor: number): boolean =>
  apic !== undefined && apics.isOn(apic, processor);

/** Whether a processor waits for a start-up message. */
export const waits = ({ apic }: DeviceSet, processor: number): boolean => apic?.local[processor]?.waits ?? false;

/** The devices once a processor has been told of the NMI, INIT and start-up messages that came for it. */
export const signalsTaken = (devices: DeviceSet, processor: number): DeviceSet =>
  withApic(devices, apics.signalsTaken(devices.apic!, processor));

/** Whether a physical address is one of the processor's own registers. */
export const isOwnRegister = ({ apic }: DeviceSet, processor: number, physical: number): boolean =>
  apic !== undefined && apics.registerOffset(apic, processor, physical) >= 0;

export function readOwnRegister(
  devices: DeviceSet,
  processor: number,
  physical: number,
  size: number,
  tick: number,
): ReadValue {
  const now = advance(devices, tick);
  const offset = apics.registerOffset(now.apic!, processor, physical);
  const { system, value } = apics.readLocal(now.apic!, processor, offset, size, tick);
  return { devices: withApic(now, system), value };
}

export function writeOwnRegister(
  devices: DeviceSet,
  processor: number,
  physical: number,
  size: number,
  value: number,
  tick: number,
): DeviceSet {
  const now = advance(devices, tick);
  const offset = apics.registerOffset(now.apic!, processor, physical);
  return withApic(now, apics.writeLocal(now.apic!, processor, offset, size, value, tick));
}

/** RDMSR of an x2APIC register; undefined for #GP(0). */
export const readX2 = (devices: DeviceSet, processor: number, address: number, tick: number): bigint | undefined =>
  apics.readX2(advance(devices, tick).apic!, processor, address, tick);

/** WRMSR of an x2APIC register; undefined for #GP(0). */
export function writeX2(
  devices: DeviceSet,
  processor: number,
  address: number,
  value: bigint,
  tick: number,
): DeviceSet | undefined {
  const now = advance(devices, tick);
  const after = apics.writeX2(now.apic!, processor, address, value, tick);
  return after === undefined ? undefined : withApic(now, after);
}

/** IA32_APIC_BASE. */
export const readBase = ({ apic }: DeviceSet, processor: number): bigint => apics.readBase(apic!, processor);

export function writeBase(devices: DeviceSet, processor: number, value: bigint, tick: number): DeviceSet {
  const now = advance(devices, tick);
  return withApic(now, apics.writeBase(now.apic!, processor, value));
}

/** The tick at which the timer's deadline is met; Infinity: there is none. */
export const readDeadline = (devices: DeviceSet, processor: number, tick: number): number =>
  apics.readDeadline(advance(devices, tick).apic!, processor);

/** A deadline that has gone by is met at once. */
export function armDeadline(devices: DeviceSet, processor: number, due: number, tick: number): DeviceSet {
  const now = advance(devices, tick);
  return withApic(now, apics.armDeadline(now.apic!, processor, Math.max(due, tick)));
}

/** CR8. */
export const readTaskPriority = ({ apic }: DeviceSet, processor: number): number =>
  apic === undefined ? 0 : apics.readTaskPriority(apic, processor);

export const writeTaskPriority = (devices: DeviceSet, processor: number, value: number, tick: number): DeviceSet => {
  const now = advance(devices, tick);
  return now.apic === undefined ? now : withApic(now, apics.writeTaskPriority(now.apic, processor, value));
};
