/**
 * System calls of System V: shared memory, semaphores, message queues. 32-bit programs may reach all of them by ipc(2).
 * Spec: sysvipc(7), ipc(2); Linux, arch/x86/include/uapi/asm/sembuf.h, include/uapi/asm-generic/shmbuf.h and msgbuf.h.
 */
import { E } from "../errno.js";
import { isWide, Layout, msgBytes, semBytes, shmBytes } from "../ipc/layouts.js";
import { getQueue, type MessageQueue, receive, removeQueue, send } from "../ipc/messages.js";
import {
  IPC,
  type IpcNamespace,
  type IpcObject,
  ipcObject,
  recordOf,
  requireIpc,
  requireIpcOwner,
} from "../ipc/records.js";
import { getSemaphores, operate, removeSemaphores, type SemaphoreSet, setValues } from "../ipc/semaphores.js";
import { attach, detach, getSegment, removeSegment, type SharedSegment } from "../ipc/shared-memory.js";
import { readLong, readUser, readWord, writeLong, writeUser, writeWord } from "../mm/user-memory.js";
import { pidInside } from "../namespaces/pid.js";
import { idOutside, may } from "../tasks/capabilities.js";
import { ticksOf } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** IPC_SET: owner and permissions from the program's structure. */
function setPermissions(k: Work, object: IpcObject, at: number): void {
  requireIpcOwner(k, object);
  const { user } = k.task.namespaces;
  const [uid, gid, mode] = [readWord(k, at + 4), readWord(k, at + 8), readWord(k, at + 20)];
  const { permissions } = object;
  k.changeObject<SharedSegment>(recordOf(k, object), {
    permissions: {
      ...permissions,
      uid: idOutside(k, user, "uidMap", uid),
      gid: idOutside(k, user, "gidMap", gid),
      mode: (permissions.mode & ~0o777) | (mode & 0o777),
    },
    changedAt: k.now,
  });
}

/** The object of a place, for the commands that list all of them. */
function atPlace<T extends IpcObject>(k: Work, family: "shm" | "sem" | "msg", place: number): T {
  const number = k.objectOf<IpcNamespace>(k.task.namespaces.ipc)[family].places.get(Math.max(0, place));
  if (number === undefined) throw E.EINVAL;
  return k.objectOf<T>(number);
}

const IPC_64 = 0x100;
const highest = (k: Work, family: "shm" | "sem" | "msg"): number =>
  Math.max(0, k.objectOf<IpcNamespace>(k.task.namespaces.ipc)[family].highest);
const used = (k: Work, family: "shm" | "sem" | "msg"): number =>
  k.objectOf<IpcNamespace>(k.task.namespaces.ipc)[family].used;

/** ULONG_MAX less 2^24, for programs of either width. */
const mostBytes = (k: Work, layout: Layout): Layout =>
  isWide(k) ? layout.word(0xfeff_ffff).word(0xffff_ffff) : layout.word(0xfeff_ffff);

const SHM = { LOCK: 11, UNLOCK: 12, STAT: 13, INFO: 14, STAT_ANY: 15 } as const;

function controlSegment(k: Work, id: number, asked: number, at: number): number {
  const command = asked & ~IPC_64;
  if (command < 0 || id < 0) throw E.EINVAL;
  if (command === IPC.INFO) {
    const layout = mostBytes(k, new Layout(k)).long(1).long(4096).long(4096);
    writeUser(k, at, mostBytes(k, layout).long(0).long(0).long(0).long(0).bytes);
    return highest(k, "shm");
  }
  if (command === SHM.INFO) {
    const layout = new Layout(k).word(used(k, "shm"));
    if (isWide(k)) layout.word(0);
    writeUser(k, at, layout.long(0).long(0).long(0).long(0).long(0).bytes);
    return highest(k, "shm");
  }
  if (command === SHM.STAT || command === SHM.STAT_ANY) {
    const segment = atPlace<SharedSegment>(k, "shm", id);
    if (command === SHM.STAT) requireIpc(k, segment, 4);
    writeUser(k, at, shmBytes(k, segment));
    return segment.id;
  }
  const known: readonly number[] = [IPC.STAT, IPC.RMID, IPC.SET, SHM.LOCK, SHM.UNLOCK];
  if (!known.includes(command)) throw E.EINVAL;
  const segment = ipcObject<SharedSegment>(k, "shm", id);
  if (command === IPC.STAT) {
    requireIpc(k, segment, 4);
    writeUser(k, at, shmBytes(k, segment));
  } else if (command === IPC.SET) setPermissions(k, segment, at);
  else if (command === IPC.RMID) {
    requireIpcOwner(k, segment);
    removeSegment(k, segment);
  } else {
    if (!may(k, "CAP_IPC_LOCK")) requireIpcOwner(k, segment);
    const SHM_LOCKED = 0o2000;
    const { permissions } = segment;
    const mode = command === SHM.LOCK ? permissions.mode | SHM_LOCKED : permissions.mode & ~SHM_LOCKED;
    k.changeObject<SharedSegment>(recordOf(k, segment), { permissions: { ...permissions, mode } });
  }
  return 0;
}

const SEM = {
  ...{ GETPID: 11, GETVAL: 12, GETALL: 13, GETNCNT: 14, GETZCNT: 15, SETVAL: 16, SETALL: 17 },
  ...{ STAT: 18, INFO: 19, STAT_ANY: 20 },
} as const;

function controlSemaphores(k: Work, id: number, index: number, asked: number, argument: number): number {
  const command = asked & ~IPC_64;
  if (id < 0) throw E.EINVAL;
  if (command === IPC.INFO || command === SEM.INFO) {
    const many = 1_024_000_000;
    const isInfo = command === SEM.INFO;
    let count = 0;
    for (const [, number] of k.objectOf<IpcNamespace>(k.task.namespaces.ipc).sem.places.entries())
      count += k.objectOf<SemaphoreSet>(number).values.length;
    const layout = new Layout(k);
    for (const value of [many, 32_000, many, many, 32_000, 500, 500, isInfo ? used(k, "sem") : 20, 32_767])
      layout.word(value);
    writeUser(k, argument, layout.word(isInfo ? count : 32_767).bytes);
    return highest(k, "sem");
  }
  if (command === SEM.STAT || command === SEM.STAT_ANY) {
    const set = atPlace<SemaphoreSet>(k, "sem", id);
    if (command === SEM.STAT) requireIpc(k, set, 4);
    writeUser(k, argument, semBytes(k, set));
    return set.id;
  }
  const known: readonly number[] = [IPC.STAT, IPC.RMID, IPC.SET];
  if (!known.includes(command) && (command < SEM.GETPID || command > SEM.SETALL)) throw E.EINVAL;
  const set = ipcObject<SemaphoreSet>(k, "sem", id);
  if (command === IPC.RMID) {
    requireIpcOwner(k, set);
    removeSemaphores(k, set);
    return 0;
  }
  if (command === IPC.SET) {
    setPermissions(k, set, argument);
    return 0;
  }
  if (command === IPC.STAT) {
    requireIpc(k, set, 4);
    writeUser(k, argument, semBytes(k, set));
    return 0;
  }
  return controlValues(k, set, index, command, argument);
}

function controlValues(k: Work, set: SemaphoreSet, index: number, command: number, argument: number): number {
  const count = set.values.length;
  const ofAll = command === SEM.GETALL || command === SEM.SETALL;
  if (!ofAll && (index < 0 || index >= count)) throw E.EINVAL;
  requireIpc(k, set, command === SEM.SETVAL || command === SEM.SETALL ? 2 : 4);
  const waiting = (forZero: boolean): number =>
    set.waiting.filter((one) => one.semaphore === index && one.forZero === forZero).length;
  switch (command) {
    case SEM.GETPID:
      return pidInside(k, set.pids[index]!);
    case SEM.GETVAL:
      return set.values[index]!;
    case SEM.GETNCNT:
      return waiting(false);
    case SEM.GETZCNT:
      return waiting(true);
    case SEM.GETALL:
      writeUser(k, argument, new Uint8Array(Uint16Array.from(set.values).buffer));
      return 0;
    case SEM.SETVAL:
      setValues(k, set, new Array<number | undefined>(count).fill(undefined).with(index, argument | 0));
      return 0;
    default: {
      const view = new DataView(readUser(k, argument, count * 2).buffer);
      setValues(
        k,
        set,
        Array.from({ length: count }, (_, at) => view.getUint16(at * 2, true)),
      );
      return 0;
    }
  }
}

const MSG = { STAT: 11, INFO: 12, STAT_ANY: 13 } as const;

function controlQueue(k: Work, id: number, asked: number, at: number): number {
  const command = asked & ~IPC_64;
  if (id < 0 || command < 0) throw E.EINVAL;
  if (command === IPC.INFO || command === MSG.INFO) {
    const queues = Array.from(k.objectOf<IpcNamespace>(k.task.namespaces.ipc).msg.places.entries(), ([, number]) =>
      k.objectOf<MessageQueue>(number),
    );
    const sum = (of: (queue: MessageQueue) => number): number => queues.reduce((all, queue) => all + of(queue), 0);
    const isInfo = command === MSG.INFO;
    const [pool, map, tql] = isInfo
      ? [queues.length, sum(({ messages }) => messages.length), sum(({ bytes }) => bytes)]
      : [512_000, 16_384, 16_384];
    const layout = new Layout(k);
    for (const value of [pool, map, 8192, 16_384, 32_000, 16, tql, 0xffff]) layout.word(value);
    writeUser(k, at, layout.bytes);
    return highest(k, "msg");
  }
  if (command === MSG.STAT || command === MSG.STAT_ANY) {
    const queue = atPlace<MessageQueue>(k, "msg", id);
    if (command === MSG.STAT) requireIpc(k, queue, 4);
    writeUser(k, at, msgBytes(k, queue));
    return queue.id;
  }
  if (command !== IPC.STAT && command !== IPC.RMID && command !== IPC.SET) throw E.EINVAL;
  const queue = ipcObject<MessageQueue>(k, "msg", id);
  if (command === IPC.STAT) {
    requireIpc(k, queue, 4);
    writeUser(k, at, msgBytes(k, queue));
  } else if (command === IPC.RMID) {
    requireIpcOwner(k, queue);
    removeQueue(k, queue);
  } else {
    const most = isWide(k) ? readLong(k, at + 88) : readWord(k, at + 68);
    if (most > 16_384 && !may(k, "CAP_SYS_RESOURCE")) throw E.EPERM;
    setPermissions(k, queue, at);
    k.changeObject<MessageQueue>(recordOf(k, queue), { most });
  }
  return 0;
}

function operateAt(k: Work, id: number, at: number, count: number, until: () => number | undefined): number {
  if (count < 1 || id < 0) throw E.EINVAL;
  if (count > 500) throw E.E2BIG;
  const view = new DataView(readUser(k, at, count * 6).buffer);
  const operations = Array.from({ length: count }, (_, index) => ({
    semaphore: view.getUint16(index * 6, true),
    by: view.getInt16(index * 6 + 2, true),
    flags: view.getUint16(index * 6 + 4, true),
  }));
  return operate(k, id, operations, until);
}

/** The tick at which a time from now is over. Throws EINVAL. */
function timeout(k: Work, at: number, wide: boolean): () => number | undefined {
  return () => {
    if (at === 0) return undefined;
    const [seconds, rest] = wide ? [readLong(k, at), readLong(k, at + 8)] : [readWord(k, at) | 0, readWord(k, at + 4)];
    if (seconds < 0 || rest < 0 || rest >= 1e9) throw E.EINVAL;
    return k.now + ticksOf(seconds, rest);
  };
}

function sendAt(k: Work, id: number, at: number, size: number, flags: number): number {
  const head = isWide(k) ? 8 : 4;
  const type = isWide(k) ? readLong(k, at) : readWord(k, at) | 0;
  if (size < 0 || size > 8192 || id < 0) throw E.EINVAL;
  return send(k, id, type, readUser(k, at + head, size), flags);
}

function receiveAt(k: Work, id: number, at: number, size: number, type: number, flags: number): number {
  if (size < 0 || id < 0) throw E.EINVAL;
  const { type: got, text } = receive(k, id, size, type, flags);
  if (isWide(k)) writeLong(k, at, got);
  else writeWord(k, at, got);
  writeUser(k, at + (isWide(k) ? 8 : 4), text);
  return text.length;
}

/** ipc(2): the call by its number; arguments lie as it has them. */
function multiplexed(
  k: Work,
  which: number,
  first: number,
  second: number,
  third: number,
  at: number,
  fifth: number,
): number {
  const version = which >>> 16;
  switch (which & 0xffff) {
    case 1:
      return operateAt(k, first, at, second, () => undefined);
    case 2:
      return getSemaphores(k, first, second, third);
    case 3:
      if (at === 0) throw E.EINVAL;
      return controlSemaphores(k, first, second, third, readWord(k, at));
    case 4:
      return operateAt(k, first, at, second, timeout(k, fifth, false));
    case 11:
      return sendAt(k, first, at, second, third);
    case 12:
      return version === 0
        ? receiveAt(k, first, readWord(k, at), second, readWord(k, at + 4) | 0, third)
        : receiveAt(k, first, at, second, fifth | 0, third);
    case 13:
      return getQueue(k, first, second);
    case 14:
      return controlQueue(k, first, second, at);
    case 21: {
      if (version === 1) throw E.EINVAL;
      const address = attach(k, first, at, second);
      writeWord(k, third, address);
      return 0;
    }
    case 22:
      return detach(k, at);
    case 23:
      return getSegment(k, first, second >>> 0, third);
    case 24:
      return controlSegment(k, first, second, at);
    default:
      throw E.ENOSYS;
  }
}

export const ipcCalls: readonly SystemCall[] = [
  call("shmget", "key:int size:size shmflg:int", getSegment),
  call("shmat", "shmid:int shmaddr:pointer shmflg:int", attach),
  call("shmdt", "shmaddr:pointer", detach),
  call("shmctl", "shmid:int cmd:int buf:pointer", controlSegment),
  call("semget", "key:int nsems:int semflg:int", getSemaphores),
  call("semop", "semid:int sops:pointer nsops:size", (k, id, at, count) =>
    operateAt(k, id, at, count, () => undefined),
  ),
  call("semtimedop", "semid:int sops:pointer nsops:size timeout:pointer", (k, id, at, count, time) =>
    operateAt(k, id, at, count, timeout(k, time, isWide(k))),
  ),
  call("semtimedop_time64", "semid:int sops:pointer nsops:size timeout:pointer", (k, id, at, count, time) =>
    operateAt(k, id, at, count, timeout(k, time, true)),
  ),
  call("semctl", "semid:int semnum:int cmd:int arg:pointer", controlSemaphores),
  call("msgget", "key:int msgflg:int", getQueue),
  call("msgsnd", "msqid:int msgp:pointer msgsz:long msgflg:int", sendAt),
  call("msgrcv", "msqid:int msgp:pointer msgsz:long msgtyp:long msgflg:int", receiveAt),
  call("msgctl", "msqid:int cmd:int buf:pointer", controlQueue),
  call("ipc", "call:uint first:int second:int third:int ptr:pointer fifth:long", multiplexed),
];
