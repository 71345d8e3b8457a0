/**
 * Where a PC has what: every physical address and every port of the machines, with its reason.
 *
 * Nothing else in `devices/` says a number of an address. What the guest itself may move (base addresses in PCI
 * configuration space) stands here as firmware leaves it.
 *
 * Manual: IBM PC/AT Technical Reference, "System Address Map" and "I/O Address Map"; Intel 82371AB (PIIX4) datasheet.
 */

/** A range of physical addresses or ports. */
export interface Region {
  readonly base: number;
  readonly length: number;
  readonly reason: string;
}

function region(base: number, length: number, reason: string): Region {
  return { base, length, reason };
}

const KIB = 1024;

/** Physical addresses. */
export const MEMORY = {
  realModeVectors: region(0, 1 * KIB, "the processor's real mode looks for its vectors here"),
  biosData: region(0x400, 0x100, "the BIOS data area, at 40:0 since the PC"),
  extendedBiosData: region(
    0x9_fc00,
    1 * KIB,
    "the last KiB below 640: programs take memory's end from the word at 40:13",
  ),
  video: region(0xa_0000, 128 * KIB, "the VGA's window, RAM of this machine; text lies at B8000"),
  text: region(0xb_8000, 32 * KIB, "colour text, a word a character"),
  firmware: region(0xe_0000, 128 * KIB, "firmware's place, where software looks for tables: no RAM to use"),
  mpTables: region(0xf_0000, 4 * KIB, "MultiProcessor Specification: software searches F0000 to FFFFF, in steps of 16"),
  acpiRoot: region(0xf_1000, 64, "ACPI: software searches E0000 to FFFFF for the RSDP, in steps of 16"),
  acpiTables: region(0xf_2000, 40 * KIB, "behind the RSDP, in what the memory map calls reserved"),
  biosRom: region(0xf_c000, 16 * KIB, "where an AT has its BIOS, as much of it as ACPI tables leave"),
  pciWindow: region(0xe000_0000, 0x1ec0_0000, "between the most RAM there can be (3 GiB) and the I/O APIC: for PCI"),
  virtioMemory: region(0xfe80_0000, 64 * KIB, "what firmware gives to the virtio devices' BARs, 16 KiB each"),
  virtioMmio: region(0xfeb0_0000, 8 * 512, "microvm: the virtio devices' registers, where QEMU's have them"),
  ioApic: region(0xfec0_0000, 4 * KIB, "82093AA datasheet: the first I/O APIC's default"),
  localApic: region(0xfee0_0000, 4 * KIB, 'SDM Vol. 3A, "Local APIC Registers": the default base of every processor'),
} as const;

/** Ports. */
export const PORT = {
  interruptController1: region(0x020, 2, "interrupt controller 1"),
  timer: region(0x040, 4, "timer"),
  keyboardData: region(0x060, 1, "keyboard controller data"),
  systemControlB: region(0x061, 1, "system control port B: gate and output of the speaker's timer"),
  keyboardCommand: region(0x064, 1, "keyboard controller command and status"),
  realTimeClock: region(0x070, 2, "real-time clock and its memory, NMI mask"),
  postCode: region(0x080, 1, "POST code"),
  systemControlA: region(0x092, 1, "system control port A: fast reset, address line 20"),
  interruptController2: region(0x0a0, 2, "interrupt controller 2"),
  ide2: region(0x170, 8, "second IDE channel: command block, since the PC/AT's second controller"),
  ide1: region(0x1f0, 8, "first IDE channel: command block, since the PC/AT"),
  com2: region(0x2f8, 8, "serial port COM2"),
  ide2Control: region(0x376, 1, "second IDE channel: device control and alternate status"),
  vga: region(0x3b4, 0x27, "VGA registers: 3B4 on a monochrome, 3C0 to 3CF, 3D4 on a colour screen"),
  ide1Control: region(0x3f6, 1, "first IDE channel: device control and alternate status"),
  com1: region(0x3f8, 8, "serial port COM1"),
  triggerModes: region(0x4d0, 2, "edge/level control of the interrupt controllers"),
  powerManagement: region(0x600, 0x40, "PIIX4 power management: where firmware puts PMBASE, as QEMU's does"),
  pciAddress: region(0xcf8, 4, "PCI configuration mechanism #1: address"),
  resetControl: region(0xcf9, 1, "reset control"),
  pciData: region(0xcfc, 4, "PCI configuration mechanism #1: data"),
  busMasterIde: region(0xc000, 16, "PIIX3 bus master IDE: where firmware puts BMIBA"),
} as const;

/** Interrupt lines of the 8259 pair, which are also the I/O APIC's first sixteen inputs (the timer's is input 2). */
export const IRQ = {
  timer: 0,
  keyboard: 1,
  com2: 3,
  com1: 4,
  realTimeClock: 8,
  /** The system control interrupt of ACPI: PIIX4's is wired to IRQ 9. */
  systemControl: 9,
  /** Where firmware routes PCI's four interrupt pins: lines no ISA device of ours has. */
  pciA: 10,
  pciB: 11,
  pciC: 10,
  pciD: 11,
  /** Of a machine without PCI: lines that are free there, one for each. */
  virtioRng: 5,
  virtioConsole: 10,
  virtioBlock: 11,
  auxiliary: 12,
  ide1: 14,
  ide2: 15,
} as const;
