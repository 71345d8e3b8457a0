/**
 * Binary translation: while a guest is in its kernel, the processor executes what the translator has made of that, in ring 1; its programs are
 * executed directly, in ring 3, on the same shadow page tables.
 *
 * What translated code cannot do it calls out for. What an instruction of the guest's cannot do in ring 1, or in a truncated segment, faults;
 * the guest's state in front of that instruction is told by the block's record, and the instruction is executed on the virtual processor.
 */
import { vectorNames } from "../../../hardware/cpu/processor.js";
import { codeBitsOf, cplOf, FLAG, isFlat, modeOf } from "../../../hardware/cpu/state.js";
import type { MachineState } from "../../../hardware/state.js";
import { readPages } from "../../../state/page-map.js";
import { proceed, stop } from "../../control.js";
import type { Host } from "../../host.js";
import { CALL_OUT, FIRST_IRQ, GATE_STRIDE, PLACE, SELECTOR_32, TOP } from "../../layout.js";
import { loadFloating, loadGeneral } from "../../registers.js";
import { noShadow } from "../../shadow/state.js";
import { withShadow } from "../../shadow/use.js";
import type { HypervisorState, VmState } from "../../state.js";
import {
  canRunProgram,
  hasKernelStack,
  loadKernelSegments,
  loadProgramSegments,
  setOwnSegment,
} from "../deprivileged/segments.js";
import { goInto, type Left, leftBy, loadControl, virtualFlags } from "../deprivileged/transfer.js";
import { access, emulate, interrupt, pageFault, settle, takeBack } from "../deprivileged/virtual.js";
import { type Answer, note, simulate } from "../emulation.js";
import type { Technique } from "../technique.js";
import { blockAt, clearWords, keepTrue, link, ownOf, remember, translationOf } from "./cache.js";
import { CACHE_BYTES, WORD, WORDS_BYTES } from "./layout.js";
import { type Position, positionOf } from "./position.js";
import { type BtOwn, noTranslation } from "./state.js";

/** Execute-only code and data of ring 1. Spec: SDM Vol. 3A, "Code- and Data-Segment Types". */
const TRANSLATED = { base: 0, limit: 0xffff_ffff, access: 0x40b9 };
const WORDS_ACCESS = 0x40b3;
/** Steps that are simulated in a row before the guest is given up as one that never gets to where it can be run. */
const PATIENCE = 100_000;
const PAGE_FAULT = 14;

const vectorOf = (host: Host): number => (host.port.eip - host.state.places.gates) / GATE_STRIDE;

const position = (host: Host, number: number, left: Left): Position =>
  positionOf(host.port, ownOf(host, number), left, left.vector === CALL_OUT);

// ---- exits ----------------------------------------------------------------------------------------------------------

/** The guest goes on at an address, to which translated code gets by itself from now on. */
function chained(host: Host, number: number, { block, place }: Position): Answer {
  const callOut = place!.callOut!;
  const { system } = host.vm(number).cpu;
  const own = ownOf(host, number);
  const isChain = callOut.kind === "chain";
  const target = isChain ? callOut.target : host.port.readPhysical(own.words + WORD.target);
  const { made } = own.translation;
  const to = translationOf(host, number, system, target);
  const { translation } = ownOf(host, number);
  if (!isChain) remember(host, number, target, to);
  else if (blockAt(translation, block!.at) === block) link(host, number, block!, callOut.patch, to);
  const did = isChain ? "chained" : "remembered";
  return { effect: translation.made === made ? did : `translated and ${did}` };
}

function calledOut(host: Host, number: number, where: Position): Answer {
  switch (where.place!.callOut!.kind) {
    case "emulate":
      return emulate(host, number);
    case "simulate":
      simulate(host, number, access);
      return { effect: "simulated" };
    default:
      return chained(host, number, where);
  }
}

function answered(host: Host, number: number, left: Left, where: Position): readonly [reason: string, answer: Answer] {
  const { vector } = left;
  if (vector === CALL_OUT) return [`call-out: ${where.place!.callOut!.kind}`, calledOut(host, number, where)];
  if (vector >= FIRST_IRQ) {
    host.endOfInterrupt();
    return ["interrupt", { effect: "host interrupt" }];
  }
  const reason = vectorNames[vector] ?? `vector ${vector}`;
  return [reason, vector === PAGE_FAULT ? pageFault(host, number, left) : emulate(host, number)];
}

// ---- entries --------------------------------------------------------------------------------------------------------

/** Whether the processor can run the guest as it stands, in translation or directly. */
function canRun(host: Host, number: number): boolean {
  const { system, eflags } = host.vm(number).cpu;
  if (modeOf(system, eflags) !== "protected" || (eflags & FLAG.TF) !== 0 || codeBitsOf(system) !== 32) return false;
  const cpl = cplOf(system, eflags);
  const { cs } = system.segments;
  if (cpl === 0) return isFlat({ ...cs, access: cs.access | 2 }) && hasKernelStack(system);
  return cpl === 3 && canRunProgram(system);
}

/** Simulates the guest until the processor can run it. */
function getReady(host: Host, number: number): void {
  for (let steps = 0; host.vm(number).status.kind === "ready" && !canRun(host, number); steps++) {
    if (steps < PATIENCE) simulate(host, number, access);
    else stop(host, number, { reason: "unsupported", detail: "binary translation: code that is not flat 32-bit code" });
  }
}

function enterKernel(host: Host, number: number): void {
  const { port } = host;
  const { cpu } = host.vm(number);
  const eip = translationOf(host, number, cpu.system, cpu.eip >>> 0);
  loadControl(
    port,
    cpu.system,
    withShadow(host, number, cpu.system, (shadow) => shadow.cr3),
  );
  const { words } = ownOf(host, number);
  setOwnSegment(port, SELECTOR_32.translated, TRANSLATED);
  setOwnSegment(port, SELECTOR_32.words, { base: TOP + words, limit: WORDS_BYTES - 1, access: WORDS_ACCESS });
  loadKernelSegments(port, cpu.system, SELECTOR_32.words);
  loadGeneral(port, cpu);
  const { translated: cs, ss } = SELECTOR_32;
  goInto(port, { eip, cs, ss, eflags: cpu.eflags, esp: cpu.esp });
}

function enterProgram(host: Host, number: number): void {
  const { port } = host;
  const { cpu } = host.vm(number);
  const { cs, ss } = cpu.system.segments;
  loadControl(
    port,
    cpu.system,
    withShadow(host, number, cpu.system, (shadow) => shadow.cr3),
  );
  loadProgramSegments(port, cpu.system);
  loadGeneral(port, cpu);
  goInto(port, { eip: cpu.eip >>> 0, cs: cs.selector, ss: ss.selector, eflags: cpu.eflags, esp: cpu.esp });
}

// ---- at rest --------------------------------------------------------------------------------------------------------

const memoryOf = ({ memory }: MachineState) => ({
  readPhysical: (at: number): number => new DataView(readPages(memory, at, 4).buffer).getUint32(0, true),
});

/** The running guest of a machine at rest, be it in the guest or in front of the handler. */
function atRest(machine: MachineState, own: BtOwn): { left: Left; where: Position; inGate: boolean } {
  const { cpu, supervisors } = machine;
  const { places } = supervisors!.hypervisor!.state as HypervisorState;
  const words = memoryOf(machine);
  const inGate = (cpu.system.segments.cs.selector & 3) === 0;
  const vector = inGate ? ((cpu.eip >>> 0) - places.gates) / GATE_STRIDE : 255;
  const left = inGate
    ? leftBy(words, vector)
    : {
        vector,
        errorCode: 0,
        eip: cpu.eip >>> 0,
        cs: cpu.system.segments.cs.selector,
        eflags: cpu.eflags,
        esp: cpu.esp,
      };
  return { left, where: positionOf(words, own, left, vector === CALL_OUT), inGate };
}

const isRunning = (machine: MachineState): boolean =>
  (machine.supervisors!.hypervisor!.state as HypervisorState).running !== undefined;

export const bt: Technique = {
  prepare(host, number) {
    const before = host.state.vms.slice(0, number).filter(({ technique }) => technique === "bt").length;
    const words = PLACE.translations + before * (WORDS_BYTES + CACHE_BYTES);
    clearWords(host, words);
    const own: BtOwn = { shadow: noShadow, translation: noTranslation, words, cache: words + WORDS_BYTES };
    return own;
  },

  load(host, number) {
    loadFloating(host.port.floating, host.vm(number).cpu.floating);
  },

  unload: access.readWhole,

  interruptible(host, number) {
    settle(host, number);
    return (host.vm(number).cpu.eflags & FLAG.IF) !== 0;
  },

  enter(host, number, { vector }) {
    if (vector !== undefined) interrupt(host, number, vector);
    getReady(host, number);
    const { cpu, status } = host.vm(number);
    if (status.kind !== "ready") {
      host.state = { ...host.state, running: undefined };
      proceed(host);
      return;
    }
    keepTrue(host, number, cpu.system, new Set([...host.storedTo, ...host.written]));
    host.port.writePhysical(ownOf(host, number).words + WORD.extra, 0);
    if (cplOf(cpu.system, cpu.eflags) === 0) enterKernel(host, number);
    else enterProgram(host, number);
  },

  exited(host, number) {
    const left = leftBy(host.port, vectorOf(host));
    const where = position(host, number, left);
    takeBack(host, number, left, where.eip);
    const { eax, ecx } = where;
    const { cpu } = host.vm(number);
    if (eax !== undefined || ecx !== undefined)
      host.change(number, { cpu: { ...cpu, eax: (eax ?? cpu.eax) | 0, ecx: (ecx ?? cpu.ecx) | 0 } });
    const [reason, answer] = answered(host, number, left, where);
    note(host, number, reason, left.vector, answer);
    settle(host, number);
  },

  beyond: (host, number) => position(host, number, leftBy(host.port, vectorOf(host))).beyond,

  beyondAtRest(machine, { own }) {
    const { where, inGate } = atRest(machine, own as BtOwn);
    return where.beyond + (inGate ? 1 : 0);
  },

  view(machine, { cpu, own }: VmState, isCurrent) {
    if (!isCurrent || own === undefined) return cpu;
    const { floating } = machine.cpu;
    if (!isRunning(machine)) return { ...cpu, floating };
    const { left, where } = atRest(machine, own as BtOwn);
    const { eax, ecx, edx, ebx, ebp, esi, edi } = machine.cpu;
    return {
      ...cpu,
      ...{ edx, ebx, ebp, esi, edi, floating },
      eax: where.eax === undefined ? eax : where.eax | 0,
      ecx: where.ecx === undefined ? ecx : where.ecx | 0,
      esp: left.esp | 0,
      eip: where.eip | 0,
      eflags: virtualFlags(left, cpu.eflags),
    };
  },
};
