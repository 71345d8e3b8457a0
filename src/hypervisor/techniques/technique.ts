/** What a technique is: how a guest is given the processor, and what is done when it is taken back. */
import type { CpuState } from "../../hardware/cpu/state.js";
import type { MachineState } from "../../hardware/state.js";
import type { Host } from "../host.js";
import type { VmState } from "../state.js";

export interface Technique {
  /** Why a machine cannot be its guest; undefined where it can. */
  refusal?(guest: MachineState): string | undefined;
  /** It gives the processor back in time by itself: no timer is set for it. */
  readonly returns?: true;
  /** An interrupt of the host's leaves the guest at its very tick, so that one processor's timer can tell each event of a device. */
  readonly leftInTime?: true;
  /** What it keeps for a VM, or for the one of its virtual processors that runs first: made in the host's memory before the VM first runs. */
  prepare(host: Host, number: number): object;
  /** The same for one more virtual processor of a VM; `first` is what it keeps for another one. */
  prepareNext?(host: Host, number: number, first: object): object;
  /** Whether the hardware cannot run a virtual processor in the state it is in: of VMs with several, the nested engine does then. */
  cannotRun?(host: Host, cpu: CpuState): boolean;
  /** Gives the processor's registers to a VM, whose `cpu` they have been in. */
  load(host: Host, number: number): void;
  /** Takes them back: what `cpu` of the VM is from now on. */
  unload(host: Host, number: number): CpuState;
  /** Behind `unload`: another processor may be the one that loads it next. */
  leave?(host: Host, number: number): void;
  /** Whether the guest would take an interrupt now. */
  interruptible(host: Host, number: number): boolean;
  /**
   * Lets the guest go on: the handler ends in it. `vector` is an interrupt it takes first; `window` asks for the processor back as
   * soon as it would take one.
   */
  enter(host: Host, number: number, how: { readonly vector: number | undefined; readonly window: boolean }): void;
  /**
   * Makes steps of the guest one by one, up to an event that is too near for the timer; false where something is on its way to the
   * guest that only an entry delivers.
   */
  approach?(host: Host, number: number, steps: number): boolean;
  /** The guest was left: does what there is to do, and accounts for it. */
  exited(host: Host, number: number): void;
  /** The VM is to be no more: the processor lets go of what it may still hold of it. */
  release?(host: Host, number: number): void;
  /** The same, by an exception or interrupt that came through the host's table. */
  trapped?(host: Host, number: number, vector: number): void;
  /** Host steps while the guest ran that were none of its own; also while the machine is at rest, and the guest runs. */
  beyond?(host: Host, number: number): number;
  beyondAtRest?(machine: MachineState, vm: VmState): number;
  /** The virtual processor of a machine at rest. `isCurrent`: the real one holds its registers. */
  view(machine: MachineState, vm: VmState, isCurrent: boolean): CpuState;
}
