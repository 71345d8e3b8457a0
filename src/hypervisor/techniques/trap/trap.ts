/**
 * Trap-and-emulate: a guest's ring 0 runs in ring 1, its ring 3 in ring 3, on shadow page tables and on segments that end below
 * the hypervisor. What is privileged is #GP there, and is executed on the virtual processor; exceptions of the guest go through
 * its own IDT, on the virtual processor, too. The real IF stays set: the virtual one is the hypervisor's.
 *
 * Instructions that depend on the ring and do not fault tell the guest where it really is (SGDT, SIDT, SLDT, STR, SMSW, PUSHF,
 * POPF, LAR, LSL, MOV and PUSH of CS and SS, far CALL): `guests/sensitive` shows which.
 * Spec: Robin and Irvine, "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor", 2000.
 */
import { Fault } from "../../../hardware/cpu/processor.js";
import { cplOf } from "../../../hardware/cpu/state.js";
import { VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { stop } from "../../control.js";
import type { Host } from "../../host.js";
import { loadFloating, savedFloating, savedGeneral } from "../../registers.js";
import { noShadow } from "../../shadow/state.js";
import { withShadow } from "../../shadow/use.js";
import { approach, interrupt, interruptible, noteKernelRing } from "../record.js";
import type { Technique } from "../technique.js";
import { answer } from "./answers.js";
import { virtualCpu } from "./capture.js";
import { enterRing, refusal } from "./entry.js";
import { placeAtRest, placeBehindGate, tablesAtRest } from "./place.js";
import type { TrapOwn } from "./state.js";
import { ownOf, refreshTables, showUserCode } from "./tables.js";
import { loadControl, loadOwnControl, startWorld } from "./world.js";

/** The guest does not go on. */
function refuse(host: Host, number: number, detail: string): void {
  stop(host, number, { reason: "unsupported", detail });
  host.own = { ...host.own, running: undefined };
  host.port.nextEip = host.state.places.idle;
}

export const trap: Technique = {
  prepare() {
    return {
      shadow: noShadow,
      tables: "",
      frames: [],
      userCode: [],
      userShown: true,
      guestKernelCpls: [],
    } satisfies TrapOwn;
  },

  load(host, number) {
    startWorld(host);
    // The shadow tables were another VM's.
    host.change(number, { own: { ...ownOf(host, number), tables: "" } });
    loadFloating(host.port.floating, host.vm(number).cpu.floating);
  },

  unload(host, number) {
    const { cpu } = host.vm(number);
    loadOwnControl(host);
    return { ...cpu, floating: savedFloating(host.port.floating) };
  },

  interruptible,
  approach,

  enter(host, number, { vector }) {
    if (vector !== undefined) interrupt(host, number, vector);
    const { cpu, status } = host.vm(number);
    if (status.kind === "stopped") {
      refuse(host, number, "");
      host.change(number, { status });
      return;
    }
    const refused = refusal(cpu);
    if (refused !== undefined) {
      refuse(host, number, refused);
      return;
    }
    const { unseen, seen } = host.stores(number);
    const isStale = ownOf(host, number).frames.some((frame) => unseen.has(frame) || seen.has(frame));
    refreshTables(host, number, cpu, isStale);
    showUserCode(host, number, cplOf(cpu.system, cpu.eflags) === 3);
    loadControl(
      host,
      cpu.system,
      withShadow(host, number, cpu.system, (shadow) => shadow.cr3),
    );
    try {
      enterRing(host, cpu);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      refuse(
        host,
        number,
        `trap-and-emulate cannot load a segment of the guest (selector 0x${(thrown.errorCode ?? 0).toString(16)})`,
      );
      return;
    }
    // The IRET is a step of the host's.
    host.own = { ...host.own, running: { vm: number, since: host.now + 2 } };
  },

  exited() {},

  trapped(host, number, vector) {
    const { port } = host;
    const { cpu } = host.vm(number);
    const { place, errorCode } = placeBehindGate(port, vector);
    const level = place.cs & 3;
    if (level === 0) {
      stop(host, number, { reason: "unsupported", detail: `the guest cannot be entered (vector ${vector})` });
      return;
    }
    const left = { place, general: savedGeneral(port), segments: port.system.segments };
    host.change(number, { cpu: virtualCpu(left, cpu, new VirtualProcessor(cpu, host.board(number))) });
    noteKernelRing(host, number, level);
    answer(host, number, vector, errorCode);
  },

  view(machine, vm, isCurrent) {
    const { cpu, own } = vm;
    if (own === undefined || !isCurrent) return cpu;
    const real = machine.cpu;
    const held = { ...cpu, floating: real.floating };
    const place = placeAtRest(machine);
    if (place === undefined) return held;
    return virtualCpu({ place, general: real, segments: real.system.segments }, held, tablesAtRest(machine, vm));
  },
};
