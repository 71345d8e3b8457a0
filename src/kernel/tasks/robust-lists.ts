/** Locks that a thread holds when it ends: those who wait for them are told. Spec: get_robust_list(2); Linux, Documentation/locking/robust-futexes.rst. */
import { Errno } from "../errno.js";
import { readLong, readWord, writeWord } from "../mm/user-memory.js";
import type { Work } from "../work.js";
import { wakeFutex } from "./futexes.js";

/** Bits of a lock's word. Spec: futex(2), "Priority-inheritance futexes". */
export const LOCK = { TID: 0x3fff_ffff, OWNER_DIED: 0x4000_0000, WAITERS: 0x8000_0000 } as const;
const MOST = 2048;

function release(k: Work, address: number): void {
  const word = readWord(k, address);
  if ((word & LOCK.TID) !== k.current) return;
  writeWord(k, address, ((word & LOCK.WAITERS) | LOCK.OWNER_DIED) >>> 0);
  if ((word & LOCK.WAITERS) !== 0) wakeFutex(k, address, 1);
}

/** The thread at work gives up the locks of its list. What cannot be read ends the walk. */
export function releaseRobustLocks(k: Work): void {
  const { robustList, space } = k.task;
  if (robustList === 0 || space === 0) return;
  const wide = k.space.bits === 64;
  const read = (at: number): number => (wide ? readLong(k, at) : readWord(k, at));
  const size = wide ? 8 : 4;
  k.setTask(k.current, { robustList: 0 });
  try {
    const offset = wide ? read(robustList + size) : read(robustList + size) | 0;
    const begun = read(robustList + 2 * size);
    let entry = read(robustList);
    for (let count = 0; count < MOST && Math.floor(entry / 2) * 2 !== robustList; count++) {
      const at = Math.floor(entry / 2) * 2;
      const next = read(at);
      if (at !== Math.floor(begun / 2) * 2) release(k, at + offset);
      entry = next;
    }
    if (begun !== 0) release(k, Math.floor(begun / 2) * 2 + offset);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
  }
}
