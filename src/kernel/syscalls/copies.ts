/** System calls that move bytes from file to file. Spec: sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2). */
import { E, Wait } from "../errno.js";
import { kindOf, mayWait, O } from "../fs/kinds.js";
import { type Pipe, putIntoPipe, readersOf, takeFromPipe, writersOf } from "../fs/pipes.js";
import { readFile, writeFile } from "../fs/transfer.js";
import { joinBytes, readLong, readUser, readWord, writeLong, writeWord } from "../mm/user-memory.js";
import type { OpenFile } from "../state.js";
import { kernelSignal, signalNumbers, signalTask } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { MOST, readable, vector, writable, writeStream } from "./transfers.js";

const AT_ONCE = 1 << 24;

/** A position that lies in the program's memory, or the file's own. Throws EINVAL. */
interface Place {
  readonly at: number;
  /** What was moved is told. */
  advance(by: number): void;
}

function placeOf(k: Work, { id, offset }: OpenFile, at: number, wide = true): Place {
  if (at === 0) return { at: offset, advance: (by) => k.setFile(id, { offset: offset + by }) };
  const start = wide ? readLong(k, at) : readWord(k, at) | 0;
  if (start < 0) throw E.EINVAL;
  return { at: start, advance: (by) => (wide ? writeLong : writeWord)(k, at, start + by) };
}

function sendfile(k: Work, outFd: number, inFd: number, offsetAt: number, count: number, wide: boolean): number {
  const from = readable(k, inFd);
  const kind = kindOf(from);
  if (offsetAt !== 0 && kind.seekable !== true) throw E.ESPIPE;
  const to = writable(k, outFd);
  if (kind.read === undefined || kindOf(to).write === undefined || (to.flags & O.APPEND) !== 0) throw E.EINVAL;
  if (from.kind === "pipe") throw E.EINVAL;
  const place = placeOf(k, from, offsetAt, wide);
  const bytes = readFile(k, from, Math.max(0, Math.min(count, MOST, AT_ONCE)), kind.seekable ? place.at : undefined);
  if (bytes.length === 0) return 0;
  const written =
    kindOf(to).seekable === true
      ? writeFile(k, to, bytes)
      : writeStream(k, to, bytes.length, (start, most) => bytes.subarray(start, start + most));
  if (kind.seekable === true) place.advance(written);
  return written;
}

// ---- pipes --------------------------------------------------------------------------------------------------------

const SPLICE = { NONBLOCK: 2, ALL: 15 } as const;

/** Sleeps until a pipe has changed. Throws EAGAIN. */
function waitFor(file: OpenFile, flags: number): never {
  if ((flags & SPLICE.NONBLOCK) !== 0 || !mayWait(file)) throw E.EAGAIN;
  throw new Wait([file.object]);
}

/** How much room a pipe has: some. Throws EPIPE with its signal. */
function roomIn(k: Work, to: OpenFile, flags: number): number {
  if (readersOf(k, to.object) === 0) {
    signalTask(k, k.current, kernelSignal(signalNumbers.SIGPIPE));
    throw E.EPIPE;
  }
  const { capacity, size } = k.objectOf<Pipe>(to.object);
  return size < capacity ? capacity - size : waitFor(to, flags);
}

/** How many bytes a pipe has; 0 at its end. */
function fillOf(k: Work, from: OpenFile, flags: number): number {
  const { size } = k.objectOf<Pipe>(from.object);
  return size > 0 || writersOf(k, from.object) === 0 ? size : waitFor(from, flags);
}

function splice(
  k: Work,
  inFd: number,
  inAt: number,
  outFd: number,
  outAt: number,
  length: number,
  flags: number,
): number {
  if ((flags & ~SPLICE.ALL) !== 0) throw E.EINVAL;
  if (length === 0) return 0;
  const [from, to] = [readable(k, inFd), writable(k, outFd)];
  const [fromPipe, toPipe] = [from.kind === "pipe", to.kind === "pipe"];
  if ((fromPipe && inAt !== 0) || (toPipe && outAt !== 0)) throw E.ESPIPE;
  if (!(fromPipe || toPipe) || (fromPipe && toPipe && from.object === to.object)) throw E.EINVAL;
  const most = Math.min(length, MOST, AT_ONCE);
  if (fromPipe) {
    if (!toPipe && ((to.flags & O.APPEND) !== 0 || kindOf(to).write === undefined)) throw E.EINVAL;
    if (outAt !== 0 && kindOf(to).seekable !== true) throw E.ESPIPE;
    const count = Math.min(most, fillOf(k, from, flags));
    if (count === 0) return 0;
    if (toPipe) {
      const moved = Math.min(count, roomIn(k, to, flags));
      putIntoPipe(k, to.object, takeFromPipe(k, from.object, moved));
      return moved;
    }
    return intoFile(k, from, to, outAt, count);
  }
  if (kindOf(from).read === undefined) throw E.EINVAL;
  if (inAt !== 0 && kindOf(from).seekable !== true) throw E.ESPIPE;
  const room = Math.min(most, roomIn(k, to, flags));
  const place = placeOf(k, from, inAt);
  const seekable = kindOf(from).seekable === true;
  const bytes = readFile(k, from, room, seekable ? place.at : undefined);
  if (bytes.length > 0) putIntoPipe(k, to.object, bytes);
  if (seekable) place.advance(bytes.length);
  return bytes.length;
}

/** From a pipe to a file that is none. */
function intoFile(k: Work, from: OpenFile, to: OpenFile, outAt: number, count: number): number {
  const seekable = kindOf(to).seekable === true;
  const place = placeOf(k, to, outAt);
  const { parts, read } = k.objectOf<Pipe>(from.object);
  const bytes = joinBytes([...parts, new Uint8Array(0)]).subarray(read, read + count);
  const written = writeFile(k, to, bytes, seekable ? place.at : undefined);
  takeFromPipe(k, from.object, written);
  if (seekable) place.advance(written);
  return written;
}

function tee(k: Work, inFd: number, outFd: number, length: number, flags: number): number {
  if ((flags & ~SPLICE.ALL) !== 0) throw E.EINVAL;
  if (length === 0) return 0;
  const [from, to] = [readable(k, inFd), writable(k, outFd)];
  if (from.kind !== "pipe" || to.kind !== "pipe" || from.object === to.object) throw E.EINVAL;
  const count = Math.min(length, fillOf(k, from, flags));
  if (count === 0) return 0;
  const copied = Math.min(count, roomIn(k, to, flags));
  const { parts, read } = k.objectOf<Pipe>(from.object);
  putIntoPipe(k, to.object, joinBytes([...parts, new Uint8Array(0)]).subarray(read, read + copied));
  return copied;
}

function vmsplice(k: Work, fd: number, at: number, count: number, flags: number): number {
  if ((flags & ~SPLICE.ALL) !== 0) throw E.EINVAL;
  const file = writable(k, fd);
  if (file.kind !== "pipe") throw E.EBADF;
  const bytes = joinBytes([
    ...vector(k, at, count).map(([base, length]) => readUser(k, base, length)),
    new Uint8Array(0),
  ]);
  if (bytes.length === 0) return 0;
  const room = roomIn(k, file, flags);
  putIntoPipe(k, file.object, bytes.subarray(0, room));
  return Math.min(room, bytes.length);
}

function copyRange(
  k: Work,
  inFd: number,
  inAt: number,
  outFd: number,
  outAt: number,
  length: number,
  flags: number,
): number {
  const [from, to] = [readable(k, inFd), writable(k, outFd)];
  if (flags !== 0) throw E.EINVAL;
  if (from.kind === "directory" || to.kind === "directory") throw E.EISDIR;
  if (from.kind !== "regular" || to.kind !== "regular") throw E.EINVAL;
  if ((to.flags & O.APPEND) !== 0) throw E.EBADF;
  const [source, target] = [placeOf(k, from, inAt), placeOf(k, to, outAt)];
  const same = from.inode!.fileSystem === to.inode!.fileSystem;
  const overlaps = source.at < target.at + length && target.at < source.at + length;
  if (same && from.inode!.ino === to.inode!.ino && overlaps) throw E.EINVAL;
  if (!same) throw E.EXDEV;
  if (length === 0) return 0;
  const bytes = readFile(k, from, Math.min(length, MOST, AT_ONCE), source.at);
  const written = bytes.length === 0 ? 0 : writeFile(k, to, bytes, target.at);
  source.advance(written);
  target.advance(written);
  return written;
}

const isWide = (k: Work): boolean => k.call.abi === "x86_64";
const SENDFILE = "out_fd:fd in_fd:fd offset:pointer count:size";

export const copyCalls: readonly SystemCall[] = [
  call("sendfile", SENDFILE, (k, out, from, offset, count) => sendfile(k, out, from, offset, count, isWide(k))),
  call("sendfile64", SENDFILE, (k, out, from, offset, count) => sendfile(k, out, from, offset, count, true)),
  call("splice", "fd_in:fd off_in:pointer fd_out:fd off_out:pointer len:size flags:flags", splice),
  call("tee", "fd_in:fd fd_out:fd len:size flags:flags", tee),
  call("vmsplice", "fd:fd iov:pointer nr_segs:size flags:flags", vmsplice),
  call("copy_file_range", "fd_in:fd off_in:pointer fd_out:fd off_out:pointer len:size flags:flags", copyRange),
];
