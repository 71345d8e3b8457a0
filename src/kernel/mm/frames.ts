/**
 * Page frames: taken, shared, given back. A frame with one user is in no table; others have an entry with how many use it.
 */
import { PHYSICAL } from "../arch/layout.js";
import { E } from "../errno.js";
import type { Work } from "../work.js";

export const PAGE = 4096;
const zeros = new Uint8Array(PAGE);

/** Linear address of a frame, for the kernel. */
export const linearOf = (frame: number): number => PHYSICAL + frame * PAGE;

/** Frames that nobody has. */
export const freeFrames = ({ state: { frames } }: Work): number => frames.end - frames.next + frames.freed;

/** A frame whatever is in it. Throws ENOMEM. */
export function takeFrame(k: Work): number {
  const { frames } = k.state;
  if (frames.freed > 0) {
    const freed = frames.freed - 1;
    const frame = frames.free.get(freed)!;
    k.set({ frames: { ...frames, freed, free: frames.free.set(freed, undefined) } });
    return frame;
  }
  if (frames.next >= frames.end) throw E.ENOMEM;
  k.set({ frames: { ...frames, next: frames.next + 1 } });
  return frames.next;
}

/** A frame of zeros. */
export function takeZeroFrame(k: Work): number {
  const frame = takeFrame(k);
  k.port.writeBytes(linearOf(frame), zeros, false);
  return frame;
}

/** A frame with a copy of another. */
export function copyFrame(k: Work, from: number): number {
  const frame = takeFrame(k);
  const bytes = new Uint8Array(PAGE);
  k.port.readBytes(linearOf(from), bytes, false);
  k.port.writeBytes(linearOf(frame), bytes, false);
  return frame;
}

export function usersOf({ state: { frames } }: Work, frame: number): number {
  return frames.uses.get(frame) ?? 1;
}

/** One user more. */
export function shareFrame(k: Work, frame: number): void {
  const { frames, zeroFrame } = k.state;
  if (frame === zeroFrame) return;
  k.set({ frames: { ...frames, uses: frames.uses.set(frame, usersOf(k, frame) + 1) } });
}

/** One user less; the last one's frame is free. */
export function dropFrame(k: Work, frame: number): void {
  const { frames, zeroFrame } = k.state;
  if (frame === zeroFrame) return;
  const users = usersOf(k, frame) - 1;
  if (users > 0) k.set({ frames: { ...frames, uses: frames.uses.set(frame, users === 1 ? undefined : users) } });
  else k.set({ frames: { ...frames, free: frames.free.set(frames.freed, frame), freed: frames.freed + 1 } });
}
