/**
 * A processor's way to its own local APIC, past the bus that all processors share: registers in memory, model-specific
 * registers, task priority, and what waits for the processor itself. Each call is of one processor, at a tick.
 *
 * Manual: SDM Vol. 3A, "Local APIC", "Extended XAPIC (x2APIC)", "TSC-Deadline Mode".
 */
import * as apics from "./apic-system.js";
import { advance, type ReadValue } from "./bus.js";
import { type DeviceSet, replaced } from "./device-set.js";

/** Addresses of the model-specific registers that are the APIC's. */
export const APIC_MSR = { base: 0x1b, deadline: 0x6e0, ...apics.X2APIC_MSRS } as const;

export const isApicMsr = (address: number): boolean =>
  address === APIC_MSR.base || address === APIC_MSR.deadline || (address >= APIC_MSR.first && address <= APIC_MSR.last);

const withApic = (devices: DeviceSet, apic: apics.ApicSystemState): DeviceSet =>
  apic === devices.apic ? devices : replaced(devices, "apic", apic);

/** Whether IA32_APIC_BASE has switched the APIC on. */
export const isOn = ({ apic }: DeviceSet, processor: number): boolean =>
  apic !== undefined && apics.isOn(apic, processor);

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

/**
 * RDMSR of one of the APIC's registers; undefined for #GP(0).
 *
 * @param offset what the processor's time-stamp counter is ahead of the ticks.
 */
export function readApicMsr(
  devices: DeviceSet,
  processor: number,
  address: number,
  offset: bigint,
  tick: number,
): bigint | undefined {
  const { apic } = advance(devices, tick);
  if (address === APIC_MSR.base) return apics.readBase(apic!, processor);
  if (address !== APIC_MSR.deadline) return apics.readX2(apic!, processor, address, tick);
  const due = apics.readDeadline(apic!, processor);
  return due === Number.POSITIVE_INFINITY ? 0n : BigInt.asUintN(64, BigInt(due) + offset);
}

/** WRMSR of one of the APIC's registers; undefined for #GP(0). */
export function writeApicMsr(
  devices: DeviceSet,
  processor: number,
  address: number,
  value: bigint,
  offset: bigint,
  tick: number,
): DeviceSet | undefined {
  const now = advance(devices, tick);
  const apic = now.apic!;
  const after =
    address === APIC_MSR.base
      ? apics.writeBase(apic, processor, value)
      : address === APIC_MSR.deadline
        ? apics.armDeadline(apic, processor, dueOf(value, offset, tick))
        : apics.writeX2(apic, processor, address, value, tick);
  return after === undefined ? undefined : withApic(now, after);
}

/** The tick at which the time-stamp counter reaches a deadline, this one if it has; never for 0. */
const dueOf = (deadline: bigint, offset: bigint, tick: number): number =>
  deadline === 0n ? Number.POSITIVE_INFINITY : Math.max(tick, Number(deadline - offset));

/** CR8. */
export const readTaskPriority = ({ apic }: DeviceSet, processor: number): number =>
  apic === undefined ? 0 : apics.readTaskPriority(apic, processor);

export const writeTaskPriority = (devices: DeviceSet, processor: number, value: number, tick: number): DeviceSet => {
  const now = advance(devices, tick);
  return now.apic === undefined ? now : withApic(now, apics.writeTaskPriority(now.apic, processor, value));
};
