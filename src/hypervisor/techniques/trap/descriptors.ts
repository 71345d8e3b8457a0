/**
 * Descriptors of a guest as the real processor is to have them: its ring 0 is ring 1, and no segment reaches the hypervisor.
 *
 * What it must not load by itself is not present, so that loading it faults and is executed on the virtual processor: system
 * descriptors, and segments that were never accessed, whose flag the guest is to find set in its own table.
 * Spec: SDM Vol. 3A, "Segment Descriptors".
 */
import { baseOf, limitOf } from "../../../hardware/cpu/descriptors.js";
import { ACCESS, dplOf, type Segment } from "../../../hardware/cpu/state.js";
import type { Host } from "../../host.js";
import { lacks } from "../../isolation/protections.js";
import { TOP } from "../../layout.js";

export type DescriptorWords = readonly [low: number, high: number];

const ABSENT: DescriptorWords = [0, 0];
const GRANULAR = 1 << 23;
const PRESENT = 1 << 15;
const DPL_SHIFT = 13;
const LIMIT_HIGH = 0xf_0000;

/** Where segments of the guest that is given the processor end. */
export const segmentEnd = (host: Host): number =>
  lacks(host.vm(host.own.current!), "segment truncation") ? 2 ** 32 : TOP;

/** A limit below the hypervisor; undefined where the segment lies in it. Expand-down ones reach it whatever their limit is. */
function truncated(base: number, limit: number, high: number, end: number): number | undefined {
  const expandsDown = ((high >>> 8) & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) === ACCESS.EXPAND_DOWN;
  if (expandsDown || base >= end) return undefined;
  const most = Math.min(limit, end - 1 - base);
  if ((high & GRANULAR) === 0) return most;
  const pages = Math.floor((most + 1) / 4096);
  return pages === 0 ? undefined : pages - 1;
}

/** The descriptor in place of a guest's, which ends below `end`. */
export function deprivileged(low: number, high: number, end: number): DescriptorWords {
  const access = (high >>> 8) & 0xf0ff;
  if ((access & ACCESS.S) === 0) return ABSENT;
  const limit = truncated(baseOf(low, high), limitOf(low, high), high, end);
  const loadable = limit !== undefined && (access & ACCESS.ACCESSED) !== 0;
  const level = Math.max(1, dplOf(access)) << DPL_SHIFT;
  const rights = (high & ~(LIMIT_HIGH | (3 << DPL_SHIFT))) | level | ((limit ?? 0) & LIMIT_HIGH);
  return [((low & 0xffff_0000) | ((limit ?? 0) & 0xffff)) >>> 0, (loadable ? rights : rights & ~PRESENT) >>> 0];
}

/** A descriptor that a segment register could have been loaded from. */
export function descriptorOf({ base, limit, access }: Segment): DescriptorWords {
  const field = (access & ACCESS.GRANULAR) !== 0 ? limit >>> 12 : limit;
  const low = ((base << 16) | (field & 0xffff)) >>> 0;
  const high = (base & 0xff00_0000) | ((access & 0xf0ff) << 8) | (field & LIMIT_HIGH) | ((base >>> 16) & 0xff);
  return [low, high >>> 0];
}

/** Code of ring 3, which ring 0 enters by IRET: in ring 1 that would not be noticed, and the virtual IF would not be loaded. */
export const isUserCode = (high: number): boolean =>
  (high & PRESENT) !== 0 &&
  dplOf(high >>> 8) === 3 &&
  ((high >>> 8) & (ACCESS.S | ACCESS.CODE)) === (ACCESS.S | ACCESS.CODE);

export const hidden = (high: number): number => (high & ~PRESENT) >>> 0;
