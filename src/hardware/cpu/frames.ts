/**
 * What gates and calls push in one go, on the current stack or on one that is about to become current: it fits as a
 * whole or nothing is written, and registers stay as they are.
 * Spec: SDM Vol. 3A, "Stack Switching", "Limit Checking".
 */
import { masked, stackMask } from "./operands.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { ACCESS, type Segment } from "./state.js";

/** Whether `size` bytes at an offset lie inside of a data segment. */
function fits({ limit, access }: Segment, offset: number, size: number): boolean {
  const last = offset + size - 1;
  if (access === 0) return false;
  if ((access & (ACCESS.CODE | ACCESS.EXPAND_DOWN)) !== ACCESS.EXPAND_DOWN) return last <= limit;
  return offset > limit && last <= ((access & ACCESS.BIG) !== 0 ? 0xffffffff : 0xffff);
}

/** Throws #SS(`errorCode`) unless `count` words can be pushed; a stack pointer may wrap between two of them. */
export function checkRoom(ss: Segment, pointer: number, size: number, count: number, errorCode: number): void {
  const mask = stackMask(ss);
  const top = masked(pointer, mask);
  const bottom = top - size * count;
  if (bottom >= 0 && fits(ss, bottom, size * count)) return;
  for (let index = 1; index <= count; index++)
    if (!fits(ss, masked(top - size * index, mask), size)) throw new Fault(VECTOR.SS, errorCode, "no-room-on-stack");
}

/** A frame of dwords being put together, the last one to be pushed first. Never used by two at a time. */
const frame = new Int32Array(16);

/** Writes words below `pointer`, the first one highest; gives the new stack pointer. `checkRoom` comes first. */
export function writeWords(
  port: ProcessorPort,
  ss: Segment,
  pointer: number,
  size: 2 | 4,
  words: readonly number[],
  user: boolean,
): number {
  const mask = stackMask(ss);
  let at = masked(pointer, mask);
  const count = words.length;
  if (size === 4 && at >= 4 * count) {
    for (let index = 0; index < count; index++) frame[count - 1 - index] = words[index]!;
    const bottom = at - 4 * count;
    port.writeWords((ss.base + bottom) >>> 0, count, user, frame);
    return bottom;
  }
  for (const word of words) {
    at = masked(at - size, mask);
    port.writeLinear((ss.base + at) >>> 0, size, size === 2 ? word & 0xffff : word >>> 0, user);
  }
  return at;
}
