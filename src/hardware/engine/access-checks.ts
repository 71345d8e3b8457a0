/**
 * What an access is checked for before any page is looked at: its segment, or whether its address is canonical; then whether
 * it is aligned, and data breakpoints.
 */
import { Fault, VECTOR } from "../cpu/processor.js";
import { checkAccess } from "../cpu/segment-checks.js";
import { ACCESS, isCanonical, type Segment, type SystemState, segmentNumbered } from "../cpu/state.js";
import { LONG_BASES, SEGMENT_READABLE, SEGMENT_SIZE, SEGMENT_WRITABLE, SEGMENTS } from "./layout.js";
import { highOf } from "./linear-address.js";

const FS = 4;

/**
 * Ones where the address of an operand that is aligned has zeros. Its size tells its type: 10 bytes are an extended float, and
 * a structure is as aligned as its words are. Of 16 bytes nothing is asked here: instructions that want them aligned raise
 * #GP, and for the others #AC is the implementation's choice.
 * Spec: SDM Vol. 3A, "Interrupt 17—Alignment Check Exception (#AC)".
 */
export function alignmentMask(size: number): number {
  if (size === 16) return 0;
  if (size === 10) return 7;
  return Math.min(size & -size, size > 8 ? 4 : 8) - 1;
}

export class AccessChecks {
  /** Accesses of more than a byte at addresses that are no multiple of their size raise #AC. */
  alignmentChecked = false;
  /** Sees every access through a segment, while there is one. */
  watch: ((linear: number, size: number, write: boolean) => void) | undefined;
  readonly #i32: Int32Array;

  constructor(buffer: ArrayBuffer) {
    this.#i32 = new Int32Array(buffer);
  }

  /** Lets the generated code check accesses through a segment. */
  loadSegment(number: number, { base, limit, access }: Segment): void {
    const code = (access & ACCESS.CODE) !== 0;
    const ordinary = !this.alignmentChecked && this.watch === undefined;
    const upward = access !== 0 && (code || (access & ACCESS.EXPAND_DOWN) === 0);
    const size = ordinary && upward ? Math.min(limit + 1, 0xffffffff) : 0;
    const at = (SEGMENTS + number * SEGMENT_SIZE) >> 2;
    const granted = (access & ACCESS.WRITABLE) !== 0;
    this.#i32[at] = base;
    if (number >= FS) {
      this.#i32[(LONG_BASES >> 2) + 2 * number] = base;
      this.#i32[(LONG_BASES >> 2) + 2 * number + 1] = highOf(base);
    }
    this.#i32[at + (SEGMENT_READABLE >> 2)] = !code || granted ? size : 0;
    this.#i32[at + (SEGMENT_WRITABLE >> 2)] = !code && granted ? size : 0;
  }

  /** Linear address of an access through a segment, outside of 64-bit code; throws #GP(0), #SS(0) or #AC(0). */
  segmentAddress(system: SystemState, segment: number, offset: number, size: number, write: boolean): number {
    const register = segmentNumbered(system.segments, segment);
    const { base, limit, access } = register;
    const upwardData = (access & (ACCESS.CODE | ACCESS.EXPAND_DOWN | ACCESS.WRITABLE)) === ACCESS.WRITABLE;
    if (!upwardData || offset + size - 1 > limit) checkAccess(segment, register, offset, size, write);
    const linear = (base + offset) >>> 0;
    if (this.#isMisaligned(linear, size)) throw new Fault(VECTOR.AC, 0, "data-not-aligned");
    this.watch?.(linear, size, write);
    return linear;
  }

  /**
   * The same of 64-bit code: only FS and GS have a base.
   * Spec: SDM Vol. 3A, "Limit Checking in 64-bit Mode", "FS and GS base" in "Segment Loading Instructions in IA-32e Mode".
   */
  longAddress(system: SystemState, segment: number, offset: number, size: number, write: boolean): number {
    const linear = segment < FS ? offset : segmentNumbered(system.segments, segment).base + offset;
    const fault = this.longFault(linear, size, segment === 2, write);
    if (fault !== undefined) throw fault;
    return linear;
  }

  /** What an access of 64-bit code raises before any page is looked at. */
  longFault(linear: number, size: number, throughStack: boolean, write: boolean): Fault | undefined {
    if (!isCanonical(linear) || !isCanonical(linear + size - 1))
      return new Fault(throughStack ? VECTOR.SS : VECTOR.GP, 0, "address-not-canonical");
    if (this.#isMisaligned(linear, size)) return new Fault(VECTOR.AC, 0, "data-not-aligned");
    this.watch?.(linear, size, write);
    return undefined;
  }

  #isMisaligned(linear: number, size: number): boolean {
    return this.alignmentChecked && (linear & alignmentMask(size)) !== 0;
  }
}
