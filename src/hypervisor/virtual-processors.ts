/**
 * The virtual processors of a VM that has several, as records. They take turns exactly as a machine's processors do (see
 * `hardware/engine/turns.ts`): one is present, and its turn passes to the next one that can go on after 256 steps, at HLT and at PAUSE.
 */
import { type CpuState, FLAG } from "../hardware/cpu/state.js";
import * as ownApic from "../hardware/devices/apic-bus.js";
import * as bus from "../hardware/devices/bus.js";
import { TURN_STEPS, type Turn } from "../hardware/state.js";
import type { VirtualBoard } from "../hardware/virtual-processor/board.js";
import type { VirtualProcessorState, VmState } from "./state.js";

/** A VM with several of them. */
export type Several = Pick<VmState, "cpu"> & { readonly turn: Turn };

/** All of them by number, as the VM's record has them. */
export const allProcessors = ({ cpu, turn }: Several): readonly CpuState[] =>
  turn.others.toSpliced(turn.processor, 0, cpu);

const takesInterrupts = (devices: bus.DeviceSet, number: number, { eflags }: CpuState): boolean =>
  (eflags & FLAG.IF) !== 0 && !ownApic.waits(devices, number);

/** Whether one of them is neither halted nor waits to be started. */
export function canGoOn(devices: bus.DeviceSet, number: number, cpu: CpuState): boolean {
  if (ownApic.waits(devices, number)) return false;
  const { halted, pending } = cpu;
  if (!halted || pending.debug !== 0 || (pending.nmi && !pending.nmiBlocked)) return true;
  return takesInterrupts(devices, number, cpu) && bus.interruptRequested(devices, number);
}

/** Whether some processor would take an interrupt. */
export const anyTakesInterrupts = (devices: bus.DeviceSet, vm: Several): boolean =>
  allProcessors(vm).some((cpu, number) => takesInterrupts(devices, number, cpu));

/** Whether no other than the present one can go on. */
export const isAlone = (devices: bus.DeviceSet, { turn: { processor, others } }: Several): boolean =>
  others.every((cpu, index) => !canGoOn(devices, index < processor ? index : index + 1, cpu));

/** How many of a VM's steps are not among those of its processors yet. */
export const uncounted = ({ steps: own }: Turn, steps: number): number =>
  steps - own.reduce((sum, count) => sum + count);

/** What `counted` finds. */
export interface Counted {
  readonly turn: Turn;
  /** It has just come to its end. */
  readonly over: boolean;
}

/**
 * A turn with all of the machine's steps in it: those that are not counted yet are the present processor's. A turn that came to its end
 * on the way came back at once.
 */
export function counted(turn: Turn, steps: number): Counted {
  const made = uncounted(turn, steps);
  if (made === 0) return { turn, over: false };
  const left = turn.left - made;
  return {
    turn: {
      ...turn,
      left: left > 0 ? left : TURN_STEPS + (left % TURN_STEPS),
      steps: turn.steps.with(turn.processor, turn.steps[turn.processor]! + made),
    },
    over: left <= 0 && left % TURN_STEPS === 0,
  };
}

/** A new turn of one of them. */
export function passedTo(vm: Several, number: number): Several {
  const { turn } = vm;
  if (number === turn.processor) return { cpu: vm.cpu, turn: { ...turn, left: TURN_STEPS } };
  const all = allProcessors(vm);
  return {
    cpu: all[number]!,
    turn: { ...turn, processor: number, left: TURN_STEPS, others: all.toSpliced(number, 1) },
  };
}

/** The one that is next, of those that can go on: the present one is the last to be asked. Undefined where none can. */
export function nextProcessor(devices: bus.DeviceSet, vm: Several): number | undefined {
  const all = allProcessors(vm);
  for (let distance = 1; distance <= all.length; distance++) {
    const number = (vm.turn.processor + distance) % all.length;
    if (canGoOn(devices, number, all[number]!)) return number;
  }
  return undefined;
}

/** They as they are once all of the VM's steps are counted, of which the present one has just made some. */
export function atStep(vm: Several, devices: bus.DeviceSet, steps: number): Several {
  const { turn, over } = counted(vm.turn, steps);
  const now = { cpu: vm.cpu, turn };
  return over ? passedTo(now, nextProcessor(devices, now) ?? turn.processor) : now;
}

/** NMI, INIT and start-up messages that have come for processors, whose numbers these are. */
export function signalled({ apic }: bus.DeviceSet): readonly number[] {
  const found: number[] = [];
  apic?.local.forEach(({ nmi, init, startUp }, number) => {
    if (nmi || init || startUp >= 0) found.push(number);
  });
  return found;
}

/** None of them can go on: the tick at which one can; infinity where nothing but input changes that. */
export function wakeTick(board: VirtualBoard, vm: Several): number {
  const all = allProcessors(vm);
  let { devices, now: tick, nextEvent: due } = board;
  for (;;) {
    if (tick >= due) {
      devices = bus.advance(devices, tick);
      due = bus.nextEvent(devices, tick);
    }
    if (signalled(devices).length > 0 || all.some((cpu, number) => canGoOn(devices, number, cpu))) return tick;
    const wakes = all.some(
      (cpu, number) => takesInterrupts(devices, number, cpu) && bus.canWakeByItself(devices, tick, number),
    );
    if (due === Number.POSITIVE_INFINITY || !wakes) return Number.POSITIVE_INFINITY;
    tick = due;
  }
}

/** What is kept of each beside its registers, of a VM that has not run. */
export const newProcessors = (turn: Turn): readonly VirtualProcessorState[] =>
  turn.steps.map(() => ({ own: undefined, exits: 0 }));

/** Whether a VM has several. */
export const hasSeveral = <V extends Pick<VmState, "turn">>(vm: V): vm is V & { readonly turn: Turn } =>
  vm.turn !== undefined;
