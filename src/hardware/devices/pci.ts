/**
 * PCI with one bus: configuration mechanism #1, what firmware or a system sets of the functions there, and how their
 * interrupt pins are routed.
 *
 * The registers of the functions' ranges are their devices' own; where these ranges are at present is asked for here.
 * Left out on purpose: further buses, mechanism #2, message signalled interrupts, bus errors, and that a function has to
 * be told that it may be master of the bus.
 *
 * Manual: PCI Local Bus Specification 2.2, "Software Generation of Configuration Transactions"; Intel 82371SB (PIIX3)
 * datasheet, "PIRQRC[A:D] - PIRQx Route Control Registers".
 */
import type { BusDevice } from "./bus-device.js";
import {
  baseOfBar,
  COMMAND,
  type ConfigState,
  type PciFunction,
  type PciFunctionName,
  readConfig,
  resetConfig,
  writeConfig,
} from "./pci-config.js";
import { PCI_FUNCTIONS, PIRQ_REGISTERS } from "./pci-functions.js";

/** Register offsets: CONFADD, and the four bytes of CONFDATA. */
export const PCI_OFFSET = { address: 0, data: 4 } as const;

const ENABLED = 0x8000_0000;
/** PIRQRC: the pin is not routed; the line it is routed to. */
const NOT_ROUTED = 0x80;
const ROUTE = 0x0f;

export interface PciState {
  /** The address of the next access to CONFDATA. */
  readonly CONFADD: number;
  /** What can be written of each function's configuration space; a function that is not here does not exist. */
  readonly functions: { readonly [N in PciFunctionName]?: ConfigState };
}

/** A PCI bus with these functions. */
export function resetPci(names: readonly PciFunctionName[]): PciState {
  const present = PCI_FUNCTIONS.filter(({ name }) => names.includes(name));
  return { CONFADD: 0, functions: Object.fromEntries(present.map((one) => [one.name, resetConfig(one)])) };
}

export const pci: BusDevice<PciState> = {
  name: "PCI",
  spec: 'PCI Local Bus Specification 2.2, "Software Generation of Configuration Transactions"',

  reset: () => resetPci([]),

  peek(state, offset, size): number {
    // Only a dword is the address: a byte or a word at these ports goes by.
    if (offset < PCI_OFFSET.data) return size === 4 ? state.CONFADD : 2 ** (8 * size) - 1;
    const target = addressed(state);
    if (target === undefined) return 2 ** (8 * size) - 1;
    const { pciFunction, config } = target;
    return readConfig(pciFunction, config, registerOf(state) + offset - PCI_OFFSET.data, size);
  },

  read: (state, offset, size, tick) => ({ state, value: pci.peek!(state, offset, size, tick) }),

  write(state, offset, size, value): PciState {
    if (offset < PCI_OFFSET.data) {
      const CONFADD = (value & 0x80ff_fffc) >>> 0;
      return size === 4 && CONFADD !== state.CONFADD ? { ...state, CONFADD } : state;
    }
    const target = addressed(state);
    if (target === undefined) return state;
    const { pciFunction, config } = target;
    const after = writeConfig(pciFunction, config, registerOf(state) + offset - PCI_OFFSET.data, size, value);
    if (after === config) return state;
    return { ...state, functions: { ...state.functions, [pciFunction.name]: after } };
  },
};

const registerOf = ({ CONFADD }: PciState): number => CONFADD & 0xfc;

/** The function that CONFADD names, if there is one. */
function addressed({
  CONFADD,
  functions,
}: PciState): { readonly pciFunction: PciFunction; readonly config: ConfigState } | undefined {
  if (CONFADD < ENABLED || ((CONFADD >>> 16) & 0xff) !== 0) return undefined;
  const slot = (CONFADD >>> 11) & 31;
  const number = (CONFADD >>> 8) & 7;
  const pciFunction = PCI_FUNCTIONS.find((one) => one.slot === slot && one.number === number);
  const config = pciFunction && functions[pciFunction.name];
  return config && { pciFunction: pciFunction!, config };
}

/** Where a range of a function is now, or -1 for nowhere. */
export function pciBase(
  state: PciState | undefined,
  name: PciFunctionName,
  bar: number,
  space: "io" | "memory",
): number {
  const config = state?.functions[name];
  return config === undefined ? -1 : baseOfBar(config, bar, space);
}

/** Whether a function may drive its interrupt pin. */
export const mayInterrupt = ({ functions }: PciState, name: PciFunctionName): boolean =>
  (functions[name]!["PCICMD"]! & COMMAND.interruptDisable) === 0;

/** The line one of PCI's four interrupt pins is routed to; -1 for none. */
export function pirqLine({ functions }: PciState, pirq: number): number {
  const route = functions.isa?.[PIRQ_REGISTERS[pirq]!] ?? NOT_ROUTED;
  return (route & NOT_ROUTED) !== 0 ? -1 : route & ROUTE;
}
