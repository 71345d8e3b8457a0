/**
 * The random numbers of a processor: a sequence that follows from its seed. Fit for programs that want to start, not for
 * secrets.
 * Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014 (SplitMix64).
 */
import type { ProcessorPort } from "./processor.js";

const QUAD = 0xffff_ffff_ffff_ffffn;
const STEP = 0x9e37_79b9_7f4a_7c15n;

const mix = (value: bigint, shift: bigint, factor: bigint): bigint => ((value ^ (value >> shift)) * factor) & QUAD;

/** The next number of 64 bits; `SystemState.random` goes on. */
export function drawRandom(port: ProcessorPort): bigint {
  const random = (port.system.random + STEP) & QUAD;
  port.setSystem({ random });
  const mixed = mix(mix(random, 30n, 0xbf58_476d_1ce4_e5b9n), 27n, 0x94d0_49bb_1331_11ebn);
  return mixed ^ (mixed >> 31n);
}
