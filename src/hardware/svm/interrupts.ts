/**
 * Interrupts of AMD-V: the global interrupt flag, who holds physical interrupts back, and virtual interrupts.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Global Interrupt Flag, STGI and CLGI Instructions", "Virtual
 * Interrupts", "Interrupt Masking in EFLAGS" and "Virtualizing APIC.TPR" under "Interrupt and Local APIC Support".
 */
import type { ProcessorPort } from "../cpu/processor.js";
import { FLAG, type SystemState } from "../cpu/state.js";
import { runningGuest } from "./intercepts.js";
import type { SvmGuest, SvmState } from "./state.js";

const svmState = ({ virtualization }: SystemState): SvmState | undefined =>
  virtualization?.kind === "svm" ? virtualization : undefined;

/** The global interrupt flag. While it is clear interrupts, NMIs and INIT wait, whatever IF says. */
export const gif = (system: SystemState): boolean => svmState(system)?.gif ?? true;

/** Sets GIF and the guest; a processor that does nothing of AMD-V has no state of it. */
export function setSvm(port: ProcessorPort, flag: boolean, guest: SvmGuest | undefined): void {
  const idle = flag && guest === undefined;
  port.setSystem({ virtualization: idle ? undefined : { kind: "svm", gif: flag, guest } });
}

/** STGI and CLGI: what waited is looked at. */
export function setGif(port: ProcessorPort, flag: boolean): void {
  setSvm(port, flag, runningGuest(port));
  port.setBetween({});
}

/** Whether physical interrupts are let in: by the host's IF as it was at VMRUN where that masks them, else by IF. */
export function letsInterruptsIn(system: SystemState, eflags: number): boolean {
  if (!gif(system)) return false;
  return svmState(system)?.guest?.hostInterrupts ?? (eflags & FLAG.IF) !== 0;
}

/** Vector of the virtual interrupt that is to be taken now; undefined for none. A shadow is for the caller to see. */
export function virtualInterrupt(system: SystemState, eflags: number): number | undefined {
  const guest = svmState(system)?.guest;
  const waiting = guest?.virtualInterrupt;
  if (guest === undefined || waiting === undefined || !gif(system) || (eflags & FLAG.IF) === 0) return undefined;
  const { vector, priority, ignoresPriority } = waiting;
  return ignoresPriority || priority > (guest.virtualTaskPriority & 15) ? vector : undefined;
}

/** The virtual interrupt is being taken: V_IRQ is cleared. */
export function acknowledgeVirtualInterrupt(port: ProcessorPort): void {
  const guest = runningGuest(port);
  if (guest !== undefined) setSvm(port, gif(port.system), Object.freeze({ ...guest, virtualInterrupt: undefined }));
}
