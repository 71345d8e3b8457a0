/** The virtio devices there are: the PCI function, or the place and line of each where there is no PCI. */
import { IRQ } from "./layout.js";
import type { PciFunctionName } from "./pci-config.js";
import type { DeviceName } from "./port-map.js";

export interface VirtioPlace {
  readonly device: DeviceName;
  readonly pci: PciFunctionName;
  /** Number of its registers among those of a machine without PCI, and its interrupt line there. */
  readonly place: number;
  readonly line: number;
}

export const VIRTIO_DEVICES: readonly VirtioPlace[] = [
  { device: "virtioRng", pci: "rng", place: 0, line: IRQ.virtioRng },
  { device: "virtioConsole", pci: "console", place: 1, line: IRQ.virtioConsole },
  { device: "virtioBlock", pci: "block", place: 2, line: IRQ.virtioBlock },
];
