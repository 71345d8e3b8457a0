/**
 * The processor after RESET, after INIT, and at the start-up message that ends an application processor's wait.
 * Spec: SDM Vol. 3A, "Processor State After Reset", "First Instruction Executed", "MP Initialization Protocol Algorithm
 * for MP Systems".
 */
import { signatureOf } from "./cpuid.js";
import type { ModelName } from "./model.js";
import { type CpuState, CR0, flatProtectedMode, noEvents, realSegment, type SystemState } from "./state.js";

/** Processor State Following Power-up. Spec: SDM Vol. 3A, "Processor State After Reset". */
export function afterReset(model: ModelName, random = 0n): CpuState {
  const data = realSegment(0, 0x93);
  const table = { base: 0, limit: 0xffff };
  const system: SystemState = {
    ...flatProtectedMode.system,
    model,
    random,
    cr0: CR0.ET | CR0.NW | CR0.CD,
    gdtr: table,
    idtr: table,
    ldtr: { ...data, access: 0x82 },
    tr: { ...data, access: 0x8b },
    segments: { es: data, cs: { ...data, selector: 0xf000, base: 0xffff0000 }, ss: data, ds: data, fs: data, gs: data },
  };
  return { ...flatProtectedMode, eip: 0xfff0, edx: signatureOf(model), system };
}

/**
 * INIT is a reset that leaves the floating-point and vector registers, the model-specific registers, and CR0's CD and NW;
 * the source of random numbers is no register, and goes on.
 */
export function afterInit({ system, floating }: CpuState): CpuState {
  const { model, msrs, random } = system;
  const reset = afterReset(model, random);
  const kept = system.cr0 & (CR0.CD | CR0.NW);
  const cr0 = (reset.system.cr0 & ~(CR0.CD | CR0.NW)) | kept;
  return { ...reset, floating, pending: noEvents, system: { ...reset.system, cr0, msrs } };
}

/** A processor that waited begins at the start of a page below 1 MiB, in real mode. */
export function startedAt(cpu: CpuState, page: number): CpuState {
  const { segments } = cpu.system;
  const cs = { ...realSegment(page << 8, segments.cs.access), base: page << 12 };
  return { ...cpu, eip: 0, system: { ...cpu.system, segments: { ...segments, cs } } };
}
