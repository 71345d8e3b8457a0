/**
 * All APICs of a machine: the I/O APIC, a local APIC for each processor, and the messages between them.
 *
 * A message arrives at once. Everything is a pure function over one record; which processor reads or writes its own
 * registers is told by its number.
 *
 * Manual: SDM Vol. 3A, "Issuing Interprocessor Interrupts", "Handling Interrupts", "Extended XAPIC (x2APIC)".
 */
import { writeDeadline } from "./apic-timer.js";
import type { BusDevice } from "./bus-device.js";
import { DELIVERY, deliveryOf, FIELD, type InterruptMessage } from "./interrupt-message.js";
import * as io from "./io-apic.js";
import type { LocalApicState } from "./local-apic.js";
import * as local from "./local-apic.js";
import { APIC_REGISTER, readRegister, readX2Register, writeRegister, writeX2Register } from "./local-apic-registers.js";

export interface ApicSystemState {
  readonly io: io.IoApicState;
  /** By the processor's number. */
  readonly local: readonly LocalApicState[];
}

/** After reset, the first processor's in virtual wire mode, as firmware leaves it. */
export function resetApicSystem(processors: number): ApicSystemState {
  const all = Array.from({ length: processors }, (_, number) => local.resetLocalApic(number));
  return { io: io.resetIoApic(), local: [local.inVirtualWireMode(all[0]!), ...all.slice(1)] };
}

const withIo = (system: ApicSystemState, next: io.IoApicState): ApicSystemState =>
  next === system.io ? system : { io: next, local: system.local };

/** The system with one local APIC replaced. */
export function withLocal(system: ApicSystemState, processor: number, next: LocalApicState): ApicSystemState {
  if (next === system.local[processor]) return system;
  const all = system.local.slice();
  all[processor] = next;
  return { io: system.io, local: all };
}

export const isOn = ({ local: all }: ApicSystemState, processor: number): boolean => local.isOn(all[processor]!);

// ---- messages -----------------------------------------------------------------------------------------------------

/** The processor that a lowest-priority interrupt goes to, of those given: the first of the least busy ones. */
function leastBusy(system: ApicSystemState, among: readonly number[]): number[] {
  const able = among.filter((processor) => local.isEnabled(system.local[processor]!));
  const priority = (processor: number): number => local.processorPriority(system.local[processor]!) >> 4;
  const lowest = Math.min(...able.map(priority));
  return able.filter((processor) => priority(processor) === lowest).slice(0, 1);
}

function sendTo(system: ApicSystemState, message: InterruptMessage, processors: readonly number[]): ApicSystemState {
  const chosen = message.delivery === DELIVERY.lowestPriority ? leastBusy(system, processors) : processors;
  return chosen.reduce(
    (next, processor) => withLocal(next, processor, local.accept(next.local[processor]!, message)),
    system,
  );
}

function destinationsOf(system: ApicSystemState, message: InterruptMessage): number[] {
  const found: number[] = [];
  system.local.forEach((apic, processor) => {
    if (local.isDestination(apic, message)) found.push(processor);
  });
  return found;
}

/** Sends what level-triggered inputs have to send. */
function sendLevels(system: ApicSystemState): ApicSystemState {
  let next = system;
  for (let pin = io.levelToSend(next.io); pin >= 0; pin = io.levelToSend(next.io)) {
    const message = io.messageOf(next.io, pin);
    next = sendTo(withIo(next, io.sentLevel(next.io, pin)), message, destinationsOf(next, message));
  }
  return next;
}

/** Asserts an input of the I/O APIC or not. */
export function setPin(system: ApicSystemState, pin: number, asserted: boolean): ApicSystemState {
  const after = io.setPin(system.io, pin, asserted);
  if (after === system.io) return system;
  const next = withIo(system, after);
  if (!asserted || !io.passes(after, pin)) return next;
  if (!io.isEdgeTriggered(after, pin)) return sendLevels(next);
  const message = io.messageOf(after, pin);
  return sendTo(next, message, destinationsOf(next, message));
}

/** The input of an interrupt line: the timer's is 2, where the 8259s have their cascade, and input 0 is not connected. */
export const pinOf = (line: number): number => (line === 0 ? 2 : line);

/** Drives interrupt line 0 to 15. */
export const setLine = (system: ApicSystemState, line: number, high: boolean): ApicSystemState =>
  setPin(system, pinOf(line), high);

/** Drives LINT0 of every local APIC: the 8259s' request. */
export function driveLint0(system: ApicSystemState, high: boolean): ApicSystemState {
  return system.local.reduce(
    (next, apic, processor) => withLocal(next, processor, local.driveLint0(apic, high)),
    system,
  );
}

// ---- interprocessor interrupts ------------------------------------------------------------------------------------

const SHORTHAND = { none: 0, self: 1, all: 2, others: 3 } as const;
const ICR_LEVEL_ASSERT = 1 << 14;
const FIRST_VECTOR = 16;

/** Who a command of a processor is for. */
function targetsOf(system: ApicSystemState, processor: number, low: number, message: InterruptMessage): number[] {
  const all = system.local.map((_, number) => number);
  switch ((low >> 18) & 3) {
    case SHORTHAND.none:
      return destinationsOf(system, message);
    case SHORTHAND.self:
      return [processor];
    case SHORTHAND.all:
      return all;
    default:
      return all.filter((number) => number !== processor);
  }
}

/** A processor's write to the low word of ICR. Spec: SDM Vol. 3A, "Interrupt Command Register (ICR)". */
function command(system: ApicSystemState, processor: number, low: number, destination: number): ApicSystemState {
  const delivery = deliveryOf(low);
  const vector = low & FIELD.vector;
  const isFixed = delivery === DELIVERY.fixed || delivery === DELIVERY.lowestPriority;
  if (isFixed && vector < FIRST_VECTOR) {
    const apic = local.withError(system.local[processor]!, local.APIC_ERROR.sendIllegalVector);
    return withLocal(system, processor, apic);
  }
  // INIT level de-assert sets arbitration IDs, which there are none of.
  const deasserts = (low & ICR_LEVEL_ASSERT) === 0 && (low & FIELD.levelTriggered) !== 0;
  if (delivery === DELIVERY.extInt || (delivery === DELIVERY.init && deasserts)) return system;
  const logical = (low & FIELD.logical) !== 0;
  // IPIs are edge triggered whatever the trigger mode says.
  const message: InterruptMessage = { delivery, vector, levelTriggered: false, logical, destination };
  return sendTo(system, message, targetsOf(system, processor, low, message));
}

function endInterrupt(system: ApicSystemState, processor: number): ApicSystemState {
  const { state, vector, levelTriggered } = local.endOfInterrupt(system.local[processor]!);
  const next = withLocal(system, processor, state);
  return levelTriggered ? sendLevels(withIo(next, io.endOfInterrupt(next.io, vector))) : next;
}

// ---- registers ----------------------------------------------------------------------------------------------------

/** Offset of a physical address in the registers of a processor's APIC, or -1. */
export function registerOffset(system: ApicSystemState, processor: number, physical: number): number {
  const apic = system.local[processor]!;
  if (!local.isOn(apic) || local.isX2apic(apic)) return -1;
  const offset = physical - Math.floor(apic.APIC_BASE / 4096) * 4096;
  return offset >= 0 && offset < 4096 ? offset : -1;
}

/** Reads a word in the registers' page; what is no whole register reads as 0. */
export function readLocal(
  system: ApicSystemState,
  processor: number,
  offset: number,
  size: number,
  tick: number,
): { readonly system: ApicSystemState; readonly value: number } {
  if ((offset & 15) !== 0 || size !== 4) return { system, value: 0 };
  const { state, value } = readRegister(system.local[processor]!, offset >> 4, tick);
  return { system: withLocal(system, processor, state), value };
}

export function writeLocal(
  system: ApicSystemState,
  processor: number,
  offset: number,
  size: number,
  value: number,
  tick: number,
): ApicSystemState {
  if ((offset & 15) !== 0 || size !== 4) return system;
  const number = offset >> 4;
  if (number === APIC_REGISTER.endOfInterrupt) return endInterrupt(system, processor);
  const next = withLocal(system, processor, writeRegister(system.local[processor]!, number, value, tick));
  return number === APIC_REGISTER.command
    ? command(next, processor, value, next.local[processor]!.ICR[1] >>> 24)
    : next;
}

// ---- model-specific registers -------------------------------------------------------------------------------------

/** The MSRs of x2APIC mode. */
export const X2APIC_MSRS = { first: 0x800, last: 0x8ff } as const;
const ICR_LOW_BITS = 0xc_cfff & ~(1 << 12);

/** RDMSR of an x2APIC register; undefined for #GP(0). */
export function readX2(system: ApicSystemState, processor: number, address: number, tick: number): bigint | undefined {
  const apic = system.local[processor]!;
  const number = address - X2APIC_MSRS.first;
  if (!local.isX2apic(apic)) return undefined;
  if (number === APIC_REGISTER.command) return (BigInt(apic.ICR[1]) << 32n) | BigInt(apic.ICR[0]);
  const value = readX2Register(apic, number, tick);
  return value === undefined ? undefined : BigInt(value);
}

/** WRMSR of an x2APIC register; undefined for #GP(0). */
export function writeX2(
  system: ApicSystemState,
  processor: number,
  address: number,
  value: bigint,
  tick: number,
): ApicSystemState | undefined {
  const apic = system.local[processor]!;
  const number = address - X2APIC_MSRS.first;
  const low = Number(value & 0xffff_ffffn);
  const high = Number(value >> 32n);
  if (!local.isX2apic(apic)) return undefined;
  if (number === APIC_REGISTER.command) {
    if ((low & ~ICR_LOW_BITS) !== 0) return undefined;
    return command(withLocal(system, processor, { ...apic, ICR: [low, high] }), processor, low, high);
  }
  if (high !== 0) return undefined;
  if (number === APIC_REGISTER.endOfInterrupt) return low === 0 ? endInterrupt(system, processor) : undefined;
  if (number === APIC_REGISTER.selfIpi) {
    if (low > 0xff) return undefined;
    return command(system, processor, low | (SHORTHAND.self << 18), 0);
  }
  const next = writeX2Register(apic, number, low, tick);
  return next === undefined ? undefined : withLocal(system, processor, next);
}

/** RDMSR of IA32_APIC_BASE. */
export const readBase = (system: ApicSystemState, processor: number): bigint =>
  BigInt(system.local[processor]!.APIC_BASE);

/** WRMSR of IA32_APIC_BASE. Spec: SDM Vol. 3A, "x2APIC State Transitions", "Enabling or Disabling the Local APIC". */
export function writeBase(system: ApicSystemState, processor: number, value: bigint): ApicSystemState {
  const apic = system.local[processor]!;
  const next = { ...apic, APIC_BASE: Number(value) };
  // Switched off, it is as after power-up; in x2APIC mode the ID that software wrote is forgotten.
  const off = { ...local.afterInit(next), ID: apic.initialId, waits: apic.waits };
  return withLocal(
    system,
    processor,
    local.isX2apic(next) ? { ...next, ID: apic.initialId } : local.isOn(next) ? next : off,
  );
}

/** Task priority, bits 4 to 7: CR8. */
export const readTaskPriority = (system: ApicSystemState, processor: number): number =>
  system.local[processor]!.TPR >> 4;

export const writeTaskPriority = (system: ApicSystemState, processor: number, value: number): ApicSystemState =>
  withLocal(system, processor, { ...system.local[processor]!, TPR: (value & 15) << 4 });

/** IA32_TSC_DEADLINE as the tick at which it is met; Infinity when the timer is not armed so. */
export function readDeadline(system: ApicSystemState, processor: number): number {
  const apic = system.local[processor]!;
  return local.isDeadlineMode(apic) ? apic.timer.due : Number.POSITIVE_INFINITY;
}

/** Arms the timer for a tick; a write in another mode of the timer is ignored. */
export function armDeadline(system: ApicSystemState, processor: number, due: number): ApicSystemState {
  const apic = system.local[processor]!;
  if (!local.isDeadlineMode(apic)) return system;
  return withLocal(system, processor, { ...apic, timer: writeDeadline(apic.timer, due) });
}

// ---- interrupts ---------------------------------------------------------------------------------------------------

/** Whether a processor is interrupted, by its own APIC or by the 8259s, whose request is `extInt`. */
export function interruptRequested({ local: all }: ApicSystemState, processor: number, extInt: boolean): boolean {
  const apic = all[processor]!;
  return local.nextVector(apic) >= 0 || (extInt && local.passesExtInt(apic));
}

/** Takes the interrupt that is next from a local APIC: its vector, or -1 when it is the 8259s' to give. */
export function acknowledge(
  system: ApicSystemState,
  processor: number,
): { readonly system: ApicSystemState; readonly vector: number } {
  const apic = system.local[processor]!;
  const vector = local.nextVector(apic);
  return { system: vector < 0 ? system : withLocal(system, processor, local.takeVector(apic, vector)), vector };
}

/** The system once a processor has been told of NMI, INIT and start-up: INIT resets its APIC, start-up ends its wait. */
export function signalsTaken(system: ApicSystemState, processor: number): ApicSystemState {
  const apic = system.local[processor]!;
  const next = apic.init ? local.afterInit(apic) : apic;
  const waits = next.waits && apic.startUp < 0;
  return withLocal(system, processor, { ...next, waits, nmi: false, init: false, startUp: -1 });
}

// ---- time ---------------------------------------------------------------------------------------------------------

/** The first tick at which `advance` gives another state. */
export function due({ local: all }: ApicSystemState): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { timer } of all) if (timer.due < first) first = timer.due;
  return first;
}

export function advance(system: ApicSystemState, tick: number): ApicSystemState {
  if (tick < due(system)) return system;
  return system.local.reduce(
    (next, apic, processor) => withLocal(next, processor, local.advanceTimer(apic, tick)),
    system,
  );
}

/** The next tick at which a timer does something that can matter. */
export function nextEvent({ local: all }: ApicSystemState): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { timer, LVT } of all) if ((LVT.timer & FIELD.masked) === 0 && timer.due < first) first = timer.due;
  return first;
}

/** Whether a processor's timer will interrupt it as things are. */
export function timerWakes({ local: all }: ApicSystemState, processor: number): boolean {
  const apic = all[processor]!;
  const { timer } = apic.LVT;
  const runs = apic.timer.due !== Number.POSITIVE_INFINITY && (timer & FIELD.masked) === 0;
  return runs && local.isEnabled(apic) && local.isDeliverable(apic, timer & FIELD.vector);
}

/** Whether an interrupt line is let through to some local APIC. */
export const lineReaches = (system: ApicSystemState, line: number): boolean => io.passes(system.io, pinOf(line));

/** Whether an interrupt line that is driven anew would interrupt a processor through the I/O APIC. */
export function lineWakes(system: ApicSystemState, processor: number, line: number): boolean {
  const pin = pinOf(line);
  const apic = system.local[processor]!;
  if (!io.passes(system.io, pin)) return false;
  const message = io.messageOf(system.io, pin);
  if (message.delivery > DELIVERY.lowestPriority) return message.delivery === DELIVERY.nmi && local.isOn(apic);
  if (!local.isDestination(apic, message) || !local.isEnabled(apic)) return false;
  return local.isDeliverable(apic, message.vector);
}

/** Whether the 8259s' request, made anew, would interrupt a processor. */
export function extIntWakes({ local: all }: ApicSystemState, processor: number): boolean {
  const apic = all[processor]!;
  const { LINT0 } = apic.LVT;
  if (local.passesExtInt(apic)) return true;
  const fixed = (LINT0 & FIELD.masked) === 0 && deliveryOf(LINT0) === DELIVERY.fixed;
  return fixed && local.isEnabled(apic) && local.isDeliverable(apic, LINT0 & FIELD.vector);
}

/** Registers are words; the index is a byte, and so it may be written. */
const isWhole = (offset: number, size: number): boolean => size === 4 || offset === io.IO_APIC_OFFSET.IOREGSEL;

/** As a device of the bus: the registers of the I/O APIC. */
export const apicSystem: BusDevice<ApicSystemState> = {
  name: "I/O APIC",
  spec: '82093AA datasheet, "Register Description"',
  reset: () => resetApicSystem(1),
  read: (state, offset, size) => ({ state, value: isWhole(offset, size) ? io.readIoApic(state.io, offset) : 0 }),
  write: (state, offset, size, value) =>
    isWhole(offset, size) ? sendLevels(withIo(state, io.writeIoApic(state.io, offset, value))) : state,
  advance,
  nextEvent,
  due,
};
