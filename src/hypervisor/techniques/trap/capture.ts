/**
 * The virtual processor as it stands when a guest in an outer ring was left: what the real one shows, with the guest's own
 * privilege, flags and segments put back.
 *
 * A segment register that still has the selector it was given has the descriptor it had; another one was loaded by the guest from
 * the table that its own stands for.
 */
import { findDescriptor, isNull, segmentFrom } from "../../../hardware/cpu/descriptors.js";
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { nullSegment } from "../../../hardware/cpu/segments.js";
import {
  type CpuState,
  FLAG,
  type GeneralRegisters,
  type Segment,
  type SegmentName,
} from "../../../hardware/cpu/state.js";
import { CACHED } from "./state.js";

/** What the processor has pushed, or has. */
export interface Place {
  readonly eip: number;
  readonly cs: number;
  readonly eflags: number;
  readonly esp: number;
  readonly ss: number;
}

/** What the guest never sees of its real EFLAGS. */
const OWN_FLAGS = FLAG.IF | FLAG.IOPL | FLAG.VIF | FLAG.VIP;
const ACCESSED = 0x100;

/** The real flags of a guest whose own are `eflags`. */
export const realFlags = (eflags: number): number => (eflags & ~(OWN_FLAGS | FLAG.VM | FLAG.RF)) | FLAG.IF;

const virtualFlags = (real: number, saved: number): number => (real & ~(OWN_FLAGS | FLAG.RF)) | (saved & OWN_FLAGS);

/** `tables` reads the guest's descriptors. */
function segmentOf(name: SegmentName, selector: number, saved: Segment, tables: ProcessorPort): Segment {
  if (selector === CACHED[name] || (selector & ~3) === CACHED[name] || selector === saved.selector) return saved;
  if (isNull(selector)) return nullSegment(selector);
  const descriptor = findDescriptor(tables, selector);
  return descriptor === undefined ? saved : segmentFrom(selector, descriptor.low, descriptor.high | ACCESSED);
}

/** The guest's selector behind one of CS or SS: ring 1 is its ring 0. */
const unringed = (selector: number): number => ((selector & 3) === 1 ? selector & ~3 : selector);

export interface Left {
  readonly place: Place;
  readonly general: GeneralRegisters;
  /** The real segment registers: of CS and SS the place tells. */
  readonly segments: Readonly<Record<SegmentName, Segment>>;
}

export function virtualCpu({ place, general, segments }: Left, saved: CpuState, tables: ProcessorPort): CpuState {
  const before = saved.system.segments;
  const of = (name: SegmentName, selector: number): Segment => segmentOf(name, selector, before[name], tables);
  const now = {
    es: of("es", segments.es.selector),
    cs: of("cs", unringed(place.cs)),
    ss: of("ss", unringed(place.ss)),
    ds: of("ds", segments.ds.selector),
    fs: of("fs", segments.fs.selector),
    gs: of("gs", segments.gs.selector),
  };
  const same = (Object.keys(now) as SegmentName[]).every((name) => now[name] === before[name]);
  const { eax, ecx, edx, ebx, ebp, esi, edi } = general;
  return {
    ...saved,
    ...{ eax, ecx, edx, ebx, ebp, esi, edi },
    esp: place.esp | 0,
    eip: place.eip | 0,
    eflags: virtualFlags(place.eflags, saved.eflags) | 0,
    system: same ? saved.system : Object.freeze({ ...saved.system, segments: Object.freeze(now) }),
    halted: false,
    shadow: "none",
  };
}
