/** What an operator changes of a VM, as changes of its record. */
import { FLAG } from "../hardware/cpu/state.js";
import { typeInput } from "../hardware/devices/bus.js";
import type { MachineState } from "../hardware/state.js";
import { VirtualBoard } from "../hardware/virtual-processor/board.js";
import type { VmState, VmStatus } from "./state.js";
import { anyTakesInterrupts, hasSeveral, nextProcessor, type Several, wakeTick } from "./virtual-processors.js";

/** What is typed at the host's serial port: any byte wakes the hypervisor. */
export const BELL = Uint8Array.of(7);

/** Typing reaches no memory. */
const NO_MEMORY = { has: () => false, read: () => 0, write() {} };

/** HLT up to what a VM's devices do next. */
function haltedUntil(board: VirtualBoard, now: number, vm: Pick<VmState, "cpu" | "turn">): VmStatus {
  const until = hasSeveral(vm) ? wakeTick(board, vm) : board.nextInterrupt;
  const wakes = until !== Number.POSITIVE_INFINITY;
  const [wake, tick] = wakes ? [now + (until - board.now), until] : [undefined, undefined];
  return { kind: "halted", since: now, wake, until: tick };
}

/** A VM at whose serial port something was typed. One that waits for an interrupt may wait for less long. */
export function typed(vm: VmState, text: Uint8Array, now: number): Partial<VmState> {
  const { status, ticks, devices: before, pausedAt } = vm;
  if (status.kind !== "halted") return { devices: typeInput(before, text) };
  // The time of one that waits for nothing but input stands still.
  const gone = status.until === undefined ? 0 : Math.min((pausedAt ?? now) - status.since, status.until - ticks);
  const board = new VirtualBoard({ devices: before, tick: ticks }, NO_MEMORY);
  board.advance(ticks + gone);
  board.devices = typeInput(board.devices, text);
  return { devices: board.devices, ticks: board.now, status: haltedUntil(board, now, vm) };
}

/** What a machine that becomes a VM is at: it goes on from there. */
export function beginning(guest: MachineState, now: number): Pick<VmState, "cpu" | "status"> {
  const { cpu, devices, ticks, shutdown } = guest;
  if (shutdown) return { cpu, status: { kind: "stopped", stop: { reason: "triple-fault" } } };
  if (guest.turn !== undefined)
    return { cpu, status: beginningOfSeveral({ devices, ticks, cpu, turn: guest.turn }, now) };
  if (!cpu.halted) return { cpu, status: { kind: "ready" } };
  const stop = { reason: "halted", waitsForInput: false } as const;
  if ((cpu.eflags & FLAG.IF) === 0 && !cpu.pending.nmi) return { cpu, status: { kind: "stopped", stop } };
  const awake = { ...cpu, halted: false };
  const board = new VirtualBoard({ devices, tick: ticks }, NO_MEMORY);
  return {
    cpu: awake,
    status: board.interruptWaits || cpu.pending.nmi ? { kind: "ready" } : haltedUntil(board, now, { cpu }),
  };
}

/** The same of a machine with several processors. */
function beginningOfSeveral(guest: Several & Pick<MachineState, "devices" | "ticks">, now: number): VmStatus {
  const { devices, ticks } = guest;
  if (nextProcessor(devices, guest) !== undefined) return { kind: "ready" };
  if (!anyTakesInterrupts(devices, guest)) return { kind: "stopped", stop: { reason: "halted", waitsForInput: false } };
  return haltedUntil(new VirtualBoard({ devices, tick: ticks }, NO_MEMORY), now, guest);
}

/** A VM that goes on: what it waits for is later by as long as it was paused. */
export function resumed({ status, pausedAt }: VmState, now: number): Partial<VmState> {
  const go = { pausedAt: undefined };
  if (status.kind !== "halted" || status.wake === undefined) return go;
  const later = now - pausedAt!;
  return { ...go, status: { ...status, since: status.since + later, wake: status.wake + later } };
}
