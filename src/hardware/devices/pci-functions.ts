/**
 * The PCI functions of a `pc`: a 440FX host bridge, a PIIX3 with IDE and a PIIX4's power management, and virtio devices.
 * They are where QEMU's i440FX machine has them, since that is the machine most software has met.
 *
 * Manual: Intel 82441FX (440FX) datasheet, "PCI Configuration Space Mapped Registers"; 82371SB (PIIX3) and 82371AB
 * (PIIX4) datasheets; virtio 1.2, "Virtio Over PCI Bus".
 */
import { IRQ, PORT } from "./layout.js";
import {
  baseAddress,
  COMMAND,
  type ConfigRegister,
  header,
  type PciFunction,
  type PciFunctionName,
} from "./pci-config.js";
import type { DeviceName } from "./port-map.js";

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

export const PCI_FUNCTIONS: readonly PciFunction[] = [host, isa, ide, power];

/** The functions of a machine with these devices. */
export const pciFunctionsOf = (devices: ReadonlySet<DeviceName>): readonly PciFunctionName[] =>
  PCI_FUNCTIONS.filter(({ device }) => device === undefined || devices.has(device)).map(({ name }) => name);
