/**
 * What a processor's accesses to the devices of its machine come to, beyond the devices themselves: the engine and processors
 * that are a record only do it alike.
 */
import { type Disk, readDisk, writeDisk } from "../disk.js";
import type { Stop } from "../state.js";
import * as ownApic from "./apic-bus.js";
import * as bus from "./bus.js";
import type { DiskAccess, Reach } from "./guest-memory.js";

/** Whose disks they are: a list that is replaced when one is written. */
export interface DiskOwner {
  disks: readonly Disk[] | undefined;
}

/** Disks as devices reach them; of one that is not there they read zeros. */
export const diskAccess = (owner: DiskOwner): DiskAccess => ({
  read: (number, offset, length) => {
    const disk = owner.disks?.[number];
    return disk === undefined ? new Uint8Array(length) : readDisk(disk, offset, length);
  },
  write: (number, offset, bytes) => {
    const disk = owner.disks?.[number];
    if (disk !== undefined) owner.disks = owner.disks!.with(number, writeDisk(disk, offset, bytes));
  },
});

/** Reads a register in memory, of the processor's own local APIC or of a device. */
export const readMapped = (
  devices: bus.DeviceSet,
  processor: number,
  physical: number,
  size: number,
  tick: number,
  reach: Reach,
): bus.ReadValue =>
  ownApic.isOwnRegister(devices, processor, physical)
    ? ownApic.readOwnRegister(devices, processor, physical, size, tick)
    : bus.memoryRead(devices, physical, size, tick, reach);

/** Writes one; `value` is unsigned. */
export const writeMapped = (
  devices: bus.DeviceSet,
  processor: number,
  physical: number,
  size: number,
  value: number,
  tick: number,
  reach: Reach,
): bus.DeviceSet =>
  ownApic.isOwnRegister(devices, processor, physical)
    ? ownApic.writeOwnRegister(devices, processor, physical, size, value, tick)
    : bus.memoryWrite(devices, physical, size, value, tick, reach);

/** Why the machine stops behind a write that led from one set of devices to another; undefined if it goes on. */
export function stopBehindWrite(before: bus.DeviceSet, devices: bus.DeviceSet): Stop | undefined {
  if (bus.powerOffRequested(devices) && !bus.powerOffRequested(before)) return { reason: "power-off" };
  if (bus.resetRequested(devices) && !bus.resetRequested(before)) return { reason: "reset" };
  const value = devices.debugExit?.exitValue;
  if (devices.debugExit === before.debugExit || value === undefined) return undefined;
  return { reason: "debug-exit", value, status: ((value << 1) | 1) & 0xff };
}
