/** The virtual processors of a VM as its operator sees them. */
import type { CpuState } from "../hardware/cpu/state.js";
import * as ownApic from "../hardware/devices/apic-bus.js";
import type { DeviceSet } from "../hardware/devices/bus.js";
import { type Machine, stateOf } from "../hardware/machine.js";
import { exitsOf } from "./ledger.js";
import type { VmState } from "./state.js";
import { allProcessors, hasSeveral } from "./virtual-processors.js";

/** A virtual processor of a VM. */
export interface Vcpu {
  /** Its initial APIC ID. */
  readonly number: number;
  /** It is its turn: `machine.cpu` is this one. */
  readonly present: boolean;
  /** "waiting": for the message that starts it. */
  readonly status: "ready" | "halted" | "waiting";
  /** Steps it has made. */
  readonly steps: number;
  /** How often it was left; of several under simulation, where no one is left alone, 0. */
  readonly exits: number;
  /** Its VMCS or VMCB, a physical address of the host's; undefined under other techniques, and before it first runs. */
  readonly controlBlock: number | undefined;
}

/** What techniques of hardware keep, by the names they have for it. */
interface Kept {
  readonly vmcs?: number;
  readonly vmcb?: number;
}

function controlBlockOf(own: object | undefined): number | undefined {
  const { vmcs, vmcb } = (own ?? {}) as Kept;
  return vmcs ?? vmcb;
}

const statusOf = (devices: DeviceSet, number: number, { halted }: CpuState): Vcpu["status"] =>
  ownApic.waits(devices, number) ? "waiting" : halted ? "halted" : "ready";

/** @param isHeld A processor of the host holds the registers of the present one. */
export function vcpusOf(vm: VmState, machine: Machine, isHeld: boolean): readonly Vcpu[] {
  const { devices, steps, ...state } = stateOf(machine);
  if (!hasSeveral(state)) {
    const status = statusOf(devices, 0, state.cpu);
    return [
      { number: 0, present: true, status, steps, exits: exitsOf(vm.ledger), controlBlock: controlBlockOf(vm.own) },
    ];
  }
  return allProcessors(state).map((cpu, number) => {
    const { own, exits } = vm.processors![number]!;
    const ran = isHeld && vm.turn!.processor === number ? vm.own : own;
    return {
      number,
      present: number === state.turn.processor,
      status: statusOf(devices, number, cpu),
      steps: state.turn.steps[number]!,
      exits,
      controlBlock: controlBlockOf(ran),
    };
  });
}
