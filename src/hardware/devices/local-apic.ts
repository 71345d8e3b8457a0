/**
 * The local APIC of one processor: which interrupts wait for it, which it is serving, and which is next.
 *
 * Left out on purpose: focus processor checking, arbitration IDs and remote reads, which are of the three-wire APIC bus
 * of old; suppression of EOI broadcasts, which the version register does not announce; SMIs. Thermal sensor and
 * performance counters never interrupt.
 *
 * Manual: SDM Vol. 3A, "Advanced Programmable Interrupt Controller (APIC)".
 */
import { type ApicTimerState, afterInterrupt, changeMode, resetTimer, TIMER_MODE, timerModeOf } from "./apic-timer.js";
import { DELIVERY, deliveryOf, FIELD, type InterruptMessage } from "./interrupt-message.js";

/** Flags of IA32_APIC_BASE. Spec: SDM Vol. 3A, "Local APIC Status and Location". */
export const APIC_BASE = { bootstrap: 1 << 8, x2apic: 1 << 10, enabled: 1 << 11 } as const;
export const DEFAULT_APIC_BASE = 0xfee0_0000;

/** Entries of the local vector table, in the order of their registers. */
export const LVT_NAMES = ["timer", "thermal", "performance", "LINT0", "LINT1", "error"] as const;
export type LvtName = (typeof LVT_NAMES)[number];

/** Bits of ESR. Spec: SDM Vol. 3A, "Error Handling". */
export const APIC_ERROR = { sendIllegalVector: 1 << 5, receiveIllegalVector: 1 << 6, illegalRegister: 1 << 7 } as const;

const SVR_ENABLED = 1 << 8;
/** Vectors below are those of exceptions, and illegal in messages. */
const FIRST_VECTOR = 16;
const BROADCAST = 0xff;
const X2APIC_BROADCAST = 0xffff_ffff;

export interface LocalApicState {
  /** IA32_APIC_BASE: the address of the registers, and flags. */
  readonly APIC_BASE: number;
  /** The ID after reset, which is the x2APIC ID, too. */
  readonly initialId: number;
  /** Bits 24 to 31 of the ID register. */
  readonly ID: number;
  readonly TPR: number;
  /** Bits 24 to 31 of the logical destination register. */
  readonly LDR: number;
  /** Bits 28 to 31 of the destination format register. */
  readonly DFR: number;
  readonly SVR: number;
  readonly ESR: number;
  /** Errors since ESR was written. */
  readonly errors: number;
  /** Interrupt command register: low and high word. */
  readonly ICR: readonly [low: number, high: number];
  readonly LVT: { readonly [N in LvtName]: number };
  readonly timer: ApicTimerState;
  /** A bit for each vector: requested, in service, level triggered. Eight words each, signed. */
  readonly IRR: readonly number[];
  readonly ISR: readonly number[];
  readonly TMR: readonly number[];
  /** Level of the pin that the 8259s drive. */
  readonly LINT0: boolean;
  /** Waits for the processor: an NMI; INIT; the page of a start-up message, or -1. */
  readonly nmi: boolean;
  readonly init: boolean;
  readonly startUp: number;
  /** The processor waits for a start-up message and does nothing else. */
  readonly waits: boolean;
}

const NO_VECTORS: readonly number[] = Object.freeze([0, 0, 0, 0, 0, 0, 0, 0]);

/** After power-up. The first processor is the bootstrap processor, the others wait to be started. */
export function resetLocalApic(initialId: number): LocalApicState {
  const bootstrap = initialId === 0 ? APIC_BASE.bootstrap : 0;
  return {
    APIC_BASE: DEFAULT_APIC_BASE + (APIC_BASE.enabled | bootstrap),
    initialId,
    ID: initialId,
    TPR: 0,
    LDR: 0,
    DFR: 0xf,
    SVR: 0xff,
    ESR: 0,
    errors: 0,
    ICR: [0, 0],
    LVT: {
      timer: FIELD.masked,
      thermal: FIELD.masked,
      performance: FIELD.masked,
      LINT0: FIELD.masked,
      LINT1: FIELD.masked,
      error: FIELD.masked,
    },
    timer: resetTimer,
    IRR: NO_VECTORS,
    ISR: NO_VECTORS,
    TMR: NO_VECTORS,
    LINT0: false,
    nmi: false,
    init: false,
    startUp: -1,
    waits: bootstrap === 0,
  };
}

/**
 * The first processor's APIC as firmware leaves it: in virtual wire mode, where the 8259s interrupt through LINT0.
 * Spec: MultiProcessor Specification, "Virtual Wire Mode".
 */
export function inVirtualWireMode(state: LocalApicState): LocalApicState {
  const LINT0 = (DELIVERY.extInt << FIELD.deliveryShift) | FIELD.levelTriggered;
  const LINT1 = (DELIVERY.nmi << FIELD.deliveryShift) | FIELD.levelTriggered;
  return { ...state, SVR: state.SVR | SVR_ENABLED, LVT: { ...state.LVT, LINT0, LINT1 } };
}

/** INIT: all registers but the ID and IA32_APIC_BASE. Spec: SDM Vol. 3A, "Local APIC State After It Receives an INIT-Deassert". */
export const afterInit = (state: LocalApicState): LocalApicState => ({
  ...resetLocalApic(state.initialId),
  APIC_BASE: state.APIC_BASE,
  ID: state.ID,
  LINT0: state.LINT0,
});

/** IA32_APIC_BASE switches the APIC on. */
export const isOn = ({ APIC_BASE: base }: LocalApicState): boolean => (base & APIC_BASE.enabled) !== 0;
export const isX2apic = ({ APIC_BASE: base }: LocalApicState): boolean => (base & APIC_BASE.x2apic) !== 0;
/** On, and enabled by software: takes part in interrupts of its own. */
export const isEnabled = (state: LocalApicState): boolean => isOn(state) && (state.SVR & SVR_ENABLED) !== 0;

// ---- vectors ------------------------------------------------------------------------------------------------------

const hasVector = (words: readonly number[], vector: number): boolean =>
  ((words[vector >> 5]! >> (vector & 31)) & 1) !== 0;

function withVector(words: readonly number[], vector: number, set: boolean): readonly number[] {
  if (hasVector(words, vector) === set) return words;
  const next = words.slice();
  const bit = 1 << (vector & 31);
  next[vector >> 5] = set ? words[vector >> 5]! | bit : words[vector >> 5]! & ~bit;
  return next;
}

/** The highest vector there is, or -1. */
function highest(words: readonly number[]): number {
  for (let index = 7; index >= 0; index--) {
    const word = words[index]!;
    if (word !== 0) return index * 32 + 31 - Math.clz32(word);
  }
  return -1;
}

/** Processor priority register. Spec: SDM Vol. 3A, "Task and Processor Priorities". */
export function processorPriority({ TPR, ISR }: LocalApicState): number {
  const served = ISR === NO_VECTORS ? -1 : highest(ISR);
  return served >> 4 > TPR >> 4 ? served & 0xf0 : TPR;
}

/** Whether an interrupt of this vector would reach the processor. */
export const isDeliverable = (state: LocalApicState, vector: number): boolean =>
  vector >> 4 > processorPriority(state) >> 4;

/** The vector that is next, or -1. */
export function nextVector(state: LocalApicState): number {
  if (state.IRR === NO_VECTORS || !isEnabled(state)) return -1;
  const vector = highest(state.IRR);
  return vector >= 0 && isDeliverable(state, vector) ? vector : -1;
}

/** The processor takes the vector that is next: from requested to in service. */
export const takeVector = (state: LocalApicState, vector: number): LocalApicState => ({
  ...state,
  IRR: withVector(state.IRR, vector, false),
  ISR: withVector(state.ISR, vector, true),
});

/** End of interrupt: the highest vector in service, or -1, and whether it was level triggered. */
export function endOfInterrupt(state: LocalApicState): {
  readonly state: LocalApicState;
  readonly vector: number;
  readonly levelTriggered: boolean;
} {
  const vector = highest(state.ISR);
  if (vector < 0) return { state, vector, levelTriggered: false };
  const levelTriggered = hasVector(state.TMR, vector);
  let next: LocalApicState = { ...state, ISR: withVector(state.ISR, vector, false) };
  const { LINT0 } = state.LVT;
  if (levelTriggered && (LINT0 & FIELD.remoteIrr) !== 0 && (LINT0 & FIELD.vector) === vector) {
    next = withLvt(next, "LINT0", LINT0 & ~FIELD.remoteIrr);
    if (next.LINT0) next = pinRises(next);
  }
  return { state: next, vector, levelTriggered };
}

// ---- what arrives -------------------------------------------------------------------------------------------------

/** An error is found: it is remembered until ESR is written, and the first one interrupts. */
export function withError(state: LocalApicState, error: number): LocalApicState {
  const next = { ...state, errors: state.errors | error };
  return state.errors === 0 ? interruptLocally(next, "error") : next;
}

/** A fixed or lowest-priority interrupt. Spec: SDM Vol. 3A, "Interrupt Acceptance for Fixed Interrupts". */
function acceptFixed(state: LocalApicState, vector: number, levelTriggered: boolean): LocalApicState {
  if (!isEnabled(state)) return state;
  if (vector < FIRST_VECTOR) return withError(state, APIC_ERROR.receiveIllegalVector);
  const IRR = withVector(state.IRR, vector, true);
  const TMR = withVector(state.TMR, vector, levelTriggered);
  return IRR === state.IRR && TMR === state.TMR ? state : { ...state, IRR, TMR };
}

/** Takes a message that is for this APIC. */
export function accept(state: LocalApicState, message: InterruptMessage): LocalApicState {
  if (!isOn(state)) return state;
  const { delivery, vector, levelTriggered } = message;
  switch (delivery) {
    case DELIVERY.fixed:
    case DELIVERY.lowestPriority:
      return acceptFixed(state, vector, levelTriggered);
    case DELIVERY.nmi:
      return { ...state, nmi: true };
    case DELIVERY.init:
      return { ...state, init: true, startUp: -1 };
    case DELIVERY.startUp:
      // Only behind INIT is there somebody who waits for it.
      return state.waits || state.init ? { ...state, startUp: vector } : state;
    default:
      return state;
  }
}

/** An entry of the local vector table interrupts, unless it is masked. */
export function interruptLocally(state: LocalApicState, name: LvtName): LocalApicState {
  const entry = state.LVT[name];
  if ((entry & FIELD.masked) !== 0 || !isOn(state)) return state;
  const delivery = name === "timer" || name === "error" ? DELIVERY.fixed : deliveryOf(entry);
  if (delivery === DELIVERY.nmi) return { ...state, nmi: true };
  if (delivery !== DELIVERY.fixed) return state;
  const levelTriggered = name === "LINT0" && (entry & FIELD.levelTriggered) !== 0;
  const accepted = acceptFixed(state, entry & FIELD.vector, levelTriggered);
  return levelTriggered ? withLvt(accepted, name, entry | FIELD.remoteIrr) : accepted;
}

const pinRises = (state: LocalApicState): LocalApicState =>
  (state.LVT.LINT0 & FIELD.remoteIrr) !== 0 ? state : interruptLocally(state, "LINT0");

/** Drives the pin LINT0. */
export function driveLint0(state: LocalApicState, high: boolean): LocalApicState {
  if (state.LINT0 === high) return state;
  const next = { ...state, LINT0: high };
  return high ? pinRises(next) : next;
}

/** Whether the 8259s' request on LINT0 is the processor's INTR: without an APIC, and in virtual wire mode. */
export function passesExtInt(state: LocalApicState): boolean {
  if (!isOn(state)) return true;
  const entry = state.LVT.LINT0;
  return (entry & FIELD.masked) === 0 && deliveryOf(entry) === DELIVERY.extInt;
}

export const withLvt = (state: LocalApicState, name: LvtName, entry: number): LocalApicState => ({
  ...state,
  LVT: { ...state.LVT, [name]: entry },
});

/** Brings the timer to `tick`. */
export function advanceTimer(state: LocalApicState, tick: number): LocalApicState {
  if (tick < state.timer.due) return state;
  const timer = afterInterrupt(state.timer, timerModeOf(state.LVT.timer), tick);
  return interruptLocally({ ...state, timer }, "timer");
}

/** Replaces the timer's entry of the local vector table. */
export function writeTimerEntry(state: LocalApicState, entry: number): LocalApicState {
  const timer = changeMode(state.timer, timerModeOf(state.LVT.timer), timerModeOf(entry));
  return withLvt(timer === state.timer ? state : { ...state, timer }, "timer", entry);
}

export const isDeadlineMode = ({ LVT }: LocalApicState): boolean => timerModeOf(LVT.timer) === TIMER_MODE.tscDeadline;

// ---- addresses ----------------------------------------------------------------------------------------------------

/** Logical x2APIC ID: a cluster of 16 in the upper half, a bit in the lower. */
export const logicalX2apicId = (id: number): number => (((id >> 4) << 16) | (1 << (id & 15))) >>> 0;

/** Whether a message is for this APIC. Spec: SDM Vol. 3A, "Determining IPI Destination". */
export function isDestination(state: LocalApicState, { destination, logical }: InterruptMessage): boolean {
  if (isX2apic(state)) {
    if (destination === X2APIC_BROADCAST || destination === BROADCAST) return true;
    if (!logical) return destination === state.initialId;
    const own = logicalX2apicId(state.initialId);
    return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
  }
  if ((destination & BROADCAST) === BROADCAST) return true;
  if (!logical) return destination === state.ID;
  if (state.DFR === 0xf) return (destination & state.LDR) !== 0;
  // The cluster model: four bits name a cluster, each of the others one of its APICs.
  return state.DFR === 0 && destination >> 4 === state.LDR >> 4 && (destination & state.LDR & 0xf) !== 0;
}
