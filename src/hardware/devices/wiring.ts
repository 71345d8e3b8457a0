/**
 * How the devices of one machine are connected, worked out from its configuration alone: which ports reach which, which
 * pins drive which lines, and which devices do something by themselves.
 */
import { samePlain } from "../../state/diff.js";
import type { BusDevice } from "./bus-device.js";
import { type AnyState, kindOf } from "./device-set.js";
import { devicesOf } from "./machines.js";
import type { PciFunctionName } from "./pci-config.js";
import { PCI_FUNCTIONS, pirqOf } from "./pci-functions.js";
import {
  type DeviceConfig,
  type DeviceName,
  INTERRUPT_LINES,
  type InterruptLine,
  type PortRange,
  portRanges,
} from "./port-map.js";

/** A device that does something by itself. */
export interface TimedDevice {
  readonly device: DeviceName;
  readonly kind: BusDevice<AnyState>;
  /** The interrupt lines of the device. */
  readonly lines: readonly number[];
}

export interface Wiring {
  /** The ranges by the numbers of `rangeNumbers`; number 0 is none. */
  readonly ranges: readonly (PortRange | undefined)[];
  /** Number of the range that has a port. */
  readonly rangeNumbers: Uint8Array;
  readonly lines: { readonly [N in DeviceName]?: readonly InterruptLine[] };
  readonly timed: readonly TimedDevice[];
  /** The lines that no device drives by itself: those PCI's interrupt pins can be routed to. */
  readonly pciLines: readonly number[];
  /** The devices whose interrupt pin is one of PCI's. */
  readonly pciPins: readonly PciPin[];
}

export interface PciPin {
  readonly device: DeviceName;
  readonly function: PciFunctionName;
  /** Which of PCI's four pins. */
  readonly pirq: number;
}

// Made from configurations alone, so that no value depends on them.
const wirings = new WeakMap<DeviceConfig, Wiring>();
let lastConfig: DeviceConfig | undefined;
let lastWiring: Wiring | undefined;

/**
 * The connections of a machine with this configuration, which is looked up by identity.
 *
 * @throws VirtlabError for a configured port that does not exist or is taken, and for an unknown machine.
 */
export function wiringOf(config: DeviceConfig): Wiring {
  if (config === lastConfig) return lastWiring!;
  let wiring = wirings.get(config);
  if (wiring === undefined) {
    wiring = sameChoice(config, lastConfig) ? lastWiring! : wire(config);
    wirings.set(config, wiring);
  }
  lastConfig = config;
  lastWiring = wiring;
  return wiring;
}

const sameChoice = (config: DeviceConfig, other: DeviceConfig | undefined): boolean =>
  other !== undefined &&
  config.machine === other.machine &&
  samePlain(config.extra, other.extra) &&
  config.debugConsolePort === other.debugConsolePort &&
  config.debugExitPort === other.debugExitPort;

function wire(config: DeviceConfig): Wiring {
  const devices = devicesOf(config);
  const ranges = portRanges(config);
  const rangeNumbers = new Uint8Array(0x1_0000);
  ranges.forEach(({ base, length }, index) => {
    rangeNumbers.fill(index + 1, base, base + length);
  });
  const rows = INTERRUPT_LINES.filter(
    ({ device, withoutPci }) => devices.has(device) && !(withoutPci === true && devices.has("pci")),
  );
  const lines = Object.fromEntries(
    rows.map(({ device }) => [device, rows.filter((row) => row.device === device)]),
  ) as Wiring["lines"];
  // The APICs come behind all others, which is the bus's care.
  const timed = [...new Set(rows.map(({ device }) => device))]
    .filter((device) => kindOf(device).advance !== undefined)
    .map((device) => ({ device, kind: kindOf(device), lines: lines[device]!.map(({ line }) => line) }));
  const pciLines = Array.from({ length: 16 }, (_, line) => line).filter(
    (line) => devices.has("pci") && !NOT_PCI.includes(line) && rows.every((row) => row.line !== line),
  );
  const functions = devices.has("pci") ? PCI_FUNCTIONS : [];
  const pciPins = functions.flatMap(({ name, device, slot, pin }) =>
    pin && device !== undefined && devices.has(device) ? [{ device, function: name, pirq: pirqOf(slot) }] : [],
  );
  return { ranges: [undefined, ...ranges], rangeNumbers, lines, timed, pciLines, pciPins };
}

/** Lines PCI's pins cannot be routed to. Spec: Intel 82371SB datasheet, "PIRQRC[A:D]". */
const NOT_PCI = [0, 1, 2, 8, 13];
