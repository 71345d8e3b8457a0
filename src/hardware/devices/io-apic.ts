/**
 * The I/O APIC: 24 interrupt inputs, each made a message to local APICs by its entry of the redirection table.
 *
 * An input is asserted or not, whatever its polarity bit says: the machine's wires carry no voltages. Left out on purpose:
 * delivery mode ExtINT, since the 8259s are wired to the local APICs.
 *
 * Manual: Intel 82093AA (IOAPIC) datasheet; Intel ICH family datasheets for version 0x20 and its EOI register.
 */
import { DELIVERY, deliveryOf, FIELD, type InterruptMessage } from "./interrupt-message.js";

/** Inputs. */
export const IO_APIC_PINS = 24;
/** Registers in memory; the others are reached through the first two. */
export const IO_APIC_OFFSET = { IOREGSEL: 0x00, IOWIN: 0x10, EOIR: 0x40 } as const;
/** Registers behind IOREGSEL. */
const INDEX = { id: 0, version: 1, arbitration: 2, table: 0x10 } as const;
/** 0x20 is the version from which on there is an EOI register. */
const VERSION = 0x20 | ((IO_APIC_PINS - 1) << 16);
/** Delivery status and remote IRR of an entry cannot be written. */
const READ_ONLY = (1 << 12) | FIELD.remoteIrr;
const WRITABLE_LOW = 0x1ffff & ~READ_ONLY;
const DESTINATION_SHIFT = 24;
const WRITABLE_HIGH = 0xff << DESTINATION_SHIFT;

/** An entry of the redirection table: its two words, unsigned. */
export interface Redirection {
  readonly low: number;
  readonly high: number;
}

export interface IoApicState {
  readonly IOREGSEL: number;
  /** Bits 24 to 27 of the identification register. */
  readonly ID: number;
  readonly IOREDTBL: readonly Redirection[];
  /** The inputs that are asserted, by bit. */
  readonly inputs: number;
}

/** Masked, as the datasheet has it after reset. */
const RESET_ENTRY: Redirection = Object.freeze({ low: FIELD.masked, high: 0 });

export const resetIoApic = (): IoApicState => ({
  IOREGSEL: 0,
  ID: 0,
  IOREDTBL: Array.from({ length: IO_APIC_PINS }, () => RESET_ENTRY),
  inputs: 0,
});

/** Reads a register in memory; unsigned. */
export function readIoApic(state: IoApicState, offset: number): number {
  if (offset === IO_APIC_OFFSET.IOREGSEL) return state.IOREGSEL;
  if (offset !== IO_APIC_OFFSET.IOWIN) return 0;
  const { IOREGSEL: index, ID, IOREDTBL } = state;
  if (index === INDEX.id || index === INDEX.arbitration) return (ID << 24) >>> 0;
  if (index === INDEX.version) return VERSION;
  const entry = IOREDTBL[(index - INDEX.table) >> 1];
  return entry === undefined ? 0 : (index & 1) === 0 ? entry.low : entry.high;
}

/** Writes a register in memory. What is to be sent then `levelToSend` says. */
export function writeIoApic(state: IoApicState, offset: number, value: number): IoApicState {
  if (offset === IO_APIC_OFFSET.IOREGSEL) return { ...state, IOREGSEL: value & 0xff };
  if (offset === IO_APIC_OFFSET.EOIR) return endOfInterrupt(state, value & 0xff);
  if (offset !== IO_APIC_OFFSET.IOWIN) return state;
  const { IOREGSEL: index, IOREDTBL } = state;
  if (index === INDEX.id) return { ...state, ID: (value >>> 24) & 0xf };
  const pin = (index - INDEX.table) >> 1;
  const entry = IOREDTBL[pin];
  if (entry === undefined) return state;
  const next =
    (index & 1) === 0
      ? { low: writtenLow(entry.low, value), high: entry.high }
      : { low: entry.low, high: (value & WRITABLE_HIGH) >>> 0 };
  return withEntry(state, pin, next);
}

/** An entry that becomes edge triggered has nothing that an EOI could end. */
function writtenLow(before: number, value: number): number {
  const low = (value & WRITABLE_LOW) | (before & READ_ONLY);
  return (low & FIELD.levelTriggered) === 0 ? low & ~FIELD.remoteIrr : low;
}

function withEntry(state: IoApicState, pin: number, entry: Redirection): IoApicState {
  const IOREDTBL = state.IOREDTBL.slice();
  IOREDTBL[pin] = entry;
  return { ...state, IOREDTBL };
}

const isMasked = ({ low }: Redirection): boolean => (low & FIELD.masked) !== 0;
const isLevel = ({ low }: Redirection): boolean =>
  (low & FIELD.levelTriggered) !== 0 && deliveryOf(low) <= DELIVERY.lowestPriority;

/** Asserts input `pin` (0 to 23) or not. */
export function setPin(state: IoApicState, pin: number, asserted: boolean): IoApicState {
  const bit = 1 << pin;
  if (((state.inputs & bit) !== 0) === asserted) return state;
  const { IOREGSEL, ID, IOREDTBL, inputs } = state;
  return { IOREGSEL, ID, IOREDTBL, inputs: asserted ? inputs | bit : inputs & ~bit };
}

/** A local APIC's handler of a level-triggered interrupt has ended: entries with that vector may send it again. */
export function endOfInterrupt(state: IoApicState, vector: number): IoApicState {
  let next = state;
  for (let pin = 0; pin < IO_APIC_PINS; pin++) {
    const { low, high } = state.IOREDTBL[pin]!;
    if ((low & FIELD.remoteIrr) === 0 || (low & FIELD.vector) !== vector) continue;
    next = withEntry(next, pin, { low: low & ~FIELD.remoteIrr, high });
  }
  return next;
}

/** Whether an entry lets a rise of its input, or its level, through to a local APIC now. An edge of a masked input is lost. */
export function passes({ IOREDTBL }: IoApicState, pin: number): boolean {
  const entry = IOREDTBL[pin]!;
  return !isMasked(entry) && (entry.low & FIELD.remoteIrr) === 0;
}

/** Whether only rises of an input matter. */
export const isEdgeTriggered = ({ IOREDTBL }: IoApicState, pin: number): boolean => !isLevel(IOREDTBL[pin]!);

/** The message of an input's entry. */
export function messageOf({ IOREDTBL }: IoApicState, pin: number): InterruptMessage {
  const { low, high } = IOREDTBL[pin]!;
  return {
    delivery: deliveryOf(low),
    vector: low & FIELD.vector,
    levelTriggered: isLevel(IOREDTBL[pin]!),
    logical: (low & FIELD.logical) !== 0,
    destination: high >>> DESTINATION_SHIFT,
  };
}

/** The first level-triggered input with something to send, or -1. */
export function levelToSend(state: IoApicState): number {
  for (let left = state.inputs; left !== 0; left &= left - 1) {
    const pin = 31 - Math.clz32(left & -left);
    if (isLevel(state.IOREDTBL[pin]!) && passes(state, pin)) return pin;
  }
  return -1;
}

/** The state once a level-triggered input's message is sent: it waits for the end of that interrupt. */
export function sentLevel(state: IoApicState, pin: number): IoApicState {
  const { low, high } = state.IOREDTBL[pin]!;
  return withEntry(state, pin, { low: low | FIELD.remoteIrr, high });
}
