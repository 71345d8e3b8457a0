/**
 * How the interrupt pins of devices drive the lines of the interrupt controllers: each ISA device its own, the PCI
 * devices through the router of the PIIX3.
 */
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

function driveLine(devices: DeviceSet, line: number, level: boolean, pulsed: boolean): DeviceSet {
  const after = pic.setLine(pulsed ? pic.lower(devices.pic, line) : devices.pic, line, level);
  return after === devices.pic ? devices : replaced(devices, "pic", after);
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
