/** System V semaphores: sets of them, changed together or not at all. Spec: semget(2), semop(2), semctl(2). */
import { E, Wait } from "../errno.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import {
  atIpcEnd,
  IPC,
  type IpcNamespace,
  type IpcObject,
  ipcGet,
  ipcObject,
  recordOf,
  removeIpc,
  requireIpc,
} from "./records.js";

export interface SemaphoreSet extends IpcObject {
  readonly kind: "sem";
  readonly values: readonly number[];
  /** The process that changed each of them last. */
  readonly pids: readonly number[];
  /** What is undone at the end of a process, by its number. */
  readonly undo: Readonly<Record<number, readonly number[]>>;
  readonly operatedAt: number;
  readonly changedAt: number;
  /** Calls that wait for more, or for zero. */
  readonly waiting: readonly { readonly task: number; readonly semaphore: number; readonly forZero: boolean }[];
}

export interface SemaphoreOperation {
  readonly semaphore: number;
  readonly by: number;
  readonly flags: number;
}

const MOST = { sets: 32_000, inSet: 32_000, operations: 500, value: 32_767 } as const;
const UNDO = 0x1000;

export const getSemaphores = (k: Work, key: number, count: number, flags: number): number => {
  if (count < 0 || count > MOST.inSet) throw E.EINVAL;
  return ipcGet<SemaphoreSet>(
    k,
    "sem",
    { key, flags, most: MOST.sets },
    (set) => {
      if (count > set.values.length) throw E.EINVAL;
    },
    () => {
      if (count === 0) throw E.EINVAL;
      const zeros = new Array<number>(count).fill(0);
      return { values: zeros, pids: zeros, undo: {}, operatedAt: -1, changedAt: k.now, waiting: [] };
    },
  );
};

/** What operations make of the values; the one that has to wait; throws what it fails with. */
function tried(
  values: readonly number[],
  operations: readonly SemaphoreOperation[],
): { readonly values: readonly number[] } | { readonly blocked: SemaphoreOperation } {
  const next = [...values];
  for (const operation of operations) {
    const { semaphore, by } = operation;
    const value = next[semaphore]!;
    if (by === 0 ? value !== 0 : value + by < 0) return { blocked: operation };
    if (value + by > MOST.value) throw E.ERANGE;
    next[semaphore] = value + by;
  }
  return { values: next };
}

interface Begun {
  readonly number: number;
  readonly until: number | undefined;
}

/** semop(2) and semtimedop(2). */
export function operate(
  k: Work,
  id: number,
  operations: readonly SemaphoreOperation[],
  until: () => number | undefined,
): number {
  const begun = k.call.progress as Begun | undefined;
  if (begun !== undefined) {
    if (k.state.objects.get(begun.number) === undefined) throw E.EIDRM;
    stopWaiting(k, begun.number, k.current);
  }
  const set = ipcObject<SemaphoreSet>(k, "sem", id);
  if (operations.some(({ semaphore }) => semaphore >= set.values.length)) throw E.EFBIG;
  requireIpc(k, set, operations.some(({ by }) => by !== 0) ? 2 : 4);
  const result = tried(set.values, operations);
  const number = recordOf(k, set);
  if ("values" in result) {
    done(k, number, operations, result.values);
    return 0;
  }
  const { blocked } = result;
  if ((blocked.flags & IPC.NOWAIT) !== 0) throw E.EAGAIN;
  const end = begun === undefined ? until() : begun.until;
  if (end !== undefined && k.now >= end) throw E.EAGAIN;
  const entry = { task: k.current, semaphore: blocked.semaphore, forZero: blocked.by === 0 };
  k.changeObject<SemaphoreSet>(number, { waiting: [...k.objectOf<SemaphoreSet>(number).waiting, entry] });
  throw new Wait([number], end, { number, until: end } satisfies Begun, "interrupt");
}

function stopWaiting(k: Work, number: number, task: number): void {
  const { waiting } = k.objectOf<SemaphoreSet>(number);
  k.changeObject<SemaphoreSet>(number, { waiting: waiting.filter((one) => one.task !== task) });
}

function done(k: Work, number: number, operations: readonly SemaphoreOperation[], values: readonly number[]): void {
  const set = k.objectOf<SemaphoreSet>(number);
  const { process } = k.task;
  const pids = [...set.pids];
  let { undo } = set;
  for (const { semaphore, by, flags } of operations) {
    pids[semaphore] = process;
    if ((flags & UNDO) === 0 || by === 0) continue;
    const own = undo[process] ?? new Array<number>(values.length).fill(0);
    undo = { ...undo, [process]: own.with(semaphore, own[semaphore]! - by) };
  }
  k.changeObject<SemaphoreSet>(number, { values, pids, undo, operatedAt: k.now });
  if (operations.some(({ by }) => by !== 0)) wake(k, number);
}

/** Operations that have to be undone at the end of a process are. */
export function undoOf(k: Work, pid: number, namespace: number): void {
  for (const [, number] of k.objectOf<IpcNamespace>(namespace).sem.places.entries()) {
    const set = k.objectOf<SemaphoreSet>(number);
    const { [pid]: own, ...undo } = set.undo;
    if (own === undefined) continue;
    const values = set.values.map((value, index) => Math.min(MOST.value, Math.max(0, value + own[index]!)));
    k.changeObject<SemaphoreSet>(number, { values, undo, operatedAt: k.now });
    wake(k, number);
  }
}

/** SETVAL and SETALL. Throws ERANGE. */
export function setValues(k: Work, set: SemaphoreSet, values: readonly (number | undefined)[]): void {
  if (values.some((value) => value !== undefined && (value < 0 || value > MOST.value))) throw E.ERANGE;
  const number = recordOf(k, set);
  const undo = Object.fromEntries(
    Object.entries(set.undo).map(([pid, own]) => [pid, own.map((by, index) => (values[index] === undefined ? by : 0))]),
  );
  k.changeObject<SemaphoreSet>(number, {
    values: set.values.map((value, index) => values[index] ?? value),
    pids: set.pids.map((pid, index) => (values[index] === undefined ? pid : k.task.process)),
    undo,
    changedAt: k.now,
  });
  wake(k, number);
}

export function removeSemaphores(k: Work, set: SemaphoreSet): void {
  const number = recordOf(k, set);
  removeIpc(k, set);
  wake(k, number);
}

atIpcEnd("sem", (k, number) => removeSemaphores(k, k.objectOf<SemaphoreSet>(number)));

export { MOST as SEMAPHORE_LIMITS };
