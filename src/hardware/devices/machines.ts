/**
 * Kinds of machines as data: which devices one has and which tables its firmware leaves in memory.
 *
 * Where the devices are is `layout.ts`, `port-map.ts` and `memory-map.ts`. What a machine has not is absent from its
 * `DeviceSet`: no port answers for it and nothing of it is advanced.
 */
import { VirtlabError } from "../../state/error.js";
import type { ModelName } from "../cpu/model.js";
import { IRQ, PORT } from "./layout.js";
import type { DeviceConfig, DeviceName } from "./port-map.js";

export type MachineName = "isapc" | "pc" | "microvm";

/** What firmware leaves for an operating system to find. */
export type FirmwareTable = "mp" | "acpi";

/** Devices that a machine of a kind may have or not. */
export type ExtraDevice = "vga" | "ide" | "virtioRng" | "virtioConsole" | "virtioBlock";

export interface MachineKind {
  readonly name: MachineName;
  /** What it is, in a sentence. */
  readonly about: string;
  /** The processor model it has unless something else is asked for. */
  readonly model: ModelName;
  /** Devices every machine of the kind has. */
  readonly devices: readonly DeviceName[];
  /** Of those a machine may have besides, the ones that fit this kind. */
  readonly extras: readonly ExtraDevice[];
  /** What firmware writes to ports before it starts a program, beyond what the devices' reset states say. */
  readonly firmware: readonly FirmwareWrite[];
  readonly tables: readonly FirmwareTable[];
  /** How its disks are reached, unless something else is asked for. */
  readonly disks: "ide" | "virtio";
}

/** A byte to a port. */
export interface FirmwareWrite {
  readonly port: number;
  readonly value: number;
  readonly reason: string;
}

/** Lines of ACPI, of PCI and of virtio devices. Spec: Intel 82371SB datasheet, "ELCR1/2 - Edge/Level Control Registers". */
export const SHARED_LINES: readonly number[] = [IRQ.systemControl, IRQ.virtioRng, IRQ.pciA, IRQ.pciB];

const LEVEL_LINES: readonly FirmwareWrite[] = [0, 8].map((first) => ({
  port: PORT.triggerModes.base + first / 8,
  value: SHARED_LINES.reduce(
    (bits, line) => (line >= first && line < first + 8 ? bits | (1 << (line - first)) : bits),
    0,
  ),
  reason: "lines that several devices may share are level sensitive",
}));

/** The devices of every PC since the AT. */
const ISA = ["pic", "pit", "rtc", "ps2", "uart", "uart2", "reset", "postCode"] as const;

export const MACHINES: { readonly [N in MachineName]: MachineKind } = {
  isapc: {
    name: "isapc",
    about: "a PC/AT with serial ports: one processor, no PCI, nothing that could switch it off",
    model: "pentium2",
    devices: ISA,
    extras: ["vga", "ide"],
    firmware: [],
    tables: [],
    disks: "ide",
  },
  pc: {
    name: "pc",
    about: "a PC of 1998 with PCI (440FX, PIIX3), IDE, VGA, ACPI and APICs",
    model: "max",
    devices: [...ISA, "vga", "apic", "pci", "ide", "pm"],
    extras: ["virtioRng", "virtioConsole", "virtioBlock"],
    firmware: LEVEL_LINES,
    tables: ["mp", "acpi"],
    disks: "ide",
  },
  microvm: {
    name: "microvm",
    about: "the least that runs Linux: timers, a serial port, APICs, and virtio without PCI",
    model: "max",
    devices: [...ISA, "apic", "pm", "virtioRng", "virtioConsole"],
    extras: ["virtioBlock"],
    firmware: LEVEL_LINES,
    tables: ["mp", "acpi"],
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
  const devices = new Set([...machineKind(config.machine).devices, ...(config.extra ?? [])]);
  for (const device of config.extra ?? []) {
    if (!machineKind(config.machine).extras.includes(device))
      throw new VirtlabError(`machine "${machineKind(config.machine).name}" cannot have a device "${device}" besides`);
  }
  if (config.debugConsolePort !== undefined) devices.add("debugConsole");
  if (config.debugExitPort !== undefined) devices.add("debugExit");
  return devices;
}

/** A bit for each in a flat logical destination. Spec: SDM Vol. 3A, "Logical Destination Mode in xAPIC Mode". */
const MOST_PROCESSORS = 8;

/** @throws VirtlabError for a number of processors that a machine of this kind cannot have. */
export function checkedProcessors(processors: number, { name, devices }: MachineKind): number {
  const most = devices.includes("apic") ? MOST_PROCESSORS : 1;
  if (Number.isInteger(processors) && processors >= 1 && processors <= most) return processors;
  throw new VirtlabError(
    `machine "${name}" has 1 ${most === 1 ? "processor" : `to ${most} processors`}, not ${processors}`,
  );
}
