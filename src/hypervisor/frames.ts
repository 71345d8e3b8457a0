/** The host's frames, given away once and from below. */
import { VirtlabError } from "../state/error.js";
import { PLACE } from "./layout.js";
import type { Frames } from "./state.js";

export const framesOf = (memorySize: number): Frames => ({ next: PLACE.pool, end: memorySize });

const alignedTo = (address: number, alignment: number): number => Math.ceil(address / alignment) * alignment;

/** Bytes that are left. */
export const freeBytes = ({ next, end }: Frames): number => Math.max(0, end - next);

/**
 * Takes bytes that lie together.
 *
 * @throws VirtlabError naming what they are for, where the host has no more.
 */
export function take(frames: Frames, bytes: number, alignment: number, what: string): readonly [Frames, number] {
  const at = alignedTo(frames.next, alignment);
  if (at + bytes > frames.end)
    throw new VirtlabError(
      `${what}: ${bytes} bytes are more than the host has left (${freeBytes(frames)} of ${frames.end} bytes)`,
    );
  return [{ ...frames, next: at + bytes }, at];
}
