/** The host's frames: given away from below, and taken back. */
import { VirtlabError } from "../state/error.js";
import { PLACE } from "./layout.js";
import type { FrameRange, Frames } from "./state.js";

export const framesOf = (memorySize: number): Frames => ({ next: PLACE.pool, end: memorySize, free: [] });

const alignedTo = (address: number, alignment: number): number => Math.ceil(address / alignment) * alignment;

/** Bytes that are left. */
export const freeBytes = ({ next, end, free }: Frames): number =>
  Math.max(0, end - next) + free.reduce((sum, { bytes }) => sum + bytes, 0);

/** A piece without a part of it: what is left in front of it and behind it. */
function without(piece: FrameRange, at: number, bytes: number): readonly FrameRange[] {
  const before = { at: piece.at, bytes: at - piece.at };
  const behind = { at: at + bytes, bytes: piece.at + piece.bytes - at - bytes };
  return [before, behind].filter((rest) => rest.bytes > 0);
}

/**
 * Takes bytes that lie together: of what was given back where they fit, else from below.
 *
 * @throws VirtlabError naming what they are for, where the host has no more.
 */
export function take(frames: Frames, bytes: number, alignment: number, what: string): readonly [Frames, number] {
  const { free, next, end } = frames;
  const index = free.findIndex((piece) => alignedTo(piece.at, alignment) + bytes <= piece.at + piece.bytes);
  if (index >= 0) {
    const at = alignedTo(free[index]!.at, alignment);
    return [{ ...frames, free: free.toSpliced(index, 1, ...without(free[index]!, at, bytes)) }, at];
  }
  const at = alignedTo(next, alignment);
  if (at + bytes > end)
    throw new VirtlabError(
      `${what}: ${bytes} bytes are more than the host has left together (${freeBytes(frames)} of ${end} bytes are free)`,
    );
  const skipped = at > next ? [{ at: next, bytes: at - next }] : [];
  return [{ next: at + bytes, end, free: [...free, ...skipped] }, at];
}

/** Takes pieces back. They must hold zeros. */
export function give(frames: Frames, pieces: readonly FrameRange[]): Frames {
  const sorted = [...frames.free, ...pieces].sort((a, b) => a.at - b.at);
  const free: FrameRange[] = [];
  for (const piece of sorted) {
    const last = free.at(-1);
    if (last !== undefined && last.at + last.bytes === piece.at)
      free[free.length - 1] = { at: last.at, bytes: last.bytes + piece.bytes };
    else free.push(piece);
  }
  const last = free.at(-1);
  if (last === undefined || last.at + last.bytes !== frames.next) return { ...frames, free };
  return { ...frames, next: last.at, free: free.slice(0, -1) };
}
