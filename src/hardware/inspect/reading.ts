/** Reading a machine's memory where some of it may not be mapped, as far as it goes. */
import { VirtlabError } from "../../state/error.js";
import { PAGE_SIZE } from "../../state/pages.js";
import type { Machine } from "../machine.js";

/** Bytes at a linear address, or undefined where one of them is not mapped. */
export function readIfMapped(machine: Machine, linear: number, length: number): Uint8Array | undefined {
  try {
    return machine.readLinear(linear, length);
  } catch (error) {
    if (error instanceof VirtlabError) return undefined;
    throw error;
  }
}

/** Bytes from `linear` on, up to the first page that is not mapped; `length` is at most a page. */
export function readForward(machine: Machine, linear: number, length: number): Uint8Array {
  const first = Math.min(length, PAGE_SIZE - (linear % PAGE_SIZE));
  const start = readIfMapped(machine, linear, first);
  if (start === undefined) return new Uint8Array();
  const rest = length > first ? readIfMapped(machine, (linear + first) >>> 0, length - first) : undefined;
  return rest === undefined ? start : Uint8Array.of(...start, ...rest);
}

/** A little-endian number of 1, 2 or 4 bytes. */
export function littleEndian(bytes: Uint8Array, at: number, size: 1 | 2 | 4): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + bytes[at + index]!;
  return value;
}
