/**
 * RDMSR and WRMSR on the table of model-specific registers. An address that is not in it, or that the model does not
 * have, is #GP(0).
 * Spec: SDM Vol. 2B, RDMSR—Read From Model Specific Register, WRMSR—Write to Model Specific Register.
 */
import { includes, models } from "./model.js";
import { type ModelSpecificRegister, modelSpecificRegisters } from "./msr-table.js";
import { Fault, type LocalApicPort, type ProcessorPort, VECTOR } from "./processor.js";

export { modelSpecificRegisters, timestampAhead, timestampCounter } from "./msr-table.js";

const byAddress = new Map(modelSpecificRegisters.map((register) => [register.address, register]));

const refused = (rule: "msr-unknown" | "msr-read-only" | "msr-write-only" | "msr-reserved"): Fault =>
  new Fault(VECTOR.GP, 0, rule);

function registerAt({ system, localApic }: ProcessorPort, address: number): ModelSpecificRegister {
  const register = byAddress.get(address);
  if (register === undefined || !includes(system.model, register.needs)) throw refused("msr-unknown");
  if (register.ofApic && localApic === undefined) throw refused("msr-unknown");
  if (register.isThere?.(models[system.model]) === false) throw refused("msr-unknown");
  return register;
}

/** The registers of the local APIC in x2APIC mode. Spec: SDM Vol. 3A, "x2APIC Register Address Space". */
function x2apicAt({ localApic, system }: ProcessorPort, address: number): LocalApicPort | undefined {
  return address >= 0x800 && address <= 0x8ff && includes(system.model, "X2APIC") ? localApic : undefined;
}

/** Low half of a register that the instruction itself knows by name; unsigned. */
export const msrWord = (port: ProcessorPort, name: string): number =>
  Number((port.system.msrs[name] ?? 0n) & 0xffff_ffffn);

/** An address in a register that keeps canonical ones. */
export const msrAddress = (port: ProcessorPort, name: string): number =>
  Number(BigInt.asIntN(64, port.system.msrs[name] ?? 0n));

const currentValue = (port: ProcessorPort, { name, reset, read }: ModelSpecificRegister): bigint =>
  read === undefined ? (port.system.msrs[name] ?? reset) : read(port);

/** RDMSR. */
export function readMsr(port: ProcessorPort, address: number): bigint {
  const x2apic = x2apicAt(port, address);
  if (x2apic !== undefined) {
    const value = x2apic.read(address);
    if (value === undefined) throw refused("msr-unknown");
    return value;
  }
  const register = registerAt(port, address);
  if (register.access === "write-only") throw refused("msr-write-only");
  return currentValue(port, register);
}

/** WRMSR. */
export function writeMsr(port: ProcessorPort, address: number, value: bigint): void {
  const x2apic = x2apicAt(port, address);
  if (x2apic !== undefined) {
    if (!x2apic.write(address, value)) throw refused("msr-reserved");
    return;
  }
  const register = registerAt(port, address);
  const { access, writable, refuse, write, name } = register;
  if (access === "read-only") throw refused("msr-read-only");
  const fixed = ~writable(models[port.system.model]);
  if (((value ^ currentValue(port, register)) & fixed) !== 0n) throw refused("msr-reserved");
  const rule = refuse?.(value, port);
  if (rule !== undefined) throw new Fault(VECTOR.GP, 0, rule);
  if (write !== undefined) write(port, value);
  else port.setSystem({ msrs: Object.freeze({ ...port.system.msrs, [name]: value }) });
}
