/**
 * Kinds of machines as data: which devices one has and which tables its firmware leaves in memory.
 *
 * Where the devices are is `layout.ts`, `port-map.ts` and `memory-map.ts`. What a machine has not is absent from its
 * `DeviceSet`: no port answers for it and nothing of it is advanced.
 */
import { VirtlabError } from "../../state/error.js";
import type { DeviceConfig, DeviceName } from "./port-map.js";

export type MachineName = "isapc" | "pc" | "microvm";

/** What firmware leaves for an operating system to find. */
export type FirmwareTable = "mp" | "acpi";

export interface MachineKind {
  readonly name: MachineName;
  /** What it is, in a sentence. */
  readonly about: string;
  /** Devices every machine of the kind has. */
  readonly devices: readonly DeviceName[];
  readonly tables: readonly FirmwareTable[];
  /** How its disks are reached, unless something else is asked for. */
  readonly disks: "ide" | "virtio";
}

/** The devices of every PC since the AT. */
const ISA = ["pic", "pit", "rtc", "ps2", "uart", "uart2", "reset", "postCode"] as const;

export const MACHINES: { readonly [N in MachineName]: MachineKind } = {
  isapc: {
    name: "isapc",
    about: "a PC/AT with serial ports: one processor, no PCI, nothing that could switch it off",
    devices: ISA,
    tables: [],
    disks: "ide",
  },
  pc: {
    name: "pc",
    about: "a PC of 1998 with PCI (440FX, PIIX3), IDE, VGA, ACPI and APICs",
    devices: ISA,
    tables: ["mp", "acpi"],
    disks: "ide",
  },
  microvm: {
    name: "microvm",
    about: "the least that runs Linux: timers, a serial port, APICs, and virtio without PCI",
    devices: ISA,
    tables: ["mp"],
    disks: "virtio",
  },
};

/** @throws VirtlabError for a name that is no machine's. */
export function machineKind(name: MachineName = "isapc"): MachineKind {
  if (Object.hasOwn(MACHINES, name)) return MACHINES[name];
  throw new VirtlabError(`machine "${String(name)}" is unknown (known: ${Object.keys(MACHINES).join(", ")})`);
}

/** The devices of a machine with this configuration. */
export function devicesOf(config: DeviceConfig): ReadonlySet<DeviceName> {
  const devices = new Set(machineKind(config.machine).devices);
  if (config.debugConsolePort !== undefined) devices.add("debugConsole");
  if (config.debugExitPort !== undefined) devices.add("debugExit");
  return devices;
}
