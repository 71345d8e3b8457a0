/**
 * The permission maps of a guest: a bit for each port, and two for each model-specific register of three ranges.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "IOIO Intercepts", "MSR Intercepts".
 */
import type { PhysicalMemory } from "./vmcb.js";

/** The map of ports has a page more than 64 K ports need: an access may reach beyond port FFFFh. */
export const IOPM_BYTES = 0x3000;
export const MSRPM_BYTES = 0x2000;

/** Bit `index` of a map at a physical address. */
const bitAt = (memory: PhysicalMemory, map: number, index: number): boolean =>
  ((memory.readPhysical(map + (index >>> 5) * 4) >>> (index & 31)) & 1) !== 0;

/** Whether a bit of any of the bytes of an access is set. */
export function portIntercepted(memory: PhysicalMemory, map: number, port: number, size: number): boolean {
  for (let byte = 0; byte < size; byte++) if (bitAt(memory, map, port + byte)) return true;
  return false;
}

/** First registers of the ranges; each has 8192 of them in 2 KiB. */
const RANGES = [0, 0xc000_0000, 0xc001_0000] as const;
const RANGE_LENGTH = 0x2000;

/** Where the map has the bits of a register: that of reads, and behind it that of writes; undefined for none. */
export function msrMapBit(address: number): number | undefined {
  const range = RANGES.findIndex((first) => address >= first && address < first + RANGE_LENGTH);
  return range < 0 ? undefined : 2 * (range * RANGE_LENGTH + address - RANGES[range]!);
}

/** Whether a register is the host's; one outside of the ranges always is. */
export function registerIntercepted(memory: PhysicalMemory, map: number, address: number, write: boolean): boolean {
  const bit = msrMapBit(address >>> 0);
  return bit === undefined || bitAt(memory, map, write ? bit + 1 : bit);
}
