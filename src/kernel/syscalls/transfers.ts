/** System calls that move bytes between files and a program. Spec: read(2), write(2), readv(2), pread(2). */
import { E, Wait } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { kindOf, mayRead, mayWait, mayWrite } from "../fs/kinds.js";
import { readFile, writeFile } from "../fs/transfer.js";
import { joinBytes, readUser, writeUser } from "../mm/user-memory.js";
import type { OpenFile } from "../state.js";
import { kernelSignal, signalNumbers, signalTask } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { wideValue } from "./at.js";
import { call, type SystemCall } from "./call.js";

/** Most bytes of one read or write. Spec: write(2), "Notes". */
export const MOST = 0x7fff_f000;
/** Bytes that one step moves at the most; what is beyond is a short count. */
const AT_ONCE = 1 << 24;

/** The open file of a descriptor that can be read. Throws EBADF. */
export function readable(k: Work, fd: number): OpenFile {
  const file = fileAt(k, fd);
  if (!mayRead(file)) throw E.EBADF;
  return file;
}

/** The same for writing. */
export function writable(k: Work, fd: number): OpenFile {
  const file = fileAt(k, fd);
  if (!mayWrite(file)) throw E.EBADF;
  return file;
}

function read(k: Work, fd: number, buffer: number, count: number, at?: number): number {
  const file = readable(k, fd);
  if (count < 0 || count > Number.MAX_SAFE_INTEGER || (at !== undefined && at < 0)) throw E.EINVAL;
  const bytes = readFile(k, file, Math.min(count, MOST, AT_ONCE), at);
  writeUser(k, buffer, bytes);
  return bytes.length;
}

/** What a write of a stream has done before it had to wait. */
interface WriteProgress {
  readonly written: number;
}

type Take = (from: number, most: number) => Uint8Array;

/** A write to what has no places: it goes on until all is taken. */
export function writeStream(k: Work, file: OpenFile, total: number, take: Take): number {
  let written = (k.call.progress as WriteProgress | undefined)?.written ?? 0;
  try {
    do written += writeFile(k, file, take(written, Math.min(total - written, AT_ONCE)));
    while (written < total && mayWait(file));
  } catch (thrown) {
    if (thrown instanceof Wait) throw new Wait(thrown.on, thrown.until, { written });
    if (thrown === E.EPIPE) signalTask(k, k.current, kernelSignal(signalNumbers.SIGPIPE));
    if (written === 0) throw thrown;
  }
  return written;
}

function writeBytes(k: Work, fd: number, length: number, take: Take, at?: number): number {
  const file = writable(k, fd);
  if (length < 0 || (at !== undefined && at < 0)) throw E.EINVAL;
  const kind = kindOf(file);
  if (kind.write === undefined) throw E.EINVAL;
  if (at !== undefined && kind.seekable !== true) throw E.ESPIPE;
  const total = Math.min(length, MOST);
  if (kind.seekable === true) return writeFile(k, file, take(0, Math.min(total, AT_ONCE)), at);
  return writeStream(k, file, total, take);
}

/** Buffers of readv(2) and writev(2). Throws EINVAL. */
export function vector(k: Work, at: number, count: number): readonly (readonly [base: number, length: number])[] {
  if (count < 0 || count > 1024) throw E.EINVAL;
  const wide = k.call.abi === "x86_64";
  const size = wide ? 16 : 8;
  const view = new DataView(readUser(k, at, count * size).buffer);
  const parts = Array.from({ length: count }, (_, index) => {
    const word = (offset: number): number => view.getUint32(index * size + offset, true);
    return wide
      ? ([word(0) + word(4) * 2 ** 32, word(8) + (word(12) | 0) * 2 ** 32] as const)
      : ([word(0), word(4) | 0] as const);
  });
  if (parts.some(([, length]) => length < 0)) throw E.EINVAL;
  return parts;
}

function readVector(k: Work, fd: number, at: number, count: number, offset?: number): number {
  const file = readable(k, fd);
  if (kindOf(file).read === undefined) throw E.EINVAL;
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
  writable(k, fd);
  const parts = vector(k, at, count);
  const whole = joinBytes(parts.map(([base, length]) => readUser(k, base, Math.min(length, AT_ONCE))));
  return writeBytes(k, fd, whole.length, (from, most) => whole.subarray(from, from + most), offset);
}

const taken =
  (k: Work, buffer: number): Take =>
  (from, most) =>
    readUser(k, buffer + from, most);

/** RWF_ flags that change nothing here but how soon bytes are on a disk. Spec: preadv2(2). */
const RWF = { HIPRI: 1, DSYNC: 2, SYNC: 4, NOWAIT: 8, APPEND: 16 } as const;

function checkFlags(flags: number): void {
  if ((flags & ~(RWF.HIPRI | RWF.DSYNC | RWF.SYNC | RWF.NOWAIT | RWF.APPEND)) !== 0) throw E.EOPNOTSUPP;
}

/** A place of preadv2(2): -1 is where the file is. */
function placeOf(k: Work, low: number, high: number): number | undefined {
  const at = wideValue(k, low, high);
  return at === -1 ? undefined : at;
}

const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;

function seek(k: Work, fd: number, offset: number, whence: number): number {
  const file = fileAt(k, fd);
  const { seek: own, seekable } = kindOf(file);
  if (own !== undefined) return own(k, file, offset, whence);
  if (seekable !== true) throw E.ESPIPE;
  if (whence > SEEK.HOLE) throw E.EINVAL;
  let to = offset;
  if (whence === SEEK.CUR) to += file.offset;
  else if (whence !== SEEK.SET) to = kindOf(file).place?.(k, file, offset, whence) ?? offset;
  if (to < 0 || to > Number.MAX_SAFE_INTEGER) throw E.EINVAL;
  k.setFile(file.id, { offset: to });
  return to;
}

const LARGEST = 0x7fff_ffff;

export const transferCalls: readonly SystemCall[] = [
  call("read", "fd:fd buf:buffer count:size", read),
  call("write", "fd:fd buf:buffer count:size", (k, fd, buffer, count) => writeBytes(k, fd, count, taken(k, buffer))),
  call("pread64", "fd:fd buf:buffer count:size offset:long high:uint", (k, fd, buffer, count, low, high) =>
    read(k, fd, buffer, count, wideValue(k, low, high)),
  ),
  call("pwrite64", "fd:fd buf:buffer count:size offset:long high:uint", (k, fd, buffer, count, low, high) =>
    writeBytes(k, fd, count, taken(k, buffer), wideValue(k, low, high)),
  ),
  call("readv", "fd:fd iov:pointer iovcnt:int", (k, fd, at, count) => readVector(k, fd, at, count)),
  call("writev", "fd:fd iov:pointer iovcnt:int", (k, fd, at, count) => writeVector(k, fd, at, count)),
  call("preadv", "fd:fd iov:pointer iovcnt:int offset:long high:uint", (k, fd, at, count, low, high) =>
    readVector(k, fd, at, count, wideValue(k, low, high)),
  ),
  call("pwritev", "fd:fd iov:pointer iovcnt:int offset:long high:uint", (k, fd, at, count, low, high) =>
    writeVector(k, fd, at, count, wideValue(k, low, high)),
  ),
  call(
    "preadv2",
    "fd:fd iov:pointer iovcnt:int offset:long high:uint flags:flags",
    (k, fd, at, count, low, high, flags) => {
      checkFlags(flags);
      return readVector(k, fd, at, count, placeOf(k, low, high));
    },
  ),
  call(
    "pwritev2",
    "fd:fd iov:pointer iovcnt:int offset:long high:uint flags:flags",
    (k, fd, at, count, low, high, flags) => {
      checkFlags(flags);
      return writeVector(k, fd, at, count, placeOf(k, low, high));
    },
  ),
  call("lseek", "fd:fd offset:long whence:uint", (k, fd, offset, whence) => {
    const to = seek(k, fd, offset, whence);
    if (k.call.abi === "i386" && to > LARGEST) throw E.EOVERFLOW;
    return to;
  }),
  call("_llseek", "fd:fd high:uint low:uint result:pointer whence:uint", (k, fd, high, low, result, whence) => {
    const to = seek(k, fd, wideValue(k, low, high), whence);
    const view = new DataView(new ArrayBuffer(8));
    view.setBigInt64(0, BigInt(to), true);
    writeUser(k, result, new Uint8Array(view.buffer));
    return 0;
  }),
];
