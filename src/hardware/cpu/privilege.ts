/**
 * Which code may be reached from where: the checks of far jumps, calls, gates and returns on the segment they go to.
 * Spec: SDM Vol. 3A, "Privilege Level Checking When Transferring Program Control Between Code Segments".
 */
import {
  checkLongFlag,
  type Descriptor,
  isCode,
  isCode64,
  isConforming,
  isNull,
  isPresent,
  limitOf,
  loadedSegment,
  Passed,
  readDescriptor,
  selectorFault,
} from "./descriptors.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { dplOf, isCanonical, type Segment } from "./state.js";

/** A code segment's descriptor, not looked at any further. Spec: SDM Vol. 3A, "Code-Segment Descriptors" under "Type Checking". */
export function readCode(port: ProcessorPort, selector: number, vector: number): Descriptor {
  if (isNull(selector)) throw new Fault(vector, 0, "code-selector-null");
  const descriptor = readDescriptor(port, selector, vector);
  if (!isCode(descriptor.access)) throw selectorFault(vector, selector, "not-code");
  return descriptor;
}

function checkPresent({ access, selector }: Descriptor): void {
  if (!isPresent(access)) throw selectorFault(VECTOR.NP, selector, "segment-not-present");
}

/**
 * A jump or call straight to a code segment: to the same privilege, or to conforming code of a higher one. `rpl` is the
 * selector's own, or 0 where a gate names the segment.
 * Spec: SDM Vol. 3A, "Direct Calls or Jumps to Code Segments".
 */
export function checkDirectCode(port: ProcessorPort, descriptor: Descriptor, cpl: number, rpl: number): void {
  const { access, selector } = descriptor;
  const dpl = dplOf(access);
  if (!isCode(access)) throw selectorFault(VECTOR.GP, selector, "not-code");
  checkLongFlag(port, descriptor);
  if (isConforming(access) ? dpl > cpl : rpl > cpl || dpl !== cpl)
    throw selectorFault(VECTOR.GP, selector, "code-privilege");
  checkPresent(descriptor);
}

/** The code segment a gate names: of the same or a higher privilege. Spec: SDM Vol. 3A, "Accessing a Code Segment Through a Call Gate". */
export function readGateCode(port: ProcessorPort, selector: number, cpl: number): Descriptor {
  const descriptor = readCode(port, selector, VECTOR.GP);
  if (dplOf(descriptor.access) > cpl) throw selectorFault(VECTOR.GP, selector, "gate-to-outer-level");
  if (port.long && !isCode64(descriptor)) throw selectorFault(VECTOR.GP, selector, "gate-not-to-64-bit-code");
  checkPresent(descriptor);
  return descriptor;
}

/** Whether code reached through a gate runs at its own, higher privilege. */
export const isInnerCode = (access: number, cpl: number): boolean => !isConforming(access) && dplOf(access) < cpl;

/** The code segment RETF or IRET goes to: of the same or an outer privilege. Spec: SDM Vol. 2B, RET—Return From Procedure. */
export function readReturnCode(port: ProcessorPort, selector: number, cpl: number): Descriptor {
  const known = returnable.find(port, selector, cpl);
  if (known !== undefined) {
    checkLongFlag(port, known);
    return known;
  }
  const descriptor = readCode(port, selector, VECTOR.GP);
  checkLongFlag(port, descriptor);
  if ((selector & 3) < cpl) throw selectorFault(VECTOR.GP, selector, "return-to-inner-level");
  checkCodeLevel(descriptor, VECTOR.GP);
  checkPresent(descriptor);
  return returnable.add(descriptor, cpl);
}
const returnable = new Passed();

/** Code that is to run at the privilege of its selector's RPL. Spec: SDM Vol. 3A, "Privilege Levels" (CPL, DPL, RPL). */
export function checkCodeLevel({ access, selector }: Descriptor, vector: number): void {
  const dpl = dplOf(access);
  const rpl = selector & 3;
  if (isConforming(access) ? dpl > rpl : dpl !== rpl) throw selectorFault(vector, selector, "code-rpl");
}

/** The instruction pointer must lie in the code segment. Spec: SDM Vol. 3A, "Limit Checking". */
export function checkCodeLimit(offset: number, limit: number): void {
  if (offset > limit || offset < 0) throw new Fault(VECTOR.GP, 0, "eip-beyond-limit");
}

export const checkDescriptorLimit = (offset: number, { low, high }: Descriptor): void =>
  checkCodeLimit(offset, limitOf(low, high));

/** The same where the code may be of 64 bits: its addresses must be canonical. Throws #GP(0). */
export function checkTarget(port: ProcessorPort, offset: number, descriptor: Descriptor): void {
  if (!port.long || !isCode64(descriptor)) checkDescriptorLimit(offset, descriptor);
  else if (!isCanonical(offset)) throw new Fault(VECTOR.GP, 0, "target-not-canonical");
}

/** What CS holds when `descriptor` runs at `cpl`. */
export const codeAt = (port: ProcessorPort, descriptor: Descriptor, cpl: number): Segment =>
  loadedSegment(port, descriptor, (descriptor.selector & ~3) | cpl);
