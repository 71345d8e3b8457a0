/** What a guest of VT-x meets, as the rest of the processor asks for it. */
import { type ExitCause, type GuestOperation, VmExit } from "../cpu/guest-operation.js";
import type { ProcessorPort } from "../cpu/processor.js";
import { FLAG } from "../cpu/state.js";
import { has, PIN, PRIMARY } from "./controls.js";
import { leaveGuest } from "./exit.js";
import {
  exceptionsThatMayLeave,
  exitFor,
  isAskedFor,
  isEnabled,
  requireEnabled,
  VTPR,
  virtualTaskPriority,
} from "./intercepts.js";
import type { VmxGuest } from "./state.js";

/** The guest that runs. */
function guestOf({ system: { virtualization } }: ProcessorPort): VmxGuest {
  const guest = virtualization?.kind === "vmx" ? virtualization.guest : undefined;
  if (guest === undefined) throw new TypeError("no guest of VT-x runs");
  return guest;
}

const maskOf = (guest: VmxGuest, number: 0 | 4): number => (number === 0 ? guest.cr0Mask : guest.cr4Mask);
const shadowOf = (guest: VmxGuest, number: 0 | 4): number => (number === 0 ? guest.cr0Shadow : guest.cr4Shadow);
const realControl = ({ system }: ProcessorPort, number: 0 | 4): number => (number === 0 ? system.cr0 : system.cr4);

const shadowsPriority = (guest: VmxGuest): boolean => has(guest.primary, PRIMARY["use TPR shadow"]);

/**
 * Spec: SDM Vol. 3C, "VMX-Preemption Timer", "Monitor Trap Flag", "Interrupt-Window Exiting and Virtual-Interrupt Delivery",
 * "Other Causes of VM Exits".
 */
function boundary(port: ProcessorPort, above: "traps" | "nmi" | "interrupts"): ExitCause | undefined {
  const guest = guestOf(port);
  const { shadow, pending } = port.between;
  if (above === "traps") return guest.trapPending ? { kind: "monitor-trap" } : undefined;
  if (above === "nmi") {
    if (guest.preemption !== undefined && port.now >= guest.preemption) return { kind: "preemption-timer" };
    return has(guest.primary, PRIMARY["NMI-window exiting"]) && !pending.nmiBlocked
      ? { kind: "nmi-window" }
      : undefined;
  }
  const open = (port.getEflags() & FLAG.IF) !== 0 && shadow === "none";
  return has(guest.primary, PRIMARY["interrupt-window exiting"]) && open ? { kind: "interrupt-window" } : undefined;
}

export const vmxGuest: GuestOperation = Object.freeze<GuestOperation>({
  exitFor: (port, cause) => exitFor(port, guestOf(port), cause),

  check(port, cause) {
    const exit = exitFor(port, guestOf(port), cause);
    if (exit !== undefined) throw exit;
  },

  requireEnabled: (port, name) => requireEnabled(guestOf(port), name),

  // Behind an IRET that sets IF an interrupt window is open.
  asksFor(port, name) {
    const guest = guestOf(port);
    if (name === "IRET") return has(guest.primary, PRIMARY["interrupt-window exiting"]);
    return !isEnabled(guest, name) || isAskedFor(guest, name);
  },

  exceptionsAskedFor: (port) => exceptionsThatMayLeave(guestOf(port)),

  /** Spec: SDM Vol. 3C, "Guest/Host Masks and Read Shadows for CR0 and CR4". */
  seenControl(port, number) {
    const guest = guestOf(port);
    const mask = maskOf(guest, number);
    return (realControl(port, number) & ~mask) | (shadowOf(guest, number) & mask);
  },

  loadedControl(port, number, value) {
    const mask = maskOf(guestOf(port), number);
    return (value & ~mask) | (realControl(port, number) & mask);
  },

  /** Spec: SDM Vol. 3C, "Virtualizing CR8-Based TPR Accesses". */
  readTaskPriority(port) {
    const guest = guestOf(port);
    return shadowsPriority(guest) ? virtualTaskPriority(port, guest) : undefined;
  },

  /** The exit comes behind the instruction: what it wrote is in memory, where nothing is taken back. */
  writeTaskPriority(port, value) {
    const guest = guestOf(port);
    if (!shadowsPriority(guest)) return false;
    port.writePhysical(guest.virtualApic + VTPR, (value & 15) << 4);
    if ((value & 15) < guest.tprThreshold) throw new VmExit({ kind: "tpr-below-threshold" });
    return true;
  },

  timestampOffset: (port) => guestOf(port).timestampOffset,

  hostTakesInterrupts: (port) => has(guestOf(port).pin, PIN["external-interrupt exiting"]),

  letsInterruptsIn: (port) =>
    has(guestOf(port).pin, PIN["external-interrupt exiting"]) || (port.getEflags() & FLAG.IF) !== 0,

  /** Spec: SDM Vol. 3C, "Virtual NMIs" under "Changes in Instruction Behavior in VMX Non-Root Operation", IRET. */
  nmiBlocking(port) {
    const { pin } = guestOf(port);
    if (has(pin, PIN["virtual NMIs"])) return "virtual";
    return has(pin, PIN["NMI exiting"]) ? "host" : "processor";
  },

  boundary,

  takeVirtualInterrupt: () => undefined,

  oneByOne: (port) => has(guestOf(port).primary, PRIMARY["monitor trap flag"]),

  stepped(port) {
    const { virtualization } = port.system;
    if (virtualization?.kind !== "vmx") return;
    const guest = Object.freeze({ ...guestOf(port), trapPending: true });
    port.setSystem({ virtualization: Object.freeze({ ...virtualization, guest }) });
  },

  deadline: (port) => guestOf(port).preemption ?? Number.POSITIVE_INFINITY,

  leave(port, { cause }, vectoring, length) {
    const behind = cause.kind === "tpr-below-threshold" ? length : 0;
    leaveGuest(port, cause, vectoring, length, port.eip + behind);
  },
});
