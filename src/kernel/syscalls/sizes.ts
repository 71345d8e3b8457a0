/** System calls on the size of files, and on what is written of them. Spec: truncate(2), fallocate(2), fsync(2), posix_fadvise(2). */
import { E } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { attributesOf, typeOf } from "../fs/file-systems.js";
import { kindOf, mayWrite, O } from "../fs/kinds.js";
import { IN, notify, notifyAt } from "../fs/notify.js";
import { mountOf } from "../fs/path.js";
import { MAY, requireAccess, requireWritable } from "../fs/permissions.js";
import { dropPrivileges, requireSize, requireUnsealed, SEAL } from "../fs/transfer.js";
import { isDirectory, isRegular, S, typeOfMode } from "../fs/types.js";
import type { OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { AT, type Target, targetAt, wideValue } from "./at.js";
import { call, type SystemCall } from "./call.js";

function resize(k: Work, { inode, location }: Target, size: number): void {
  const fs = k.fileSystemOf(inode.fileSystem);
  const type = typeOf(fs);
  if (type.resize === undefined) throw E.EINVAL;
  const { size: old } = type.attributes(k, fs, inode.ino);
  if (size > old) requireSize(k, size - 1);
  requireUnsealed(k, inode, size > old ? SEAL.GROW : size < old ? SEAL.SHRINK : 0);
  dropPrivileges(k, inode);
  type.resize(k, k.fileSystemOf(fs.id), inode.ino, size);
  if (location === undefined) notify(k, inode, IN.MODIFY);
  else notifyAt(k, location, IN.MODIFY);
}

function truncate(k: Work, at: number, size: number): number {
  if (size < 0) throw E.EINVAL;
  const target = targetAt(k, AT.FDCWD, at, 0);
  const attributes = attributesOf(k, target.inode);
  if (isDirectory(attributes)) throw E.EISDIR;
  if (!isRegular(attributes)) throw E.EINVAL;
  requireWritable(k, mountOf(k, target.location!));
  requireAccess(k, attributes, MAY.WRITE);
  resize(k, target, size);
  return 0;
}

function truncateFile(k: Work, fd: number, size: number): number {
  if (size < 0) throw E.EINVAL;
  const file = fileAt(k, fd);
  if ((file.flags & O.PATH) !== 0) throw E.EBADF;
  const { inode, location } = file;
  if (inode === undefined || file.kind !== "regular" || !mayWrite(file)) throw E.EINVAL;
  resize(k, { inode, location }, size);
  return 0;
}

const FALLOC = { KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 16 } as const;
const MOST = 2 ** 43;

function allocate(k: Work, fd: number, mode: number, offset: number, length: number): number {
  const file = fileAt(k, fd);
  if ((file.flags & O.PATH) !== 0) throw E.EBADF;
  if (offset < 0 || length <= 0) throw E.EINVAL;
  const known = mode === 0 || mode === FALLOC.KEEP_SIZE || mode === (FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE);
  if (!known) throw E.EOPNOTSUPP;
  if (!mayWrite(file)) throw E.EBADF;
  const { inode, location } = file;
  if (file.kind === "pipe") throw E.ESPIPE;
  if (inode === undefined) throw E.ENODEV;
  const type = typeOfMode(attributesOf(k, inode).mode);
  if (type === S.IFDIR) throw E.EISDIR;
  if (type !== S.IFREG) throw E.ENODEV;
  const end = offset + length;
  if (end > MOST) throw E.EFBIG;
  const { size } = attributesOf(k, inode);
  const fs = k.fileSystemOf(inode.fileSystem);
  if ((mode & FALLOC.PUNCH_HOLE) !== 0) {
    const { punch } = typeOf(fs);
    if (punch === undefined) throw E.EOPNOTSUPP;
    requireUnsealed(k, inode, SEAL.WRITE | SEAL.FUTURE_WRITE);
    punch(k, fs, inode.ino, offset, Math.min(end, Math.max(size, offset)));
    notifyAt(k, location, IN.MODIFY);
    return 0;
  }
  // Room is there as long as frames are: it is taken when bytes are written.
  const { blockSize, free } = typeOf(fs).figures(k, fs);
  if (Math.ceil(length / blockSize) > free) throw E.ENOSPC;
  if (mode === 0 && end > size) resize(k, { inode, location }, end);
  return 0;
}

/** An open file that has bytes on something that could lose them. Throws EBADF, EINVAL. */
function synchronized(k: Work, fd: number): number {
  const file = fileAt(k, fd);
  if ((file.flags & O.PATH) !== 0) throw E.EBADF;
  if (file.inode === undefined || (file.kind !== "regular" && file.kind !== "directory")) throw E.EINVAL;
  return 0;
}

function seekableFile(k: Work, fd: number): OpenFile {
  const file = fileAt(k, fd);
  if ((file.flags & O.PATH) !== 0) throw E.EBADF;
  if (file.kind === "pipe") throw E.ESPIPE;
  return file;
}

function advise(k: Work, fd: number, length: number, advice: number): number {
  seekableFile(k, fd);
  if (length < 0 || advice < 0 || advice > 5) throw E.EINVAL;
  return 0;
}

function readAhead(k: Work, fd: number): number {
  const file = fileAt(k, fd);
  if (!kindOf(file).seekable || (file.flags & O.ACCMODE) === O.WRONLY) throw file.inode ? E.EBADF : E.EINVAL;
  if (file.kind !== "regular") throw E.EINVAL;
  return 0;
}

function syncRange(k: Work, fd: number, offset: number, length: number, flags: number): number {
  if ((flags & ~7) !== 0 || offset < 0 || length < 0) throw E.EINVAL;
  seekableFile(k, fd);
  return 0;
}

const narrow = (k: Work): boolean => k.call.abi === "i386";

export const sizeCalls: readonly SystemCall[] = [
  call("truncate", "path:path length:long", truncate),
  call("truncate64", "path:path low:uint high:uint", (k, at, low, high) => truncate(k, at, wideValue(k, low, high))),
  call("ftruncate", "fd:fd length:long", truncateFile),
  call("ftruncate64", "fd:fd low:uint high:uint", (k, fd, low, high) => truncateFile(k, fd, wideValue(k, low, high))),
  call("fallocate", "fd:fd mode:flags offset:long len:long low:long high:long", (k, fd, mode, a, b, c, d) =>
    narrow(k) ? allocate(k, fd, mode, wideValue(k, a, b), wideValue(k, c, d)) : allocate(k, fd, mode, a, b),
  ),
  call("fsync", "fd:fd", synchronized),
  call("fdatasync", "fd:fd", synchronized),
  call("sync", "", () => 0),
  call("syncfs", "fd:fd", (k, fd) => {
    if ((fileAt(k, fd).flags & O.PATH) !== 0) throw E.EBADF;
    return 0;
  }),
  call("fadvise64", "fd:fd offset:long length:long advice:int last:int", (k, fd, _offset, b, c, d) =>
    narrow(k) ? advise(k, fd, c, d) : advise(k, fd, b, c),
  ),
  call(
    "fadvise64_64",
    "fd:fd low:uint high:uint length:uint lengthHigh:uint advice:int",
    (k, fd, _low, _high, low, high, advice) => advise(k, fd, wideValue(k, low, high), advice),
  ),
  call("readahead", "fd:fd offset:long count:size", readAhead),
  call("sync_file_range", "fd:fd offset:long nbytes:long flags:flags high:uint last:uint", (k, fd, a, b, c, d, e) =>
    narrow(k) ? syncRange(k, fd, wideValue(k, a, b), wideValue(k, c, d), e) : syncRange(k, fd, a, b, c),
  ),
];
