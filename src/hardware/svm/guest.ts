/**
 * A guest of AMD-V as the processor meets it. Control registers are the guest's own: there are no shadows.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Intercept Operation", "Virtualizing APIC.TPR", "Interrupt Masking
 * in EFLAGS".
 */
import type { GuestOperation, RepeatedInstruction } from "../cpu/guest-operation.js";
import { leave } from "./exit.js";
import { check, EXCEPTIONS, exitFor, type Intercept, interceptNamed, isSet, runningGuest } from "./intercepts.js";
import { acknowledgeVirtualInterrupt, gif, letsInterruptsIn, setSvm, virtualInterrupt } from "./interrupts.js";

const INTR = interceptNamed("INTR");
/** By what generated code calls it. */
const ASKED: Readonly<Record<RepeatedInstruction, Intercept>> = {
  PUSHF: interceptNamed("PUSHF"),
  INT: interceptNamed("SWINT"),
  IRET: interceptNamed("IRET"),
  INVLPG: interceptNamed("INVLPG"),
  PAUSE: interceptNamed("PAUSE"),
  RDTSC: interceptNamed("RDTSC"),
  RDTSCP: interceptNamed("RDTSCP"),
};
const VINTR = interceptNamed("VINTR");

export const svmGuest: GuestOperation = Object.freeze({
  exitFor,
  check,
  requireEnabled: () => {},
  asksFor(port, name) {
    const guest = runningGuest(port);
    if (guest === undefined) return false;
    // Behind an IRET that sets IF the host gets what it waits for.
    if (name === "IRET" && guest.virtualInterrupt !== undefined) return true;
    return isSet(guest, ASKED[name]);
  },
  exceptionsAskedFor: (port) => runningGuest(port)?.intercepts[EXCEPTIONS] ?? 0,
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
  hostTakesInterrupts(port) {
    const guest = runningGuest(port);
    return guest !== undefined && isSet(guest, INTR);
  },
  letsInterruptsIn: (port) => letsInterruptsIn(port.system, port.getEflags()),
  boundary(port, above) {
    const guest = runningGuest(port);
    if (above !== "interrupts" || guest === undefined || !isSet(guest, VINTR)) return undefined;
    const vector = virtualInterrupt(port.system, port.getEflags());
    return vector === undefined ? undefined : { kind: "virtual-interrupt" };
  },
  takeVirtualInterrupt(port) {
    const vector = virtualInterrupt(port.system, port.getEflags());
    if (vector !== undefined) acknowledgeVirtualInterrupt(port);
    return vector;
  },
  nmiBlocking: () => "processor",
  // Any instruction may let in a virtual interrupt that waits; one that the host wants to have first is looked for where IF is set.
  oneByOne(port) {
    const guest = runningGuest(port);
    return guest?.virtualInterrupt !== undefined && !isSet(guest, VINTR);
  },
  stepped: () => {},
  deadline: () => Number.POSITIVE_INFINITY,
  leave,
} satisfies GuestOperation);
