/** `diff`: what differs between two machines of one kind. */
import { VirtlabError } from "../state/error.js";
import { Machine, type MachineDifference } from "./machine.js";
import { ToyMachine } from "./toy/machine.js";

/**
 * What differs between two machines of one kind.
 *
 * @throws VirtlabError if they are of two kinds.
 * @example
 * const machine = Machine.boot({ image: Uint8Array.of(0x40) }); // inc eax
 * diff(machine, machine.step()).state.map(({ path }) => path) // => [ 'cpu.eax', 'cpu.eip', 'steps', 'ticks' ]
 */
export function diff(a: Machine, b: Machine): MachineDifference;
export function diff(a: ToyMachine, b: ToyMachine): MachineDifference;
export function diff(a: Machine | ToyMachine, b: Machine | ToyMachine): MachineDifference {
  if (a instanceof Machine && b instanceof Machine) return Machine.diff(a, b);
  if (a instanceof ToyMachine && b instanceof ToyMachine) return ToyMachine.diff(a, b);
  throw new VirtlabError("diff: give two machines of one kind");
}
