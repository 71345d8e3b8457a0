/**
 * Binary translation: while a guest is in its kernel, the processor executes what the translator has made of that, in ring 1; its programs are
 * executed directly, in ring 3, on the same shadow page tables.
 *
 * What translated code cannot do it calls out for. What an instruction of the guest's cannot do in ring 1, or in a truncated segment, faults;
 * the guest's state in front of that instruction is told by the block's record, and the instruction is executed on the virtual processor.
 */
import { VECTOR } from "../../../hardware/cpu/processor.js";
import type { CpuState, GeneralRegisters, Segment, SegmentName } from "../../../hardware/cpu/state.js";
import { codeBitsOf, cplOf, FLAG, isFlat, modeOf } from "../../../hardware/cpu/state.js";
import type { MachineState } from "../../../hardware/state.js";
import { VirtualProcessor } from "../../../hardware/virtual-processor/index.js";
import { readPages } from "../../../state/page-map.js";
import { proceed, stop } from "../../control.js";
import type { Host } from "../../host.js";
import { CALL_OUT, GATE_STRIDE, PLACE } from "../../layout.js";
import { loadFloating, savedGeneral } from "../../registers.js";
import { noShadow } from "../../shadow/state.js";
import { withShadow } from "../../shadow/use.js";
import type { HypervisorState, VmState } from "../../state.js";
import { type Answer, note, simulate } from "../emulation.js";
import {
  access,
  approach,
  emulate,
  interrupt,
  interruptible,
  isHostInterrupt,
  noteKernelRing,
  pageFault,
  reasonOf,
  settle,
} from "../record.js";
import type { Technique } from "../technique.js";
import { type Place, virtualCpu } from "../trap/capture.js";
import { enterRing } from "../trap/entry.js";
import { placeAtRest, placeBehindGate, tablesAtRest } from "../trap/place.js";
import { OWN } from "../trap/state.js";
import { loadControl, loadOwnControl, startWorld } from "../trap/world.js";
import { blockAt, clearWords, keepTrue, link, ownOf, remember, translationOf } from "./cache.js";
import { CACHE_BYTES, WORD, WORDS_BYTES } from "./layout.js";
import { type Position, positionOf } from "./position.js";
import { canHaveKernel, canHaveProgram, showLoaded, showOwnSegments } from "./segments.js";
import { type BtOwn, noTranslation } from "./state.js";

/** Steps that are simulated in a row before the guest is given up as one that never gets to where it can be run. */
const PATIENCE = 100_000;

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

function answered(
  host: Host,
  number: number,
  vector: number,
  errorCode: number | undefined,
  where: Position,
): readonly [reason: string, answer: Answer] {
  if (vector === CALL_OUT) return [`call-out: ${where.place!.callOut!.kind}`, calledOut(host, number, where)];
  if (isHostInterrupt(vector)) return [reasonOf(vector), { effect: "host interrupt" }];
  return [reasonOf(vector), vector === VECTOR.PF ? pageFault(host, number, errorCode!) : emulate(host, number)];
}

type Segments = Readonly<Record<SegmentName, Segment>>;

/** The guest's state by what the processor shows of it. Segment registers of a kernel are never what they seem. */
function guestState(
  saved: CpuState,
  real: { readonly place: Place; readonly general: GeneralRegisters; readonly segments: Segments },
  where: Position,
  tables: VirtualProcessor,
): CpuState {
  const { place, general } = real;
  const eax = where.eax === undefined ? general.eax : where.eax | 0;
  const ecx = where.ecx === undefined ? general.ecx : where.ecx | 0;
  const { segments } = saved.system;
  const [cs, ss] = [segments.cs.selector, segments.ss.selector];
  const isProgram = (place.cs & 3) === 3;
  return virtualCpu(
    {
      place: isProgram ? place : { ...place, eip: where.eip, cs, ss },
      general: { ...general, eax, ecx },
      segments: isProgram ? real.segments : segments,
    },
    saved,
    tables,
  );
}

// ---- entries --------------------------------------------------------------------------------------------------------

/** Whether the processor can run the guest as it stands, in translation or directly. */
function canRun(host: Host, number: number): boolean {
  const { cpu } = host.vm(number);
  const { system, eflags } = cpu;
  if (modeOf(system, eflags) !== "protected" || (eflags & FLAG.TF) !== 0 || codeBitsOf(system) !== 32) return false;
  const cpl = cplOf(system, eflags);
  if (cpl === 0) return isFlat(system.segments.cs) && canHaveKernel(host, cpu);
  return cpl === 3 && canHaveProgram(host, cpu);
}

/** Simulates the guest until the processor can run it. */
function getReady(host: Host, number: number): void {
  for (let steps = 0; host.vm(number).status.kind === "ready" && !canRun(host, number); steps++) {
    if (steps < PATIENCE) simulate(host, number, access);
    else stop(host, number, { reason: "unsupported", detail: "binary translation: code that is not flat 32-bit code" });
  }
}

/** The shadow tables and what the guest wants of units and checks. */
function loadTables(host: Host, number: number, { system }: CpuState): void {
  const cr3 = withShadow(host, number, system, (shadow) => shadow.cr3);
  loadControl(host, system, cr3, true);
}

function enterKernel(host: Host, number: number): void {
  const { cpu } = host.vm(number);
  const eip = translationOf(host, number, cpu.system, cpu.eip >>> 0);
  loadTables(host, number, cpu);
  showOwnSegments(host, ownOf(host, number).words);
  enterRing(host, cpu, { eip: eip | 0, cs: OWN.translated, gs: OWN.words });
}

function enterProgram(host: Host, number: number): void {
  const { cpu } = host.vm(number);
  loadTables(host, number, cpu);
  const shown = showLoaded(host, cpu, ownOf(host, number).shown);
  host.change(number, { own: { ...ownOf(host, number), shown } });
  enterRing(host, cpu);
}

// ---- at rest --------------------------------------------------------------------------------------------------------

const memoryOf = ({ memory }: MachineState) => ({
  readPhysical: (at: number): number => new DataView(readPages(memory, at, 4).buffer).getUint32(0, true),
});

const seen = ({ cs, eip }: Place) => ({ cs, eip: eip >>> 0 });

const isRunning = (machine: MachineState): boolean =>
  (machine.supervisors!["hypervisor"]!.state as HypervisorState).processors[0]!.running !== undefined;

/** The running guest of a machine at rest; undefined in front of the IRET that enters it. */
function atRest(machine: MachineState, own: BtOwn) {
  const place = placeAtRest(machine);
  if (place === undefined) return undefined;
  const { places } = machine.supervisors!["hypervisor"]!.state as HypervisorState;
  const inGate = cplOf(machine.cpu.system, machine.cpu.eflags) === 0;
  const calledOut = inGate && (machine.cpu.eip >>> 0) - places.gates === CALL_OUT * GATE_STRIDE;
  return { place, where: positionOf(memoryOf(machine), own, seen(place), calledOut) };
}

/** Where a VM that has none yet has its words, and behind them its cache. */
function freeWords({ state }: Host): number {
  const taken = state.vms.map(({ technique, own }) =>
    technique === "bt" ? (own as BtOwn | undefined)?.words : undefined,
  );
  let at: number = PLACE.translations;
  while (taken.includes(at)) at += WORDS_BYTES + CACHE_BYTES;
  return at;
}

export const bt: Technique = {
  prepare(host) {
    const words = freeWords(host);
    clearWords(host, words);
    const cache = words + WORDS_BYTES;
    return {
      shadow: noShadow,
      translation: noTranslation,
      words,
      cache,
      shown: undefined,
      guestKernelCpls: [],
    } satisfies BtOwn;
  },

  load(host, number) {
    startWorld(host);
    // The shadow GDT was another VM's.
    host.change(number, { own: { ...ownOf(host, number), shown: undefined } });
    loadFloating(host.port.floating, host.vm(number).cpu.floating);
  },

  unload(host, number) {
    loadOwnControl(host);
    return access.readWhole(host, number);
  },

  interruptible,
  approach,

  enter(host, number, { vector }) {
    if (vector !== undefined) interrupt(host, number, vector);
    getReady(host, number);
    const { cpu, status } = host.vm(number);
    if (status.kind !== "ready") {
      host.own = { ...host.own, running: undefined };
      proceed(host);
      return;
    }
    const { unseen, seen } = host.stores(number);
    keepTrue(host, number, cpu.system, unseen.size === 0 ? seen : new Set([...seen, ...unseen]));
    host.port.writePhysical(ownOf(host, number).words + WORD.extra, 0);
    if (cplOf(cpu.system, cpu.eflags) === 0) enterKernel(host, number);
    else enterProgram(host, number);
    // The IRET is a step of the host's.
    host.own = { ...host.own, running: { vm: number, since: host.now + 2 } };
  },

  exited() {},

  trapped(host, number, vector) {
    const { port } = host;
    const { cpu } = host.vm(number);
    const { place, errorCode } = placeBehindGate(port, vector);
    const where = positionOf(port, ownOf(host, number), seen(place), vector === CALL_OUT);
    const real = { place, general: savedGeneral(port), segments: port.system.segments };
    const tables = new VirtualProcessor(cpu, host.board(number));
    host.change(number, { cpu: guestState(cpu, real, where, tables) });
    noteKernelRing(host, number, place.cs & 3);
    const [reason, answer] = answered(host, number, vector, errorCode, where);
    note(host, number, reason, vector, answer);
    settle(host, number);
  },

  beyond(host, number) {
    const vector = (host.port.eip - host.state.places.gates) / GATE_STRIDE;
    const { place } = placeBehindGate(host.port, vector);
    return positionOf(host.port, ownOf(host, number), seen(place), vector === CALL_OUT).beyond;
  },

  beyondAtRest(machine, { own }) {
    const running = atRest(machine, own as BtOwn);
    return running === undefined ? 0 : running.where.beyond;
  },

  view(machine, vm: VmState, isCurrent) {
    const { cpu, own } = vm;
    if (!isCurrent || own === undefined) return cpu;
    const held = { ...cpu, floating: machine.cpu.floating };
    if (!isRunning(machine)) return held;
    const running = atRest(machine, own as BtOwn);
    if (running === undefined) return held;
    const real = { place: running.place, general: machine.cpu, segments: machine.cpu.system.segments };
    return guestState(held, real, running.where, tablesAtRest(machine, vm));
  },
};
