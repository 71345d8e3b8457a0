/** System calls on descriptors and what they refer to. */
import { E, Wait } from "../errno.js";
import {
  addDescriptor,
  closeDescriptor,
  descriptor,
  fileAt,
  freeDescriptor,
  setDescriptor,
} from "../fs/descriptors.js";
import { attributesOf } from "../fs/file-systems.js";
import { kindOf, mayRead, mayWait, mayWrite, O } from "../fs/kinds.js";
import { openPipe } from "../fs/pipes.js";
import { joinBytes, readUser, writeUser, writeWord } from "../mm/user-memory.js";
import type { OpenFile } from "../state.js";
import { kernelSignal, signalNumbers, signalTask } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** Most bytes of one read or write. Spec: write(2), "Notes". */
const MOST = 0x7fff_f000;
/** Bytes that one step moves at the most; what is beyond is a short count, or goes on when the call is made again. */
const AT_ONCE = 1 << 20;

/** Reads from where the file is, or from a place. */
function read(k: Work, fd: number, buffer: number, count: number, at?: number): number {
  const file = fileAt(k, fd);
  if (!mayRead(file)) throw E.EBADF;
  if (count < 0 || count > Number.MAX_SAFE_INTEGER) throw E.EINVAL;
  const kind = kindOf(file);
  if (kind.read === undefined) throw E.EINVAL;
  if (at !== undefined && kind.seekable !== true) throw E.ESPIPE;
  if (at !== undefined && at < 0) throw E.EINVAL;
  const length = Math.min(count, MOST, AT_ONCE);
  const bytes = kind.read(k, file, length, at ?? file.offset);
  writeUser(k, buffer, bytes);
  if (at === undefined && kind.seekable === true) k.setFile(file.id, { offset: file.offset + bytes.length });
  return bytes.length;
}

/** What a write of a stream has done before it had to wait. */
interface WriteProgress {
  readonly written: number;
}

function writeBytes(
  k: Work,
  fd: number,
  length: number,
  take: (from: number, most: number) => Uint8Array,
  at?: number,
): number {
  const file = fileAt(k, fd);
  if (!mayWrite(file)) throw E.EBADF;
  if (length < 0) throw E.EINVAL;
  const kind = kindOf(file);
  if (kind.write === undefined) throw E.EINVAL;
  if (at !== undefined && kind.seekable !== true) throw E.ESPIPE;
  if (at !== undefined && at < 0) throw E.EINVAL;
  const total = Math.min(length, MOST);
  if (kind.seekable === true) return writeAt(k, file, take(0, Math.min(total, AT_ONCE)), at);
  let written = (k.call.progress as WriteProgress | undefined)?.written ?? 0;
  try {
    do written += kind.write(k, file, take(written, Math.min(total - written, AT_ONCE)), 0);
    while (written < total && mayWait(file));
  } catch (thrown) {
    if (thrown instanceof Wait) throw new Wait(thrown.on, thrown.until, { written });
    if (thrown === E.EPIPE) signalTask(k, k.current, kernelSignal(signalNumbers.SIGPIPE));
    if (written === 0) throw thrown;
  }
  return written;
}

function writeAt(k: Work, file: OpenFile, bytes: Uint8Array, at: number | undefined): number {
  const append = at === undefined && (file.flags & O.APPEND) !== 0 && file.inode !== undefined;
  const offset = append ? attributesOf(k, file.inode!).size : (at ?? file.offset);
  const written = kindOf(file).write!(k, file, bytes, offset);
  if (at === undefined) k.setFile(file.id, { offset: offset + written });
  return written;
}

/** Buffers of readv(2) and writev(2). Throws EINVAL. */
function vector(k: Work, at: number, count: number): readonly (readonly [base: number, length: number])[] {
  if (count < 0 || count > 1024) throw E.EINVAL;
  const wide = k.call.abi === "x86_64";
  const size = wide ? 16 : 8;
  const view = new DataView(readUser(k, at, count * size).buffer);
  return Array.from({ length: count }, (_, index) => {
    const word = (offset: number): number => view.getUint32(index * size + offset, true);
    return wide ? [word(0) + word(4) * 2 ** 32, word(8) + word(12) * 2 ** 32] : [word(0), word(4)];
  });
}

function readVector(k: Work, fd: number, at: number, count: number, offset?: number): number {
  let total = 0;
  for (const [base, length] of vector(k, at, count)) {
    if (length === 0) continue;
    let part = 0;
    try {
      part = read(k, fd, base, length, offset === undefined ? undefined : offset + total);
    } catch (thrown) {
      if (total === 0) throw thrown;
      return total;
    }
    total += part;
    if (part < length) break;
  }
  return total;
}

function writeVector(k: Work, fd: number, at: number, count: number, offset?: number): number {
  const parts = vector(k, at, count);
  const total = parts.reduce((sum, [, length]) => sum + length, 0);
  const whole = joinBytes([...parts.map(([base, length]) => readUser(k, base, Math.min(length, AT_ONCE)))]);
  return writeBytes(k, fd, Math.min(total, whole.length), (from, most) => whole.subarray(from, from + most), offset);
}

const take =
  (k: Work, buffer: number) =>
  (from: number, most: number): Uint8Array =>
    readUser(k, buffer + from, most);

const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;

function seek(k: Work, fd: number, offset: number, whence: number): number {
  const file = fileAt(k, fd);
  if (kindOf(file).seekable !== true) throw E.ESPIPE;
  const size = file.inode === undefined ? 0 : attributesOf(k, file.inode).size;
  let to: number;
  if (whence === SEEK.SET) to = offset;
  else if (whence === SEEK.CUR) to = file.offset + offset;
  else if (whence === SEEK.END) to = size + offset;
  else if (whence === SEEK.DATA || whence === SEEK.HOLE) {
    if (offset < 0 || offset >= size) throw E.ENXIO;
    to = whence === SEEK.DATA ? offset : size;
  } else throw E.EINVAL;
  if (to < 0) throw E.EINVAL;
  k.setFile(file.id, { offset: to });
  return to;
}

const F = {
  ...{ DUPFD: 0, GETFD: 1, SETFD: 2, GETFL: 3, SETFL: 4, GETLK: 5, SETLK: 6, SETLKW: 7, SETOWN: 8, GETOWN: 9 },
  ...{ GETLK64: 12, SETLK64: 13, SETLKW64: 14, DUPFD_CLOEXEC: 1030, SETPIPE_SZ: 1031, GETPIPE_SZ: 1032 },
} as const;
/** Flags that F_SETFL changes. */
const CHANGEABLE = O.APPEND | O.ASYNC | O.DIRECT | O.NOATIME | O.NONBLOCK;

function control(k: Work, fd: number, command: number, argument: number): number {
  const { file: id, closeOnExec } = descriptor(k, fd);
  const file = k.fileOf(id);
  switch (command) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC:
      if (argument < 0) throw E.EINVAL;
      return setDescriptor(k, freeDescriptor(k, argument), id, command === F.DUPFD_CLOEXEC);
    case F.GETFD:
      return closeOnExec ? 1 : 0;
    case F.SETFD: {
      const table = k.state.descriptorTables.get(k.task.descriptors)!;
      const changed = { file: id, closeOnExec: (argument & 1) !== 0 };
      k.setDescriptors(table.id, { descriptors: table.descriptors.set(fd, changed) });
      return 0;
    }
    case F.GETFL:
      return file.flags & ~O.CLOEXEC;
    case F.SETFL:
      k.setFile(id, { flags: (file.flags & ~CHANGEABLE) | (argument & CHANGEABLE) });
      return 0;
    case F.SETOWN:
      k.setFile(id, { owner: argument | 0 });
      return 0;
    case F.GETOWN:
      return file.owner;
    default:
      throw E.EINVAL;
  }
}

function pipe(k: Work, at: number, flags: number): number {
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK | O.DIRECT)) !== 0) throw E.EINVAL;
  const [reader, writer] = openPipe(k, flags & O.NONBLOCK);
  const closeOnExec = (flags & O.CLOEXEC) !== 0;
  const first = addDescriptor(k, reader, closeOnExec);
  const second = addDescriptor(k, writer, closeOnExec);
  writeWord(k, at, first);
  writeWord(k, at + 4, second);
  return 0;
}

export const descriptorCalls: readonly SystemCall[] = [
  call("read", "fd:fd buf:buffer count:size", read),
  call("write", "fd:fd buf:buffer count:size", (k, fd, buffer, count) => writeBytes(k, fd, count, take(k, buffer))),
  call("pread64", "fd:fd buf:buffer count:size offset:long", (k, fd, buffer, count, offset) =>
    read(k, fd, buffer, count, offset),
  ),
  call("pwrite64", "fd:fd buf:buffer count:size offset:long", (k, fd, buffer, count, offset) =>
    writeBytes(k, fd, count, take(k, buffer), offset),
  ),
  call("readv", "fd:fd iov:pointer iovcnt:int", (k, fd, at, count) => readVector(k, fd, at, count)),
  call("writev", "fd:fd iov:pointer iovcnt:int", (k, fd, at, count) => writeVector(k, fd, at, count)),
  call("lseek", "fd:fd offset:long whence:uint", seek),
  call("close", "fd:fd", (k, fd) => {
    closeDescriptor(k, fd);
    return 0;
  }),
  call("dup", "fd:fd", (k, fd) => setDescriptor(k, freeDescriptor(k), descriptor(k, fd).file, false)),
  call("dup2", "oldfd:fd newfd:fd", (k, fd, to) => {
    const { file } = descriptor(k, fd);
    if (to < 0 || to >= k.process.limits[7]![0]) throw E.EBADF;
    return fd === to ? to : setDescriptor(k, to, file, false);
  }),
  call("dup3", "oldfd:fd newfd:fd flags:flags", (k, fd, to, flags) => {
    if (fd === to || (flags & ~O.CLOEXEC) !== 0) throw E.EINVAL;
    const { file } = descriptor(k, fd);
    if (to < 0 || to >= k.process.limits[7]![0]) throw E.EBADF;
    return setDescriptor(k, to, file, (flags & O.CLOEXEC) !== 0);
  }),
  call("fcntl", "fd:fd cmd:int arg:long", control),
  call("fcntl64", "fd:fd cmd:int arg:long", control),
  call("pipe", "pipefd:pointer", (k, at) => pipe(k, at, 0)),
  call("pipe2", "pipefd:pointer flags:flags", pipe),
  call("ioctl", "fd:fd request:uint argp:size", (k, fd, request, argument) => {
    const file = fileAt(k, fd);
    const { control: ask } = kindOf(file);
    if (ask === undefined) throw E.ENOTTY;
    return ask(k, file, request, argument);
  }),
];
