/**
 * The bus: all devices of a machine as one value, its ports and its interrupt lines.
 *
 * Every function gives the SAME object back when nothing changed. This is the machine's hottest path outside the
 * processor: nothing is frozen here, and where it counts records are built field by field, which V8 does ten times as
 * fast as a spread.
 *
 * Time: a device set is brought to a tick with `advance`; port accesses do that themselves. It does not matter how often
 * it is done: advancing to 10 and then to 20 is advancing to 20. A machine advances its devices when `nextEvent` says so
 * and before it is sealed, and asks for `nextEvent` again after every port access and every acknowledgement.
 */
import * as apics from "./apic-system.js";
import {
  type AnyState,
  type DeviceSet,
  type DeviceSetup,
  kindOf,
  replaced,
  resetDevices,
  stateOf,
} from "./device-set.js";
import { NO_REACH, type Reach } from "./guest-memory.js";
import { passesA20, pressKeys, typeText } from "./i8042.js";
import { driveLines, requesting } from "./interrupt-lines.js";
import { machineKind } from "./machines.js";
import { nmiMasked } from "./mc146818.js";
import { baseOf, type MemoryRange, rangeAtAddress } from "./memory-map.js";
import * as pic from "./pic-pair.js";
import { DEFAULT_DEVICE_CONFIG, type DeviceConfig, type DeviceName, MOVING_PORTS, type PortRange } from "./port-map.js";
import { port92PassesA20, pullReset } from "./reset-control.js";
import { receive } from "./uart16550.js";
import { wiringOf } from "./wiring.js";

export { DEVICE_KINDS, type DeviceSet, type DeviceSetup } from "./device-set.js";
export { acknowledge, interruptRequested } from "./interrupt-lines.js";

/** What a read gives. */
export interface ReadValue {
  readonly devices: DeviceSet;
  /** Unsigned, of the access's size. */
  readonly value: number;
}

/**
 * All devices after reset.
 *
 * @param setup what a PC's firmware would have found and set: memory size, time of day, address line 20.
 * @throws VirtlabError for a configured port that does not exist or is taken, and for a time that cannot be.
 */
export function createDevices(config: DeviceConfig = DEFAULT_DEVICE_CONFIG, setup: DeviceSetup = {}): DeviceSet {
  let devices = resetDevices(config, setup);
  for (const device of Object.keys(wiringOf(devices.config).lines) as DeviceName[])
    devices = driveLines(devices, device, false);
  for (const { port, value } of machineKind(config.machine).firmware) devices = portWrite(devices, port, 1, value, 0);
  return devices;
}

/** IN: reads `size` (1, 2 or 4) bytes from `port` at `tick`. A port nobody answers gives all ones. */
export function portRead(
  devices: DeviceSet,
  port: number,
  size: number,
  tick: number,
  reach: Reach = NO_REACH,
): ReadValue {
  const range = rangeAt(devices, port);
  if (range !== undefined && takesWhole(range, port, size)) {
    return readRegister(devices, range.device, range.offset + port - range.base, size, tick, reach);
  }
  if (range === undefined && size === 1) return { devices, value: 0xff };
  let value = 0;
  for (let index = 0; index < size; index++) {
    const part = rangeOfByte(devices, port, index, size);
    let byte = 0xff;
    if (part !== undefined) {
      const result = readRegister(devices, part.device, part.offset + port + index - part.base, 1, tick, reach);
      devices = result.devices;
      byte = result.value;
    }
    value += byte * 2 ** (8 * index);
  }
  return { devices, value };
}

/** OUT: writes `value` (unsigned, `size` bytes: 1, 2 or 4) to `port` at `tick`. A port nobody answers ignores it. */
export function portWrite(
  devices: DeviceSet,
  port: number,
  size: number,
  value: number,
  tick: number,
  reach: Reach = NO_REACH,
): DeviceSet {
  const range = rangeAt(devices, port);
  if (range !== undefined && takesWhole(range, port, size)) {
    return writeRegister(devices, range.device, range.offset + port - range.base, size, value, tick, reach);
  }
  for (let index = 0; index < size; index++) {
    const part = rangeOfByte(devices, port, index, size);
    if (part === undefined) continue;
    const byte = (value >>> (8 * index)) & 0xff;
    devices = writeRegister(devices, part.device, part.offset + port + index - part.base, 1, byte, tick, reach);
  }
  return devices;
}

/**
 * Whether a read that left the devices as they were gives the same value until they change: one register of a device
 * that time does not touch.
 */
export function isTimeless(devices: DeviceSet, port: number, size: number): boolean {
  if (devices !== quietSet) return false;
  const range = rangeAt(devices, port);
  return range === undefined ? size === 1 : takesWhole(range, port, size) && kindOf(range.device).advance === undefined;
}

/** Reads `size` (1, 2 or 4) bytes at a physical address at `tick`. Where nobody answers it gives all ones. */
export function memoryRead(
  devices: DeviceSet,
  physical: number,
  size: number,
  tick: number,
  reach: Reach = NO_REACH,
): ReadValue {
  const range = rangeAtAddress(devices, physical);
  if (range === undefined && size === 1) return { devices, value: 0xff };
  if (range !== undefined && size <= range.width) {
    const offset = range.offset + physical - baseOf(range, devices);
    return readRegister(devices, range.device, offset, size, tick, reach);
  }
  let value = 0;
  for (let at = 0, part = 0; at < size; at += part) {
    part = partOf(rangeAtAddress(devices, physical + at), size - at);
    const result = memoryRead(devices, physical + at, part, tick, reach);
    devices = result.devices;
    value += result.value * 2 ** (8 * at);
  }
  return { devices, value };
}

/** Writes `value` (unsigned, `size` bytes: 1, 2 or 4) at a physical address at `tick`. Where nobody answers it is lost. */
export function memoryWrite(
  devices: DeviceSet,
  physical: number,
  size: number,
  value: number,
  tick: number,
  reach: Reach = NO_REACH,
): DeviceSet {
  const range = rangeAtAddress(devices, physical);
  if (range === undefined && size === 1) return devices;
  if (range !== undefined && size <= range.width) {
    const offset = range.offset + physical - baseOf(range, devices);
    return writeRegister(devices, range.device, offset, size, value, tick, reach);
  }
  for (let at = 0, part = 0; at < size; at += part) {
    part = partOf(rangeAtAddress(devices, physical + at), size - at);
    const bytes = Math.floor(value / 2 ** (8 * at)) % 2 ** (8 * part);
    devices = memoryWrite(devices, physical + at, part, bytes, tick, reach);
  }
  return devices;
}

/** How much of a wider access, of which `left` bytes are left, is made at a time: what the device takes. */
const partOf = (range: MemoryRange | undefined, left: number): number =>
  range !== undefined && range.width <= left ? range.width : 1;

/** The first tick at which time changes something of the devices; 0 where that is not known. */
export const quietUntil = (devices: DeviceSet): number => (devices === quietSet ? quietTick : 0);

// The set that was brought to a tick last and the first tick at which time changes something of it: made from the set
// alone, so that no value depends on them. Polling loops look at the same set again and again.
let quietSet: DeviceSet | undefined;
let quietTick = 0;

/** Brings every device to `tick`, with every edge of an interrupt pin on the way. */
export function advance(devices: DeviceSet, tick: number): DeviceSet {
  if (devices === quietSet && tick < quietTick) return devices;
  let until = Number.POSITIVE_INFINITY;
  for (const { device, kind } of wiringOf(devices.config).timed) {
    const before = stateOf(devices, device);
    let due = kind.due!(before);
    if (tick >= due) {
      const after = kind.advance!(before, tick);
      due = kind.due!(after);
      devices = driveLines(replaced(devices, device, after), device, kind.pulsedByTime?.(before, after) ?? false);
    }
    if (due < until) until = due;
  }
  if (devices.apic !== undefined) {
    const after = apics.advance(devices.apic, tick);
    if (after !== devices.apic) devices = replaced(devices, "apic", after);
    until = Math.min(until, apics.due(after));
  }
  quietSet = devices;
  quietTick = until;
  return devices;
}

/**
 * The next tick, later than `tick`, at which a device by itself does something that can matter; Infinity for never.
 *
 * What happens on the way there, or while the line is masked, `advance` makes up for.
 */
export function nextEvent(devices: DeviceSet, tick: number): number {
  const now = advance(devices, tick);
  let next = Number.POSITIVE_INFINITY;
  for (const { device, kind, lines } of wiringOf(now.config).timed) {
    const state = stateOf(now, device);
    for (const line of lines) {
      const reaches = now.apic !== undefined && apics.lineReaches(now.apic, line);
      const unmasked = pic.isUnmasked(now.pic, line);
      if (!reaches && !unmasked) continue;
      let event = kind.nextEvent!(state, tick);
      // The fall of a pin that requests nothing changes nothing: what matters is the rise after it.
      const requests = unmasked && pic.isRequested(now.pic, line);
      const onlyFalls = lines.length === 1 && kind.interrupt!(state) && !requests;
      if (onlyFalls && event !== Number.POSITIVE_INFINITY) event = kind.nextEvent!(state, event);
      if (event < next) next = event;
    }
  }
  return now.apic === undefined ? next : Math.min(next, apics.nextEvent(now.apic));
}

/** Types `bytes` at the terminal on a serial port, COM1's by default. */
export function typeInput(devices: DeviceSet, bytes: Uint8Array, port: "uart" | "uart2" = "uart"): DeviceSet {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return withState(devices, port, receive(devices[port], text));
}

/**
 * Types `text` on the keyboard, which has a US layout.
 *
 * @throws VirtlabError for a character that layout cannot type.
 */
export function typeKeys(devices: DeviceSet, text: string): DeviceSet {
  return withState(devices, "ps2", typeText(devices.ps2, text));
}

/**
 * Presses keys together and lets them go: `["ctrl", "alt", "delete"]`. Their names are those of `KEYS`.
 *
 * @throws VirtlabError for a name that is no key's.
 */
export function pressKeysTogether(devices: DeviceSet, names: readonly string[]): DeviceSet {
  return withState(devices, "ps2", pressKeys(devices.ps2, names));
}

/** Whether address line 20 passes: the keyboard controller's output port or port 0x92 says so. */
export function a20Enabled(devices: DeviceSet): boolean {
  return passesA20(devices.ps2) || port92PassesA20(devices.reset);
}

/** Whether the guest has asked for a reset, by whichever of the three ways. */
export function resetRequested(devices: DeviceSet): boolean {
  return devices.reset.resetRequested;
}

/** Whether the guest has switched the machine off. */
export function powerOffRequested(devices: DeviceSet): boolean {
  return devices.pm?.powerOffRequested ?? false;
}

/** Whether a non-maskable interrupt would reach the processor; port 0x61 can mask sources of it besides. */
export function nmiEnabled(devices: DeviceSet): boolean {
  return !nmiMasked(devices.rtc);
}

/**
 * Whether, with a processor halted at `tick`, a device will request an interrupt without any input. If not, and
 * `interruptRequested` is false, nothing but typing, or another processor, can end the halt.
 */
export function canWakeByItself(devices: DeviceSet, tick: number, processor = 0): boolean {
  const now = advance(devices, tick);
  const { apic } = now;
  if (apic !== undefined && apics.timerWakes(apic, processor)) return true;
  return wiringOf(now.config).timed.some(({ device, kind, lines }) => {
    if (kind.nextEvent!(stateOf(now, device), tick) === Number.POSITIVE_INFINITY) return false;
    return lines.some((line) => {
      if (apic !== undefined && apics.lineWakes(apic, processor, line)) return true;
      // The mask is not all that can stand in the way: this level or a higher one may be in service.
      const requested = pic.interruptRequested(pic.raise(pic.lower(now.pic, line), line));
      return requested && (apic === undefined || apics.extIntWakes(apic, processor));
    });
  });
}

function readRegister(
  set: DeviceSet,
  name: DeviceName,
  offset: number,
  size: number,
  tick: number,
  reach: Reach,
): ReadValue {
  const devices = advance(set, tick);
  const kind = kindOf(name);
  const before = stateOf(devices, name);
  const peeked = kind.peek === undefined ? -1 : kind.peek(before, offset, size, tick);
  if (peeked >= 0) return { devices, value: peeked };
  const { state, value } = kind.read(before, offset, size, tick, reach);
  if (state === before) return { devices, value };
  return { devices: withState(devices, name, state, kind.pulsedByRead?.(before, state) ?? false), value };
}

function writeRegister(
  set: DeviceSet,
  name: DeviceName,
  offset: number,
  size: number,
  value: number,
  tick: number,
  reach: Reach,
): DeviceSet {
  const devices = advance(set, tick);
  const kind = kindOf(name);
  const before = stateOf(devices, name);
  const written = withState(devices, name, kind.write(before, offset, size, value, tick, reach));
  const resets = kind.resetsOnWrite?.(before, offset, value) ?? false;
  return resets ? replaced(written, "reset", pullReset(written.reset)) : written;
}

/** The set with the state an access left one device in, and its interrupt pins, if it has some, driving their lines. */
function withState(devices: DeviceSet, name: DeviceName, after: AnyState, pulsedByRead = false): DeviceSet {
  const before = stateOf(devices, name);
  if (after === before) return devices;
  const kind = kindOf(name);
  const pulsed = pulsedByRead || (kind.pulsedByAccess?.(before, after) ?? false);
  const changed = replaced(devices, name, after);
  const next = name === "pic" ? requesting(changed) : driveLines(changed, name, pulsed);
  if (devices === quietSet && kind.due?.(before) === kind.due?.(after)) quietSet = next;
  return next;
}

/** Whether an access of `size` bytes at `port` is one access to the device there. */
function takesWhole(range: PortRange, port: number, size: number): boolean {
  return size === 1 || (size <= range.width && port + size <= range.base + range.length);
}

function rangeOfByte(devices: DeviceSet, port: number, index: number, size: number): PortRange | undefined {
  const range = rangeAt(devices, port + index);
  return range === undefined || size === 1 || range.inWiderAccess ? range : undefined;
}

function rangeAt(devices: DeviceSet, port: number): PortRange | undefined {
  const { ranges, rangeNumbers } = wiringOf(devices.config);
  return ranges[rangeNumbers[port]!] ?? (devices.pci === undefined ? undefined : movingRangeAt(devices, port));
}

function movingRangeAt(devices: DeviceSet, port: number): PortRange | undefined {
  for (const range of MOVING_PORTS) {
    const base = range.baseOf(devices);
    if (base >= 0 && port >= base && port < base + range.length) return { ...range, base };
  }
  return undefined;
}
