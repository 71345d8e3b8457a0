/** Reading a machine's memory where some of it may not be mapped, as far as it goes. */
import { VirtlabError } from "../../state/error.js";
import { PAGE_SIZE } from "../../state/pages.js";
import { codeBitsOf, type SegmentName } from "../cpu/state.js";
import type { Machine } from "../machine.js";

const is64 = (machine: Machine): boolean => codeBitsOf(machine.cpu.system) === 64;

/**
 * Linear address of an offset in a segment, as the processor makes it. Spec: SDM Vol. 3A, "Segmentation in IA-32e Mode":
 * in 64-bit code only FS and GS have a base.
 */
export function linearAt(machine: Machine, segment: SegmentName, offset: number): number {
  const { base } = machine.cpu.system.segments[segment];
  if (!is64(machine)) return (base + offset) >>> 0;
  const based = segment === "fs" || segment === "gs";
  return based ? Number(BigInt.asIntN(64, BigInt(base) + BigInt(offset))) : offset;
}

/** A linear address some bytes on; without 64-bit code it goes round at 4 GiB. */
export const linearPlus = (machine: Machine, linear: number, bytes: number): number =>
  is64(machine) ? linear + bytes : (linear + bytes) >>> 0;

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
  const first = Math.min(length, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
  const start = readIfMapped(machine, linear, first);
  if (start === undefined) return new Uint8Array();
  const rest = length > first ? readIfMapped(machine, linearPlus(machine, linear, first), length - first) : undefined;
  return rest === undefined ? start : Uint8Array.of(...start, ...rest);
}

/** A little-endian number of 1, 2 or 4 bytes. */
export function littleEndian(bytes: Uint8Array, at: number, size: 1 | 2 | 4): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + bytes[at + index]!;
  return value;
}

/** The same of any size. */
export function littleEndianLong(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[at + index]!);
  return value;
}

/** A 64-bit address in memory, as linear addresses are numbers here: signed. What is not canonical is rounded. */
export const addressAt = (bytes: Uint8Array, at: number): number =>
  Number(BigInt.asIntN(64, littleEndianLong(bytes, at, 8)));
