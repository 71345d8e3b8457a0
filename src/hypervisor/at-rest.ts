/** What a host's machine at rest has of its hypervisor, and a VM of it as its operator sees it. */
import { cplOf } from "../hardware/cpu/state.js";
import { advance, type DeviceSet, nextEvent } from "../hardware/devices/bus.js";
import type { Machine } from "../hardware/machine.js";
import { deepFreeze } from "../hardware/machine-content.js";
import { processorOf } from "../hardware/machine-edit.js";
import { textOf } from "../hardware/output-text.js";
import type { MachineState } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { KIND } from "./handlers.js";
import { GATE_STRIDE, VECTORS } from "./layout.js";
import { entriesOf, exitsOf } from "./ledger.js";
import type { Vm } from "./options.js";
import type { HostProcessor, HypervisorState } from "./state.js";
import { type TranslationView, translationView } from "./techniques/bt/view.js";
import { techniqueOf } from "./techniques/index.js";
import { type Vcpu, vcpusOf } from "./vcpus.js";
import { machineOfVm, madeFor } from "./vm.js";

/** Of a processor that has not begun. */
export const IDLE: HostProcessor = { current: undefined, running: undefined, alarm: undefined, turn: undefined };

/** What a host's machine has of it. */
export function hypervisorOf(machine: MachineState): HypervisorState {
  const supervisor = machine.supervisors?.[KIND];
  if (supervisor === undefined) throw new VirtlabError("this machine runs no hypervisor");
  return supervisor.state as HypervisorState;
}

export const withState = (machine: MachineState, state: HypervisorState): MachineState => ({
  ...machine,
  supervisors: { ...machine.supervisors, [KIND]: { ...machine.supervisors![KIND]!, state } },
});

/** The host as one of its processors has it. */
const seenBy = (host: MachineState, processor: number): MachineState => ({
  ...host,
  cpu: processorOf(host, processor),
});

/** Whether a host stands where the hypervisor is entered from a guest: in front of what it does about an exit, or behind a gate. */
function isLeft({ cpu }: MachineState, { places }: HypervisorState): boolean {
  if (cpu.system.virtualization?.guest !== undefined || cplOf(cpu.system, cpu.eflags) !== 0) return false;
  const gate = (cpu.eip >>> 0) - places.gates;
  return cpu.eip === places.exit || (gate >= 0 && gate < VECTORS * GATE_STRIDE && gate % GATE_STRIDE === 0);
}

/** Ticks that a guest has had by itself since it was entered: leaving it took one that is none of its own. */
function guestTicks(host: MachineState, processor: number, state: HypervisorState, since: number): number {
  const now = host.turn?.steps[processor] ?? host.ticks;
  return Math.max(0, now - since - (isLeft(host, state) ? 1 : 0));
}

/** What devices have done by themselves up to a tick; what is due at this very tick waits for the next step, as in any machine. */
function devicesAt(before: DeviceSet, since: number, tick: number): DeviceSet {
  let devices = before;
  for (let next = nextEvent(devices, since - 1); next < tick; next = nextEvent(devices, next))
    devices = advance(devices, next);
  return devices;
}

/** A VM by its number. */
export function vmAtRest(whole: MachineState, number: number): Vm {
  const state = hypervisorOf(whole);
  const { vms, schedule, processors } = state;
  const holder = processors.findIndex(({ current }) => current === number);
  const isCurrent = holder >= 0;
  const host = isCurrent ? seenBy(whole, holder) : whole;
  const { running } = processors.find((one) => one.running?.vm === number) ?? IDLE;
  const vm = vms[number]!;
  const { name, technique, status, pausedAt, ledger, ran } = vm;
  const { weight, cap, total } = schedule.shares[number]!;
  const turn = processors.find((one) => one.turn?.vm === number)?.turn;
  const beyond = running === undefined ? 0 : (techniqueOf(vm).beyondAtRest?.(host, vm) ?? 0);
  const had = running === undefined ? 0 : Math.max(0, guestTicks(host, holder, state, running.since) - beyond);
  const ticks = vm.ticks + had;
  const devices = had === 0 ? vm.devices : devicesAt(vm.devices, vm.ticks, ticks);
  const now = { ...vm, devices, steps: vm.steps + had, ticks };
  let machine: Machine | undefined;
  const asMachine = (): Machine => {
    machine ??= machineOfVm(host, now, techniqueOf(vm).view(host, vm, isCurrent));
    return machine;
  };
  return Object.freeze({
    name,
    technique,
    status: deepFreeze(status),
    paused: pausedAt !== undefined,
    get machine(): Machine {
      return asMachine();
    },
    get vcpus(): readonly Vcpu[] {
      return deepFreeze(vcpusOf(vm, asMachine(), isCurrent));
    },
    get serial(): string {
      return textOf(devices.uart.output);
    },
    ledger: deepFreeze(entriesOf(ledger)),
    exits: exitsOf(ledger),
    ...madeFor(vm),
    ran: ran + had,
    get translation(): TranslationView | undefined {
      return technique === "bt" ? translationView(host, vm) : undefined;
    },
    charged: total + (turn === undefined ? 0 : Math.max(0, host.ticks - turn.paid)),
    weight,
    cap,
  });
}
