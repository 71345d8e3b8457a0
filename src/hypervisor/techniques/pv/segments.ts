/** The real GDT as a paravirtual guest has it: its own descriptors, Xen's flat ones, and behind these the hypervisor's. */
import { segmentFrom } from "../../../hardware/cpu/descriptors.js";
import { VECTOR } from "../../../hardware/cpu/processor.js";
import { nullSegment } from "../../../hardware/cpu/segments.js";
import type { Segment, SegmentName, SystemState } from "../../../hardware/cpu/state.js";
import type { Host } from "../../host.js";
import { FIRST_IRQ, PLACE, TOP } from "../../layout.js";
import { type DescriptorWords, descriptorOf, segmentEnd } from "../trap/descriptors.js";
import { writeDescriptor } from "../trap/world.js";
import { FLAT_RING1, GUEST_DESCRIPTORS, HYPERCALL_VECTOR, TRAP } from "./interface.js";
import { ownOf } from "./state.js";

const ABSENT: DescriptorWords = [0, 0];
const PER_FRAME = 512;
/** INT n gets to #BP, #OF, and beyond the host's interrupts: elsewhere a handler could not tell it from what the processor reports. */
const mayBeCalled = (vector: number): boolean =>
  vector === VECTOR.BP || vector === VECTOR.OF || vector >= FIRST_IRQ + 16;
const DPL = 0x6000;

/** Flat segments of ring 1 that end below the hypervisor. */
export const flatSegments: Readonly<{ cs: Segment; ds: Segment }> = Object.freeze({
  cs: Object.freeze({ selector: FLAT_RING1.cs, base: 0, limit: TOP - 1, access: 0xc0bb }),
  ds: Object.freeze({ selector: FLAT_RING1.ds, base: 0, limit: TOP - 1, access: 0xc0b3 }),
});

/** What a selector loads from the table; `read` is of host-physical words. */
export function segmentAt(read: (physical: number) => number, selector: number): Segment {
  const at = PLACE.shadowGdt + (selector & 0xfff8);
  return (selector & 0xfffc) === 0 || (selector & 4) !== 0
    ? nullSegment(selector)
    : segmentFrom(selector, read(at), read(at + 4));
}

/** The system state with segment registers loaded from the real GDT. */
export function selected(
  { port }: Host,
  system: SystemState,
  selectors: Partial<Record<SegmentName, number>>,
): SystemState {
  const segments = { ...system.segments };
  for (const [name, selector] of Object.entries(selectors) as [SegmentName, number][])
    segments[name] = segmentAt((at) => port.readPhysical(at), selector);
  return Object.freeze({ ...system, segments: Object.freeze(segments) });
}

/** Puts the guest's descriptors, and nothing else of them, in the real GDT. */
export function loadDescriptors(host: Host, number: number): void {
  const { descriptors, descriptorCount } = ownOf(host, number);
  const { port } = host;
  for (let index = 0; index < GUEST_DESCRIPTORS; index++) {
    const at = (descriptors[Math.floor(index / PER_FRAME)] ?? 0) * 4096 + 8 * (index % PER_FRAME);
    const words: DescriptorWords =
      index < descriptorCount ? [port.readPhysical(at), port.readPhysical(at + 4)] : ABSENT;
    writeDescriptor(host, PLACE.shadowGdt, 8 * index, words);
  }
  const limit = segmentEnd(host) - 1;
  for (const flat of [flatSegments.cs, flatSegments.ds])
    writeDescriptor(host, PLACE.shadowGdt, flat.selector, descriptorOf({ ...flat, limit }));
}

/** The rings that may use a gate of the real IDT. */
function setGate({ port }: Host, vector: number, ring: number): void {
  const at = PLACE.shadowIdt + 8 * vector + 4;
  port.writePhysical(at, ((port.readPhysical(at) & ~DPL) | (ring << 13)) >>> 0);
}

/** Gates as the guest's table has them; without `ours`, for guests that have no INT of their own. */
export function loadGates(host: Host, number: number, ours: boolean): void {
  for (const [vector, { flags }] of Object.entries(ownOf(host, number).traps)) {
    if (mayBeCalled(Number(vector))) setGate(host, Number(vector), ours ? flags & TRAP.DPL : 0);
  }
  setGate(host, HYPERCALL_VECTOR, ours ? 1 : 0);
}
