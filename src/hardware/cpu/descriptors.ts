/**
 * Descriptors and gates as they lie in GDT, LDT and IDT, and what of them goes into a segment register.
 * Spec: SDM Vol. 3A, "Segment Selectors", "Segment Descriptors", "System Descriptor Types".
 */
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { addressOf } from "./quadwords.js";
import type { RuleName } from "./rules.js";
import { ACCESS, dplOf, isCanonical, isLong, type Segment, type SystemState } from "./state.js";

/** A descriptor of a table: its words, and where it lies. */
export interface Descriptor {
  readonly selector: number;
  /** Linear address of the descriptor. */
  readonly address: number;
  readonly low: number;
  readonly high: number;
  /** Bits 40 to 55, as in `Segment.access`. */
  readonly access: number;
}

/**
 * System descriptor types (S = 0). In IA-32e mode the 32-bit ones are of 64 bits, and the 16-bit ones and the task gate do
 * not exist.
 */
export const SYSTEM_TYPE = {
  TSS16: 1,
  LDT: 2,
  BUSY_TSS16: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32: 9,
  BUSY_TSS32: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

/** Type and S flag together: a system descriptor's type alone, since its S flag is 0. */
export const typeOf = (access: number): number => access & (ACCESS.S | 15);

/** Index and TI of a selector, which is what an error code says of it. */
const named = (selector: number): number => selector & 0xfffc;

/** Whether a selector names entry 0 of the GDT, which no segment is. */
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** A fault with a selector as its error code. Spec: SDM Vol. 3A, "Error Code". */
export const selectorFault = (vector: number, selector: number, rule: RuleName): Fault =>
  new Fault(vector, named(selector), rule);

/**
 * Linear address in a table or a TSS: of 32 bits but in IA-32e mode, whatever code there is executed.
 * Spec: SDM Vol. 3A, "Descriptor Tables in IA-32e Mode" under "Segment Descriptor Tables in IA-32e Mode".
 */
export const tableAddress = (system: SystemState, base: number, offset: number): number =>
  isLong(system) ? base + offset : (base + offset) >>> 0;

/** No linear address. */
const OUTSIDE = Number.NaN;

/**
 * Linear address of the descriptor a selector names, or NaN when it lies outside of its table. `size` is 16 for a system
 * descriptor of IA-32e mode.
 * Spec: SDM Vol. 3A, "Segment Descriptor Tables".
 */
export function descriptorAddress(system: SystemState, selector: number, size: 8 | 16 = 8): number {
  const index = selector & 0xfff8;
  const local = (selector & 4) !== 0;
  const { gdtr, ldtr } = system;
  if (local && ldtr.access === 0) return OUTSIDE;
  const { base, limit } = local ? ldtr : gdtr;
  return index + size - 1 > limit ? OUTSIDE : tableAddress(system, base, index);
}

/** The descriptor a selector names, or undefined when it lies outside of its table. Throws #PF. */
export function findDescriptor(port: ProcessorPort, selector: number): Descriptor | undefined {
  const address = descriptorAddress(port.system, selector);
  if (Number.isNaN(address)) return undefined;
  port.readPair(address);
  const { low, high } = port;
  return { selector, address, low, high, access: (high >>> 8) & 0xf0ff };
}

/**
 * Descriptors that passed a kind of check from some CPL: the same words pass it again. A cache of a pure function.
 */
export class Passed {
  readonly #descriptors = new Array<Descriptor | undefined>(32).fill(undefined);
  readonly #levels = new Uint8Array(32);

  /** The descriptor of a selector, read anew, if it is one that passed. Throws #PF. */
  find(port: ProcessorPort, selector: number, cpl: number): Descriptor | undefined {
    const slot = (selector >>> 3) & 31;
    const known = this.#descriptors[slot];
    if (known === undefined || known.selector !== selector || this.#levels[slot] !== cpl) return undefined;
    if (known.address !== descriptorAddress(port.system, selector)) return undefined;
    port.readPair(known.address);
    return port.low === known.low && port.high === known.high ? known : undefined;
  }

  add(descriptor: Descriptor, cpl: number): Descriptor {
    const slot = (descriptor.selector >>> 3) & 31;
    this.#descriptors[slot] = descriptor;
    this.#levels[slot] = cpl;
    return descriptor;
  }
}

/** The same, for a selector that must name one: `vector`(selector) where it does not. */
export function readDescriptor(port: ProcessorPort, selector: number, vector: number = VECTOR.GP): Descriptor {
  const descriptor = findDescriptor(port, selector);
  if (descriptor === undefined) throw selectorFault(vector, selector, "selector-outside-table");
  return descriptor;
}

/**
 * The second half of a system descriptor of IA-32e mode: bits 32 to 63 of the base or offset. Throws `vector`(selector)
 * where the table ends before it, or its type field is not 0.
 * Spec: SDM Vol. 3A, "TSS Descriptor in 64-bit mode", "64-Bit Call-Gate Descriptor".
 */
export function readUpperHalf(
  port: ProcessorPort,
  { selector, address }: Descriptor,
  vector: number = VECTOR.GP,
): number {
  if (Number.isNaN(descriptorAddress(port.system, selector, 16)))
    throw selectorFault(vector, selector, "selector-outside-table");
  port.readPair(address + 8);
  if ((port.high & 0x1f00) !== 0) throw selectorFault(vector, selector, "upper-half-type");
  return port.low;
}

export const baseOf = (low: number, high: number): number =>
  ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;

/** Highest offset, with the granularity applied. Spec: SDM Vol. 3A, "Segment Descriptors" (segment limit field). */
export function limitOf(low: number, high: number): number {
  const limit = (low & 0xffff) | (high & 0xf0000);
  return ((high & (1 << 23)) !== 0 ? (limit << 12) | 0xfff : limit) >>> 0;
}

export const isPresent = (access: number): boolean => (access & ACCESS.PRESENT) !== 0;
export const isCode = (access: number): boolean => (access & (ACCESS.S | ACCESS.CODE)) === (ACCESS.S | ACCESS.CODE);
export const isConforming = (access: number): boolean =>
  (access & (ACCESS.S | ACCESS.CODE | ACCESS.CONFORMING)) === (ACCESS.S | ACCESS.CODE | ACCESS.CONFORMING);
export const isWritableData = (access: number): boolean =>
  (access & (ACCESS.S | ACCESS.CODE | ACCESS.WRITABLE)) === (ACCESS.S | ACCESS.WRITABLE);
/** Data, or code that may be read. */
export const isReadable = (access: number): boolean =>
  (access & ACCESS.S) !== 0 && (access & (ACCESS.CODE | ACCESS.WRITABLE)) !== ACCESS.CODE;

/** Whether data of a segment is out of reach for `cpl` and the selector's RPL. */
export const isTooPrivileged = (access: number, selector: number, cpl: number): boolean =>
  !isConforming(access) && (dplOf(access) < cpl || dplOf(access) < (selector & 3));

/** Segments made lately, by what they were made from: the same few are loaded over and over. */
const KNOWN = 64;
const known: (Segment | undefined)[] = new Array<Segment | undefined>(KNOWN).fill(undefined);
const knownLow = new Int32Array(KNOWN);
const knownHigh = new Int32Array(KNOWN);

/** What a segment register holds after loading `selector`, whose descriptor has these words. */
export function segmentFrom(selector: number, low: number, high: number): Segment {
  const slot = ((selector >>> 3) ^ (selector << 4) ^ (low >>> 16) ^ (high >>> 13)) & (KNOWN - 1);
  const found = known[slot];
  if (found?.selector === selector && knownLow[slot] === (low | 0) && knownHigh[slot] === (high | 0)) return found;
  const segment = Object.freeze({
    selector,
    base: baseOf(low, high),
    limit: limitOf(low, high),
    access: (high >>> 8) & 0xf0ff,
  });
  known[slot] = segment;
  knownLow[slot] = low;
  knownHigh[slot] = high;
  return segment;
}

/** What LDTR or TR holds after loading a descriptor of IA-32e mode; `upper` is its second half. Throws #GP(selector). */
export function systemSegment64(selector: number, low: number, high: number, upper: number): Segment {
  const base = addressOf(baseOf(low, high), upper);
  if (!isCanonical(base)) throw selectorFault(VECTOR.GP, selector, "address-not-canonical");
  return Object.freeze({ selector, base, limit: limitOf(low, high), access: (high >>> 8) & 0xf0ff });
}

/** L and D of a descriptor's high word. */
const LONG_CODE = 1 << 21;
const BIG_CODE = 1 << 22;

/** Whether code of a descriptor runs in 64-bit mode. Spec: SDM Vol. 3A, "Code Segment Descriptor in 64-bit Mode". */
export const isCode64 = ({ high }: Descriptor): boolean => (high & (LONG_CODE | BIG_CODE)) === LONG_CODE;

/** In IA-32e mode no code has both flags. Throws `vector`(selector). */
export function checkLongFlag(port: ProcessorPort, { selector, high }: Descriptor, vector: number = VECTOR.GP): void {
  if (port.long && (high & (LONG_CODE | BIG_CODE)) === (LONG_CODE | BIG_CODE))
    throw selectorFault(vector, selector, "code-long-and-big");
}

/**
 * Sets the accessed flag in the table, and gives what the segment register holds. `selector` has the RPL it is to have
 * there. Spec: SDM Vol. 3A, "Code- and Data-Segment Descriptor Types".
 */
export function loadedSegment(port: ProcessorPort, { address, low, high }: Descriptor, selector: number): Segment {
  if ((high & 0x100) === 0)
    port.writeLinear(tableAddress(port.system, address, 5), 1, ((high >>> 8) & 0xff) | ACCESS.ACCESSED, false);
  return segmentFrom(selector, low, high | 0x100);
}

/** Sets or clears the busy flag of a TSS descriptor. Spec: SDM Vol. 3A, "TSS Descriptor". */
export function markBusy(port: ProcessorPort, address: number, busy: boolean): void {
  const at = tableAddress(port.system, address, 5);
  const byte = port.readLinear(at, 1, false);
  port.writeLinear(at, 1, busy ? byte | 2 : byte & ~2, false);
}
