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
import type { BusDevice } from "./bus-device.js";
import { type DebugConsoleState, debugConsole } from "./debug-console.js";
import { type DebugExitState, debugExit } from "./debug-exit.js";
import * as pic from "./pic-pair.js";
import { type Pit8254State, pit8254 } from "./pit8254.js";
import {
  DEFAULT_DEVICE_CONFIG,
  type DeviceConfig,
  type DeviceName,
  INTERRUPT_LINES,
  type PortRange,
  portRanges,
} from "./port-map.js";
import { type PostCodeState, postCode } from "./post-code.js";
import { type ResetControlState, resetControl } from "./reset-control.js";
import { receive, type Uart16550State, uart16550 } from "./uart16550.js";

/** The devices of a machine, by name. */
export interface DeviceSet {
  /** The ports the user chose: part of the machine, because what an access does depends on them. */
  readonly config: DeviceConfig;
  readonly pic: pic.PicPairState;
  readonly pit: Pit8254State;
  readonly uart: Uart16550State;
  readonly reset: ResetControlState;
  readonly postCode: PostCodeState;
  readonly debugConsole?: DebugConsoleState | undefined;
  readonly debugExit?: DebugExitState | undefined;
}

/** What a port read gives. */
export interface PortReadResult {
  readonly devices: DeviceSet;
  /** Unsigned, of the access's size. */
  readonly value: number;
}

type StateOf<N extends DeviceName> = NonNullable<DeviceSet[N]>;
type AnyState = StateOf<DeviceName>;

/** The kind of every device. */
export const DEVICE_KINDS: { readonly [N in DeviceName]: BusDevice<StateOf<N>> } = {
  pic: pic.picPair,
  pit: pit8254,
  uart: uart16550,
  reset: resetControl,
  postCode,
  debugConsole,
  debugExit,
};

/** The interrupt line of every device that drives one. */
const LINE_OF: { readonly [N in DeviceName]?: number } = Object.fromEntries(
  INTERRUPT_LINES.map(({ device, line }) => [device, line]),
);

/** The devices that do something by themselves; all of them are in every machine. */
const TIMED = (Object.keys(DEVICE_KINDS) as DeviceName[]).filter((name) => kindOf(name).advance !== undefined);

/**
 * All devices after reset.
 *
 * @throws VirtlabError for a configured port that does not exist or is taken.
 */
export function createDevices(config: DeviceConfig = DEFAULT_DEVICE_CONFIG): DeviceSet {
  portRanges(config);
  const { debugConsolePort, debugExitPort } = config;
  let devices: DeviceSet = {
    config: {
      ...(debugConsolePort === undefined ? {} : { debugConsolePort }),
      ...(debugExitPort === undefined ? {} : { debugExitPort }),
    },
    pic: pic.picPair.reset(),
    pit: pit8254.reset(),
    uart: uart16550.reset(),
    reset: resetControl.reset(),
    postCode: postCode.reset(),
    debugConsole: debugConsolePort === undefined ? undefined : debugConsole.reset(),
    debugExit: debugExitPort === undefined ? undefined : debugExit.reset(),
  };
  for (const { device } of INTERRUPT_LINES) devices = driveLine(devices, device, false);
  return devices;
}

/** IN: reads `size` (1, 2 or 4) bytes from `port` at `tick`. A port nobody answers gives all ones. */
export function portRead(devices: DeviceSet, port: number, size: number, tick: number): PortReadResult {
  const range = rangeAt(devices.config, port);
  if (range !== undefined && takesWhole(range, port, size)) return readRegister(devices, range, port, size, tick);
  let value = 0;
  for (let index = 0; index < size; index++) {
    const part = rangeOfByte(devices.config, port, index, size);
    let byte = 0xff;
    if (part !== undefined) {
      const result = readRegister(devices, part, port + index, 1, tick);
      devices = result.devices;
      byte = result.value;
    }
    value += byte * 2 ** (8 * index);
  }
  return { devices, value };
}

/** OUT: writes `value` (unsigned, `size` bytes: 1, 2 or 4) to `port` at `tick`. A port nobody answers ignores it. */
export function portWrite(devices: DeviceSet, port: number, size: number, value: number, tick: number): DeviceSet {
  const range = rangeAt(devices.config, port);
  if (range !== undefined && takesWhole(range, port, size)) {
    return writeRegister(devices, range, port, size, value, tick);
  }
  for (let index = 0; index < size; index++) {
    const part = rangeOfByte(devices.config, port, index, size);
    if (part === undefined) continue;
    devices = writeRegister(devices, part, port + index, 1, (value >>> (8 * index)) & 0xff, tick);
  }
  return devices;
}

/** Brings every device to `tick`, with every edge of an interrupt pin on the way. */
export function advance(devices: DeviceSet, tick: number): DeviceSet {
  for (const name of TIMED) {
    const kind = kindOf(name);
    const before = stateOf(devices, name);
    const after = kind.advance!(before, tick);
    if (after === before) continue;
    const pulsed = kind.pulsedByTime?.(before, after) ?? false;
    devices = driveLine(replaced(devices, name, after), name, pulsed);
  }
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
  for (const name of TIMED) {
    const line = LINE_OF[name];
    if (line !== undefined && !pic.isUnmasked(now.pic, line)) continue;
    const kind = kindOf(name);
    const state = stateOf(now, name);
    let event = kind.nextEvent!(state, tick);
    // The fall of a pin that requests nothing changes nothing: what matters is the rise after it.
    const onlyFalls = line !== undefined && kind.interrupt!(state) && !pic.isRequested(now.pic, line);
    if (onlyFalls && event !== Number.POSITIVE_INFINITY) event = kind.nextEvent!(state, event);
    if (event < next) next = event;
  }
  return next;
}

/** Whether the processor's INTR pin is high. */
export function interruptRequested(devices: DeviceSet): boolean {
  return pic.interruptRequested(devices.pic);
}

/** The processor's acknowledgement of the interrupt request: its vector (0 to 255) and the devices after it. */
export function acknowledge(devices: DeviceSet): { readonly devices: DeviceSet; readonly vector: number } {
  const { state, vector } = pic.acknowledge(devices.pic);
  return { devices: state === devices.pic ? devices : replaced(devices, "pic", state), vector };
}

/** Types `bytes` at the terminal on the serial port. */
export function typeInput(devices: DeviceSet, bytes: Uint8Array): DeviceSet {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return withState(devices, "uart", receive(devices.uart, text));
}

/**
 * Whether, with the processor halted at `tick`, a device will request an interrupt without any input. If not, and
 * `interruptRequested` is false, nothing but typing can end the halt.
 */
export function canWakeByItself(devices: DeviceSet, tick: number): boolean {
  const now = advance(devices, tick);
  return TIMED.some((name) => {
    const line = LINE_OF[name];
    if (line === undefined || kindOf(name).nextEvent!(stateOf(now, name), tick) === Number.POSITIVE_INFINITY) {
      return false;
    }
    // The mask is not all that can stand in the way: this level or a higher one may be in service.
    return pic.interruptRequested(pic.raise(pic.lower(now.pic, line), line));
  });
}

// Name, kind and state belong together, which the type of an indexed access cannot say.

function kindOf(name: DeviceName): BusDevice<AnyState> {
  return DEVICE_KINDS[name] as BusDevice<AnyState>;
}

function stateOf(devices: DeviceSet, name: DeviceName): AnyState {
  return devices[name] as AnyState;
}

function readRegister(set: DeviceSet, range: PortRange, port: number, size: number, tick: number): PortReadResult {
  const devices = advance(set, tick);
  const name = range.device;
  const offset = range.offset + port - range.base;
  const { state, value } = kindOf(name).read(stateOf(devices, name), offset, size, tick);
  return { devices: withState(devices, name, state), value };
}

function writeRegister(
  set: DeviceSet,
  range: PortRange,
  port: number,
  size: number,
  value: number,
  tick: number,
): DeviceSet {
  const devices = advance(set, tick);
  const name = range.device;
  const offset = range.offset + port - range.base;
  return withState(devices, name, kindOf(name).write(stateOf(devices, name), offset, size, value, tick));
}

/** The set with the state an access left one device in, and its interrupt pin, if it has one, driving its line. */
function withState(devices: DeviceSet, name: DeviceName, after: AnyState): DeviceSet {
  const before = stateOf(devices, name);
  if (after === before) return devices;
  const pulsed = kindOf(name).pulsedByAccess?.(before, after) ?? false;
  return driveLine(replaced(devices, name, after), name, pulsed);
}

/** The set with the state of one device replaced. */
function replaced(devices: DeviceSet, name: DeviceName, state: AnyState): DeviceSet {
  return {
    config: devices.config,
    pic: name === "pic" ? (state as StateOf<"pic">) : devices.pic,
    pit: name === "pit" ? (state as StateOf<"pit">) : devices.pit,
    uart: name === "uart" ? (state as StateOf<"uart">) : devices.uart,
    reset: name === "reset" ? (state as StateOf<"reset">) : devices.reset,
    postCode: name === "postCode" ? (state as StateOf<"postCode">) : devices.postCode,
    debugConsole: name === "debugConsole" ? (state as StateOf<"debugConsole">) : devices.debugConsole,
    debugExit: name === "debugExit" ? (state as StateOf<"debugExit">) : devices.debugExit,
  };
}

/** The set with the interrupt pin of a device driving its line, through low first if it `pulsed`. */
function driveLine(devices: DeviceSet, name: DeviceName, pulsed: boolean): DeviceSet {
  const line = LINE_OF[name];
  if (line === undefined) return devices;
  const before = pulsed ? pic.lower(devices.pic, line) : devices.pic;
  const after = pic.setLine(before, line, kindOf(name).interrupt!(stateOf(devices, name)));
  return after === devices.pic ? devices : replaced(devices, "pic", after);
}

/** Whether an access of `size` bytes at `port` is one access to the device there. */
function takesWhole(range: PortRange, port: number, size: number): boolean {
  return size === 1 || (size <= range.width && port + size <= range.base + range.length);
}

function rangeOfByte(config: DeviceConfig, port: number, index: number, size: number): PortRange | undefined {
  const range = rangeAt(config, port + index);
  return range === undefined || size === 1 || range.inWiderAccess ? range : undefined;
}

// The ranges of the machine that was looked at last, by port: made from its configuration alone, so that no value
// depends on them. A session rarely holds machines with different ports.
let indexedConfig: DeviceConfig | undefined;
let indexedRanges: readonly PortRange[] = [];
const rangeNumbers = new Uint8Array(0x1_0000);

function rangeAt(config: DeviceConfig, port: number): PortRange | undefined {
  if (config !== indexedConfig) indexPorts(config, indexedConfig);
  return indexedRanges[rangeNumbers[port]! - 1];
}

function indexPorts(config: DeviceConfig, indexed: DeviceConfig | undefined): void {
  indexedConfig = config;
  const same = config.debugConsolePort === indexed?.debugConsolePort && config.debugExitPort === indexed?.debugExitPort;
  if (indexed !== undefined && same) return;
  indexedRanges = portRanges(config);
  rangeNumbers.fill(0);
  indexedRanges.forEach(({ base, length }, index) => {
    rangeNumbers.fill(index + 1, base, base + length);
  });
}

/** Whether the guest asked for a reset. */
export const resetRequested = (devices: DeviceSet): boolean => devices.reset.resetRequested;

/** Whether address line 20 is let through. */
export const a20Enabled = (_devices: DeviceSet): boolean => true;
