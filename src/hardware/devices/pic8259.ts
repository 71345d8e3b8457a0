/**
 * The 8259A: one programmable interrupt controller. `pic-pair.ts` makes a PC's cascade of two.
 *
 * An interrupt request is what the datasheet's priority cell makes of its input: with edge sense, a rising edge sets it
 * and either its acknowledgement or the fall of the input clears it, so an input that falls before it is acknowledged is
 * forgotten; with level sense, it is the input.
 *
 * Left out on purpose: the MCS-80/85 mode (ICW4 bit 0 is taken as set) and buffered mode (its bits are kept, and mean
 * nothing without a data bus).
 *
 * Manual: Intel 8259A Programmable Interrupt Controller datasheet; for ELCR, Intel 82371SB (PIIX3) datasheet.
 */
import type { BusDevice } from "./bus-device.js";
import type { ReadResult } from "./device.js";

/** Register offsets: A0 of the datasheet, and the edge/level control register beside the chip. */
export const PIC_OFFSET = { command: 0, data: 1, edgeLevelControl: 2 } as const;

const ICW1 = { marker: 0x10, levelTriggered: 0x08, single: 0x02, icw4Needed: 0x01 } as const;
const ICW2_VECTOR_BASE = 0xf8;
const ICW4 = { specialFullyNested: 0x10, autoEndOfInterrupt: 0x02 } as const;
const OCW2 = { rotate: 0x80, specific: 0x40, endOfInterrupt: 0x20, level: 0x07 } as const;
const OCW3 = {
  marker: 0x08,
  enableSpecialMask: 0x40,
  specialMask: 0x20,
  poll: 0x04,
  readRegister: 0x02,
  readIsr: 0x01,
} as const;
/** Bit 7 of what a poll reads: there was a request. */
const POLL_REQUEST = 0x80;
/** The level of an acknowledgement nobody asked for. */
const SPURIOUS_LEVEL = 7;

export interface Pic8259State {
  /** Interrupt requests. */
  readonly IRR: number;
  /** Levels in service. */
  readonly ISR: number;
  /** Interrupt mask; all set after reset, though the datasheet promises nothing before ICW1. */
  readonly IMR: number;
  /** Edge/level control: a set bit makes the input level sensitive. */
  readonly ELCR: number;
  readonly ICW1: number;
  readonly ICW2: number;
  readonly ICW3: number;
  readonly ICW4: number;
  /** The initialization command word that is expected next: 2, 3 or 4, or 0 when initialization is over. */
  readonly nextIcw: number;
  /** The input pins. */
  readonly inputs: number;
  /** The level of the lowest priority; the one after it has the highest. */
  readonly lowestPriority: number;
  readonly specialMask: boolean;
  readonly rotateOnAutoEoi: boolean;
  /** Whether the next read polls. */
  readonly poll: boolean;
  /** Whether the command port reads ISR and not IRR. */
  readonly readsIsr: boolean;
}

export const pic8259: BusDevice<Pic8259State> = {
  name: "8259A",
  spec: '8259A datasheet, "Programming the 8259A"',

  reset: () => ({
    IRR: 0,
    ISR: 0,
    IMR: 0xff,
    ELCR: 0,
    ICW1: 0,
    ICW2: 0,
    ICW3: 0,
    ICW4: 0,
    nextIcw: 0,
    inputs: 0,
    lowestPriority: 7,
    specialMask: false,
    rotateOnAutoEoi: false,
    poll: false,
    readsIsr: false,
  }),

  peek(state, offset): number {
    if (offset === PIC_OFFSET.edgeLevelControl) return state.ELCR;
    if (state.poll) return -1;
    if (offset === PIC_OFFSET.data) return state.IMR;
    return state.readsIsr ? state.ISR : state.IRR;
  },

  read(state, offset, size, tick): ReadResult<Pic8259State> {
    const value = pic8259.peek!(state, offset, size, tick);
    return value < 0 ? readPoll(state) : { state, value };
  },

  write(state, offset, _size, value): Pic8259State {
    if (offset === PIC_OFFSET.edgeLevelControl) return writeEdgeLevelControl(state, value);
    if (offset === PIC_OFFSET.data) return writeData(state, value);
    if ((value & ICW1.marker) !== 0) return writeIcw1(state, value);
    return (value & OCW3.marker) !== 0 ? writeOcw3(state, value) : writeOcw2(state, value);
  },

  interrupt: (state) => requestedLevel(state) >= 0,
};

/** Drives input `level` (0 to 7). */
export function setInput(state: Pic8259State, level: number, high: boolean): Pic8259State {
  const bit = 1 << level;
  if (((state.inputs & bit) !== 0) === high) return state;
  // The same for both senses: a rise requests, a fall takes the request back.
  return high
    ? withRequests(state, state.inputs | bit, state.IRR | bit, state.ISR, state.lowestPriority)
    : withRequests(state, state.inputs & ~bit, state.IRR & ~bit, state.ISR, state.lowestPriority);
}

/**
 * The level (0 to 7) whose request the chip passes on through INT, or -1.
 *
 * Spec: 8259A datasheet, "Fully Nested Mode", "Special Mask Mode", "The Special Fully Nested Mode".
 */
export function requestedLevel(state: Pic8259State): number {
  const requests = state.IRR & ~state.IMR;
  if (requests === 0 || state.nextIcw !== 0) return -1;
  const first = highestPriority(state, requests);
  const inService = state.specialMask ? state.ISR & ~state.IMR : state.ISR;
  if (inService === 0) return first;
  const served = highestPriority(state, inService);
  if (priorityOf(state, first) < priorityOf(state, served)) return first;
  // A master lets further requests through that come from the slave it is serving.
  const fromServedSlave = first === served && (state.ICW3 & (1 << first)) !== 0;
  if (fromServedSlave && (state.ICW4 & ICW4.specialFullyNested) !== 0) return first;
  return -1;
}

/** The level that an acknowledgement answers, 7 if there is no request, and the state after it. */
export interface Acknowledgement {
  readonly state: Pic8259State;
  readonly level: number;
  /** Whether nothing was requested. */
  readonly spurious: boolean;
}

/** Both INTA pulses. Spec: 8259A datasheet, "Interrupt Sequence". */
export function acknowledgeLevel(state: Pic8259State): Acknowledgement {
  const level = requestedLevel(state);
  if (level < 0) return { state, level: SPURIOUS_LEVEL, spurious: true };
  const bit = 1 << level;
  const IRR = (levelSense(state) & bit) !== 0 ? state.IRR : state.IRR & ~bit;
  if ((state.ICW4 & ICW4.autoEndOfInterrupt) === 0) {
    const next = withRequests(state, state.inputs, IRR, state.ISR | bit, state.lowestPriority);
    return { state: next, level, spurious: false };
  }
  const lowestPriority = state.rotateOnAutoEoi ? level : state.lowestPriority;
  return { state: withRequests(state, state.inputs, IRR, state.ISR, lowestPriority), level, spurious: false };
}

/** The vector (0 to 255) the chip gives for `level`. */
export function vectorOf(state: Pic8259State, level: number): number {
  return (state.ICW2 & ICW2_VECTOR_BASE) | level;
}

/** The state with what changes with every interrupt replaced; field by field, which is faster than a spread. */
function withRequests(
  state: Pic8259State,
  inputs: number,
  IRR: number,
  ISR: number,
  lowestPriority: number,
): Pic8259State {
  const { IMR, ELCR, ICW1, ICW2, ICW3, ICW4, nextIcw, specialMask, rotateOnAutoEoi, poll, readsIsr } = state;
  return {
    IRR,
    ISR,
    IMR,
    ELCR,
    ICW1,
    ICW2,
    ICW3,
    ICW4,
    nextIcw,
    inputs,
    lowestPriority,
    specialMask,
    rotateOnAutoEoi,
    poll,
    readsIsr,
  };
}

/** The same for the mask, which some kernels write twice an interrupt. */
function withMask(state: Pic8259State, IMR: number): Pic8259State {
  const { IRR, ISR, ELCR, ICW1, ICW2, ICW3, ICW4, nextIcw, inputs } = state;
  const { lowestPriority, specialMask, rotateOnAutoEoi, poll, readsIsr } = state;
  return {
    IRR,
    ISR,
    IMR,
    ELCR,
    ICW1,
    ICW2,
    ICW3,
    ICW4,
    nextIcw,
    inputs,
    lowestPriority,
    specialMask,
    rotateOnAutoEoi,
    poll,
    readsIsr,
  };
}

function levelSense(state: Pic8259State): number {
  return (state.ICW1 & ICW1.levelTriggered) !== 0 ? 0xff : state.ELCR;
}

/** 0 for the highest priority, 7 for the lowest. */
function priorityOf(state: Pic8259State, level: number): number {
  return (level - state.lowestPriority - 1) & 7;
}

/** The level of the highest priority among the bits of `levels`, which are not all 0. */
function highestPriority(state: Pic8259State, levels: number): number {
  let level = (state.lowestPriority + 1) & 7;
  while ((levels & (1 << level)) === 0) level = (level + 1) & 7;
  return level;
}

function readPoll(state: Pic8259State): ReadResult<Pic8259State> {
  const { state: next, level, spurious } = acknowledgeLevel(state);
  return { state: { ...next, poll: false }, value: spurious ? 0 : POLL_REQUEST | level };
}

function writeEdgeLevelControl(state: Pic8259State, value: number): Pic8259State {
  if (value === state.ELCR) return state;
  // What becomes level sensitive requests at once if its input is high; what becomes edge sensitive waits for an edge.
  const changed = value ^ state.ELCR;
  return { ...state, ELCR: value, IRR: (state.IRR & ~changed) | (state.inputs & value & changed) };
}

function writeIcw1(state: Pic8259State, value: number): Pic8259State {
  const next = {
    ...state,
    ICW1: value,
    ICW4: (value & ICW1.icw4Needed) !== 0 ? state.ICW4 : 0,
    nextIcw: 2,
    IMR: 0,
    ISR: 0,
    lowestPriority: 7,
    specialMask: false,
    rotateOnAutoEoi: false,
    poll: false,
    readsIsr: false,
  };
  // The edge sense circuit is reset: an input that is high now has to fall and rise again.
  return { ...next, IRR: state.inputs & levelSense(next) };
}

function writeData(state: Pic8259State, value: number): Pic8259State {
  const needsIcw4 = (state.ICW1 & ICW1.icw4Needed) !== 0;
  switch (state.nextIcw) {
    case 0:
      return value === state.IMR ? state : withMask(state, value);
    case 2: {
      const nextIcw = (state.ICW1 & ICW1.single) === 0 ? 3 : needsIcw4 ? 4 : 0;
      return { ...state, ICW2: value, nextIcw };
    }
    case 3:
      return { ...state, ICW3: value, nextIcw: needsIcw4 ? 4 : 0 };
    default:
      return { ...state, ICW4: value, nextIcw: 0 };
  }
}

/** Spec: 8259A datasheet, "Operation Command Word 2", "End of Interrupt", "Automatic Rotation", "Specific Rotation". */
function writeOcw2(state: Pic8259State, value: number): Pic8259State {
  const rotates = (value & OCW2.rotate) !== 0;
  const named = value & OCW2.level;
  if ((value & OCW2.endOfInterrupt) === 0) {
    if ((value & OCW2.specific) !== 0) return rotates ? { ...state, lowestPriority: named } : state;
    return rotates === state.rotateOnAutoEoi ? state : { ...state, rotateOnAutoEoi: rotates };
  }
  let level = named;
  if ((value & OCW2.specific) === 0) {
    // In special mask mode a non-specific end of interrupt leaves masked levels in service.
    const inService = state.specialMask ? state.ISR & ~state.IMR : state.ISR;
    if (inService === 0) return state;
    level = highestPriority(state, inService);
  }
  const lowestPriority = rotates ? level : state.lowestPriority;
  return withRequests(state, state.inputs, state.IRR, state.ISR & ~(1 << level), lowestPriority);
}

function writeOcw3(state: Pic8259State, value: number): Pic8259State {
  const specialMask = (value & OCW3.enableSpecialMask) !== 0 ? (value & OCW3.specialMask) !== 0 : state.specialMask;
  if ((value & OCW3.poll) !== 0) return { ...state, specialMask, poll: true };
  const readsIsr = (value & OCW3.readRegister) !== 0 ? (value & OCW3.readIsr) !== 0 : state.readsIsr;
  return { ...state, specialMask, readsIsr };
}
