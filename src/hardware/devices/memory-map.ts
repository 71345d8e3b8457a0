/**
 * Where devices are in physical memory, as `port-map.ts` has it for ports. RAM and ROM in the same place hide them.
 *
 * A device gets registers there by a row here. A range that software can move says where it is now; a device that a
 * machine has not answers nowhere.
 *
 * Manual: Intel 440FX datasheet, "System Address Map"; SDM Vol. 3A, "Local APIC".
 */
import type { DeviceSet } from "./device-set.js";
import { MEMORY } from "./layout.js";
import { pciBase } from "./pci.js";
import type { DeviceName } from "./port-map.js";
import { VIRTIO_MMIO_LENGTH, VIRTIO_OFFSET, VIRTIO_PCI_LENGTH } from "./virtio.js";
import { VIRTIO_DEVICES, type VirtioPlace } from "./virtio-devices.js";

/** A range of physical addresses and what answers there. */
export interface MemoryRange {
  /** First address, or where it is now; -1 for nowhere. */
  readonly base: number | ((devices: DeviceSet) => number);
  /** Number of bytes. */
  readonly length: number;
  readonly device: DeviceName;
  /** The device's register offset of the first byte; the others follow. */
  readonly offset: number;
  /** Widest access, in bytes, the device takes as one; a wider one is split. */
  readonly width: 1 | 2 | 4;
  readonly reason: string;
}

/** A virtio device is behind a PCI function's BAR, or in a machine without PCI at a place of its own. */
function virtioRanges({ device, pci, place }: VirtioPlace): MemoryRange[] {
  const { base, reason } = MEMORY.virtioMmio;
  return [
    {
      base: (devices) => pciBase(devices.pci, pci, 4, "memory"),
      length: VIRTIO_PCI_LENGTH,
      device,
      offset: 0,
      width: 4,
      reason: MEMORY.virtioMemory.reason,
    },
    {
      base: (devices) => (devices.pci === undefined ? base + place * VIRTIO_MMIO_LENGTH : -1),
      length: VIRTIO_MMIO_LENGTH,
      device,
      offset: VIRTIO_OFFSET.mmio,
      width: 4,
      reason,
    },
  ];
}

/** The ranges there are in machines that have the device. A local APIC's are its own processor's alone (`apic-bus.ts`). */
export const MEMORY_MAP: readonly MemoryRange[] = [
  { ...MEMORY.ioApic, device: "apic", offset: 0, width: 4 },
  ...VIRTIO_DEVICES.flatMap(virtioRanges),
];

/** Where a range of a device of these begins, or -1. */
export const baseOf = (range: MemoryRange, devices: DeviceSet): number => {
  if (devices[range.device] === undefined) return -1;
  return typeof range.base === "number" ? range.base : range.base(devices);
};

/** The range that has a physical address, or undefined. */
export function rangeAtAddress(devices: DeviceSet, physical: number): MemoryRange | undefined {
  for (const range of MEMORY_MAP) {
    const base = baseOf(range, devices);
    if (base >= 0 && physical >= base && physical < base + range.length) return range;
  }
  return undefined;
}
