/**
 * What gates and calls push in one go, on the current stack or on one that is about to become current: it fits as a
 * whole or nothing is written, and registers stay as they are.
 * Spec: SDM Vol. 3A, "Stack Switching", "Limit Checking".
 */
import { masked, stackMask } from "./operands.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import { isInside } from "./segment-checks.js";
import type { Segment } from "./state.js";

/** Throws #SS(`errorCode`) unless `count` words can be pushed; a stack pointer may wrap between two of them. */
export function checkRoom(ss: Segment, pointer: number, size: number, count: number, errorCode: number): void {
  const mask = stackMask(ss);
  const top = masked(pointer, mask);
  const bottom = top - size * count;
  if (bottom >= 0 && isInside(ss, bottom, size * count)) return;
  for (let index = 1; index <= count; index++)
    if (!isInside(ss, masked(top - size * index, mask), size))
      throw new Fault(VECTOR.SS, errorCode, "no-room-on-stack");
}

/**
 * Writes the first `count` words of `frame`, the lowest one at the new top of the stack; gives the new stack pointer.
 * `checkRoom` comes first.
 */
export function writeFrame(
  port: ProcessorPort,
  ss: Segment,
  pointer: number,
  size: 2 | 4,
  frame: Int32Array,
  count: number,
  user: boolean,
): number {
  const mask = stackMask(ss);
  let at = masked(pointer, mask);
  if (size === 4 && at >= 4 * count) {
    port.writeWords((ss.base + at - 4 * count) >>> 0, count, user, frame);
    return at - 4 * count;
  }
  for (let index = count - 1; index >= 0; index--) {
    at = masked(at - size, mask);
    const word = frame[index]!;
    port.writeLinear((ss.base + at) >>> 0, size, size === 2 ? word & 0xffff : word >>> 0, user);
  }
  return at;
}

const words = new Int32Array(64);

/** The same for words in the order they are pushed, highest first. */
export function writeWords(
  port: ProcessorPort,
  ss: Segment,
  pointer: number,
  size: 2 | 4,
  pushed: readonly number[],
  user: boolean,
): number {
  const count = pushed.length;
  for (let index = 0; index < count; index++) words[count - 1 - index] = pushed[index]!;
  return writeFrame(port, ss, pointer, size, words, count, user);
}
