/** Random bytes, all of which follow from the machine's seed. Spec: getrandom(2). */
import type { Work } from "./work.js";

const MASK = 0xffff_ffff_ffff_ffffn;

/** The next bytes of the sequence: SplitMix64 (Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators"). */
export function nextRandom(k: Work, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let { random } = k.state;
  for (let at = 0; at < length; at += 8) {
    random = (random + 0x9e37_79b9_7f4a_7c15n) & MASK;
    let word = random;
    word = ((word ^ (word >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK;
    word = ((word ^ (word >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK;
    word ^= word >> 31n;
    for (let index = 0; index < 8 && at + index < length; index++)
      bytes[at + index] = Number((word >> BigInt(8 * index)) & 0xffn);
  }
  k.set({ random });
  return bytes;
}
