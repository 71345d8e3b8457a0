/**
 * The areas of model-specific registers that VM entries and exits load and store: 16 bytes each, with index and value.
 * Spec: SDM Vol. 3C, "Loading MSRs" (of VM entries and of VM exits), "Saving MSRs".
 */
import { readMsr, writeMsr } from "../cpu/msr.js";
import { Fault, type ProcessorPort } from "../cpu/processor.js";

const BYTES = 16;
/** IA32_FS_BASE, IA32_GS_BASE, which belong to the segments; IA32_SMM_MONITOR_CTL; IA32_BIOS_UPDT_TRIG. */
const NEVER_LOADED: ReadonlySet<number> = new Set([0xc000_0100, 0xc000_0101, 0x9b, 0x79]);
/** Registers of the local APIC in x2APIC mode. */
const isX2apic = (index: number): boolean => index >>> 8 === 8;

/** Does what RDMSR or WRMSR does; false where that is #GP. */
function succeeds(access: () => void): boolean {
  try {
    access();
    return true;
  } catch (thrown) {
    if (thrown instanceof Fault) return false;
    throw thrown;
  }
}

const quad = (port: ProcessorPort, at: number): bigint =>
  BigInt(port.readPhysical(at)) | (BigInt(port.readPhysical(at + 4)) << 32n);

/** Loads an area; gives the number of the first entry that cannot be loaded, from 1. */
export function loadMsrs(port: ProcessorPort, address: number, count: number): number | undefined {
  for (let entry = 0; entry < count; entry++) {
    const at = address + BYTES * entry;
    const index = port.readPhysical(at);
    const reserved = port.readPhysical(at + 4);
    if (reserved !== 0 || NEVER_LOADED.has(index) || isX2apic(index)) return entry + 1;
    if (!succeeds(() => writeMsr(port, index, quad(port, at + 8)))) return entry + 1;
  }
  return undefined;
}

/** Stores registers into an area; gives the number of the first entry that cannot be stored, from 1. */
export function storeMsrs(port: ProcessorPort, address: number, count: number): number | undefined {
  for (let entry = 0; entry < count; entry++) {
    const at = address + BYTES * entry;
    const index = port.readPhysical(at);
    if (port.readPhysical(at + 4) !== 0 || isX2apic(index)) return entry + 1;
    const stored = succeeds(() => {
      const value = readMsr(port, index);
      port.writePhysical(at + 8, Number(value & 0xffff_ffffn));
      port.writePhysical(at + 12, Number(value >> 32n));
    });
    if (!stored) return entry + 1;
  }
  return undefined;
}
