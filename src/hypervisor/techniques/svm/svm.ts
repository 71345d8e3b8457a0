/** Hardware-assisted virtualization by AMD-V, its guests' memory behind nested page tables. */
import { FLAG } from "../../../hardware/cpu/state.js";
import { stgi, vmrun, vmsave } from "../../../hardware/svm/instructions.js";
import { readNumber, writeField } from "../../../hardware/svm/vmcb.js";
import { readPages } from "../../../state/page-map.js";
import { hostPhysical } from "../../guest-memory.js";
import { simulate } from "../emulation.js";
import { nestedMemory } from "../nested-memory.js";
import type { Technique } from "../technique.js";
import { access, answer } from "./exits.js";
import { leftState, runningSystem, type SvmOwn } from "./guest-state.js";
import { setUp } from "./setup.js";
import { ownOf, readWhole, writeWhole } from "./state-access.js";
import { vmcbAtRest } from "./vmcb.js";

/** EVENTINJ of an interrupt. */
const INTERRUPT = 0x8000_0000;

export const svmNpt: Technique = {
  leftInTime: true,

  prepare(host, number) {
    const { root } = nestedMemory(host, host.vm(number), "npt");
    return setUp(host, number, root);
  },

  prepareNext(host, number, first) {
    const shared = (first as SvmOwn).shared!;
    return setUp(host, number, shared.root, shared);
  },

  load(host, number) {
    writeWhole(host, number, host.vm(number).cpu);
  },

  unload(host, number) {
    const cpu = readWhole(host, number);
    vmsave(host.port, ownOf(host, number).vmcb);
    return cpu;
  },

  interruptible(host, number) {
    const { port } = host;
    const { vmcb } = ownOf(host, number);
    return (
      (readNumber(port, vmcb, "RFLAGS") & FLAG.IF) !== 0 &&
      readNumber(port, vmcb, "INTERRUPT_SHADOW") === 0 &&
      readNumber(port, vmcb, "EVENTINJ") >>> 31 === 0
    );
  },

  enter(host, number, { vector, window }) {
    const { port } = host;
    const { vmcb } = ownOf(host, number);
    if (vector !== undefined) writeField(port, vmcb, "EVENTINJ", INTERRUPT + vector);
    if ((readNumber(port, vmcb, "V_IRQ") !== 0) !== window) writeField(port, vmcb, "V_IRQ", window ? 1 : 0);
    // The guest's first instruction is at the next tick of the host's.
    writeField(port, vmcb, "TSC_OFFSET", BigInt(host.board(number).now) - BigInt(host.now + 1));
    // Interrupts of the host's are let in while the guest runs, and leave it. It comes back where exits are entered.
    port.setEflags(port.getEflags() | FLAG.IF);
    port.nextEip = host.state.places.exit;
    vmrun(port, vmcb);
  },

  approach(host, number, steps) {
    if (readNumber(host.port, ownOf(host, number).vmcb, "EVENTINJ") >>> 31 !== 0) return false;
    simulate(host, number, access, steps);
    return true;
  },

  exited(host, number) {
    const { port } = host;
    // GIF is clear: nothing comes in before IF is as the hypervisor has it.
    port.setEflags(port.getEflags() & ~FLAG.IF);
    stgi(port);
    answer(host, number);
  },

  view(machine, { cpu, own, extents }, isCurrent) {
    if (own === undefined || !isCurrent) return cpu;
    const technique = own as SvmOwn;
    const real = machine.cpu;
    const { virtualization } = real.system;
    if (virtualization?.kind === "svm" && virtualization.guest !== undefined)
      return { ...real, system: runningSystem(real.system, technique, cpu.system) };
    const read = (physical: number): number | undefined => {
      const at = hostPhysical(extents, physical);
      if (at === undefined) return undefined;
      return new DataView(readPages(machine.memory, at, 4).buffer).getUint32(0, true);
    };
    const image = vmcbAtRest(machine.memory, technique.vmcb);
    const { pending } = cpu;
    return leftState(image, real.system, { own: technique, old: cpu.system, read }, { ...real, pending });
  },
};
