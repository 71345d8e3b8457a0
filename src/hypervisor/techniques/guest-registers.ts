/** Registers of the processor that are a guest's as long as it has the processor, whichever technique gave it to it. */
import type { ProcessorPort } from "../../hardware/cpu/processor.js";
import type { CpuState, Segment, SystemState } from "../../hardware/cpu/state.js";

/** MSRs that are the processor's as long as a guest has it. It reads them by itself; what it has written is known. */
export const OWN_MSRS: Readonly<Record<string, number>> = Object.freeze({
  IA32_STAR: 0xc000_0081,
  IA32_LSTAR: 0xc000_0082,
  IA32_CSTAR: 0xc000_0083,
  IA32_FMASK: 0xc000_0084,
  IA32_KERNEL_GS_BASE: 0xc000_0102,
  IA32_TSC_AUX: 0xc000_0103,
});
const sysenter = ["IA32_SYSENTER_CS", "IA32_SYSENTER_ESP", "IA32_SYSENTER_EIP"] as const;
export type SysenterMsr = (typeof sysenter)[number];
export const sysenterMsrs: readonly SysenterMsr[] = sysenter;

/** These change without a WRMSR, too, or are in the segments: a guest writes them by itself. */
export const WRITTEN_MSRS: readonly number[] = [0xc000_0100, 0xc000_0101, OWN_MSRS["IA32_KERNEL_GS_BASE"]!];
/** All that a guest reads by itself. */
export const READ_MSRS: readonly number[] = [...Object.values(OWN_MSRS), 0x174, 0x175, 0x176, ...WRITTEN_MSRS];

/** Values of SYSENTER's registers, as far as the guest has written them: their writes leave it, so that is known. */
export const writtenSysenter = (
  old: SystemState["msrs"],
  value: (name: SysenterMsr) => bigint,
): Partial<Record<SysenterMsr, bigint>> =>
  Object.fromEntries(sysenter.filter((name) => old[name] !== undefined).map((name) => [name, value(name)]));

/** What of the processor's own MSRs, debug registers and CR2 is the guest's while it has the processor. */
export function sharedSystem(real: SystemState, old: SystemState): SystemState {
  const msrs = { ...old.msrs };
  for (const name of Object.keys(OWN_MSRS)) {
    const value = real.msrs[name];
    if (value !== undefined) msrs[name] = value;
  }
  const [dr0, dr1, dr2, dr3, dr6] = real.debug;
  return { ...old, cr2: real.cr2, msrs, debug: Object.freeze([dr0, dr1, dr2, dr3, dr6, old.debug[5]] as const) };
}

/** Loads what `sharedSystem` reads. */
export function loadShared(port: ProcessorPort, { system }: CpuState): void {
  const [dr0, dr1, dr2, dr3, dr6] = system.debug;
  const msrs = { ...port.system.msrs };
  for (const name of Object.keys(OWN_MSRS)) {
    const value = system.msrs[name];
    if (value === undefined) delete msrs[name];
    else msrs[name] = value;
  }
  const debug = Object.freeze([dr0, dr1, dr2, dr3, dr6, port.system.debug[5]] as const);
  port.setSystem({ cr2: system.cr2, debug, msrs: Object.freeze(msrs) });
}

/** CR3 as the state has it: signed unless long mode loaded more than 32 bits. */
export const cr3Of = (value: bigint): number => (value < BigInt(2 ** 32) ? Number(value) | 0 : Number(value));

/** Whether TR was ever loaded. */
export const hasTask = ({ access }: Segment): boolean => access !== 0;
