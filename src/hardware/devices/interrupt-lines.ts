/**
 * How the interrupt pins of devices drive the lines of the interrupt controllers: each ISA device its own, the PCI
 * devices through the router of the PIIX3; and what the controllers ask of a processor.
 */
import * as apics from "./apic-system.js";
import { type DeviceSet, kindOf, replaced, stateOf } from "./device-set.js";
import { mayInterrupt, pirqLine } from "./pci.js";
import * as pic from "./pic-pair.js";
import type { DeviceName, InterruptLine } from "./port-map.js";
import { wiringOf } from "./wiring.js";

/** The set with the interrupt pins of a device driving their lines, through low first if they `pulsed`. */
export function driveLines(devices: DeviceSet, name: DeviceName, pulsed: boolean): DeviceSet {
  const { lines, pciPins } = wiringOf(devices.config);
  let next = devices;
  for (const { line, pin } of lines[name] ?? NO_LINES) {
    next = driveLine(next, line, kindOf(name).interrupt!(stateOf(devices, name), pin), pulsed);
  }
  return name === "pci" || pciPins.some(({ device }) => device === name) ? drivePciLines(next) : next;
}

const NO_LINES: readonly InterruptLine[] = [];

function driveLine(devices: DeviceSet, line: number, high: boolean, pulsed: boolean): DeviceSet {
  return withLine(pulsed ? withLine(devices, line, false) : devices, line, high);
}

/** The set with an interrupt line high or low, at the 8259s and at the I/O APIC. */
function withLine(devices: DeviceSet, line: number, high: boolean): DeviceSet {
  const after = pic.setLine(devices.pic, line, high);
  const next = after === devices.pic ? devices : requesting(replaced(devices, "pic", after));
  if (next.apic === undefined) return next;
  const apic = apics.setLine(next.apic, line, high);
  return apic === next.apic ? next : replaced(next, "apic", apic);
}

/** The set with PCI's four interrupt pins, each of which any of its devices can pull, driving the lines they are routed to. */
function drivePciLines(devices: DeviceSet): DeviceSet {
  const { pciLines, pciPins } = wiringOf(devices.config);
  let high = 0;
  for (const { device, function: name, pirq } of pciPins) {
    const pulls = kindOf(device).interrupt!(stateOf(devices, device)) && mayInterrupt(devices.pci!, name);
    const line = pulls ? pirqLine(devices.pci!, pirq) : -1;
    if (line >= 0) high |= 1 << line;
  }
  let next = devices;
  for (const line of pciLines) next = driveLine(next, line, ((high >> line) & 1) !== 0, false);
  return next;
}

/** Whether a processor's INTR pin is high. */
export function interruptRequested({ pic: pair, apic }: DeviceSet, processor = 0): boolean {
  const byPic = pic.interruptRequested(pair);
  return apic === undefined ? byPic : apics.interruptRequested(apic, processor, byPic);
}

/** A processor's acknowledgement of the interrupt request: its vector (0 to 255) and the devices after it. */
export function acknowledge(
  devices: DeviceSet,
  processor = 0,
): { readonly devices: DeviceSet; readonly vector: number } {
  if (devices.apic !== undefined) {
    const { system, vector } = apics.acknowledge(devices.apic, processor);
    if (vector >= 0) return { devices: replaced(devices, "apic", system), vector };
  }
  const { state, vector } = pic.acknowledge(devices.pic);
  return { devices: state === devices.pic ? devices : requesting(replaced(devices, "pic", state)), vector };
}

/** The set with the 8259s' request driving the local APICs. */
export function requesting(devices: DeviceSet): DeviceSet {
  const { apic } = devices;
  if (apic === undefined) return devices;
  const after = apics.driveLint0(apic, pic.interruptRequested(devices.pic));
  return after === apic ? devices : replaced(devices, "apic", after);
}
