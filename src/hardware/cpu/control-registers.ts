/**
 * Loads of CR0, CR3 and CR4, with their checks and with what follows from them: dropped translations, and the PDPTE
 * registers of PAE paging. MOV, LMSW and task switches come here.
 * Spec: SDM Vol. 3A, "Control Registers", "PDPTE Registers", "Invalidation of TLBs and Paging-Structure Caches".
 */
import { isFixedOtherwise } from "../vmx/capabilities.js";
import { models } from "./model.js";
import { PTE, pdpteReserved } from "./paging-levels.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { ACCESS, CR0, CR4, EFER, isLong, type SystemState } from "./state.js";

const WORD = 2 ** 32;
const NO_PDPTES: readonly number[] = Object.freeze([]);

/** Whether PDPTE registers are in use. */
export const usesPae = (cr0: number, cr4: number, efer: number): boolean =>
  (cr0 & CR0.PG) !== 0 && (cr4 & CR4.PAE) !== 0 && (efer & EFER.LMA) === 0;

/** Whether they are loaded: a guest under AMD's nested paging has none (see `pointers-on-demand.ts`). */
const loadsPdptes = ({ system: { virtualization } }: ProcessorPort, cr0: number, cr4: number, efer: number): boolean =>
  usesPae(cr0, cr4, efer) && !(virtualization?.kind === "svm" && virtualization.guest?.nested !== undefined);

/** Dwords of the pointer table. */
const POINTERS = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** They as they stand in memory. CR3 is a physical address, which is what a linear address is while paging is off. */
function readPointers(port: ProcessorPort, table: number): number[] {
  if (port.readUnpaged !== undefined) return POINTERS.map((index) => port.readUnpaged!(table + 4 * index) | 0);
  const { cr0 } = port.system;
  port.setSystem({ cr0: cr0 & ~CR0.PG });
  port.invalidate();
  const words = POINTERS.map((index) => port.readLinear(table + 4 * index, 4, false) | 0);
  port.setSystem({ cr0 });
  port.invalidate();
  return words;
}

/**
 * The four pointer-table entries: #GP(0) if a present one has a reserved bit set. Translations are for the caller to invalidate, once
 * the registers have them.
 */
export function readPdptes(port: ProcessorPort, cr3: number): readonly number[] {
  const words = readPointers(port, (cr3 & ~31) >>> 0);
  const [reservedLow, reservedHigh] = pdpteReserved(port.system.model);
  for (let index = 0; index < 8; index += 2) {
    const low = words[index]!;
    const reserved = (low & reservedLow) | (words[index + 1]! & reservedHigh);
    if ((low & PTE.P) !== 0 && reserved !== 0) throw new Fault(VECTOR.GP, 0, "pdpte-reserved");
  }
  return Object.freeze(words);
}

/** What CR0.PG makes of EFER: long mode begins and ends with paging. Spec: SDM Vol. 3A, "Initializing IA-32e Mode". */
function eferWith(port: ProcessorPort, cr0: number): number {
  const { system } = port;
  const { efer, cr4, tr, segments } = system;
  const paging = (cr0 & CR0.PG) !== 0;
  if ((efer & EFER.LME) === 0 || paging === isLong(system)) return efer;
  if (!paging) {
    if (port.codeBits === 64) throw new Fault(VECTOR.GP, 0, "paging-off-in-64-bit-code");
    return efer & ~EFER.LMA;
  }
  if ((cr4 & CR4.PAE) === 0) throw new Fault(VECTOR.GP, 0, "long-mode-without-pae");
  if ((segments.cs.access & ACCESS.LONG) !== 0) throw new Fault(VECTOR.GP, 0, "long-mode-from-long-code");
  if (tr.access !== 0 && (tr.access & 8) === 0) throw new Fault(VECTOR.GP, 0, "long-mode-with-16-bit-task");
  return efer | EFER.LMA;
}

/** MOV to CR0, and LMSW. Bits that are not there stay as they are, which is clear, and ET stays set. */
export function writeCr0(port: ProcessorPort, value: number): void {
  const { cr0: old, cr3, cr4, model, pdptes } = port.system;
  if ((value & CR0.PG) !== 0 && (value & CR0.PE) === 0) throw new Fault(VECTOR.GP, 0, "cr0-pg-without-pe");
  if ((value & CR0.NW) !== 0 && (value & CR0.CD) === 0) throw new Fault(VECTOR.GP, 0, "cr0-nw-without-cd");
  const cr0 = (value & models[model].cr0) | CR0.ET;
  if (isFixedOtherwise(port.system, 0, cr0)) throw new Fault(VECTOR.GP, 0, "vmx-fixed-bits");
  const changed = old ^ cr0;
  const efer = (changed & CR0.PG) !== 0 ? eferWith(port, cr0) : port.system.efer;
  const change: Partial<SystemState> = efer === port.system.efer ? { cr0 } : { cr0, efer };
  if ((changed & (CR0.PG | CR0.CD | CR0.NW)) !== 0 && loadsPdptes(port, cr0, cr4, efer)) {
    port.setSystem({ pdptes: readPdptes(port, cr3), ...change });
    port.invalidate();
  } else if ((cr0 & CR0.PG) === 0 && pdptes.length > 0) port.setSystem({ pdptes: NO_PDPTES, ...change });
  else port.setSystem(change);
  if ((changed & (CR0.PG | CR0.WP)) !== 0) port.invalidate();
}

/** MOV to CR3, and a task switch. `high` is what 64-bit code loads above 32 bits. */
export function writeCr3(port: ProcessorPort, value: number, high = 0): void {
  const { cr0, cr4, efer, model } = port.system;
  const low = value & models[model].cr3;
  if (high >>> 0 >= 2 ** (models[model].physicalBits - 32)) throw new Fault(VECTOR.GP, 0, "cr3-reserved");
  const cr3 = high === 0 ? low : (high >>> 0) * WORD + (low >>> 0);
  if (loadsPdptes(port, cr0, cr4, efer)) port.setSystem({ pdptes: readPdptes(port, cr3), cr3 });
  else port.setSystem({ cr3 });
  port.invalidate();
}

/** MOV to CR4. */
export function writeCr4(port: ProcessorPort, value: number): void {
  const { cr0, cr3, cr4: old, efer, model, pdptes } = port.system;
  if ((value & ~models[model].cr4) !== 0) throw new Fault(VECTOR.GP, 0, "cr4-reserved");
  const cr4 = value | 0;
  if (isFixedOtherwise(port.system, 4, cr4)) throw new Fault(VECTOR.GP, 0, "vmx-fixed-bits");
  const changed = old ^ cr4;
  if ((cr4 & CR4.PAE) === 0 && (efer & EFER.LMA) !== 0) throw new Fault(VECTOR.GP, 0, "cr4-pae-in-long-mode");
  const paging = (changed & (CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP)) !== 0;
  if (paging && loadsPdptes(port, cr0, cr4, efer)) port.setSystem({ pdptes: readPdptes(port, cr3), cr4 });
  else if ((cr4 & CR4.PAE) === 0 && pdptes.length > 0) port.setSystem({ pdptes: NO_PDPTES, cr4 });
  else port.setSystem({ cr4 });
  if (paging || (changed & CR4.SMAP) !== 0) port.invalidate();
}
