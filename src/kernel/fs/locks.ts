/**
 * Locks on files: whole ones of flock(2), and on parts of files those of processes and of open file descriptions.
 * Spec: flock(2); fcntl(2), "Advisory record locking", "Open file description locks (non-POSIX)".
 */
import { E, Wait } from "../errno.js";
import type { InodeName, OpenFile } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { inodeEntry, inodeTableId, isEmptyTable, setInodeEntry } from "./inode-tables.js";

export interface Lock {
  readonly kind: "flock" | "record";
  readonly exclusive: boolean;
  /** Descriptor table that has it, or open file description. */
  readonly table: number;
  readonly file: number;
  /** Who is told to have it; -1 for open file descriptions. */
  readonly pid: number;
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

interface Locks {
  readonly locks: readonly Lock[];
}

const sameOwner = (a: Lock, b: Lock): boolean => a.kind === b.kind && a.table === b.table && a.file === b.file;

export const locksOn = (k: Work, inode: InodeName): readonly Lock[] =>
  isEmptyTable(k, "locks") ? [] : (inodeEntry<Locks>(k, "locks", inode)?.locks ?? []);

function setLocks(k: Work, inode: InodeName, locks: readonly Lock[]): void {
  setInodeEntry<Locks>(k, "locks", inode, locks.length === 0 ? undefined : { locks });
  wake(k, inodeTableId(k, "locks"));
}

/** A lock of somebody else that stands against one. */
export const conflict = (k: Work, inode: InodeName, wanted: Lock): Lock | undefined =>
  locksOn(k, inode).find(
    (one) =>
      one.kind === wanted.kind &&
      !sameOwner(one, wanted) &&
      (one.exclusive || wanted.exclusive) &&
      one.start < wanted.end &&
      wanted.start < one.end,
  );

/** What is left of an owner's locks when a range is taken out. */
function without(locks: readonly Lock[], range: Lock): readonly Lock[] {
  return locks.flatMap((one) => {
    if (!sameOwner(one, range) || one.end <= range.start || one.start >= range.end) return [one];
    return [
      ...(one.start < range.start ? [{ ...one, end: range.start }] : []),
      ...(one.end > range.end ? [{ ...one, start: range.end }] : []),
    ];
  });
}

export function unlock(k: Work, inode: InodeName, range: Lock): void {
  const old = locksOn(k, inode);
  if (old.length > 0) setLocks(k, inode, without(old, range));
}

/** Neighbours of one owner and kind are one. */
function joined(locks: readonly Lock[], fresh: Lock): readonly Lock[] {
  let [start, end] = [fresh.start, fresh.end];
  const others = locks.filter((one) => {
    const joins = sameOwner(one, fresh) && one.exclusive === fresh.exclusive && one.end >= start && one.start <= end;
    if (joins) [start, end] = [Math.min(start, one.start), Math.max(end, one.end)];
    return !joins;
  });
  return [...others, { ...fresh, start, end }].sort((a, b) => a.start - b.start);
}

/** What a thread remembers that waits for a lock: whose it is. */
interface LockProgress {
  readonly waitsForTable: number;
}

/** Whether the owner of a lock waits, over others, for the thread at work. */
function isCycle(k: Work, blocker: Lock): boolean {
  const waiting = (k.state.waiters.get(inodeTableId(k, "locks")) ?? []).map((tid) => k.taskOf(tid));
  const own = k.task.descriptors;
  let owner = blocker.table;
  for (let steps = 0; steps <= waiting.length; steps++) {
    if (owner === own) return true;
    const next = waiting.find(({ descriptors, call }) => descriptors === owner && call?.progress !== undefined);
    if (next === undefined) return false;
    owner = (next.call!.progress as LockProgress).waitsForTable;
  }
  return false;
}

/** Takes a lock. Throws EAGAIN, or waits; EDEADLK where that would be for ever. */
export function lock(k: Work, inode: InodeName, wanted: Lock, waits: boolean): void {
  const blocker = conflict(k, inode, wanted);
  if (blocker !== undefined) {
    if (wanted.kind === "flock") unlock(k, inode, wanted);
    if (!waits) throw E.EAGAIN;
    if (wanted.table !== 0 && blocker.table !== 0 && isCycle(k, blocker)) throw E.EDEADLK;
    throw new Wait([inodeTableId(k, "locks")], undefined, { waitsForTable: blocker.table } satisfies LockProgress);
  }
  setLocks(k, inode, joined(without(locksOn(k, inode), wanted), wanted));
}

/** Locks of a file go with what had them: a description, or the last word of a table on the file. */
export function releaseLocks(
  k: Work,
  { inode }: OpenFile,
  owner: { readonly table: number } | { readonly file: number },
): void {
  if (inode === undefined || isEmptyTable(k, "locks")) return;
  const locks = locksOn(k, inode);
  const left = locks.filter((one) => ("table" in owner ? one.table !== owner.table : one.file !== owner.file));
  if (left.length < locks.length) setLocks(k, inode, left);
}
