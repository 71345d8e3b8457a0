/**
 * The random numbers of a processor: a sequence that follows from its seed. Fit for programs that want to start, not for
 * secrets.
 * Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014 (SplitMix64).
 */
import { VirtlabError } from "../../state/error.js";
import type { ProcessorPort } from "./processor.js";

const QUAD = 0xffff_ffff_ffff_ffffn;
const STEP = 0x9e37_79b9_7f4a_7c15n;

const mix = (value: bigint, shift: bigint, factor: bigint): bigint => ((value ^ (value >> shift)) * factor) & QUAD;

function scrambled(value: bigint): bigint {
  const mixed = mix(mix(value, 30n, 0xbf58_476d_1ce4_e5b9n), 27n, 0x94d0_49bb_1331_11ebn);
  return mixed ^ (mixed >> 31n);
}

/** The next number of 64 bits; `SystemState.random` goes on. */
export function drawRandom(port: ProcessorPort): bigint {
  const random = (port.system.random + STEP) & QUAD;
  port.setSystem({ random });
  return scrambled(random);
}

/** The first `SystemState.random` of one of a machine's processors: none draws another's numbers, or those of a seed beside it. */
export const seedOf = (seed: bigint, apicId: number): bigint => scrambled((scrambled(seed) + BigInt(apicId)) & QUAD);

/**
 * What the random numbers of a machine follow from, of 64 bits.
 *
 * @throws VirtlabError for anything but a whole number from 0 to 2^64 - 1, or a number too large to be exact.
 */
export function checkedSeed(seed: number | bigint = 0): bigint {
  const isWhole = typeof seed === "bigint" || Number.isSafeInteger(seed);
  if (isWhole && seed >= 0 && BigInt(seed) <= QUAD) return BigInt(seed);
  throw new VirtlabError(`seed ${String(seed)}: expected a whole number from 0 to 2^64 - 1 (a bigint from 2^53 on)`);
}
