/**
 * The differentiated system description table of a `pc`: what ACPI's operating system cannot find out by itself.
 *
 * That is the PCI root and where its interrupt pins lead, the ISA devices behind the bridge, and how to switch off. The
 * same hardware is in `devices/layout.ts`; this says it in AML.
 *
 * Manual: ACPI specification, "ACPI-Defined Devices and Device-Specific Objects", "_PRT (PCI Routing Table)", "\_Sx (System
 * States)".
 */
import { IRQ, MEMORY, PORT, type Region } from "../devices/layout.js";
import { lineOfSlot } from "../devices/pci-functions.js";
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

/** The table's content, behind its header. */
export function dsdtContent(): aml.Aml {
  const bridge = aml.device(
    "ISA",
    aml.named("_ADR", aml.integer(0x1_0000)),
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
  );
  const { pciWindow, video } = MEMORY;
  const root = aml.device(
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
    bridge,
  );
  const softOff = aml.packageOf(aml.integer(0), aml.integer(0), aml.integer(0), aml.integer(0));
  return [...aml.scope("\\_SB", root), ...aml.named("\\_S5", softOff)];
}
