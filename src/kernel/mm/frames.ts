/**
 * Page frames: taken, shared, given back, and charged to the cgroup of the thread that took them until they are given back. A frame with
 * one user that is the root's is in no table; others have an entry with how many use it, what they are, and whose.
 * Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "Memory Ownership".
 */
import { PHYSICAL } from "../arch/layout.js";
import { cgroupOf, upwards } from "../cgroups/records.js";
import { E } from "../errno.js";
import type { Table } from "../state.js";
import type { Work } from "../work.js";

export const PAGE = 4096;
const zeros = new Uint8Array(PAGE);

/** What a frame is of: memory of programs, a file, or a page table. */
export const FRAME = { anon: 0, file: 1, table: 2 } as const;
export type FrameUse = (typeof FRAME)[keyof typeof FRAME];
/** Beside these in the table of charges: all of them, and the most there ever were. */
const [TOTAL, PEAK] = [3, 4];
const SLOTS = 8;

const OWNER = 2 ** 20;
const USES = 4;
/** So few frames are left when the machine looks for some: what a handler takes at once has to find room. */
const RESERVE = 32;

/** Linear address of a frame, for the kernel. */
export const linearOf = (frame: number): number => PHYSICAL + frame * PAGE;

/** Frames that nobody has. */
export const freeFrames = ({ state: { frames } }: Work): number => frames.end - frames.next + frames.freed;

/** Pages that are charged to a cgroup and those below it. */
export const chargedPages = ({ state: { frames } }: Work, cgroup: number, use: FrameUse | "total" | "peak"): number =>
  frames.charged.get(cgroup * SLOTS + (use === "total" ? TOTAL : use === "peak" ? PEAK : use)) ?? 0;

/** Charges pages, or gives their charge back, to a cgroup and those around it. */
function charge(k: Work, cgroup: number, use: number, pages: number): void {
  let { charged } = k.state.frames;
  for (const id of upwards(k, cgroup)) {
    const at = id * SLOTS;
    const total = (charged.get(at + TOTAL) ?? 0) + pages;
    charged = added(charged, at + use, pages);
    charged = charged.set(at + TOTAL, total === 0 ? undefined : total);
    const { max, high } = cgroupOf(k, id).memory;
    if (pages > 0) {
      if (total > Math.min(max, high)) k.pressed.push(id);
      if (Math.min(total, max) > (charged.get(at + PEAK) ?? 0)) charged = charged.set(at + PEAK, Math.min(total, max));
    }
  }
  k.set({ frames: { ...k.state.frames, charged } });
}

function added(table: Table<number>, key: number, by: number): Table<number> {
  const sum = (table.get(key) ?? 0) + by;
  return table.set(key, sum === 0 ? undefined : sum);
}

/** The cgroup whose thread is at work; 0 stands for the root, which nothing is charged to. */
function payer(k: Work): number {
  const cgroup = k.state.tasks.get(k.current)?.cgroup ?? 0;
  return cgroup === k.state.initial.cgroupRoot ? 0 : cgroup;
}

/** A frame whatever is in it. Throws ENOMEM. */
export function takeFrame(k: Work, use: FrameUse = FRAME.anon): number {
  const { frames } = k.state;
  let frame = frames.next;
  if (frames.freed > 0) {
    const freed = frames.freed - 1;
    frame = frames.free.get(freed)!;
    k.set({ frames: { ...frames, freed, free: frames.free.set(freed, undefined) } });
  } else {
    if (frames.next >= frames.end) throw E.ENOMEM;
    k.set({ frames: { ...frames, next: frames.next + 1 } });
  }
  if (freeFrames(k) < RESERVE) k.pressed.push(0);
  const cgroup = payer(k);
  if (cgroup !== 0) {
    setUses(k, frame, 1, use + USES * cgroup);
    charge(k, cgroup, use, 1);
  }
  return frame;
}

function setUses(k: Work, frame: number, users: number, owner: number): void {
  const { frames } = k.state;
  const value = users === 1 && owner === 0 ? undefined : users + OWNER * owner;
  k.set({ frames: { ...frames, uses: frames.uses.set(frame, value) } });
}

/** A frame of zeros. */
export function takeZeroFrame(k: Work, use: FrameUse = FRAME.anon): number {
  const frame = takeFrame(k, use);
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

const usesOf = ({ state: { frames } }: Work, frame: number): number => frames.uses.get(frame) ?? 1;

export const usersOf = (k: Work, frame: number): number => usesOf(k, frame) % OWNER;

/** The cgroup that a frame is charged to; 0 for none. */
export const ownerOf = (k: Work, frame: number): number => Math.floor(usesOf(k, frame) / OWNER / USES);

/** One user more. */
export function shareFrame(k: Work, frame: number): void {
  if (frame === k.state.zeroFrame) return;
  const uses = usesOf(k, frame);
  setUses(k, frame, (uses % OWNER) + 1, Math.floor(uses / OWNER));
}

/** One user less; the last one's frame is free. */
export function dropFrame(k: Work, frame: number): void {
  if (frame === k.state.zeroFrame) return;
  const uses = usesOf(k, frame);
  const [users, owner] = [(uses % OWNER) - 1, Math.floor(uses / OWNER)];
  if (users > 0) {
    setUses(k, frame, users, owner);
    return;
  }
  if (owner !== 0) {
    setUses(k, frame, 1, 0);
    charge(k, Math.floor(owner / USES), owner % USES, -1);
  }
  const { frames } = k.state;
  k.set({ frames: { ...frames, free: frames.free.set(frames.freed, frame), freed: frames.freed + 1 } });
}
