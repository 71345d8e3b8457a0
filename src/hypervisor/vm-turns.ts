/**
 * The turns of a VM's virtual processors, where it has several. A VM is scheduled as a whole: whichever of the host's processors it has
 * runs the present one, until its turn passes. `virtual-processors.ts` has the rules; here they meet what the host's processor holds.
 */
import { afterInit, startedAt } from "../hardware/cpu/reset.js";
import { type CpuState, noEvents } from "../hardware/cpu/state.js";
import * as ownApic from "../hardware/devices/apic-bus.js";
import { type Stop, TURN_STEPS } from "../hardware/state.js";
import type { Host } from "./host.js";
import { takeOut } from "./loading.js";
import { runNested } from "./nested.js";
import {
  anyTakesInterrupts,
  canGoOn,
  counted,
  hasSeveral,
  isAlone,
  nextProcessor,
  passedTo,
  type Several,
  signalled,
  uncounted,
  wakeTick,
} from "./virtual-processors.js";

/** The VM's record, which has several virtual processors. */
function severalOf(host: Host, number: number): Several {
  const { cpu, turn } = host.vm(number);
  if (turn === undefined) throw new TypeError("a VM with one processor has no turns");
  return { cpu, turn };
}

function replace(host: Host, number: number, { cpu, turn }: Several): void {
  host.change(number, { cpu });
  host.turn(number, turn);
}

// ---- messages -------------------------------------------------------------------------------------------------------

/** What messages make of a processor: NMI, INIT and start-up. */
function told(cpu: CpuState, { nmi, init, startUp, waits }: Signals): CpuState {
  const reset = init ? afterInit(cpu) : cpu;
  if (startUp >= 0 && (waits || init)) return { ...startedAt(reset, startUp), pending: noEvents };
  return nmi && !waits ? { ...reset, pending: { ...reset.pending, nmi: true } } : reset;
}

type Signals = Record<"nmi" | "init" | "waits", boolean> & { readonly startUp: number };

/** The processors are told of messages that have come for them. */
function takeSignals(host: Host, number: number): void {
  const board = host.board(number);
  for (const target of signalled(board.devices)) {
    if (target === host.vm(number).turn!.processor) takeOut(host, number);
    const { cpu, turn } = severalOf(host, number);
    const signals = board.devices.apic!.local[target]!;
    board.devices = ownApic.signalsTaken(board.devices, target);
    if (target === turn.processor) host.change(number, { cpu: told(cpu, signals) });
    else {
      const index = target < turn.processor ? target : target - 1;
      host.turn(number, { ...turn, others: turn.others.with(index, told(turn.others[index]!, signals)) });
    }
  }
}

// ---- turns ----------------------------------------------------------------------------------------------------------

/** Whether the present one can go on. What the host's processor holds is not halted. */
function presentGoesOn(host: Host, number: number): boolean {
  const { cpu, turn } = severalOf(host, number);
  const { devices } = host.board(number);
  const loaded = host.own.current === number;
  return loaded ? !ownApic.waits(devices, turn.processor) : canGoOn(devices, turn.processor, cpu);
}

/** None of the processors can go on before a device says so. */
function rest(host: Host, number: number): void {
  takeOut(host, number);
  if (host.vm(number).status.kind === "stopped") return;
  const vm = severalOf(host, number);
  const board = host.board(number);
  const until = wakeTick(board, vm);
  if (until === board.now) {
    board.advance(until);
    takeSignals(host, number);
    if (!presentGoesOn(host, number)) pass(host, number);
    return;
  }
  if (!anyTakesInterrupts(board.devices, vm)) {
    host.change(number, { status: { kind: "stopped", stop: { reason: "halted", waitsForInput: false } } });
    return;
  }
  const since = host.now;
  const wakes = until !== Number.POSITIVE_INFINITY;
  const [wake, tick] = wakes ? [since + (until - board.now), until] : [undefined, undefined];
  host.change(number, { status: { kind: "halted", since, wake, until: tick } });
}

/** Gives a new turn to the next processor that can go on. */
function pass(host: Host, number: number): void {
  const { devices } = host.board(number);
  if (isAlone(devices, severalOf(host, number)) && presentGoesOn(host, number)) {
    const { turn } = severalOf(host, number);
    host.turn(number, { ...turn, left: TURN_STEPS });
    return;
  }
  takeOut(host, number);
  const vm = severalOf(host, number);
  const next = nextProcessor(devices, vm);
  replace(host, number, passedTo(vm, next ?? vm.turn.processor));
  if (next === undefined) rest(host, number);
}

/** Takes signals, and counts what has not been counted. Gives whether the turn is over with that. */
function account(host: Host, number: number): boolean {
  takeSignals(host, number);
  const { turn, over } = counted(severalOf(host, number).turn, host.vm(number).steps);
  host.turn(number, turn);
  return over;
}

/** The turn of the present processor passes if it is over, or the processor cannot go on. Nothing to do of a VM with one. */
export function settle(host: Host, number: number): void {
  if (!hasSeveral(host.vm(number))) return;
  const over = account(host, number);
  if (over || !presentGoesOn(host, number)) pass(host, number);
}

/** PAUSE of a guest, or HLT, whose step has been counted, ends the turn. */
export function endTurn(host: Host, number: number, by: "PAUSE" | "HLT"): void {
  if (!hasSeveral(host.vm(number))) return;
  account(host, number);
  if (by === "HLT") {
    takeOut(host, number);
    const { cpu } = host.vm(number);
    host.change(number, { cpu: { ...cpu, halted: true } });
  }
  pass(host, number);
}

/** What the VM has waited for comes at a tick of its own. */
export function wake(host: Host, number: number, until: number): void {
  const board = host.board(number);
  if (!hasSeveral(host.vm(number))) {
    board.advance(until);
    return;
  }
  // As in the machine: what comes at once is the present processor's, if it is for it; behind a while the next one is asked first.
  const atOnce = until === board.now;
  board.advance(until);
  takeSignals(host, number);
  if (!atOnce || !presentGoesOn(host, number)) pass(host, number);
}

/** Steps of the guest before its turn passes to another processor; infinity where it comes back at once. */
export function stepsOfTurn(host: Host, number: number): number {
  const vm = host.vm(number);
  if (!hasSeveral(vm) || isAlone(host.board(number).devices, vm)) return Number.POSITIVE_INFINITY;
  return vm.turn.left - uncounted(vm.turn, vm.steps);
}

/**
 * An interrupt of the host's leaves a guest some steps late: behind STI and loads of SS by one instruction, and behind a debug trap. So many
 * of them come one after the other, and these of a turn the nested engine makes.
 */
const LATE = 16;

/** Steps of the guest's turn before there are only those left. */
export const directSteps = (host: Host, number: number): number => Math.max(0, stepsOfTurn(host, number) - LATE);

/** A guest that was left after its turn was over is not the machine any more. */
export function checkTurn(host: Host, number: number): void {
  if (stepsOfTurn(host, number) >= 0) return;
  const detail = `more than ${LATE} instructions in a row that hold interrupts back, at the end of a virtual processor's turn`;
  host.change(number, { status: { kind: "stopped", stop: { reason: "unsupported", detail } } });
}

// ---- the nested engine ----------------------------------------------------------------------------------------------

/** Steps are made by the nested engine, which has all of the processors, and passes their turns. Gives why it stopped for good. */
export function simulateSeveral(host: Host, number: number, steps: number): Stop | undefined {
  settle(host, number);
  if (host.vm(number).status.kind !== "ready") return undefined;
  takeOut(host, number);
  const { cpu, stop } = runNested(host, number, host.vm(number).cpu, steps);
  host.change(number, { cpu });
  if (stop.reason !== "limit" && stop.reason !== "until" && stop.reason !== "halted") return stop;
  settle(host, number);
  return undefined;
}

/** The same for what is too near for the timer, or beyond the hardware: simulated steps take time of the host's. */
export function simulateAhead(host: Host, number: number, steps: number): Stop | undefined {
  const before = host.vm(number).steps;
  const stop = simulateSeveral(host, number, steps);
  const made = host.vm(number).steps - before;
  host.change(number, { ran: host.vm(number).ran + made });
  host.access.elapse(made);
  return stop;
}
