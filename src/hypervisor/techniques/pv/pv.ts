/**
 * Paravirtualization: a guest that knows of the hypervisor. Its kernel runs in ring 1, its programs in ring 3, on page tables that hold
 * the machine's frames and that only the hypervisor writes. What is privileged it asks for by hypercall; nothing is emulated.
 * Spec: Barham et al., "Xen and the Art of Virtualization", 2003; the interface is that of `guests/kernel/xen-interface.h`.
 */
import { Fault, vectorNames } from "../../../hardware/cpu/processor.js";
import { loadDataSegment } from "../../../hardware/cpu/segments.js";
import type { CpuState, SystemState } from "../../../hardware/cpu/state.js";
import { VirtualBoard, VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { readPages } from "../../../state/page-map.js";
import { armFor, countStep, proceed } from "../../control.js";
import { readFrame } from "../../guest-memory.js";
import { type Host, PAGE } from "../../host.js";
import { loadFloating, loadGeneral, savedFloating, savedGeneral } from "../../registers.js";
import { note } from "../emulation.js";
import { isHostInterrupt, reasonOf } from "../record.js";
import type { Technique } from "../technique.js";
import type { Place } from "../trap/capture.js";
import { goTo } from "../trap/entry.js";
import { placeAtRest, placeBehindGate } from "../trap/place.js";
import { dataNames, loadControl, loadOwnControl, startWorld } from "../trap/world.js";
import { hypercall } from "./calls.js";
import { build, refusalOf } from "./domain.js";
import { crash, deliverTrap, keepTime, offerEvent } from "./events.js";
import { HYPERCALL_VECTOR } from "./interface.js";
import { loadDescriptors, loadGates, segmentAt } from "./segments.js";
import { ownOf } from "./state.js";

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** The guest's registers as they are at a place of its, with what the real segment registers hold of data. */
function capturedCpu(
  cpu: CpuState,
  general: Partial<CpuState>,
  { eip, cs, eflags, esp, ss }: Place,
  real: SystemState,
  read: (physical: number) => number,
): CpuState {
  const { es, ds, fs, gs } = real.segments;
  const segments = Object.freeze({ es, cs: segmentAt(read, cs), ss: segmentAt(read, ss), ds, fs, gs });
  return {
    ...cpu,
    ...general,
    eip: eip | 0,
    esp: esp | 0,
    eflags,
    system: Object.freeze({ ...cpu.system, segments }),
    shadow: "none",
    halted: false,
  };
}

/** What the guest executed when it was left, through the tables that the real processor has. */
function instructionAt(host: Host, number: number): string {
  const { cpu, devices, ticks } = host.vm(number);
  const memory = {
    has: () => true,
    read: (at: number, size: 1 | 2 | 4) => readFrame(host.port, at, size),
    write: () => {},
  };
  const { cr3, cr4 } = host.port.system;
  const real = { ...cpu, system: { ...cpu.system, cr3, cr4 } };
  try {
    const { row } = new VirtualProcessor(real, new VirtualBoard({ devices, tick: ticks }, memory)).fetch();
    return row?.mnemonic ?? "(bad)";
  } catch {
    return "(not mapped)";
  }
}

/** An exception the guest has not said where to go with. */
function unhandled(host: Host, number: number, vector: number, errorCode: number | undefined): string {
  const { eip, system } = host.vm(number).cpu;
  const code = errorCode === undefined ? "" : `(${errorCode})`;
  const what = `${vectorNames[vector] ?? `vector ${hex(vector)}`}${code} at ${hex(eip)}`;
  const instruction = instructionAt(host, number);
  const ring = system.segments.cs.selector & 3;
  crash(host, number, `${what}, ${instruction} in ring ${ring}, and it has set no handler for that`);
  return instruction;
}

/** What left the guest, and what becomes of it. */
function answer(host: Host, number: number, vector: number, errorCode: number | undefined): void {
  const reason = reasonOf(vector);
  if (isHostInterrupt(vector)) {
    note(host, number, reason, vector, { effect: "host interrupt" });
    return;
  }
  if (vector === HYPERCALL_VECTOR) {
    countStep(host, number);
    hypercall(host, number);
    return;
  }
  if (deliverTrap(host, number, vector, errorCode)) note(host, number, reason, vector, { effect: "delivered" });
  else {
    const instruction = unhandled(host, number, vector, errorCode);
    note(host, number, reason, vector, { effect: "stopped", instruction });
  }
}

export const pv: Technique = {
  refusal: refusalOf,

  prepare: build,

  load(host, number) {
    const { port } = host;
    const { cpu } = host.vm(number);
    startWorld(host);
    loadDescriptors(host, number);
    loadGates(host, number, true);
    loadControl(host, cpu.system, ownOf(host, number).directory * PAGE);
    for (const name of dataNames) {
      try {
        loadDataSegment(port, name, cpu.system.segments[name].selector);
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown;
        loadDataSegment(port, name, 0);
      }
    }
    loadFloating(port.floating, cpu.floating);
  },

  unload(host, number) {
    const { cpu } = host.vm(number);
    loadGates(host, number, false);
    loadOwnControl(host);
    return { ...cpu, floating: savedFloating(host.port.floating) };
  },

  // Its devices are behind hypercalls: none of them interrupts.
  interruptible: () => false,

  enter(host, number) {
    keepTime(host, number);
    offerEvent(host, number);
    if (host.vm(number).status.kind === "stopped") {
      host.own = { ...host.own, running: undefined };
      proceed(host);
      return;
    }
    const { timer } = ownOf(host, number);
    if (timer !== undefined) armFor(host, host.now + Math.max(1, timer - host.board(number).now));
    const { cpu } = host.vm(number);
    const { cs, ss } = cpu.system.segments;
    loadGeneral(host.port, cpu);
    goTo(host, { eip: cpu.eip, cs: cs.selector, eflags: cpu.eflags, esp: cpu.esp, ss: ss.selector });
    // The IRET is a step of the host's.
    host.own = { ...host.own, running: { vm: number, since: host.now + 2 } };
  },

  exited() {},

  trapped(host, number, vector) {
    const { port } = host;
    const { place, errorCode } = placeBehindGate(port, vector);
    if ((place.cs & 3) === 0) {
      crash(host, number, `it cannot go on with what it has in CS and SS (${vectorNames[vector] ?? hex(vector)})`);
      note(host, number, "return to the guest", vector, { effect: "stopped" });
      return;
    }
    const read = (at: number): number => port.readPhysical(at);
    host.change(number, { cpu: capturedCpu(host.vm(number).cpu, savedGeneral(port), place, port.system, read) });
    answer(host, number, vector, errorCode);
  },

  view(machine, { cpu, own }, isCurrent) {
    if (own === undefined || !isCurrent) return cpu;
    const { floating, system, ...real } = machine.cpu;
    const held = { ...cpu, floating };
    const place = placeAtRest(machine);
    if (place === undefined) return held;
    const { eax, ecx, edx, ebx, ebp, esi, edi } = real;
    const read = (at: number): number => new DataView(readPages(machine.memory, at, 4).buffer).getUint32(0, true);
    return capturedCpu(held, { eax, ecx, edx, ebx, ebp, esi, edi }, place, system, read);
  },
};
