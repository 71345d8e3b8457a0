/**
 * The differentiated system description table: what ACPI's operating system cannot find out by itself.
 *
 * That is the PCI root and where its interrupt pins lead, the ISA devices, virtio devices in a machine without PCI, and how
 * to switch off. The
 * same hardware is in `devices/layout.ts`; this says it in AML.
 *
 * Manual: ACPI specification, "ACPI-Defined Devices and Device-Specific Objects", "_PRT (PCI Routing Table)", "\_Sx (System
 * States)".
 */
import { IRQ, MEMORY, PORT, type Region } from "../devices/layout.js";
import { lineOfSlot } from "../devices/pci-functions.js";
import type { DeviceName } from "../devices/port-map.js";
import { VIRTIO_MMIO_LENGTH } from "../devices/virtio.js";
import { VIRTIO_DEVICES, type VirtioPlace } from "../devices/virtio-devices.js";
import * as aml from "./aml.js";

/** Slots that can have devices: 1 is the bridge with its own functions. */
const SLOTS = 32;
const ALL_FUNCTIONS = 0xffff;

const portsOf = ({ base, length }: Region): number[] => aml.ports(base, length);

function isaDevice(name: string, id: string, unique: number | undefined, ...resources: readonly number[][]): aml.Aml {
  return aml.device(
    name,
    aml.named("_HID", aml.eisaId(id)),
    ...(unique === undefined ? [] : [aml.named("_UID", aml.integer(unique))]),
    aml.named("_STA", aml.integer(0x0f)),
    aml.named("_CRS", aml.resources(...resources)),
  );
}

/** INTA to INTD of every slot: each slot's begin one further. */
const routing = (): aml.Aml[] =>
  Array.from({ length: SLOTS - 1 }, (_, index) => index + 1).flatMap((slot) =>
    [0, 1, 2, 3].map((pin) =>
      aml.packageOf(
        aml.integer(slot * 0x1_0000 + ALL_FUNCTIONS),
        aml.integer(pin),
        aml.integer(0),
        aml.integer(lineOfSlot(slot + pin)),
      ),
    ),
  );

/** What is on ISA. */
const isaDevices = (): readonly aml.Aml[] => [
  isaDevice(
    "KBD",
    "PNP0303",
    undefined,
    portsOf(PORT.keyboardData),
    portsOf(PORT.keyboardCommand),
    aml.line(IRQ.keyboard),
  ),
  isaDevice("COM1", "PNP0501", 1, portsOf(PORT.com1), aml.line(IRQ.com1)),
  isaDevice("COM2", "PNP0501", 2, portsOf(PORT.com2), aml.line(IRQ.com2)),
  isaDevice("RTC", "PNP0B00", undefined, portsOf(PORT.realTimeClock), aml.line(IRQ.realTimeClock)),
];

/** The PCI root, with the bridge to ISA. */
function pciRoot(): aml.Aml {
  const { pciWindow, video } = MEMORY;
  return aml.device(
    "PCI0",
    aml.named("_HID", aml.eisaId("PNP0A03")),
    aml.named("_UID", aml.integer(0)),
    aml.named("_BBN", aml.integer(0)),
    aml.named(
      "_CRS",
      aml.resources(
        aml.busNumbers(0, 0),
        portsOf({ ...PORT.pciAddress, length: 8 }),
        aml.portWindow(0, PORT.pciAddress.base - 1),
        aml.portWindow(PORT.pciData.base + 4, 0xffff),
        aml.memoryWindow(video.base, video.length, true),
        aml.memoryWindow(pciWindow.base, pciWindow.length),
      ),
    ),
    aml.named("_PRT", aml.packageOf(...routing())),
    aml.device("ISA", aml.named("_ADR", aml.integer(0x1_0000)), ...isaDevices()),
  );
}

/** A virtio device in memory, by the identification that Linux and QEMU agreed on. */
function virtioDevice({ place, line }: VirtioPlace): aml.Aml {
  const registers = MEMORY.virtioMmio.base + place * VIRTIO_MMIO_LENGTH;
  return aml.device(
    `VIO${place}`,
    aml.named("_HID", aml.text("LNRO0005")),
    aml.named("_UID", aml.integer(place)),
    aml.named("_STA", aml.integer(0x0f)),
    aml.named("_CRS", aml.resources(aml.fixedMemory(registers, VIRTIO_MMIO_LENGTH), aml.levelInterrupt(line))),
  );
}

/** The table's content, behind its header, for a machine with these devices. */
export function dsdtContent(devices: ReadonlySet<DeviceName>): aml.Aml {
  const hardware = devices.has("pci")
    ? [pciRoot()]
    : [...isaDevices(), ...VIRTIO_DEVICES.filter(({ device }) => devices.has(device)).map(virtioDevice)];
  const softOff = aml.packageOf(aml.integer(0), aml.integer(0), aml.integer(0), aml.integer(0));
  return [...aml.scope("\\_SB", ...hardware), ...aml.named("\\_S5", softOff)];
}
