/**
 * The PCI functions of a `pc`: a 440FX host bridge, a PIIX3 with IDE and a PIIX4's power management, and virtio devices.
 * They are where QEMU's i440FX machine has them, since that is the machine most software has met.
 *
 * Manual: Intel 82441FX (440FX) datasheet, "PCI Configuration Space Mapped Registers"; 82371SB (PIIX3) and 82371AB
 * (PIIX4) datasheets; virtio 1.2, "Virtio Over PCI Bus".
 */
import { IRQ, MEMORY, PORT } from "./layout.js";
import {
  baseAddress,
  COMMAND,
  type ConfigRegister,
  header,
  type PciFunction,
  type PciFunctionName,
} from "./pci-config.js";
import type { DeviceName } from "./port-map.js";
import { VIRTIO_OFFSET, VIRTIO_PCI_LENGTH } from "./virtio.js";

const INTEL = 0x8086;

/** PIIX3: which line each of PCI's four interrupt pins is routed to; bit 7 turns one off. */
export const PIRQ_REGISTERS = ["PIRQRCA", "PIRQRCB", "PIRQRCC", "PIRQRCD"] as const;
const PIRQ_LINES = [IRQ.pciA, IRQ.pciB, IRQ.pciC, IRQ.pciD] as const;

/** The pin of PCI's four that INTA of the device in a slot drives, as QEMU's board has it: from slot 1 on in turn. */
export const pirqOf = (slot: number): number => (slot + 3) % 4;
/** The line firmware routed it to. */
export const lineOfSlot = (slot: number): number => PIRQ_LINES[pirqOf(slot)]!;

const word = (name: string, offset: number, value: number, writable = 0xffff): ConfigRegister => ({
  name,
  offset,
  size: 2,
  value,
  writable,
});
const byte = (name: string, offset: number, value: number, writable = 0xff): ConfigRegister => ({
  name,
  offset,
  size: 1,
  value,
  writable,
});

const host: PciFunction = {
  name: "host",
  about: "440FX host bridge",
  slot: 0,
  number: 0,
  registers: [
    ...header({
      vendor: INTEL,
      device: 0x1237,
      revision: 2,
      classCode: 0x060000,
      command: COMMAND.memory | COMMAND.master,
      writableCommand: 0x0100,
      status: 0x0280,
    }),
    // Programmable attribute map: kept, but what is at C0000 to FFFFF is settled otherwise.
    ...[0, 1, 2, 3, 4, 5, 6].map((number) => byte(`PAM${number}`, 0x59 + number, 0)),
    byte("SMRAM", 0x72, 0x02),
  ],
};

const isa: PciFunction = {
  name: "isa",
  about: "PIIX3 PCI-to-ISA bridge",
  slot: 1,
  number: 0,
  registers: [
    ...header({
      vendor: INTEL,
      device: 0x7000,
      classCode: 0x060100,
      headerType: 0x80,
      command: COMMAND.io | COMMAND.memory | COMMAND.master,
      writableCommand: 0x0008,
      status: 0x0200,
    }),
    byte("IORT", 0x4c, 0x4d),
    word("XBCS", 0x4e, 0x0003),
    ...PIRQ_REGISTERS.map((name, pin) => byte(name, 0x60 + pin, PIRQ_LINES[pin]!, 0x8f)),
    byte("TOM", 0x69, 0x02),
    byte("MSTAT", 0x6a, 0),
  ],
};

const ide: PciFunction = {
  name: "ide",
  device: "ide",
  about: "PIIX3 IDE",
  slot: 1,
  number: 1,
  registers: [
    ...header({
      vendor: INTEL,
      device: 0x7010,
      classCode: 0x010180,
      command: COMMAND.io | COMMAND.master,
      writableCommand: COMMAND.io | COMMAND.master,
      status: 0x0280,
    }),
    baseAddress(4, "io", PORT.busMasterIde.base, PORT.busMasterIde.length),
    // Bit 15: the channel's ports are decoded.
    word("IDETIM1", 0x40, 0x8000),
    word("IDETIM2", 0x42, 0x8000),
    byte("SIDETIM", 0x44, 0),
  ],
};

const power: PciFunction = {
  name: "power",
  device: "pm",
  about: "PIIX4 power management",
  slot: 1,
  number: 3,
  registers: [
    ...header({
      vendor: INTEL,
      device: 0x7113,
      revision: 3,
      classCode: 0x068000,
      command: COMMAND.io,
      writableCommand: COMMAND.io,
      status: 0x0280,
      interruptLine: IRQ.systemControl,
    }),
    { name: "PMBASE", offset: 0x40, size: 4, value: PORT.powerManagement.base | 1 },
    { name: "DEVACTB", offset: 0x58, size: 4, value: 0, writable: 0xffffffff },
    byte("PMREGMISC", 0x80, 0x01, 0x01),
  ],
};

/** Spec: virtio 1.2, "PCI Device Discovery": the vendor, and the device by its virtio number. */
const VIRTIO = { vendor: 0x1af4, device: 0x1040, subsystem: 0x1100, revision: 1, bar: 4 } as const;
const CAPABILITIES = 0x40;
/** Bytes between the places where the queues are notified. */
const NOTIFY_MULTIPLIER = 4;

/** Where each structure is behind the BAR. Spec: virtio 1.2, "Virtio Structure PCI Capabilities". */
const STRUCTURES = [
  { type: 1, offset: VIRTIO_OFFSET.common, length: 0x1000 },
  { type: 3, offset: VIRTIO_OFFSET.isr, length: 0x1000 },
  { type: 4, offset: VIRTIO_OFFSET.device, length: 0x1000 },
  { type: 2, offset: VIRTIO_OFFSET.notify, length: 0x1000, multiplier: NOTIFY_MULTIPLIER },
] as const;

/** The list of vendor-specific capabilities, one behind the other. */
function virtioCapabilities(): ConfigRegister[] {
  let at = CAPABILITIES;
  return STRUCTURES.flatMap((structure, index) => {
    const { type, offset, length } = structure;
    const words = [0, VIRTIO.bar, offset, length, ...("multiplier" in structure ? [structure.multiplier] : [])];
    const next = index === STRUCTURES.length - 1 ? 0 : at + 4 * words.length;
    words[0] = 0x09 | (next << 8) | ((4 * words.length) << 16) | (type << 24);
    const registers = words.map((value, word): ConfigRegister => {
      return { name: `CAP${type}_${word}`, offset: at + 4 * word, size: 4, value };
    });
    at = next;
    return registers;
  });
}

function virtio(
  name: PciFunctionName,
  device: DeviceName,
  { id, classCode, slot, place }: { id: number; classCode: number; slot: number; place: number },
): PciFunction {
  return {
    name,
    device,
    about: `virtio ${name}`,
    slot,
    number: 0,
    pin: true,
    registers: [
      ...header({
        vendor: VIRTIO.vendor,
        device: VIRTIO.device + id,
        revision: VIRTIO.revision,
        classCode,
        subsystem: [VIRTIO.vendor, VIRTIO.subsystem],
        command: COMMAND.memory | COMMAND.master,
        writableCommand: COMMAND.memory | COMMAND.master | COMMAND.interruptDisable,
        status: 0x0010,
        capabilities: CAPABILITIES,
        interruptLine: lineOfSlot(slot),
      }),
      baseAddress(VIRTIO.bar, "memory", MEMORY.virtioMemory.base + place * VIRTIO_PCI_LENGTH, VIRTIO_PCI_LENGTH),
      ...virtioCapabilities(),
    ],
  };
}

export const PCI_FUNCTIONS: readonly PciFunction[] = [
  host,
  isa,
  ide,
  power,
  virtio("rng", "virtioRng", { id: 4, classCode: 0x00ff00, slot: 3, place: 0 }),
  virtio("console", "virtioConsole", { id: 3, classCode: 0x078000, slot: 4, place: 1 }),
  virtio("block", "virtioBlock", { id: 2, classCode: 0x010000, slot: 5, place: 2 }),
];

/** The functions of a machine with these devices. */
export const pciFunctionsOf = (devices: ReadonlySet<DeviceName>): readonly PciFunctionName[] =>
  PCI_FUNCTIONS.filter(({ device }) => device === undefined || devices.has(device)).map(({ name }) => name);
