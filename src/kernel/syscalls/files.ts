/** System calls that open files, and that ask where names lead. Spec: open(2), openat2(2), readlink(2), access(2), umask(2). */
import { E } from "../errno.js";
import { addDescriptor, freeDescriptor } from "../fs/descriptors.js";
import { attributesOf, typeOf } from "../fs/file-systems.js";
import { O } from "../fs/kinds.js";
import { open } from "../fs/open.js";
import { mountOf, RESOLVE } from "../fs/path.js";
import { MAY, requireAccess, requireWritable } from "../fs/permissions.js";
import { isLink, S, typeOfMode } from "../fs/types.js";
import { bytesOf, readPath, readUser, writeUser } from "../mm/user-memory.js";
import type { Work } from "../work.js";
import { AT, from, targetAt } from "./at.js";
import { call, type SystemCall } from "./call.js";

function openFile(k: Work, dirfd: number, at: number, flags: number, mode: number, limits = 0): number {
  const path = readPath(k, at);
  freeDescriptor(k);
  const file = open(k, path, flags, mode, { ...from(k, dirfd, path), limits });
  return addDescriptor(k, file, (flags & O.CLOEXEC) !== 0);
}

/** What is left of the flags beside O_PATH. Spec: open(2), O_PATH. */
const WITH_PATH = O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;

function openAt(k: Work, dirfd: number, at: number, flags: number, mode: number): number {
  if ((flags & O.PATH) !== 0) return openFile(k, dirfd, at, flags & WITH_PATH, 0);
  const nameless = flags & O.TMPFILE & ~O.DIRECTORY;
  if (nameless !== 0 && (flags & O.DIRECTORY) === 0) throw E.EINVAL;
  if (nameless !== 0 && (flags & O.CREAT) !== 0) throw E.EINVAL;
  // 64-bit programs may have files of any size without saying so.
  const large = k.call.abi === "x86_64" ? O.LARGEFILE : 0;
  return openFile(k, dirfd, at, flags | large, mode);
}

const KNOWN_FLAGS = Object.values(O).reduce((all, flag) => all | flag, 0) | O.CREAT;
const KNOWN_LIMITS = Object.values(RESOLVE).reduce((all, flag) => all | flag, 0);
const HOW_SIZE = 24;

/** `struct open_how`. Throws E2BIG for more than is known of it. */
function readHow(k: Work, at: number, size: number): readonly [flags: number, mode: number, limits: number] {
  if (size < HOW_SIZE) throw E.EINVAL;
  if (size > 4096) throw E.E2BIG;
  const bytes = readUser(k, at, size);
  if (bytes.subarray(HOW_SIZE).some((byte) => byte !== 0)) throw E.E2BIG;
  const view = new DataView(bytes.buffer);
  const [flags, mode, limits] = [0, 8, 16].map((where) => Number(view.getBigUint64(where, true)));
  return [flags!, mode!, limits!];
}

function openAt2(k: Work, dirfd: number, at: number, howAt: number, size: number): number {
  const [flags, mode, limits] = readHow(k, howAt, size);
  if (flags > 0xffff_ffff || (flags & ~KNOWN_FLAGS) !== 0) throw E.EINVAL;
  if (limits > 0xffff_ffff || (limits & ~KNOWN_LIMITS) !== 0) throw E.EINVAL;
  const scoped = RESOLVE.BENEATH | RESOLVE.IN_ROOT;
  if ((limits & scoped) === scoped) throw E.EINVAL;
  const makes = (flags & O.CREAT) !== 0 || (flags & O.TMPFILE) === O.TMPFILE;
  if (makes ? mode > 0o7777 : mode !== 0) throw E.EINVAL;
  if ((flags & O.PATH) !== 0 && (flags & ~WITH_PATH) !== 0) throw E.EINVAL;
  if ((limits & RESOLVE.CACHED) !== 0 && (makes || (flags & O.TRUNC) !== 0)) throw E.EAGAIN;
  const large = k.call.abi === "x86_64" && (flags & O.PATH) === 0 ? O.LARGEFILE : 0;
  const path = readPath(k, at);
  // Under RESOLVE_IN_ROOT the descriptor is where absolute names begin, too.
  const begins = (limits & scoped) !== 0 ? from(k, dirfd, path.replace(/^\/+/, "./")) : from(k, dirfd, path);
  freeDescriptor(k);
  const file = open(k, path, flags | large, mode, { ...begins, limits });
  return addDescriptor(k, file, (flags & O.CLOEXEC) !== 0);
}

function readLinkAt(k: Work, dirfd: number, at: number, buffer: number, size: number): number {
  if (size <= 0) throw E.EINVAL;
  const path = readPath(k, at);
  if (path === "" && dirfd === AT.FDCWD) throw E.ENOENT;
  const { inode } = targetAt(k, dirfd, at, AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH);
  if (!isLink(attributesOf(k, inode))) throw path === "" ? E.ENOENT : E.EINVAL;
  const fs = k.fileSystemOf(inode.fileSystem);
  const bytes = bytesOf(typeOf(fs).readLink!(k, fs, inode.ino)).subarray(0, size);
  writeUser(k, buffer, bytes);
  return bytes.length;
}

const ACCESS_FLAGS = AT.SYMLINK_NOFOLLOW | AT.EACCESS | AT.EMPTY_PATH;
const SPECIAL: ReadonlySet<number> = new Set([S.IFCHR, S.IFBLK, S.IFIFO, S.IFSOCK]);

function accessAt(k: Work, dirfd: number, at: number, mode: number, flags = 0): number {
  if ((mode & ~7) !== 0 || (flags & ~ACCESS_FLAGS) !== 0) throw E.EINVAL;
  const { inode, location } = targetAt(k, dirfd, at, flags);
  const { credentials } = k.task;
  const real = { ...credentials, fsuid: credentials.uid, fsgid: credentials.gid };
  const attributes = attributesOf(k, inode);
  const writes = (mode & MAY.WRITE) !== 0 && !SPECIAL.has(typeOfMode(attributes.mode));
  if (writes && k.fileSystemOf(inode.fileSystem).readOnly) throw E.EROFS;
  requireAccess(k, attributes, mode, (flags & AT.EACCESS) !== 0 ? credentials : real);
  if (writes && location !== undefined) requireWritable(k, mountOf(k, location));
  return 0;
}

export const fileCalls: readonly SystemCall[] = [
  call("open", "pathname:path flags:flags mode:octal", (k, at, flags, mode) => openAt(k, AT.FDCWD, at, flags, mode)),
  call("openat", "dirfd:dirfd pathname:path flags:flags mode:octal", openAt),
  call("openat2", "dirfd:dirfd pathname:path how:pointer size:size", openAt2),
  call("creat", "pathname:path mode:octal", (k, at, mode) =>
    openAt(k, AT.FDCWD, at, O.CREAT | O.WRONLY | O.TRUNC, mode),
  ),
  call("readlink", "pathname:path buf:pointer bufsiz:int", (k, at, buffer, size) =>
    readLinkAt(k, AT.FDCWD, at, buffer, size),
  ),
  call("readlinkat", "dirfd:dirfd pathname:path buf:pointer bufsiz:int", readLinkAt),
  call("access", "pathname:path mode:uint", (k, at, mode) => accessAt(k, AT.FDCWD, at, mode)),
  call("faccessat", "dirfd:dirfd pathname:path mode:uint", (k, dirfd, at, mode) => accessAt(k, dirfd, at, mode)),
  call("faccessat2", "dirfd:dirfd pathname:path mode:uint flags:flags", accessAt),
  call("umask", "mask:octal", (k, mask) => {
    const { umask } = k.context;
    k.setContext(k.task.context, { umask: mask & 0o777 });
    return umask;
  }),
];
