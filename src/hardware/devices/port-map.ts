/**
 * Where a PC's devices are: which ports reach which register, and which pin drives which interrupt line.
 *
 * A machine gets a further device by a row here and an entry in the tables of `device-set.ts`. Left out on purpose:
 * memory-mapped registers, and anything that moves at run time.
 *
 * Manual: IBM PC/AT Technical Reference, "I/O Address Map" and "System Interrupts".
 */
import { VirtlabError } from "../../state/error.js";
import { DEBUG_EXIT_LENGTH } from "./debug-exit.js";
import { I8042_OFFSET, I8042_PIN } from "./i8042.js";
import { RTC_OFFSET } from "./mc146818.js";
import { PIC_PAIR_OFFSET } from "./pic-pair.js";
import { PIT_OFFSET } from "./pit8254.js";
import { RESET_CONTROL_OFFSET } from "./reset-control.js";

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
  | "debugConsole"
  | "debugExit";

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
  readonly reason: string;
}

/** Devices whose port the user chooses; an absent port is an absent device. */
export interface DeviceConfig {
  /** Port of the debug console. */
  readonly debugConsolePort?: number;
  /** First of the debug exit's four ports. */
  readonly debugExitPort?: number;
}

/** What a machine has unless something else is asked for. */
export const DEFAULT_DEVICE_CONFIG: DeviceConfig = { debugConsolePort: 0xe9, debugExitPort: 0xf4 };

function bytes(base: number, length: number, device: DeviceName, offset: number, reason: string): PortRange {
  return { base, length, device, offset, width: 1, inWiderAccess: true, reason };
}

/** The ranges every machine has. */
export const PORT_MAP: readonly PortRange[] = [
  bytes(0x020, 2, "pic", PIC_PAIR_OFFSET.master, "interrupt controller 1"),
  bytes(0x040, 4, "pit", PIT_OFFSET.counter0, "timer"),
  bytes(0x060, 1, "ps2", I8042_OFFSET.data, "keyboard controller data"),
  bytes(0x061, 1, "pit", PIT_OFFSET.systemControl, "system control port B: gate and output of the speaker's timer"),
  bytes(0x064, 1, "ps2", I8042_OFFSET.command, "keyboard controller command and status"),
  bytes(0x070, 2, "rtc", RTC_OFFSET.index, "real-time clock and its memory, NMI mask"),
  bytes(0x080, 1, "postCode", 0, "POST code"),
  bytes(0x092, 1, "reset", RESET_CONTROL_OFFSET.systemControl, "system control port A: fast reset, address line 20"),
  bytes(0x0a0, 2, "pic", PIC_PAIR_OFFSET.slave, "interrupt controller 2"),
  bytes(0x2f8, 8, "uart2", 0, "serial port COM2"),
  bytes(0x3f8, 8, "uart", 0, "serial port COM1"),
  bytes(0x4d0, 2, "pic", PIC_PAIR_OFFSET.masterElcr, "edge/level control of the interrupt controllers"),
  {
    ...bytes(0xcf9, 1, "reset", RESET_CONTROL_OFFSET.resetControl, "reset control"),
    // A dword at 0xCF8 is an address for PCI configuration: software that looks for PCI must not reset the machine.
    inWiderAccess: false,
  },
];

/** The interrupt lines that are driven. */
export const INTERRUPT_LINES: readonly InterruptLine[] = [
  { line: 0, device: "pit", pin: 0, reason: "the timer's OUT0 is wired to IRQ 0 on every PC" },
  { line: 1, device: "ps2", pin: I8042_PIN.keyboard, reason: "the keyboard's line on every PC" },
  { line: 3, device: "uart2", pin: 0, reason: "COM2's line by convention since the PC" },
  { line: 4, device: "uart", pin: 0, reason: "COM1's line by convention since the PC" },
  { line: 8, device: "rtc", pin: 0, reason: "the real-time clock's line since the PC/AT" },
  { line: 12, device: "ps2", pin: I8042_PIN.auxiliary, reason: "the mouse's line since the PS/2" },
];

const PORTS = 0x1_0000;

/**
 * The ranges of a machine with these configured ports.
 *
 * @throws VirtlabError for a port outside 0 to 0xFFFF or one that another device has.
 */
export function portRanges(config: DeviceConfig): readonly PortRange[] {
  const ranges = [...PORT_MAP];
  if (config.debugConsolePort !== undefined) {
    ranges.push(bytes(config.debugConsolePort, 1, "debugConsole", 0, "debug console"));
  }
  if (config.debugExitPort !== undefined) {
    const range = bytes(config.debugExitPort, DEBUG_EXIT_LENGTH, "debugExit", 0, "debug exit");
    ranges.push({ ...range, width: 4 });
  }
  for (const range of ranges.slice(PORT_MAP.length)) checkRange(range, ranges);
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
