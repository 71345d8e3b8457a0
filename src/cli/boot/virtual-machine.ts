/** `virtlab boot --hypervisor`: the host that the machine is a VM of, and the VM's course. */
import { type CostTableName, costTables } from "../../hardware/cost/tables.js";
import { EFER } from "../../hardware/cpu/state.js";
import { instructionPointer } from "../../hardware/inspect/instruction-at.js";
import { linearAt } from "../../hardware/inspect/reading.js";
import { type Machine, stateOf } from "../../hardware/machine.js";
import type { Stop } from "../../hardware/state.js";
import { KIND } from "../../hypervisor/handlers.js";
import { Hypervisor } from "../../hypervisor/hypervisor.js";
import { TOP } from "../../hypervisor/layout.js";
import { type VmStatistics, vmStatistics } from "../../hypervisor/statistics.js";
import { usualHosts } from "../../hypervisor/techniques/hosts.js";
import type { TechniqueName } from "../../hypervisor/techniques/names.js";
import { VirtlabError } from "../../state/error.js";
import { parseMemorySize } from "../../state/memory-size.js";
import type { Course } from "./course.js";

/** What `--stats` has of a VM beside what it has of every machine. */
export interface VirtualStatistics extends VmStatistics {
  /** Real privilege levels that were met while code of the guest's ring 0 ran. */
  readonly guestKernelCpls: readonly number[];
  readonly costTable: CostTableName;
}

export interface Virtual {
  statistics(table: CostTableName): VirtualStatistics;
}

const NAME = "guest";

/** What a host has beside its guest's memory: its own, and what shadow tables and translations take. */
const ROOM = 32 * 2 ** 20;
const ALIGNMENT = 4 * 2 ** 20;
const LARGEST = 3 * 2 ** 30;

/** As much memory as a VM of this size needs, as far as a machine can have it. */
function fitting(guest: number): number {
  const needed = guest + ROOM + guest / 4;
  return Math.min(LARGEST, Math.ceil(needed / ALIGNMENT) * ALIGNMENT);
}

/** The host with the machine as its VM. @throws VirtlabError where the host has not what that takes. */
export function hostOf(guest: Machine, technique: TechniqueName, memory: string | undefined): Hypervisor {
  return Hypervisor.create({
    model: guest.cpu.system.model,
    memory: memory === undefined ? fitting(guest.memory.size) : parseMemorySize(memory),
    bits: usualHosts[technique].bits,
  }).addVm({ name: NAME, guest, technique });
}

export const runsHypervisor = (machine: Machine): boolean => stateOf(machine).supervisors?.[KIND] !== undefined;

/**
 * A saved host goes on.
 *
 * @throws VirtlabError where it has not one VM, or one of another technique than is asked for.
 */
export function hostAgain(machine: Machine, file: string, technique: TechniqueName | undefined): Hypervisor {
  const host = Hypervisor.of(machine);
  const [vm, ...others] = host.vms;
  if (vm?.name !== NAME || others.length > 0)
    throw new VirtlabError(`${file}: a host whose VMs are not one that "virtlab boot" has made`);
  if (technique !== undefined && technique !== vm.technique)
    throw new VirtlabError(`${file}: its VM runs under ${vm.technique}, and cannot go on under ${technique}`);
  return host;
}

/** Runs are cut into pieces until as often as this somebody has looked at which ring runs at which: closely at first. */
const LOOKS = 200;
const LOOK_STEPS = 4999;
const stepsToLook = (looks: number): number => Math.min(LOOK_STEPS, 61 + 53 * looks);

interface Seen {
  readonly looks: number;
  readonly cpls: readonly number[];
}

/** A guest's code has the processor, and not the hypervisor. */
function guestRuns(host: Machine): boolean {
  const { virtualization, efer } = host.cpu.system;
  if (virtualization !== undefined && "guest" in virtualization && virtualization.guest !== undefined) return true;
  if (host.cpl !== 0) return true;
  return (efer & EFER.LMA) === 0 && linearAt(host, "cs", instructionPointer(host)) < TOP;
}

function look(host: Hypervisor, { looks, cpls }: Seen): Seen {
  const { machine } = host;
  const vm = host.vm(NAME);
  // A paravirtual kernel knows that it is in ring 1.
  const isKernel = guestRuns(machine) && vm.machine.cpl === (vm.technique === "pv" ? 1 : 0);
  const more = isKernel && !cpls.includes(machine.cpl) ? [...cpls, machine.cpl].sort() : cpls;
  return { looks: looks + 1, cpls: more };
}

/** Why a VM's run ended, as the machine by itself would have said it. */
function stopOf(host: Hypervisor): Stop | undefined {
  const vm = host.vm(NAME);
  if (vm.status.kind === "stopped") return vm.status.stop;
  if (vm.status.kind !== "halted" || vm.status.until !== undefined) return host.stop;
  const { stop } = vm.machine.run({ maxInstructions: 1 });
  return stop?.reason === "halted" ? stop : host.stop;
}

export function courseOfVm(host: Hypervisor, seen: Seen = { looks: 0, cpls: [] }): Course {
  let machine: Machine | undefined;
  return {
    get machine() {
      machine ??= host.vm(NAME).machine;
      return machine;
    },
    whole: host.machine,
    get stop() {
      return stopOf(host);
    },
    events: [],
    virtual: {
      statistics(table) {
        const { technique, exits, translatedBlocks, shadow, sum } = vmStatistics(host.vm(NAME), costTables[table]);
        const guestKernelCpls = seen.cpls;
        return { technique, exits, translatedBlocks, shadow, guestKernelCpls, costTable: table, sum };
      },
    },
    type: (bytes) => courseOfVm(host.type(NAME, bytes), seen),
    run({ maxInstructions }) {
      let at = host;
      let now = seen;
      const end = host.steps + maxInstructions;
      for (;;) {
        const left = end - at.steps;
        const piece = now.looks < LOOKS ? Math.min(left, stepsToLook(now.looks)) : left;
        at = at.run({ maxInstructions: piece, until: { vm: NAME } });
        now = now.looks < LOOKS ? look(at, now) : now;
        if (at.stop?.reason !== "limit" || at.steps >= end) return courseOfVm(at, now);
      }
    },
  };
}
