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
import { cplOf, FLAG } from "../../../hardware/cpu/state.js";
import type { MachineState } from "../../../hardware/state.js";
import { VirtualBoard, VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { readPages } from "../../../state/page-map.js";
import { stop } from "../../control.js";
import { guestMemory } from "../../guest-memory.js";
import type { Host } from "../../host.js";
import { GATE_STRIDE, TOP } from "../../layout.js";
import { loadFloating, savedFloating, savedGeneral } from "../../registers.js";
import { noShadow } from "../../shadow/state.js";
import { withShadow } from "../../shadow/use.js";
import type { HypervisorState, VmState } from "../../state.js";
import type { Technique } from "../technique.js";
import { answer } from "./answers.js";
import { type Place, virtualCpu } from "./capture.js";
import { enterRing, refusal } from "./entry.js";
import type { TrapOwn } from "./state.js";
import { ownOf, refreshTables, showUserCode } from "./tables.js";
import { loadControl, loadOwnControl, startWorld } from "./world.js";

const ESP = 4;
const FRAME_WORDS = 5;
/** Vectors that push an error code. Spec: SDM Vol. 3A, "Exception and Interrupt Vectors". */
const WITH_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17];

const change = (host: Host, number: number, own: Partial<TrapOwn>): void => {
  host.change(number, { own: { ...ownOf(host, number), ...own } });
};

/** What stands on the stack of ring 0 behind a gate, from the error code on. */
function placeOf(words: readonly number[]): Place {
  const [eip, cs, eflags, esp, ss] = words as [number, number, number, number, number];
  return { eip, cs: cs & 0xffff, eflags, esp, ss: ss & 0xffff };
}

/** The guest does not go on. */
function refuse(host: Host, number: number, detail: string): void {
  stop(host, number, { reason: "unsupported", detail });
  host.own = { ...host.own, running: undefined };
  host.port.nextEip = host.state.places.idle;
}

/** Delivers an interrupt that `control` has counted. */
function deliverInterrupt(host: Host, number: number, vector: number): void {
  const board = host.board(number);
  const { cpu } = host.vm(number);
  withShadow(host, number, cpu.system, (shadow) => shadow.close());
  board.advance(board.now - 1);
  const processor = new VirtualProcessor(cpu, board);
  const outcome = processor.deliver({ vector, type: "interrupt" });
  host.change(number, { cpu: processor.cpu });
  if (outcome.kind === "triple-fault") stop(host, number, { reason: "triple-fault" });
}

/** The guest's descriptors in a machine at rest. */
function tablesAtRest({ memory }: MachineState, { cpu, devices, extents, ticks }: VmState): VirtualProcessor {
  const words = {
    readPhysical: (at: number) => new DataView(readPages(memory, at, 4).buffer).getUint32(0, true),
    writePhysical: () => {},
  };
  return new VirtualProcessor(cpu, new VirtualBoard({ devices, tick: ticks }, guestMemory(words, extents)));
}

/** Where the guest stands in a machine at rest; undefined where that is what was kept of it. */
function placeAtRest({ cpu, memory, supervisors }: MachineState): Place | undefined {
  const { eip, eflags, esp, system } = cpu;
  const { cs, ss } = system.segments;
  if (cplOf(system, eflags) !== 0) return { eip, eflags, esp, cs: cs.selector, ss: ss.selector };
  const { places, processors } = supervisors!["hypervisor"]!.state as HypervisorState;
  const { running } = processors[0]!;
  const offset = (eip >>> 0) - places.gates;
  // In front of the host call, what the guest was is on the stack alone.
  if (running === undefined || offset < 0 || offset % GATE_STRIDE !== 0) return undefined;
  const words = [...new Int32Array(readPages(memory, (esp >>> 0) - TOP, 24).slice().buffer)];
  return placeOf(WITH_CODE.includes(offset / GATE_STRIDE) ? words.slice(1) : words);
}

export const trap: Technique = {
  prepare() {
    return {
      shadow: noShadow,
      tables: "",
      frames: [],
      userCode: [],
      userShown: true,
      stepping: false,
      entered: 0,
      guestKernelCpls: [],
    } satisfies TrapOwn;
  },

  load(host, number) {
    startWorld(host);
    // The shadow tables were another VM's.
    change(host, number, { tables: "" });
    loadFloating(host.port.floating, host.vm(number).cpu.floating);
  },

  unload(host, number) {
    const { cpu } = host.vm(number);
    loadOwnControl(host);
    return { ...cpu, floating: savedFloating(host.port.floating) };
  },

  interruptible(host, number) {
    const { eflags, shadow } = host.vm(number).cpu;
    return (eflags & FLAG.IF) !== 0 && shadow === "none";
  },

  enter(host, number, { vector, window }) {
    if (vector !== undefined) deliverInterrupt(host, number, vector);
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
    const stale = ownOf(host, number).frames.some((frame) => host.written.has(frame));
    refreshTables(host, number, cpu, stale);
    const [table, isOpen] = withShadow(host, number, cpu.system, (shadow) => [shadow.cr3, shadow.isOpen] as const);
    showUserCode(host, number, cplOf(cpu.system, cpu.eflags) === 3);
    const stepping = isOpen || (window && (cpu.eflags & FLAG.IF) !== 0);
    change(host, number, { stepping, entered: host.vm(number).steps });
    loadControl(host, cpu.system, table);
    try {
      enterRing(host, cpu, stepping);
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
    const { cpu, steps } = host.vm(number);
    const own = ownOf(host, number);
    const hasCode = WITH_CODE.includes(vector);
    const words = new Int32Array(FRAME_WORDS + 1);
    port.readWords(port.getRegister(ESP), FRAME_WORDS + (hasCode ? 1 : 0), false, words);
    const place = placeOf([...words.subarray(hasCode ? 1 : 0)]);
    const level = place.cs & 3;
    if (level === 0) {
      stop(host, number, { reason: "unsupported", detail: `the guest cannot be entered (vector ${vector})` });
      return;
    }
    const left = {
      place,
      general: savedGeneral(port),
      segments: port.system.segments,
      stepping: own.stepping,
      moved: steps > own.entered,
    };
    const now = virtualCpu(left, cpu, new VirtualProcessor(cpu, host.board(number)));
    host.change(number, { cpu: now });
    if (level !== 3 && !own.guestKernelCpls.includes(level))
      change(host, number, { guestKernelCpls: [...own.guestKernelCpls, level] });
    answer(host, number, vector, hasCode ? words[0]! : undefined);
  },

  view(machine, vm, isCurrent) {
    const { cpu, own } = vm;
    if (own === undefined || !isCurrent) return cpu;
    const real = machine.cpu;
    const held = { ...cpu, floating: real.floating };
    const place = placeAtRest(machine);
    if (place === undefined) return held;
    const left = { place, general: real, segments: real.system.segments, moved: true };
    return virtualCpu({ ...left, stepping: (own as TrapOwn).stepping }, held, tablesAtRest(machine, vm));
  },
};
