/**
 * Model-specific registers as a table, and RDMSR and WRMSR on them. An address that is not in the table is #GP(0).
 * Spec: SDM Vol. 4, "MSRs in the P6 Family Processors", "MSRs in Pentium Processors"; Vol. 3B, "Time-Stamp Counter".
 */
import { includes, type ModelName } from "./model.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";

export interface ModelSpecificRegister {
  readonly name: string;
  readonly address: number;
  readonly summary: string;
  /** The first model that has it. */
  readonly since: ModelName;
  readonly reset: bigint;
  /** Bits WRMSR may set; a 1 elsewhere is #GP(0). 0: it cannot be written at all. */
  readonly writable: bigint;
  /** It goes on by itself with every tick; kept as its distance from the ticks since reset. */
  readonly counts?: boolean;
}

const WORD = 0xffff_ffffn;

/** The registers there are, by address. */
export const modelSpecificRegisters: readonly ModelSpecificRegister[] = Object.freeze([
  {
    name: "P5_MC_ADDR",
    address: 0x00,
    summary: "Address of the bus cycle that raised #MC. None ever does.",
    since: "pentium",
    reset: 0n,
    writable: 0n,
  },
  {
    name: "P5_MC_TYPE",
    address: 0x01,
    summary: "Kind of the bus cycle that raised #MC. None ever does.",
    since: "pentium",
    reset: 0n,
    writable: 0n,
  },
  {
    name: "IA32_TIME_STAMP_COUNTER",
    address: 0x10,
    summary: "Ticks since reset or since it was written. Writing sets the low half and clears the high one.",
    since: "pentium",
    reset: 0n,
    // These models take the low half of what is written and let the high half go: no bit is reserved.
    writable: 0xffff_ffff_ffff_ffffn,
    counts: true,
  },
  {
    name: "IA32_SYSENTER_CS",
    address: 0x174,
    summary: "CS that SYSENTER loads; the other three selectors lie behind it.",
    since: "pentium2",
    reset: 0n,
    writable: WORD,
  },
  {
    name: "IA32_SYSENTER_ESP",
    address: 0x175,
    summary: "ESP that SYSENTER loads.",
    since: "pentium2",
    reset: 0n,
    writable: WORD,
  },
  {
    name: "IA32_SYSENTER_EIP",
    address: 0x176,
    summary: "EIP that SYSENTER loads.",
    since: "pentium2",
    reset: 0n,
    writable: WORD,
  },
]);

const TIME_STAMP_COUNTER = "IA32_TIME_STAMP_COUNTER";
const byAddress = new Map(modelSpecificRegisters.map((register) => [register.address, register]));

function registerAt(port: ProcessorPort, address: number): ModelSpecificRegister {
  const register = byAddress.get(address);
  if (register === undefined || !includes(port.system.model, register.since)) {
    throw new Fault(VECTOR.GP, 0, "msr-unknown");
  }
  return register;
}

/** What the time-stamp counter is ahead of the ticks since reset. */
const timestampOffset = (port: ProcessorPort): bigint => port.system.msrs[TIME_STAMP_COUNTER] ?? 0n;

/** RDTSC: the ticks since reset, moved by what was written to the counter. */
export const timestampCounter = (port: ProcessorPort): bigint =>
  BigInt.asUintN(64, port.timestamp + timestampOffset(port));

/** Value of a register that the instruction itself knows by name; unsigned. */
export const msrWord = (port: ProcessorPort, name: string): number => Number(port.system.msrs[name] ?? 0n);

/** RDMSR. */
export function readMsr(port: ProcessorPort, address: number): bigint {
  const { localApic } = port;
  if (localApic?.has(address)) {
    const value = localApic.read(address, timestampOffset(port));
    if (value === undefined) throw new Fault(VECTOR.GP, 0, "msr-unknown");
    return value;
  }
  const { name, reset, counts } = registerAt(port, address);
  return counts ? timestampCounter(port) : (port.system.msrs[name] ?? reset);
}

/** WRMSR. */
export function writeMsr(port: ProcessorPort, address: number, value: bigint): void {
  const { localApic } = port;
  if (localApic?.has(address)) {
    if (!localApic.write(address, value, timestampOffset(port))) throw new Fault(VECTOR.GP, 0, "msr-reserved");
    return;
  }
  const { name, writable, counts } = registerAt(port, address);
  if (writable === 0n) throw new Fault(VECTOR.GP, 0, "msr-read-only");
  if ((value & ~writable) !== 0n) throw new Fault(VECTOR.GP, 0, "msr-reserved");
  const kept = counts ? (value & WORD) - port.timestamp : value;
  port.setSystem({ msrs: Object.freeze({ ...port.system.msrs, [name]: kept }) });
}
