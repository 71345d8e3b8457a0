/**
 * Futexes: words of user memory that threads wait at. A word is known by its address in an address space, or, where it is of a file that is
 * mapped shared, by its place in the file. Spec: futex(2), futex(7).
 */
import { PersistentMap } from "../../state/persistent-map.js";
import { E, Wait } from "../errno.js";
import { areaAt } from "../mm/areas.js";
import { readWord } from "../mm/user-memory.js";
import type { Table } from "../state.js";
import type { Work } from "../work.js";
import { hasSignal } from "./signals.js";
import { wakeTask } from "./waiting.js";

/** Threads that wait at a word, first come first. */
interface FutexQueue {
  readonly kind: "futex";
  /** Of an address space; below 0: of a file. */
  readonly space: number;
  readonly address: number;
  readonly waiters: readonly { readonly task: number; readonly bits: number }[];
}

type Key = Pick<FutexQueue, "space" | "address">;

/** Numbers of queues by space and address; the object is made with the first futex of a system. */
interface Futexes {
  readonly kind: "futexes";
  readonly queues: Table<readonly number[]>;
}

/** What a wait remembers; `until` is null where it has no end. */
interface Progress {
  readonly queue: number;
  readonly until: number | null;
}

export const ANY_BIT = 0xffff_ffff;

const noQueues: Futexes = { kind: "futexes", queues: PersistentMap.empty() };
const bucketOf = ({ address }: Key): number => Math.floor(address / 4) % 1024;

const queueOf = (k: Work, id: number): FutexQueue | undefined => k.state.objects.get(id) as FutexQueue | undefined;
const futexesOf = (k: Work): Futexes => k.objectOf<Futexes>(k.state.initial.futexes!) ?? noQueues;

/** What a word is known by. Throws EINVAL. */
function keyOf(k: Work, address: number): Key {
  if (address % 4 !== 0) throw E.EINVAL;
  const area = areaAt(k.space.areas, address);
  if (area?.shared !== true || area.file === undefined) return { space: k.task.space, address };
  const { inode, offset } = area.file;
  return { space: -(inode.fileSystem * 2 ** 26 + inode.ino), address: offset + address - area.start };
}

function find(k: Work, key: Key): number | undefined {
  return (futexesOf(k).queues.get(bucketOf(key)) ?? []).find((id) => {
    const queue = k.objectOf<FutexQueue>(id);
    return queue.space === key.space && queue.address === key.address;
  });
}

function setBucket(k: Work, key: Key, change: (ids: readonly number[]) => readonly number[]): void {
  const { queues } = futexesOf(k);
  const ids = change(queues.get(bucketOf(key)) ?? []);
  k.setObject<Futexes>(k.state.initial.futexes!, {
    kind: "futexes",
    queues: queues.set(bucketOf(key), ids.length === 0 ? undefined : ids),
  });
}

function setWaiters(k: Work, id: number, waiters: FutexQueue["waiters"]): void {
  const queue = k.objectOf<FutexQueue>(id);
  if (waiters.length > 0) k.changeObject<FutexQueue>(id, { waiters });
  else {
    k.setObject(id, undefined);
    setBucket(k, queue, (ids) => ids.filter((other) => other !== id));
  }
}

/** The queue of a word, made if there is none; it is to get a waiter. */
function queueFor(k: Work, key: Key): number {
  const found = find(k, key);
  if (found !== undefined) return found;
  const made = k.addObject<FutexQueue>({ kind: "futex", ...key, waiters: [] });
  setBucket(k, key, (ids) => [...ids, made]);
  return made;
}

const isWaiting = (k: Work, queue: number): boolean =>
  queueOf(k, queue)?.waiters.some(({ task }) => task === k.current) ?? false;

/** The thread at work, whose wait has begun, was woken, or its time is over, or a signal has come. */
function goOn(k: Work, { queue, until }: Progress): number {
  if (!isWaiting(k, queue)) return 0;
  const over = until !== null && k.now >= until;
  if (over || hasSignal(k)) leaveFutex(k, queue, k.current);
  if (over) throw E.ETIMEDOUT;
  // A signal without a handler lets it begin anew: the word is looked at again.
  if (hasSignal(k)) throw new Wait([], until ?? undefined, until === null ? undefined : { until }, "restart");
  throw new Wait([], until ?? undefined, { queue, until }, "restart");
}

/** The thread at work waits until it is woken at a word, if that still has a value. Throws EAGAIN, ETIMEDOUT. */
export function waitFutex(
  k: Work,
  address: number,
  expected: number,
  { bits, until }: { readonly bits: number; readonly until: () => number | undefined },
): number {
  if (bits === 0) throw E.EINVAL;
  const begun = k.call.progress as Progress | { readonly until: number } | undefined;
  if (begun !== undefined && "queue" in begun) return goOn(k, begun);
  const key = keyOf(k, address);
  if (readWord(k, address) !== expected >>> 0) throw E.EAGAIN;
  return enter(k, key, bits, begun?.until ?? until() ?? null);
}

function enter(k: Work, key: Key, bits: number, until: number | null): number {
  if (until !== null && k.now >= until) throw E.ETIMEDOUT;
  if (hasSignal(k)) throw new Wait([], until ?? undefined, until === null ? undefined : { until }, "restart");
  const queue = queueFor(k, key);
  setWaiters(k, queue, [...k.objectOf<FutexQueue>(queue).waiters, { task: k.current, bits }]);
  throw new Wait([], until ?? undefined, { queue, until }, "restart");
}

function leaveFutex(k: Work, id: number, tid: number): void {
  setWaiters(
    k,
    id,
    k.objectOf<FutexQueue>(id).waiters.filter(({ task }) => task !== tid),
  );
}

/** A thread that ends waits no more. */
export function forgetWaiter(k: Work, tid: number): void {
  const { queue } = (k.taskOf(tid).call?.progress ?? {}) as Partial<Progress>;
  if (queue !== undefined && queueOf(k, queue)?.kind === "futex") leaveFutex(k, queue, tid);
}

/** Wakes threads that wait at a word. Gives how many. Throws EINVAL. */
export function wakeFutex(k: Work, address: number, most: number, bits = ANY_BIT): number {
  if (bits === 0) throw E.EINVAL;
  const id = find(k, keyOf(k, address));
  if (id === undefined) return 0;
  const { waiters } = k.objectOf<FutexQueue>(id);
  const woken = waiters.filter((waiter) => (waiter.bits & bits) !== 0).slice(0, Math.max(1, most));
  setWaiters(
    k,
    id,
    waiters.filter((waiter) => !woken.includes(waiter)),
  );
  for (const { task } of woken) wakeTask(k, task);
  return woken.length;
}

/** Wakes some threads that wait at a word, and has others wait at another one. Gives how many of both. Throws EINVAL. */
export function requeueFutex(k: Work, from: number, to: number, wakes: number, moves: number): number {
  if (wakes < 0 || moves < 0) throw E.EINVAL;
  const [source, target] = [keyOf(k, from), keyOf(k, to)];
  const woken = wakes === 0 ? 0 : wakeFutex(k, from, wakes);
  const id = find(k, source);
  if (id === undefined || moves === 0) return woken;
  const { waiters } = k.objectOf<FutexQueue>(id);
  const moved = waiters.slice(0, moves);
  const queue = queueFor(k, target);
  if (queue === id) return woken + moved.length;
  setWaiters(k, id, waiters.slice(moved.length));
  setWaiters(k, queue, [...k.objectOf<FutexQueue>(queue).waiters, ...moved]);
  for (const { task } of moved) {
    const call = k.taskOf(task).call!;
    k.setTask(task, { call: { ...call, progress: { ...(call.progress as Progress), queue } } });
  }
  return woken + moved.length;
}

/** Who waits at a word, the first one first. */
export function waitersAt(k: Work, address: number): readonly number[] {
  const id = find(k, keyOf(k, address));
  return id === undefined ? [] : k.objectOf<FutexQueue>(id).waiters.map(({ task }) => task);
}

/** Waits at a word whatever is in it; once woken the call is made anew without progress. */
export function waitAtWord(k: Work, address: number, until: number | undefined): number {
  return enter(k, keyOf(k, address), ANY_BIT, until ?? null);
}

export const waitsAtWord = (k: Work): boolean => {
  const begun = k.call.progress as Partial<Progress> | undefined;
  return begun?.queue !== undefined && isWaiting(k, begun.queue);
};

/** Goes on with a wait that has begun. */
export const continueWait = (k: Work): number => goOn(k, k.call.progress as Progress);
