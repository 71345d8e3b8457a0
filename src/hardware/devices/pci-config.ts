/**
 * The configuration space of PCI functions as tables of registers: what each reads after reset and which of its bits can
 * be written. State is only what can be written, by the registers' names.
 *
 * Manual: PCI Local Bus Specification 2.2, "Configuration Space Organization" and "Base Addresses".
 */

import type { DeviceName } from "./port-map.js";

/** One register. What no register covers reads 0. */
export interface ConfigRegister {
  readonly name: string;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  /** Value as firmware leaves it. */
  readonly value: number;
  /** Bits that can be written. Of a base address: those above its size. */
  readonly writable?: number;
  /** Bits that a written 1 clears. */
  readonly clears?: number;
}

export type PciFunctionName = "host" | "isa" | "ide" | "power" | "rng" | "console" | "block";

/** A function of a device on bus 0. */
export interface PciFunction {
  readonly name: PciFunctionName;
  /** The device it belongs to; a machine without that has no such function. */
  readonly device?: DeviceName;
  readonly about: string;
  /** Device number (slot), and function in it. */
  readonly slot: number;
  readonly number: number;
  /** Whether the device's interrupt pin is INTA. */
  readonly pin?: true;
  readonly registers: readonly ConfigRegister[];
}

/** Values of the registers that can be written, unsigned, by name. */
export type ConfigState = { readonly [register: string]: number };

/** Bits of the command register. */
export const COMMAND = { io: 0x0001, memory: 0x0002, master: 0x0004, interruptDisable: 0x0400 } as const;

/** What distinguishes the header of one function from another's. */
export interface HeaderFields {
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** Class, subclass, programming interface: 0x010180. */
  readonly classCode: number;
  readonly headerType?: number;
  readonly command: number;
  readonly writableCommand: number;
  readonly status?: number;
  readonly subsystem?: readonly [vendor: number, id: number];
  readonly capabilities?: number;
  /** INTA: the line firmware routed it to, or none. */
  readonly interruptLine?: number;
}

/** The registers every function has. Spec: PCI Local Bus Specification 2.2, "Type 00h Configuration Space Header". */
export function header(fields: HeaderFields): ConfigRegister[] {
  const { vendor, device, revision = 0, classCode, headerType = 0, command, writableCommand } = fields;
  const { status = 0, subsystem = [0, 0], capabilities = 0, interruptLine } = fields;
  const constant = (name: string, offset: number, size: 1 | 2 | 4, value: number): ConfigRegister[] =>
    value === 0 ? [] : [{ name, offset, size, value }];
  return [
    ...constant("VID", 0x00, 2, vendor),
    ...constant("DID", 0x02, 2, device),
    { name: "PCICMD", offset: 0x04, size: 2, value: command, writable: writableCommand },
    { name: "PCISTS", offset: 0x06, size: 2, value: status, clears: 0xf900 },
    ...constant("RID", 0x08, 1, revision),
    ...constant("PI", 0x09, 1, classCode & 0xff),
    ...constant("SUBC", 0x0a, 1, (classCode >> 8) & 0xff),
    ...constant("BCC", 0x0b, 1, classCode >> 16),
    { name: "MLT", offset: 0x0d, size: 1, value: 0, writable: 0xf8 },
    ...constant("HEDT", 0x0e, 1, headerType),
    ...constant("SVID", 0x2c, 2, subsystem[0]),
    ...constant("SID", 0x2e, 2, subsystem[1]),
    ...constant("CAPPTR", 0x34, 1, capabilities),
    ...(interruptLine === undefined
      ? []
      : [
          { name: "INTLN", offset: 0x3c, size: 1, value: interruptLine, writable: 0xff } as const,
          ...constant("INTPN", 0x3d, 1, 1),
        ]),
  ];
}

/** A base address register for a range of `length` (a power of 2) that firmware put at `base`. */
export function baseAddress(bar: number, space: "io" | "memory", base: number, length: number): ConfigRegister {
  const offset = 0x10 + 4 * bar;
  const writable = -length >>> 0;
  return { name: `BAR${bar}`, offset, size: 4, value: space === "io" ? base | 1 : base, writable };
}

const isState = ({ writable = 0, clears = 0 }: ConfigRegister): boolean => (writable | clears) !== 0;

export function resetConfig({ registers }: PciFunction): ConfigState {
  return Object.fromEntries(registers.filter(isState).map(({ name, value }) => [name, value]));
}

const valueIn = (state: ConfigState, register: ConfigRegister): number => state[register.name] ?? register.value;

/** The register that has each byte, by offset; made once for a function. */
const maps = new WeakMap<PciFunction, readonly (ConfigRegister | undefined)[]>();
function mapOf(pciFunction: PciFunction): readonly (ConfigRegister | undefined)[] {
  let map = maps.get(pciFunction);
  if (map === undefined) {
    const bytes = new Array<ConfigRegister | undefined>(256).fill(undefined);
    for (const register of pciFunction.registers)
      bytes.fill(register, register.offset, register.offset + register.size);
    maps.set(pciFunction, bytes);
    map = bytes;
  }
  return map;
}

/** `size` bytes of a function's configuration space. */
export function readConfig(pciFunction: PciFunction, state: ConfigState, offset: number, size: number): number {
  const map = mapOf(pciFunction);
  let value = 0;
  for (let at = size - 1; at >= 0; at--) {
    const register = map[offset + at];
    const byte =
      register === undefined ? 0 : (valueIn(state, register) >>> (8 * (offset + at - register.offset))) & 0xff;
    value = value * 256 + byte;
  }
  return value;
}

export function writeConfig(
  pciFunction: PciFunction,
  state: ConfigState,
  offset: number,
  size: number,
  value: number,
): ConfigState {
  const map = mapOf(pciFunction);
  let next = state;
  for (let at = 0; at < size; at++) {
    const register = map[offset + at];
    if (register === undefined || !isState(register)) continue;
    const { name, writable = 0, clears = 0 } = register;
    const shift = 8 * (offset + at - register.offset);
    const byte = Math.floor(value / 256 ** at) & 0xff;
    const before = valueIn(next, register);
    const mask = 0xff << shift;
    const kept = before & ~(writable & mask) & ~(clears & (byte << shift));
    const after = (kept | ((byte << shift) & writable)) >>> 0;
    if (after !== before) next = { ...next, [name]: after };
  }
  return next;
}

/** Where a function's range is now, or -1 while it answers nowhere. */
export function baseOfBar(state: ConfigState, bar: number, space: "io" | "memory"): number {
  if ((state["PCICMD"]! & COMMAND[space]) === 0) return -1;
  return (state[`BAR${bar}`]! & (space === "io" ? ~3 : ~15)) >>> 0;
}
