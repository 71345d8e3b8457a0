/**
 * Whether an access through a segment register is allowed: null selector, type, limit.
 * Spec: SDM Vol. 3A, "Limit Checking", "Type Checking", "Null Segment Selector Checking".
 */
import { Fault, VECTOR } from "./processor.js";
import { ACCESS, type Segment } from "./state.js";

const SS = 2;

/** Whether `size` bytes at an offset lie inside of a segment that is not null; an expand-down one begins behind its limit. */
export function isInside({ limit, access }: Segment, offset: number, size: number): boolean {
  const last = offset + size - 1;
  if (access === 0) return false;
  if ((access & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) !== ACCESS.EXPAND_DOWN) return last <= limit;
  return offset > limit && last <= ((access & ACCESS.BIG) !== 0 ? 0xffffffff : 0xffff);
}

/** Throws #SS(0) for SS and #GP(0) for any other segment register, by its number, unless the access is allowed. */
export function checkAccess(number: number, segment: Segment, offset: number, size: number, write: boolean): void {
  const vector = number === SS ? VECTOR.SS : VECTOR.GP;
  const { access } = segment;
  if (access === 0) throw new Fault(vector, 0, "segment-null");
  const code = (access & ACCESS.CODE) !== 0;
  const granted = (access & ACCESS.WRITABLE) !== 0;
  if (write ? code || !granted : code && !granted)
    throw new Fault(vector, 0, write ? "segment-not-writable" : "segment-not-readable");
  if (!isInside(segment, offset, size)) throw new Fault(vector, 0, "offset-beyond-limit");
}
