/**
 * The ACPI tables of a machine, with the addresses they have of each other.
 *
 * Manual: ACPI specification 3.0, "ACPI Software Programming Model": Root System Description Pointer, System Description
 * Table Header, Fixed ACPI Description Table, Firmware ACPI Control Structure, Multiple APIC Description Table.
 */
import { IRQ, MEMORY, PORT } from "../devices/layout.js";
import { SHARED_LINES } from "../devices/machines.js";
import type { DeviceName } from "../devices/port-map.js";
import { PM_OFFSET } from "../devices/power-management.js";
import { dsdtContent } from "./dsdt.js";

/** Bytes for physical memory. */
export interface FirmwareBytes {
  readonly address: number;
  readonly bytes: Uint8Array;
}

const OEM = "VIRTLB";
const OEM_TABLE = "VIRTLAB ";
const CREATOR = "VLAB";
/** The I/O APIC's identification and first global interrupt. */
const IO_APIC_ID = 0;

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const word = (value: number): number[] => [value & 0xff, value >> 8];
const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const qword = (value: number): number[] => [...dword(value), 0, 0, 0, 0];
/** The byte that makes the sum of all 0. */
export const checksum = (bytes: ArrayLike<number>): number =>
  -Array.from(bytes).reduce((sum, byte) => sum + byte, 0) & 0xff;

/** A table with its header. Spec: "System Description Table Header". */
function table(signature: string, revision: number, content: readonly number[]): Uint8Array {
  const length = 36 + content.length;
  const head = [...ascii(signature), ...dword(length), revision, 0];
  const by = [...ascii(OEM), ...ascii(OEM_TABLE), ...dword(1), ...ascii(CREATOR), ...dword(1)];
  const bytes = Uint8Array.from([...head, ...by, ...content]);
  bytes[9] = checksum(bytes);
  return bytes;
}

/** Generic address structure of a port. */
const portAddress = (port: number, bytes: number): number[] => [1, 8 * bytes, 0, 0, ...qword(port)];
const NO_ADDRESS: readonly number[] = new Array<number>(12).fill(0);

/** Fixed features: WBINVD, C1, no fixed buttons, no wake by RTC status, and a reset register. */
const FEATURES = 0x0001 | 0x0004 | 0x0010 | 0x0020 | 0x0040 | 0x0400;
/** Devices on ISA, and a keyboard controller. */
const BOOT_ARCHITECTURE = 0x0003;
const RESET_VALUE = 0x06;

function fadt(facs: number, dsdt: number): Uint8Array {
  const { base } = PORT.powerManagement;
  const event = base + PM_OFFSET.PMSTS;
  const control = base + PM_OFFSET.PMCNTRL;
  const timer = base + PM_OFFSET.PMTMR;
  return table("FACP", 3, [
    ...dword(facs),
    ...dword(dsdt),
    ...[0, 0, ...word(IRQ.systemControl)],
    // No SMI command: the machine is always in ACPI mode.
    ...[...dword(0), 0, 0, 0, 0],
    ...[event, 0, control, 0, 0, timer, 0, 0].flatMap(dword),
    // Lengths: event, control, power management 2, timer, general purpose 0 and 1, its base; C-state control.
    ...[4, 2, 0, 4, 0, 0, 0, 0],
    // C2 and C3 take too long to be there.
    ...[...word(0x0fff), ...word(0x0fff), ...word(0), ...word(0)],
    // Duty cycle, alarms; the century is in the clock's byte 0x32.
    ...[0, 0, 0, 0, 0x32],
    ...word(BOOT_ARCHITECTURE),
    0,
    ...dword(FEATURES),
    ...portAddress(PORT.resetControl.base, 1),
    RESET_VALUE,
    ...[0, 0, 0],
    ...qword(facs),
    ...qword(dsdt),
    ...portAddress(event, 4),
    ...NO_ADDRESS,
    ...portAddress(control, 2),
    ...NO_ADDRESS,
    ...NO_ADDRESS,
    ...portAddress(timer, 4),
    ...NO_ADDRESS,
    ...NO_ADDRESS,
  ]);
}

/** Firmware ACPI Control Structure, which has no header of the common kind. */
const facs = (): Uint8Array => Uint8Array.from([...ascii("FACS"), ...dword(64), ...new Array<number>(56).fill(0)]);

/** Active high, level triggered. */
const LEVEL_HIGH = 0x000d;

function madt(processors: number): Uint8Array {
  const override = (line: number, input: number, flags: number): number[] => [
    2,
    10,
    0,
    line,
    ...dword(input),
    ...word(flags),
  ];
  return table("APIC", 1, [
    ...dword(MEMORY.localApic.base),
    // There are 8259s, too.
    ...dword(1),
    ...Array.from({ length: processors }, (_, id) => [0, 8, id, id, ...dword(1)]).flat(),
    ...[1, 12, IO_APIC_ID, 0, ...dword(MEMORY.ioApic.base), ...dword(0)],
    ...override(IRQ.timer, 2, 0),
    ...SHARED_LINES.flatMap((line) => override(line, line, LEVEL_HIGH)),
    // LINT1 of all processors is NMI.
    ...[4, 6, 0xff, 0, 0, 1],
  ]);
}

const align = (address: number, to: number): number => Math.ceil(address / to) * to;

/** The tables and the pointer to them, for a machine with these devices and some processors. */
export function acpiTables(devices: ReadonlySet<DeviceName>, processors: number): readonly FirmwareBytes[] {
  const placed: FirmwareBytes[] = [];
  let next = MEMORY.acpiTables.base;
  const place = (bytes: Uint8Array): number => {
    const address = align(next, 64);
    placed.push({ address, bytes });
    next = address + bytes.length;
    return address;
  };
  const dsdt = place(table("DSDT", 1, dsdtContent(devices)));
  const tables = [place(fadt(place(facs()), dsdt)), place(madt(processors))];
  const rsdt = place(table("RSDT", 1, tables.flatMap(dword)));
  const xsdt = place(table("XSDT", 1, tables.flatMap(qword)));
  const pointer = Uint8Array.from([
    ...[...ascii("RSD PTR "), 0, ...ascii(OEM), 2, ...dword(rsdt)],
    ...[...dword(36), ...qword(xsdt), 0, 0, 0, 0],
  ]);
  pointer[8] = checksum(pointer.subarray(0, 20));
  pointer[32] = checksum(pointer);
  return [{ address: MEMORY.acpiRoot.base, bytes: pointer }, ...placed];
}
