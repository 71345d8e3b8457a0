/**
 * Futexes: words of user memory that threads wait at. Waiters are found by where the word lies: in a frame that is shared, or at an address
 * of one address space. Spec: futex(2), futex(7).
 */
import { PersistentMap } from "../../state/persistent-map.js";
import { E, Wait } from "../errno.js";
import { readWord } from "../mm/user-memory.js";
import type { PendingCall, Table } from "../state.js";
import type { Work } from "../work.js";
import { wakeTask } from "./waiting.js";

/** Threads that wait at a word, first come first. */
interface FutexQueue {
  readonly kind: "futex";
  readonly space: number;
  readonly address: number;
  readonly waiters: readonly { readonly task: number; readonly bits: number }[];
}

/** Numbers of queues by space and address; the object is made with the first futex of a system. */
interface Futexes {
  readonly kind: "futexes";
  readonly queues: Table<readonly number[]>;
}

const noQueues: Futexes = { kind: "futexes", queues: PersistentMap.empty() };
const bucketOf = (address: number): number => Math.floor(address / 4) % 1024;

const queueOf = (k: Work, id: number): FutexQueue | undefined => k.state.objects.get(id) as FutexQueue | undefined;
const futexesOf = (k: Work): Futexes => k.objectOf<Futexes>(k.state.initial.futexes!) ?? noQueues;

function find(k: Work, space: number, address: number): number | undefined {
  return (futexesOf(k).queues.get(bucketOf(address)) ?? []).find((id) => {
    const queue = k.objectOf<FutexQueue>(id);
    return queue.space === space && queue.address === address;
  });
}

function setBucket(k: Work, address: number, change: (ids: readonly number[]) => readonly number[]): void {
  const { queues } = futexesOf(k);
  const ids = change(queues.get(bucketOf(address)) ?? []);
  k.setObject<Futexes>(k.state.initial.futexes!, {
    kind: "futexes",
    queues: queues.set(bucketOf(address), ids.length === 0 ? undefined : ids),
  });
}

function setWaiters(k: Work, id: number, waiters: FutexQueue["waiters"]): void {
  const queue = k.objectOf<FutexQueue>(id);
  if (waiters.length > 0) k.changeObject<FutexQueue>(id, { waiters });
  else {
    k.setObject(id, undefined);
    setBucket(k, queue.address, (ids) => ids.filter((other) => other !== id));
  }
}

/** The thread at work waits until it is woken at a word, if that still has a value. Throws EAGAIN, ETIMEDOUT, EINTR. */
export function waitFutex(
  k: Work,
  address: number,
  expected: number,
  { bits, until, call }: { readonly bits: number; readonly until: number | undefined; readonly call: PendingCall },
): number {
  const { space } = k.task;
  const begun = call.progress as { readonly queue: number } | undefined;
  if (begun !== undefined) {
    const waits = queueOf(k, begun.queue)?.waiters.some(({ task }) => task === k.current) ?? false;
    if (!waits) return 0;
    leaveFutex(k, begun.queue);
    if (until !== undefined && k.now >= until) throw E.ETIMEDOUT;
    throw E.EINTR;
  }
  if (address % 4 !== 0) throw E.EINVAL;
  if (readWord(k, address) !== expected >>> 0) throw E.EAGAIN;
  if (until !== undefined && k.now >= until) throw E.ETIMEDOUT;
  let id = find(k, space, address);
  if (id === undefined) {
    id = k.addObject<FutexQueue>({ kind: "futex", space, address, waiters: [] });
    const made = id;
    setBucket(k, address, (ids) => [...ids, made]);
  }
  setWaiters(k, id, [...k.objectOf<FutexQueue>(id).waiters, { task: k.current, bits }]);
  throw new Wait([], until, { queue: id });
}

function leaveFutex(k: Work, id: number): void {
  setWaiters(
    k,
    id,
    k.objectOf<FutexQueue>(id).waiters.filter(({ task }) => task !== k.current),
  );
}

/** Wakes threads that wait at a word. Gives how many. */
export function wakeFutex(k: Work, address: number, most: number, bits = 0xffff_ffff): number {
  const id = find(k, k.task.space, address);
  if (id === undefined) return 0;
  const { waiters } = k.objectOf<FutexQueue>(id);
  const woken = waiters.filter((waiter) => (waiter.bits & bits) !== 0).slice(0, most);
  setWaiters(
    k,
    id,
    waiters.filter((waiter) => !woken.includes(waiter)),
  );
  for (const { task } of woken) wakeTask(k, task);
  return woken.length;
}
