/**
 * Segments of a guest as the processor really has them: truncated below the hypervisor's area, and for the guest's kernel with
 * privilege 1 in place of 0.
 *
 * Of the guest's own descriptors the real table has only those that are loaded at the moment, at their own places: what they are is
 * in the hidden parts of the virtual segment registers. A program that loads another one meets an empty entry, and the hypervisor
 * loads it by the guest's table. So nothing of the real table is ever stale.
 * Spec: SDM Vol. 3A, "Segment Descriptors", "Segment Loading Instructions in IA-32e Mode".
 */
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { loadDataSegment } from "../../../hardware/cpu/segments.js";
import { ACCESS, type Segment, type SegmentName, type SystemState } from "../../../hardware/cpu/state.js";
import { OWN_SELECTORS, PLACE, SELECTOR_32, TOP } from "../../layout.js";

const LOCAL = 4;
const PAGE = 4096;
const dataNames = ["es", "ds", "fs", "gs"] as const;

const isExpandDown = ({ access }: Segment): boolean =>
  (access & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) === ACCESS.EXPAND_DOWN;

/** The words of a segment's descriptor; undefined where none of it lies below the hypervisor's area. */
function wordsOf(segment: Segment, ring: number | undefined): readonly [low: number, high: number] | undefined {
  const { base, access } = segment;
  if ((access & ACCESS.PRESENT) === 0 || isExpandDown(segment) || base >= TOP) return undefined;
  const bytes = Math.min(segment.limit, TOP - 1 - base) + 1;
  const isLarge = bytes > 0x10_0000;
  const limit = (isLarge ? Math.floor(bytes / PAGE) : bytes) - 1;
  const privilege = ring === undefined ? access & 0x60 : ring << 5;
  const flags = (access & 0x509f) | privilege | ACCESS.ACCESSED | (isLarge ? ACCESS.GRANULAR : 0);
  const low = ((base & 0xffff) << 16) | (limit & 0xffff);
  const high = (base & 0xff00_0000) | ((base >>> 16) & 0xff) | ((flags & 0xf0ff) << 8) | (limit & 0xf_0000);
  return [low >>> 0, high >>> 0];
}

/** Writes a descriptor of the real table, if it is another. */
function setEntry(port: ProcessorPort, selector: number, [low, high]: readonly [number, number]): void {
  const at = PLACE.wideGdt + (selector & ~7);
  if (port.readPhysical(at) !== low) port.writePhysical(at, low);
  if (port.readPhysical(at + 4) !== high) port.writePhysical(at + 4, high);
}

const EMPTY = [0, 0] as const;

/** Loads a segment register from the real table, or with nothing. */
function load(port: ProcessorPort, name: Exclude<SegmentName, "cs" | "ss">, selector: number): void {
  loadDataSegment(port, name, selector);
}

/** Data segments of a guest's kernel; SS is loaded by the way in. `gs`: a selector that GS has instead of the guest's. */
export function loadKernelSegments(port: ProcessorPort, { segments }: SystemState, gs?: number): void {
  for (const name of dataNames) {
    if (name === "gs" && gs !== undefined) {
      load(port, name, gs);
      continue;
    }
    const words = segments[name].access === 0 ? undefined : wordsOf(segments[name], 1);
    if (words !== undefined) setEntry(port, SELECTOR_32[name], words);
    load(port, name, words === undefined ? 0 : SELECTOR_32[name]);
  }
  setEntry(port, SELECTOR_32.ss, wordsOf(segments.ss, 1)!);
}

/** Whether the kernel's stack segment can be had. */
export const hasKernelStack = ({ segments }: SystemState): boolean =>
  wordsOf(segments.ss, 1) !== undefined && (segments.ss.access & ACCESS.BIG) !== 0;

/** A segment of the hypervisor's that code of ring 1 uses. */
export function setOwnSegment(port: ProcessorPort, selector: number, segment: Omit<Segment, "selector">): void {
  const { base, limit, access } = segment;
  const isLarge = limit > 0xf_ffff;
  const bits = isLarge ? limit >>> 12 : limit;
  const flags = access | (isLarge ? ACCESS.GRANULAR : 0);
  const high = (base & 0xff00_0000) | ((base >>> 16) & 0xff) | ((flags & 0xf0ff) << 8) | (bits & 0xf_0000);
  setEntry(port, selector, [(((base & 0xffff) << 16) | (bits & 0xffff)) >>> 0, high >>> 0]);
}

/** The descriptors that programs of a guest have loaded, by selector; undefined where they cannot all be in one table. */
function programWords({ segments }: SystemState): ReadonlyMap<number, readonly [number, number]> | undefined {
  const words = new Map<number, readonly [number, number]>();
  for (const name of ["cs", "ss", ...dataNames] as const) {
    const { selector, access } = segments[name];
    if (access === 0 && name !== "cs" && name !== "ss") continue;
    const own = wordsOf(segments[name], undefined);
    const place = selector & ~7;
    const isThere = own !== undefined && (selector & LOCAL) === 0 && selector < OWN_SELECTORS;
    if (!isThere) {
      if (name === "cs" || name === "ss") return undefined;
      continue;
    }
    const other = words.get(place);
    if (other !== undefined && (other[0] !== own[0] || other[1] !== own[1])) return undefined;
    words.set(place, own);
  }
  return words;
}

export const canRunProgram = (system: SystemState): boolean => programWords(system) !== undefined;

/** Data segments of a guest's program, at their own selectors. CS and SS are loaded by the way in. */
export function loadProgramSegments(port: ProcessorPort, system: SystemState): void {
  const words = programWords(system)!;
  const before = port.readPhysical(PLACE.programEntries);
  for (let index = 1; index <= before; index++) {
    const place = port.readPhysical(PLACE.programEntries + 4 * index);
    if (!words.has(place)) setEntry(port, place, EMPTY);
  }
  let count = 0;
  for (const [place, own] of words) {
    setEntry(port, place, own);
    port.writePhysical(PLACE.programEntries + 4 * ++count, place);
  }
  port.writePhysical(PLACE.programEntries, count);
  for (const name of dataNames) {
    const { selector, access } = system.segments[name];
    load(port, name, access !== 0 && words.has(selector & ~7) ? selector : access === 0 ? selector & 3 : 0);
  }
}
