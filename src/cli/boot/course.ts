/** What a session runs: a machine, or a VM of a host. Like both it is a value. */
import type { Machine } from "../../hardware/machine.js";
import type { EventKind, MachineEvent, Stop } from "../../hardware/state.js";
import type { Virtual } from "./virtual-machine.js";

export interface Course {
  /** What has the serial port: the machine, or what the guest of the VM sees. */
  readonly machine: Machine;
  /** What is recorded and saved: the machine, or the host with the VM in it. */
  readonly whole: Machine;
  /** Why the last run ended. */
  readonly stop: Stop | undefined;
  readonly events: readonly MachineEvent[];
  /** Where it is a VM, what there is to say of it. */
  readonly virtual?: Virtual;
  type(bytes: Uint8Array): Course;
  run(options: CourseRun): Course;
}

export interface CourseRun {
  /** Steps of `whole` at the most. */
  readonly maxInstructions: number;
  readonly observe: readonly EventKind[];
}

export const courseOf = (machine: Machine): Course => ({
  machine,
  whole: machine,
  stop: machine.stop,
  events: machine.events,
  type: (bytes) => courseOf(machine.type(bytes)),
  run: (options) => courseOf(machine.run(options)),
});
