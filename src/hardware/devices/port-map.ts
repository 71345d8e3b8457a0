/**
 * Which ports reach which register of a device, and which pin drives which interrupt line.
 *
 * A machine gets a further device by a row here, an entry in the tables of `device-set.ts` and its name in `machines.ts`.
 * The ports themselves are `layout.ts`. Left out on purpose: what moves at run time (`pci.ts`).
 *
 * Manual: IBM PC/AT Technical Reference, "I/O Address Map" and "System Interrupts".
 */
import { VirtlabError } from "../../state/error.js";
import { DEBUG_EXIT_LENGTH } from "./debug-exit.js";
import { I8042_OFFSET, I8042_PIN } from "./i8042.js";
import { IDE_OFFSET, IDE_PIN } from "./ide.js";
import { IRQ, PORT, type Region } from "./layout.js";
import { devicesOf, type ExtraDevice, type MachineName } from "./machines.js";
import { RTC_OFFSET } from "./mc146818.js";
import { PCI_OFFSET, type PciState, pciBase } from "./pci.js";
import { PIC_PAIR_OFFSET } from "./pic-pair.js";
import { PIT_OFFSET } from "./pit8254.js";
import { RESET_CONTROL_OFFSET } from "./reset-control.js";
import { VIRTIO_DEVICES } from "./virtio-devices.js";

/** The devices of a machine, by the names its state knows them by. */
export type DeviceName =
  | "pic"
  | "pit"
  | "rtc"
  | "ps2"
  | "uart"
  | "uart2"
  | "reset"
  | "postCode"
  | "apic"
  | "debugConsole"
  | "debugExit"
  | "pm"
  | "vga"
  | "ide"
  | "pci"
  | "virtioRng"
  | "virtioConsole"
  | "virtioBlock";

/** A range of ports and what answers there. */
export interface PortRange {
  readonly base: number;
  /** Number of ports. */
  readonly length: number;
  readonly device: DeviceName;
  /** The device's register offset of the first port; the others follow. */
  readonly offset: number;
  /** Widest access, in bytes, the device takes as one; a wider one is split into bytes, as an ISA bus does. */
  readonly width: 1 | 4;
  /** Whether a byte of a wider access that began elsewhere reaches the device. */
  readonly inWiderAccess: boolean;
  readonly reason: string;
}

/** A device's interrupt pin and the 8259 line it drives. */
export interface InterruptLine {
  readonly line: number;
  readonly device: DeviceName;
  /** Which of the device's pins; 0 if it has one. */
  readonly pin: number;
  /** Only in machines without PCI, whose interrupt pins the device drives otherwise. */
  readonly withoutPci?: true;
  readonly reason: string;
}

/** What the user chooses of a machine; an absent port is an absent device. */
export interface DeviceConfig {
  /** Kind of machine; "isapc" unless given. */
  readonly machine?: MachineName;
  /** Devices beyond those every machine of the kind has. */
  readonly extra?: readonly ExtraDevice[];
  /** Number of processors; 1 unless given. */
  readonly processors?: number;
  /** Port of the debug console. */
  readonly debugConsolePort?: number;
  /** First of the debug exit's four ports. */
  readonly debugExitPort?: number;
}

/** What a machine has unless something else is asked for. */
export const DEFAULT_DEVICE_CONFIG: DeviceConfig = { debugConsolePort: 0xe9, debugExitPort: 0xf4 };

function bytes({ base, length, reason }: Region, device: DeviceName, offset = 0): PortRange {
  return { base, length, device, offset, width: 1, inWiderAccess: true, reason };
}

/** The ranges of all devices that do not move; a machine has those of the devices it has. */
export const PORT_MAP: readonly PortRange[] = [
  bytes(PORT.interruptController1, "pic", PIC_PAIR_OFFSET.master),
  bytes(PORT.timer, "pit", PIT_OFFSET.counter0),
  bytes(PORT.keyboardData, "ps2", I8042_OFFSET.data),
  bytes(PORT.systemControlB, "pit", PIT_OFFSET.systemControl),
  bytes(PORT.keyboardCommand, "ps2", I8042_OFFSET.command),
  bytes(PORT.realTimeClock, "rtc", RTC_OFFSET.index),
  bytes(PORT.postCode, "postCode"),
  bytes(PORT.systemControlA, "reset", RESET_CONTROL_OFFSET.systemControl),
  bytes(PORT.interruptController2, "pic", PIC_PAIR_OFFSET.slave),
  bytes(PORT.com2, "uart2"),
  bytes(PORT.com1, "uart"),
  bytes(PORT.triggerModes, "pic", PIC_PAIR_OFFSET.masterElcr),
  { ...bytes(PORT.powerManagement, "pm"), width: 4 },
  { ...bytes(PORT.ide1, "ide", IDE_OFFSET.command1), width: 4 },
  { ...bytes(PORT.ide2, "ide", IDE_OFFSET.command2), width: 4 },
  bytes(PORT.vga, "vga"),
  bytes(PORT.ide1Control, "ide", IDE_OFFSET.control1),
  bytes(PORT.ide2Control, "ide", IDE_OFFSET.control2),
  { ...bytes(PORT.pciAddress, "pci", PCI_OFFSET.address), width: 4 },
  { ...bytes(PORT.pciData, "pci", PCI_OFFSET.data), width: 4 },
  {
    ...bytes(PORT.resetControl, "reset", RESET_CONTROL_OFFSET.resetControl),
    // Inside of PCI's address, where bytes go by. A dword at 0xCF8 is an address for PCI configuration: software that looks for PCI must not reset the machine.
    inWiderAccess: false,
  },
];

/** The interrupt lines that are driven. */
export const INTERRUPT_LINES: readonly InterruptLine[] = [
  { line: IRQ.timer, device: "pit", pin: 0, reason: "the timer's OUT0 is wired to IRQ 0 on every PC" },
  { line: IRQ.keyboard, device: "ps2", pin: I8042_PIN.keyboard, reason: "the keyboard's line on every PC" },
  { line: IRQ.com2, device: "uart2", pin: 0, reason: "COM2's line by convention since the PC" },
  { line: IRQ.com1, device: "uart", pin: 0, reason: "COM1's line by convention since the PC" },
  { line: IRQ.realTimeClock, device: "rtc", pin: 0, reason: "the real-time clock's line since the PC/AT" },
  { line: IRQ.systemControl, device: "pm", pin: 0, reason: "the PIIX4's SCI is IRQ 9" },
  { line: IRQ.auxiliary, device: "ps2", pin: I8042_PIN.auxiliary, reason: "the mouse's line since the PS/2" },
  { line: IRQ.ide1, device: "ide", pin: IDE_PIN.first, reason: "the disk controller's line since the PC/AT" },
  { line: IRQ.ide2, device: "ide", pin: IDE_PIN.second, reason: "the second disk controller's line" },
  ...VIRTIO_DEVICES.map(({ device, line }): InterruptLine => {
    return { line, device, pin: 0, withoutPci: true, reason: "a line that nothing else has in a machine without PCI" };
  }),
];

/** A range of ports whose place software sets. */
export interface MovingPorts extends Omit<PortRange, "base"> {
  /** Where it is now, or -1 for nowhere. */
  readonly baseOf: (devices: { readonly pci?: PciState | undefined }) => number;
}

export const MOVING_PORTS: readonly MovingPorts[] = [
  {
    ...bytes(PORT.busMasterIde, "ide", IDE_OFFSET.busMaster),
    width: 4,
    baseOf: ({ pci }) => pciBase(pci, "ide", 4, "io"),
  },
];

const PORTS = 0x1_0000;

/**
 * The ranges of a machine with these configured ports.
 *
 * @throws VirtlabError for a port outside 0 to 0xFFFF or one that another device has.
 */
export function portRanges(config: DeviceConfig): readonly PortRange[] {
  const devices = devicesOf(config);
  const fixed = PORT_MAP.filter(({ device }) => devices.has(device));
  const chosen: PortRange[] = [];
  if (config.debugConsolePort !== undefined) {
    chosen.push(bytes({ base: config.debugConsolePort, length: 1, reason: "debug console" }, "debugConsole"));
  }
  if (config.debugExitPort !== undefined) {
    const region = { base: config.debugExitPort, length: DEBUG_EXIT_LENGTH, reason: "debug exit" };
    chosen.push({ ...bytes(region, "debugExit"), width: 4 });
  }
  const ranges = [...fixed, ...chosen];
  for (const range of chosen) checkRange(range, ranges);
  return ranges;
}

function checkRange(range: PortRange, all: readonly PortRange[]): void {
  const { base, length } = range;
  if (!Number.isInteger(base) || base < 0 || base + length > PORTS) {
    throw new VirtlabError(`${range.reason}: port ${describePort(base)} is not one of 0x0 to ${hex(PORTS - length)}`);
  }
  const other = all.find((o) => o !== range && base < o.base + o.length && o.base < base + length);
  if (other !== undefined) {
    throw new VirtlabError(`${range.reason}: port ${hex(base)} is taken by ${other.reason} (${hex(other.base)})`);
  }
}

function describePort(port: number): string {
  return Number.isInteger(port) && port >= 0 ? hex(port) : String(port);
}

function hex(port: number): string {
  return `0x${port.toString(16)}`;
}
