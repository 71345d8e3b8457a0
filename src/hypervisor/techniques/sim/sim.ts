/**
 * Simulation: a machine inside of the machine. No instruction of the guest is ever executed by the host's processor; the guest's
 * processor and devices are records, its memory the host's frames, and this library's own engine makes its steps. A simulated step
 * takes a tick of the host's.
 */
import { halt, nextWake, stop } from "../../control.js";
import type { Host } from "../../host.js";
import { takeOut } from "../../loading.js";
import { runNested } from "../../nested.js";
import { hasSeveral } from "../../virtual-processors.js";
import { settle } from "../../vm-turns.js";
import { type Answer, note } from "../emulation.js";
import type { Technique } from "../technique.js";

/** Steps that can be made before the host has something else to do. */
function quantumOf(host: Host, most: number): number {
  return Math.max(1, Math.min(most, host.own.turn!.end - host.now, nextWake(host) - host.now));
}

/** Makes steps of the guest, as long as its turn lasts. */
function goOn(host: Host, number: number): Answer {
  const { cpu: before, quantum, ran } = host.vm(number);
  const { cpu, stop: why, steps } = runNested(host, number, before, quantumOf(host, quantum));
  host.change(number, { cpu, ran: ran + steps });
  // The handler is a tick itself.
  if (steps > 1) host.access.elapse(steps - 1);
  if (why.reason === "limit") return { effect: "goes on" };
  if (why.reason !== "until" && why.reason !== "halted") {
    stop(host, number, why);
    return { effect: "stopped" };
  }
  if (hasSeveral(host.vm(number))) {
    takeOut(host, number);
    settle(host, number);
  } else halt(host, number, why.reason === "until" || why.waitsForInput);
  return { effect: "halted", instruction: "HLT" };
}

export const sim: Technique = {
  prepare: () => ({}),
  returns: true,
  load() {},
  unload: (host, number) => host.vm(number).cpu,
  /** The nested machine takes its interrupts by itself. */
  interruptible: () => false,

  enter(host) {
    host.own = { ...host.own, running: undefined };
    host.port.nextEip = host.state.places.again;
  },

  exited(host, number) {
    note(host, number, "quantum", 0, goOn(host, number));
  },

  view: (_machine, { cpu }) => cpu,
};
