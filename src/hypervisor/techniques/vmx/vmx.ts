/** Hardware-assisted virtualization by VT-x, its guests' memory behind EPT. */

import { models } from "../../../hardware/cpu/model.js";
import { eptPointer, mapNested } from "../../../hardware/cpu/nested-tables.js";
import { PTE } from "../../../hardware/cpu/paging-levels.js";
import { VECTOR } from "../../../hardware/cpu/processor.js";
import { CR0, FLAG, NULL_SEGMENT } from "../../../hardware/cpu/state.js";
import type { MachineState } from "../../../hardware/state.js";
import { PRIMARY } from "../../../hardware/vmx/controls.js";
import { INTERRUPTION } from "../../../hardware/vmx/events.js";
import { type FieldName, fields } from "../../../hardware/vmx/fields.js";
import { vmclear, vmlaunch, vmptrld, vmresume } from "../../../hardware/vmx/instructions.js";
import { readField } from "../../../hardware/vmx/vmcs.js";
import { readPages } from "../../../state/page-map.js";
import { type Host, PAGE } from "../../host.js";
import type { VmState } from "../../state.js";
import { hasSeveral } from "../../virtual-processors.js";
import { simulate } from "../emulation.js";
import { sharedSystem } from "../guest-registers.js";
import { nestedMemory } from "../nested-memory.js";
import type { Technique } from "../technique.js";
import { access, answer } from "./exits.js";
import { type Bitmaps, readState, runningSystem, type VmcsReader, type VmxOwn } from "./guest-state.js";
import { hostState, setUp } from "./setup.js";
import { ownOf, readWhole, writeWhole } from "./state-access.js";
import { readWord, write } from "./vmcs.js";

/** Guest-physical, above everything a machine has below 4 GiB but ROM. */
const IDENTITY = 0xfeff_c000;
const LARGE = 0x40_0000;

/** Page directory of large pages, each at its own address. Spec: SDM Vol. 3A, "32-Bit Paging". */
function identityDirectory(host: Host, at: number): void {
  for (let index = 0; index < 1024; index++)
    host.port.writePhysical(at + 4 * index, (index * LARGE + (PTE.P | PTE.W | PTE.U | PTE.PS)) >>> 0);
}

const isUnrestricted = (host: Host): boolean =>
  models[host.port.system.model].secondaryControls.includes("unrestricted guest");

/** A VM's memory behind EPT. Gives the address of the first table. */
function extendedTables(host: Host, vm: VmState): number {
  const tables = nestedMemory(host, vm, "ept");
  if (!isUnrestricted(host)) {
    const page = host.allocate(1, `${vm.name}: its identity table`);
    identityDirectory(host, page);
    mapNested(tables, { guestPhysical: IDENTITY, hostPhysical: page, bytes: PAGE, rights: "rwx" });
  }
  return tables.root;
}

/** A VMCS for a VM, or for one of its virtual processors. */
function newOwn(host: Host, vm: VmState, eptp: bigint, known?: Bitmaps): VmxOwn {
  const { vmcs, ports, msrs } = setUp(host, vm, true, known);
  write(host.port, "EPT pointer", eptp);
  // Host calls of a guest's firmware are undefined instructions.
  if (vm.supervisors !== undefined) write(host.port, "Exception bitmap", 1 << VECTOR.UD);
  const identity = isUnrestricted(host) ? undefined : IDENTITY;
  const shared = hasSeveral(vm) ? { shared: { eptp, ports, msrs } } : {};
  return { vmcs, identity, launched: false, cr3: 0, tr: NULL_SEGMENT, ...shared };
}

/** A VMCS of a machine at rest. */
function vmcsAtRest({ memory }: MachineState, vmcs: number): VmcsReader {
  const view = new DataView(readPages(memory, vmcs, PAGE).buffer);
  const words = { readPhysical: (at: number) => view.getUint32(at - vmcs, true) };
  const quad = (name: FieldName): bigint => readField(words, vmcs, name);
  return {
    word: (name) => words.readPhysical(vmcs + fields[name].offset),
    quad,
    address: (name) => Number(BigInt.asIntN(64, quad(name))),
  };
}

/** Lets the guest of the current VMCS go on. */
export const enter: Technique["enter"] = (host, number, { vector, window }) => {
  const { port } = host;
  if (vector !== undefined) write(port, "VM-entry interruption-information field", (INTERRUPTION.VALID | vector) >>> 0);
  const primary = readWord(port, "Primary processor-based VM-execution controls");
  const wanted = (primary & ~PRIMARY["interrupt-window exiting"]) | (window ? PRIMARY["interrupt-window exiting"] : 0);
  if (wanted !== primary) write(port, "Primary processor-based VM-execution controls", wanted >>> 0);
  // The guest's first instruction is at the next tick of the host's.
  write(port, "TSC offset", host.board(number).now - (host.now + 1));
  const own = ownOf(host, number);
  if (own.launched) vmresume(port);
  else {
    host.change(number, { own: { ...own, launched: true } });
    vmlaunch(port);
  }
};

export const vmxEpt: Technique = {
  leftInTime: true,

  prepare(host, number) {
    const vm = host.vm(number);
    return newOwn(host, vm, eptPointer(extendedTables(host, vm)));
  },

  prepareNext(host, number, first) {
    const { eptp, ...maps } = (first as VmxOwn).shared!;
    return newOwn(host, host.vm(number), eptp, maps);
  },

  cannotRun: (host, { system }) => (system.cr0 & CR0.PE) === 0 && !isUnrestricted(host),

  load(host, number) {
    vmptrld(host.port, ownOf(host, number).vmcs);
    if (host.several) hostState(host);
    writeWhole(host, number, host.vm(number).cpu);
  },

  unload: readWhole,

  leave(host, number) {
    const own = ownOf(host, number);
    vmclear(host.port, own.vmcs);
    host.change(number, { own: { ...own, launched: false } });
  },

  interruptible: ({ port }) =>
    (readWord(port, "Guest RFLAGS") & FLAG.IF) !== 0 &&
    readWord(port, "Guest interruptibility state") === 0 &&
    (readWord(port, "VM-entry interruption-information field") & INTERRUPTION.VALID) === 0,

  enter,

  approach(host, number, steps) {
    if ((readWord(host.port, "VM-entry interruption-information field") & INTERRUPTION.VALID) !== 0) return false;
    simulate(host, number, access, steps);
    return true;
  },

  exited: (host, number) => answer(host, number),

  release(host, number) {
    vmclear(host.port, ownOf(host, number).vmcs);
  },

  view(machine, { cpu, own }, isCurrent) {
    if (own === undefined) return cpu;
    const technique = own as VmxOwn;
    const real = machine.cpu;
    if (!isCurrent) return cpu;
    const { virtualization } = real.system;
    if (virtualization?.kind === "vmx" && virtualization.guest !== undefined)
      return {
        ...real,
        system: runningSystem(real.system, technique, cpu.system),
      };
    const held = { ...real, pending: cpu.pending, system: sharedSystem(real.system, cpu.system) };
    return readState(vmcsAtRest(machine, technique.vmcs), technique, held);
  },
};
