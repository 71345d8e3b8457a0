/**
 * The tables of the MultiProcessor Specification: what of processors, buses and interrupts there is, for systems that do
 * not read ACPI.
 *
 * Manual: Intel MultiProcessor Specification 1.4, "MP Configuration Table".
 */
import { IRQ, MEMORY } from "../devices/layout.js";
import { type MachineName, SHARED_LINES } from "../devices/machines.js";
import { lineOfSlot, PCI_FUNCTIONS } from "../devices/pci-functions.js";
import type { DeviceName } from "../devices/port-map.js";
import { checksum, type FirmwareBytes } from "./acpi.js";

const ascii = (text: string, length: number): number[] =>
  Array.from(text.padEnd(length), (character) => character.charCodeAt(0));
const word = (value: number): number[] => [value & 0xff, value >> 8];
const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

const ENTRY = { processor: 0, bus: 1, ioApic: 2, ioInterrupt: 3, localInterrupt: 4 } as const;
const INTERRUPT = { vectored: 0, nmi: 1, external: 3 } as const;
/** Conforms to the bus; active high, level triggered. */
const LIKE_THE_BUS = 0;
const LEVEL_HIGH = 0x000d;
const ALL_APICS = 0xff;
const APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x20;
const PCI_LINES: readonly number[] = [IRQ.pciA, IRQ.pciB, IRQ.pciC, IRQ.pciD];
/** The source of a PCI interrupt: slot and pin. */
const pciSource = (slot: number, pin: number): number => (slot << 2) | pin;

/** A processor as CPUID leaf 1 describes it. */
export interface ProcessorSignature {
  readonly signature: number;
  readonly features: number;
}

/** The pointer and the table, for a machine with some processors. */
export function mpTables(
  name: MachineName,
  devices: ReadonlySet<DeviceName>,
  processors: number,
  { signature, features }: ProcessorSignature,
): readonly FirmwareBytes[] {
  const hasPci = devices.has("pci");
  const ioApicId = processors;
  const isaBus = hasPci ? 1 : 0;
  const interrupt = (kind: number, flags: number, bus: number, source: number, input: number): number[] => [
    ...[ENTRY.ioInterrupt, kind, ...word(flags), bus, source],
    ...[ioApicId, input],
  ];
  const local = (kind: number, input: number): number[] => [
    ...[ENTRY.localInterrupt, kind, ...word(LIKE_THE_BUS), isaBus, 0],
    ...[ALL_APICS, input],
  ];
  const slots = hasPci
    ? PCI_FUNCTIONS.filter(({ pin, device }) => pin && devices.has(device!)).map(({ slot }) => slot)
    : [];
  const entries: readonly (readonly number[])[] = [
    ...Array.from({ length: processors }, (_, id) => [
      // Enabled; the first is the one that starts.
      ...[ENTRY.processor, id, APIC_VERSION, id === 0 ? 3 : 1],
      ...[...dword(signature), ...dword(features), ...dword(0), ...dword(0)],
    ]),
    ...(hasPci ? [[ENTRY.bus, 0, ...ascii("PCI", 6)]] : []),
    [ENTRY.bus, isaBus, ...ascii("ISA", 6)],
    [ENTRY.ioApic, ioApicId, IO_APIC_VERSION, 1, ...dword(MEMORY.ioApic.base)],
    ...slots.map((slot) => interrupt(INTERRUPT.vectored, LEVEL_HIGH, 0, pciSource(slot, 0), lineOfSlot(slot))),
    // The timer's line is the I/O APIC's input 2; the line of that number is the second 8259's.
    interrupt(INTERRUPT.vectored, LIKE_THE_BUS, isaBus, IRQ.timer, 2),
    ...Array.from({ length: 16 }, (_, line) => line)
      .filter((line) => line !== 0 && line !== 2 && !(hasPci && PCI_LINES.includes(line)))
      .map((line) =>
        interrupt(INTERRUPT.vectored, SHARED_LINES.includes(line) ? LEVEL_HIGH : LIKE_THE_BUS, isaBus, line, line),
      ),
    local(INTERRUPT.external, 0),
    local(INTERRUPT.nmi, 1),
  ];
  const bytes = entries.flat();
  const length = 44 + bytes.length;
  const config = Uint8Array.from([
    ...[...ascii("PCMP", 4), ...word(length), 4, 0],
    ...[...ascii("VIRTLAB", 8), ...ascii(name.toUpperCase(), 12)],
    ...[...dword(0), ...word(0), ...word(entries.length), ...dword(MEMORY.localApic.base), ...word(0), 0, 0],
    ...bytes,
  ]);
  config[7] = checksum(config);
  const { base } = MEMORY.mpTables;
  // The table is behind the pointer; all feature bytes 0: it is there, and there is no IMCR.
  const pointer = Uint8Array.from([...ascii("_MP_", 4), ...dword(base + 16), 1, 4, 0, 0, 0, 0, 0, 0]);
  pointer[10] = checksum(pointer);
  return [
    { address: base, bytes: pointer },
    { address: base + 16, bytes: config },
  ];
}
