/**
 * Memory sizes as people write them: "64M", "512K", "1G", or a number of bytes.
 *
 * Left out on purpose: fractions and decimal units; a size is a whole number of pages, and K, M and G are powers of 1024.
 */
import { VirtlabError } from "./error.js";

/** Above it the PC has its devices' addresses. */
const LARGEST = 3 * 2 ** 30;
const PAGE = 4096;
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/**
 * The size in bytes: a positive multiple of 4096, at most 3 GiB.
 *
 * @throws VirtlabError for anything else.
 *
 * @example
 * Machine.create({ memory: "64M" }).memory.size // => 67108864
 */
export function parseMemorySize(size: number | string): number {
  const shown = typeof size === "string" ? JSON.stringify(size) : String(size);
  const bytes = typeof size === "string" ? parseText(size) : size;
  if (typeof bytes !== "number" || !Number.isInteger(bytes)) {
    throw new VirtlabError(`memory size ${shown}: expected bytes or a whole number of K, M or G, such as "64M"`);
  }
  if (bytes <= 0) throw new VirtlabError(`memory size ${shown}: a machine needs at least 4096 bytes`);
  if (bytes > LARGEST) throw new VirtlabError(`memory size ${shown}: at most 3G (${LARGEST} bytes) is possible`);
  if (bytes % PAGE !== 0) throw new VirtlabError(`memory size ${shown}: ${bytes} bytes is not a multiple of 4096`);
  return bytes;
}

function parseText(text: string): number {
  const match = /^(-?\d+)([KMG]?)$/i.exec(text.trim());
  return match === null ? Number.NaN : Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
}
