/**
 * What keeps any x87, MMX or SSE instruction from being executed: how the operating system has set CR0 and CR4.
 * Spec: SDM Vol. 3A, "Control Registers", table "Action Taken By x87 FPU Instructions for Different Combinations of EM,
 * MP, and TS"; Vol. 2A, "Exceptions" of each instruction.
 */
import { STATUS } from "./floating.js";
import { Fault, type ProcessorPort, Unsupported, VECTOR } from "./processor.js";
import { CR0, CR4, type SystemState } from "./state.js";

/** The vector that any x87 instruction raises; 0: none. */
export const x87Fault = ({ cr0 }: SystemState): number => ((cr0 & (CR0.EM | CR0.TS)) !== 0 ? VECTOR.NM : 0);

/** The same of MMX instructions. */
export const mmxFault = ({ cr0 }: SystemState): number =>
  (cr0 & CR0.EM) !== 0 ? VECTOR.UD : (cr0 & CR0.TS) !== 0 ? VECTOR.NM : 0;

/** The same of SSE instructions. */
export const sseFault = ({ cr0, cr4 }: SystemState): number => {
  if ((cr0 & CR0.EM) !== 0 || (cr4 & CR4.OSFXSR) === 0) return VECTOR.UD;
  return (cr0 & CR0.TS) !== 0 ? VECTOR.NM : 0;
};

/** Throws #NM unless x87 instructions may be executed. */
export function requireX87({ system: { cr0 } }: ProcessorPort): void {
  if ((cr0 & CR0.EM) !== 0) throw new Fault(VECTOR.NM, undefined, "x87-emulated");
  if ((cr0 & CR0.TS) !== 0) throw new Fault(VECTOR.NM, undefined, "task-switched");
}

/** Throws #UD or #NM unless SSE instructions may be executed. */
export function requireSse({ system: { cr0, cr4 } }: ProcessorPort): void {
  if ((cr0 & CR0.EM) !== 0) throw new Fault(VECTOR.UD, undefined, "vector-emulated");
  if ((cr4 & CR4.OSFXSR) === 0) throw new Fault(VECTOR.UD, undefined, "no-osfxsr");
  if ((cr0 & CR0.TS) !== 0) throw new Fault(VECTOR.NM, undefined, "task-switched");
}

/** Throws #UD, #NM or #MF unless MMX instructions may be executed. */
export function requireMmx(port: ProcessorPort): void {
  const { cr0 } = port.system;
  if ((cr0 & CR0.EM) !== 0) throw new Fault(VECTOR.UD, undefined, "vector-emulated");
  if ((cr0 & CR0.TS) !== 0) throw new Fault(VECTOR.NM, undefined, "task-switched");
  raisePending(port);
}

/**
 * Throws #MF where an x87 instruction before this one met an exception that is not masked.
 *
 * @throws Unsupported with CR0.NE clear: the PC then has an interrupt for it, which is not there.
 */
export function raisePending(port: ProcessorPort): void {
  if ((port.floating.status & STATUS.SUMMARY) === 0) return;
  if ((port.system.cr0 & CR0.NE) === 0) throw new Unsupported("x87 error with CR0.NE clear (IRQ 13)");
  throw new Fault(VECTOR.MF, undefined, "x87-error-pending");
}
