/**
 * A guest of AMD-V as the processor meets it. Control registers are the guest's own: there are no shadows.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Intercept Operation", "Virtualizing APIC.TPR", "Interrupt Masking
 * in EFLAGS".
 */
import type { GuestOperation } from "../cpu/guest-operation.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { leave } from "./exit.js";
import { check, type Intercept, interceptNamed, isSet, runningGuest } from "./intercepts.js";
import { acknowledgeVirtualInterrupt, gif, letsInterruptsIn, setSvm, virtualInterrupt } from "./interrupts.js";

const INTR = interceptNamed("INTR");
const VINTR = interceptNamed("VINTR");

function intercepts(port: ProcessorPort, entry: Intercept): boolean {
  const guest = runningGuest(port);
  return guest !== undefined && isSet(guest, entry);
}

/**
 * Whose physical interrupts are. One that is not intercepted is for a handler of the guest, and both its IF and, with
 * V_INTR_MASKING, the host's have to let it in; the manual has the host's alone.
 */
function interrupts(port: ProcessorPort): "host" | "host-masked" | "guest" {
  if (intercepts(port, INTR)) return letsInterruptsIn(port.system, port.getEflags()) ? "host" : "host-masked";
  return runningGuest(port)?.hostInterrupts === false ? "host-masked" : "guest";
}

export const svmGuest: GuestOperation = Object.freeze({
  check,
  seenControl: ({ system }, number) => (number === 0 ? system.cr0 : system.cr4),
  loadedControl: (_port, _number, value) => value,
  readTaskPriority(port) {
    const guest = runningGuest(port);
    return guest?.hostInterrupts === undefined ? undefined : guest.virtualTaskPriority & 15;
  },
  writeTaskPriority(port, value) {
    const guest = runningGuest(port);
    if (guest?.hostInterrupts === undefined) return false;
    setSvm(port, gif(port.system), Object.freeze({ ...guest, virtualTaskPriority: value }));
    return true;
  },
  timestampOffset: (port) => runningGuest(port)?.timestampOffset ?? 0n,
  interrupts,
  // What is intercepted as a virtual interrupt is told before a physical one, which goes on waiting.
  boundary: (port, above) =>
    above === "interrupts" && virtualInterrupt(port.system, port.getEflags()) !== undefined && intercepts(port, VINTR)
      ? { kind: "virtual-interrupt" }
      : undefined,
  takeVirtualInterrupt(port) {
    const vector = virtualInterrupt(port.system, port.getEflags());
    if (vector !== undefined) acknowledgeVirtualInterrupt(port);
    return vector;
  },
  // Any instruction may let in a virtual interrupt that waits.
  oneByOne: (port) => runningGuest(port)?.virtualInterrupt !== undefined,
  stepped: () => {},
  deadline: () => Number.POSITIVE_INFINITY,
  leave,
} satisfies GuestOperation);
