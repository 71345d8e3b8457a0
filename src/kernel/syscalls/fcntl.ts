/** fcntl(2): flags of descriptors and open files, record locks, pipes' capacities, seals. And flock(2). */
import { E } from "../errno.js";
import { descriptor, fileAt, freeDescriptor, setDescriptor } from "../fs/descriptors.js";
import { attributesOf } from "../fs/file-systems.js";
import { setInodeEntry } from "../fs/inode-tables.js";
import { mayRead, mayWrite, O } from "../fs/kinds.js";
import { conflict, type Lock, lock, unlock } from "../fs/locks.js";
import type { Pipe } from "../fs/pipes.js";
import { SEAL, sealsOf } from "../fs/transfer.js";
import { readUser, writeUser, writeWord } from "../mm/user-memory.js";
import type { OpenFile } from "../state.js";
import { may } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const F = {
  ...{ DUPFD: 0, GETFD: 1, SETFD: 2, GETFL: 3, SETFL: 4, GETLK: 5, SETLK: 6, SETLKW: 7, SETOWN: 8, GETOWN: 9 },
  ...{ SETSIG: 10, GETSIG: 11, GETLK64: 12, SETLK64: 13, SETLKW64: 14, SETOWN_EX: 15, GETOWN_EX: 16 },
  ...{ OFD_GETLK: 36, OFD_SETLK: 37, OFD_SETLKW: 38, DUPFD_CLOEXEC: 1030, SETPIPE_SZ: 1031, GETPIPE_SZ: 1032 },
  ...{ ADD_SEALS: 1033, GET_SEALS: 1034, GET_RW_HINT: 1035, SET_RW_HINT: 1036 },
} as const;

// ---- record locks -------------------------------------------------------------------------------------------------

const LOCK = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;

/** `struct flock`, or `struct flock64` of 32-bit programs. */
interface FlockRecord {
  readonly type: number;
  readonly whence: number;
  readonly start: number;
  readonly length: number;
  readonly pid: number;
}

interface Layout {
  readonly size: number;
  readonly start: number;
  readonly length: number;
  readonly pid: number;
  readonly wide: boolean;
}

const LAYOUT = {
  x86_64: { size: 32, start: 8, length: 16, pid: 24, wide: true },
  i386: { size: 16, start: 4, length: 8, pid: 12, wide: false },
  i386Wide: { size: 24, start: 4, length: 12, pid: 20, wide: true },
} as const;

function layoutFor(k: Work, command: number): Layout {
  if (k.call.abi === "x86_64") return LAYOUT.x86_64;
  return command <= F.SETLKW ? LAYOUT.i386 : LAYOUT.i386Wide;
}

function readRecord(k: Work, at: number, layout: Layout): FlockRecord {
  const view = new DataView(readUser(k, at, layout.size).buffer);
  const offset = (where: number): number =>
    layout.wide ? Number(view.getBigInt64(where, true)) : view.getInt32(where, true);
  return {
    type: view.getInt16(0, true),
    whence: view.getInt16(2, true),
    start: offset(layout.start),
    length: offset(layout.length),
    pid: view.getInt32(layout.pid, true),
  };
}

function writeRecord(k: Work, at: number, layout: Layout, old: Uint8Array, found: Lock | undefined): void {
  const view = new DataView(old.slice().buffer);
  const put = (where: number, value: number): void => {
    if (layout.wide) view.setBigInt64(where, BigInt(value), true);
    else view.setInt32(where, value, true);
  };
  if (found === undefined) view.setInt16(0, LOCK.UNLOCK, true);
  else {
    view.setInt16(0, found.exclusive ? LOCK.WRITE : LOCK.READ, true);
    view.setInt16(2, 0, true);
    put(layout.start, found.start);
    put(layout.length, found.end === Number.MAX_SAFE_INTEGER ? 0 : found.end - found.start);
    view.setInt32(layout.pid, found.pid, true);
  }
  writeUser(k, at, new Uint8Array(view.buffer));
}

/** First byte of a range, and what is behind its last. Throws EINVAL. */
function rangeOf(k: Work, file: OpenFile, { whence, start, length }: FlockRecord): readonly [number, number] {
  if (whence < 0 || whence > 2) throw E.EINVAL;
  const base = whence === 0 ? 0 : whence === 1 ? file.offset : attributesOf(k, file.inode!).size;
  const first = base + start + Math.min(length, 0);
  if (first < 0) throw E.EINVAL;
  return [first, length === 0 ? Number.MAX_SAFE_INTEGER : first + Math.abs(length)];
}

const OFD: ReadonlySet<number> = new Set([F.OFD_GETLK, F.OFD_SETLK, F.OFD_SETLKW]);
const ASKS: ReadonlySet<number> = new Set([F.GETLK, F.GETLK64, F.OFD_GETLK]);
const WAITS: ReadonlySet<number> = new Set([F.SETLKW, F.SETLKW64, F.OFD_SETLKW]);
const LOCKS: ReadonlySet<number> = new Set([...OFD, F.GETLK, F.SETLK, F.SETLKW, F.GETLK64, F.SETLK64, F.SETLKW64]);

function recordLock(k: Work, file: OpenFile, command: number, at: number): number {
  const layout = layoutFor(k, command);
  const record = readRecord(k, at, layout);
  const ofDescription = OFD.has(command);
  if (record.type !== LOCK.READ && record.type !== LOCK.WRITE && (record.type !== LOCK.UNLOCK || ASKS.has(command)))
    throw E.EINVAL;
  if (ofDescription && record.pid !== 0) throw E.EINVAL;
  if (file.inode === undefined) throw E.EINVAL;
  const [start, end] = rangeOf(k, file, record);
  const wanted: Lock = {
    kind: "record",
    exclusive: record.type === LOCK.WRITE,
    table: ofDescription ? 0 : k.task.descriptors,
    file: ofDescription ? file.id : 0,
    pid: ofDescription ? -1 : k.task.process,
    ...{ start, end },
  };
  if (ASKS.has(command)) {
    writeRecord(k, at, layout, readUser(k, at, layout.size), conflict(k, file.inode, wanted));
    return 0;
  }
  if (record.type === LOCK.UNLOCK) unlock(k, file.inode, wanted);
  else {
    if (wanted.exclusive ? !mayWrite(file) : !mayRead(file)) throw E.EBADF;
    lock(k, file.inode, wanted, WAITS.has(command));
  }
  return 0;
}

/** LOCK_ operations of flock(2). */
const WHOLE = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;

function flock(k: Work, fd: number, operation: number): number {
  const file = fileAt(k, fd);
  const which = operation & ~WHOLE.NB;
  if (which !== WHOLE.SH && which !== WHOLE.EX && which !== WHOLE.UN) throw E.EINVAL;
  if ((file.flags & O.PATH) !== 0) throw E.EBADF;
  if (file.inode === undefined) throw E.EINVAL;
  const range = { start: 0, end: Number.MAX_SAFE_INTEGER, table: 0, file: file.id, pid: k.task.process };
  const wanted: Lock = { kind: "flock", exclusive: which === WHOLE.EX, ...range };
  if (which === WHOLE.UN) unlock(k, file.inode, wanted);
  else lock(k, file.inode, wanted, (operation & WHOLE.NB) === 0);
  return 0;
}

// ---- pipes, seals -------------------------------------------------------------------------------------------------

const LARGEST_PIPE = 1 << 20;

function setCapacity(k: Work, { kind, object }: OpenFile, wanted: number): number {
  if (kind !== "pipe") throw E.EBADF;
  if (wanted > 0x8000_0000) throw E.EINVAL;
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(wanted, 4096)));
  const { capacity: old, size } = k.objectOf<Pipe>(object);
  if (capacity > old && capacity > LARGEST_PIPE && !may(k, "CAP_SYS_RESOURCE")) throw E.EPERM;
  if (capacity < size) throw E.EBUSY;
  k.changeObject<Pipe>(object, { capacity });
  return capacity;
}

function addSeals(k: Work, file: OpenFile, seals: number): number {
  if (!mayWrite(file)) throw E.EPERM;
  if ((seals & ~31) !== 0 || file.inode === undefined) throw E.EINVAL;
  const old = sealsOf(k, file.inode);
  if (old === undefined) throw E.EINVAL;
  if ((old & SEAL.SEAL) !== 0) throw E.EPERM;
  setInodeEntry(k, "seals", file.inode, { seals: old | seals });
  return 0;
}

function getSeals(k: Work, { inode }: OpenFile): number {
  const seals = inode === undefined ? undefined : sealsOf(k, inode);
  if (seals === undefined) throw E.EINVAL;
  return seals;
}

// ---- fcntl --------------------------------------------------------------------------------------------------------

/** Flags that F_SETFL changes. */
const CHANGEABLE = O.APPEND | O.ASYNC | O.DIRECT | O.NOATIME | O.NONBLOCK;
/** What can be done with a descriptor that is a place and nothing more. Spec: open(2), O_PATH. */
const OF_PLACES: ReadonlySet<number> = new Set([F.DUPFD, F.DUPFD_CLOEXEC, F.GETFD, F.SETFD, F.GETFL]);

type Control = (k: Work, file: OpenFile, argument: number, fd: number) => number;

const duplicate =
  (closeOnExec: boolean): Control =>
  (k, file, argument) => {
    if ((argument | 0) < 0 || argument >= k.process.limits[7]![0]) throw E.EINVAL;
    return setDescriptor(k, freeDescriptor(k, argument), file.id, closeOnExec);
  };

const controls: Readonly<Record<number, Control>> = {
  [F.DUPFD]: duplicate(false),
  [F.DUPFD_CLOEXEC]: duplicate(true),
  [F.GETFD]: (k, _file, _argument, fd) => (descriptor(k, fd).closeOnExec ? 1 : 0),
  [F.SETFD](k, file, argument, fd) {
    const { id, descriptors } = k.state.descriptorTables.get(k.task.descriptors)!;
    const changed = { file: file.id, closeOnExec: (argument & 1) !== 0 };
    k.setDescriptors(id, { descriptors: descriptors.set(fd, changed) });
    return 0;
  },
  [F.GETFL]: (_k, { flags }) => flags & ~O.CLOEXEC,
  [F.SETFL](k, { id, flags }, argument) {
    k.setFile(id, { flags: (flags & ~CHANGEABLE) | (argument & CHANGEABLE) });
    return 0;
  },
  [F.SETOWN](k, { id }, argument) {
    k.setFile(id, { owner: argument | 0 });
    return 0;
  },
  [F.GETOWN]: (_k, { owner }) => owner,
  [F.GETSIG]: () => 0,
  [F.GETOWN_EX](k, { owner }, argument) {
    writeWord(k, argument, owner < 0 ? 2 : 1);
    writeWord(k, argument + 4, Math.abs(owner));
    return 0;
  },
  [F.SETPIPE_SZ]: setCapacity,
  [F.GETPIPE_SZ](k, { kind, object }) {
    if (kind !== "pipe") throw E.EBADF;
    return k.objectOf<Pipe>(object).capacity;
  },
  [F.ADD_SEALS]: addSeals,
  [F.GET_SEALS]: getSeals,
};

/** Spec: fcntl(2). */
export function control(k: Work, fd: number, command: number, argument: number): number {
  const file = fileAt(k, fd);
  if ((file.flags & O.PATH) !== 0 && !OF_PLACES.has(command)) throw E.EBADF;
  if (LOCKS.has(command)) return recordLock(k, file, command, argument);
  const found = controls[command];
  if (found === undefined) throw E.EINVAL;
  return found(k, file, argument, fd);
}

export const lockCalls: readonly SystemCall[] = [call("flock", "fd:fd operation:uint", flock)];
