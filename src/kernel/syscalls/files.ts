/** System calls on path names and inodes. */
import { E } from "../errno.js";
import { addDescriptor, fileAt, freeDescriptor } from "../fs/descriptors.js";
import { majorOf, minorOf } from "../fs/devices.js";
import { attributesOf, typeOf } from "../fs/file-systems.js";
import { O } from "../fs/kinds.js";
import { make, masked, open } from "../fs/open.js";
import {
  attributesAt,
  fileSystemOf,
  inodeAt,
  locate,
  mountOf,
  nameOf,
  parentOf,
  type ResolveOptions,
  resolve,
  sameLocation,
} from "../fs/path.js";
import { MAY, requireAccess, requireUnsticky, requireWritable } from "../fs/permissions.js";
import { type Attributes, isDirectory, isLink, S, typeOfMode } from "../fs/types.js";
import { bytesOf, readPath, writeUser } from "../mm/user-memory.js";
import type { InodeName, Location } from "../state.js";
import { secondsAt } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  EMPTY_PATH: 0x1000,
} as const;

/** Where relative names begin. Throws EBADF, ENOTDIR. */
function from(k: Work, dirfd: number, path: string, empty = false): ResolveOptions {
  if (dirfd === AT.FDCWD || path.startsWith("/")) return {};
  const { location } = fileAt(k, dirfd);
  if (location === undefined) throw empty && path === "" ? E.ENOENT : E.ENOTDIR;
  if (path !== "" && !isDirectory(attributesAt(k, location))) throw E.ENOTDIR;
  return { from: location };
}

function openAt(k: Work, dirfd: number, at: number, flags: number, mode: number): number {
  const path = readPath(k, at);
  freeDescriptor(k);
  const file = open(k, path, flags, mode, from(k, dirfd, path));
  return addDescriptor(k, file, (flags & O.CLOEXEC) !== 0);
}

// ---- stat ---------------------------------------------------------------------------------------------------------

const nanoseconds = (tick: number): readonly [number, number] => secondsAt(tick);
const oldDevice = (device: number): number =>
  (majorOf(device) & 0xfff) * 256 + (minorOf(device) & 0xff) + (minorOf(device) >>> 8) * 2 ** 20;

/** `struct stat` of 64-bit programs. Spec: stat(2); Linux, arch/x86/include/uapi/asm/stat.h. */
function statBytes(inode: InodeName, device: number, a: Attributes): Uint8Array {
  const view = new DataView(new ArrayBuffer(144));
  const quad = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), true);
  quad(0, oldDevice(device));
  quad(8, inode.ino);
  quad(16, a.links);
  view.setUint32(24, a.mode, true);
  view.setUint32(28, a.uid, true);
  view.setUint32(32, a.gid, true);
  quad(40, oldDevice(a.device));
  quad(48, a.size);
  quad(56, 4096);
  quad(64, Math.ceil(a.size / 4096) * 8);
  [a.accessed, a.modified, a.changed].forEach((tick, index) => {
    const [seconds, rest] = nanoseconds(tick);
    quad(72 + index * 16, seconds);
    quad(80 + index * 16, rest);
  });
  return new Uint8Array(view.buffer);
}

/** `struct stat64` of 32-bit programs. */
function stat64Bytes(inode: InodeName, device: number, a: Attributes): Uint8Array {
  const view = new DataView(new ArrayBuffer(96));
  const quad = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), true);
  quad(0, oldDevice(device));
  view.setUint32(12, inode.ino, true);
  view.setUint32(16, a.mode, true);
  view.setUint32(20, a.links, true);
  view.setUint32(24, a.uid, true);
  view.setUint32(28, a.gid, true);
  quad(32, oldDevice(a.device));
  quad(44, a.size);
  view.setUint32(52, 4096, true);
  quad(56, Math.ceil(a.size / 4096) * 8);
  [a.accessed, a.modified, a.changed].forEach((tick, index) => {
    const [seconds, rest] = nanoseconds(tick);
    view.setUint32(64 + index * 8, seconds >>> 0, true);
    view.setUint32(68 + index * 8, rest, true);
  });
  quad(88, inode.ino);
  return new Uint8Array(view.buffer);
}

function writeStat(k: Work, at: number, inode: InodeName, attributes: Attributes): number {
  const { device } = k.fileSystemOf(inode.fileSystem);
  writeUser(k, at, (k.call.abi === "x86_64" ? statBytes : stat64Bytes)(inode, device, attributes));
  return 0;
}

function statAt(k: Work, dirfd: number, pathAt: number, buffer: number, flags: number): number {
  const path = readPath(k, pathAt);
  const empty = (flags & AT.EMPTY_PATH) !== 0;
  if (path === "" && empty && dirfd !== AT.FDCWD) return statFile(k, dirfd, buffer);
  const follow = (flags & AT.SYMLINK_NOFOLLOW) === 0;
  const location = locate(k, path, { ...from(k, dirfd, path, empty), follow, empty });
  return writeStat(k, buffer, inodeAt(k, location), attributesAt(k, location));
}

function statFile(k: Work, fd: number, buffer: number): number {
  const { inode, kind, object } = fileAt(k, fd);
  if (inode !== undefined) return writeStat(k, buffer, inode, attributesOf(k, inode));
  const mode = kind === "pipe" ? S.IFIFO | 0o600 : kind === "socket" ? S.IFSOCK | 0o777 : S.IFCHR | 0o600;
  const { uid, gid } = k.task.credentials;
  const times = { accessed: 0, modified: 0, changed: 0 };
  const nameless = { fileSystem: k.context.root.mount, ino: object };
  const attributes = { mode, uid, gid, links: 1, size: 0, device: 0, ...times };
  writeUser(k, buffer, (k.call.abi === "x86_64" ? statBytes : stat64Bytes)(nameless, 0, attributes));
  return 0;
}

// ---- directories --------------------------------------------------------------------------------------------------

/** Spec: getdents(2). Entry types are file types shifted. */
function getDents(k: Work, fd: number, buffer: number, count: number): number {
  const file = fileAt(k, fd);
  if (file.location === undefined || file.kind !== "directory") throw E.ENOTDIR;
  const { location } = file;
  const fs = fileSystemOf(k, location);
  const type = typeOf(fs);
  const around = parentOf(k, location, k.context.root).ino;
  const fixed = [
    { name: ".", ino: location.ino, cookie: -2 },
    { name: "..", ino: around, cookie: -1 },
  ];
  const all = [...fixed, ...type.list(k, fs, location.ino)];
  const parts: Uint8Array[] = [];
  let size = 0;
  let { offset } = file;
  for (const { name, ino, cookie } of all) {
    // Positions are one behind the entry's cookie, so that what is added later comes later.
    const position = cookie + 3;
    if (position <= file.offset) continue;
    const length = Math.ceil((19 + name.length + 1) / 8) * 8;
    if (size + length > count) break;
    const view = new DataView(new ArrayBuffer(length));
    view.setBigInt64(0, BigInt(ino), true);
    view.setBigInt64(8, BigInt(position), true);
    view.setUint16(16, length, true);
    view.setUint8(18, typeOfMode(type.attributes(k, fs, ino).mode) >>> 12);
    const bytes = new Uint8Array(view.buffer);
    bytes.set(bytesOf(name), 19);
    parts.push(bytes);
    size += length;
    offset = position;
  }
  if (size === 0 && all.some(({ cookie }) => cookie + 3 > file.offset)) throw E.EINVAL;
  let at = buffer;
  for (const part of parts) {
    writeUser(k, at, part);
    at += part.length;
  }
  k.setFile(file.id, { offset });
  return size;
}

function getCwd(k: Work, buffer: number, size: number): number {
  const name = nameOf(k, k.context.directory);
  const bytes = bytesOf(`${name ?? "(unreachable)/"}\0`);
  if (bytes.length > size) throw E.ERANGE;
  writeUser(k, buffer, bytes);
  return bytes.length;
}

function changeDirectory(k: Work, location: Location): number {
  const attributes = attributesAt(k, location);
  if (!isDirectory(attributes)) throw E.ENOTDIR;
  requireAccess(k, attributes, MAY.EXEC);
  k.setContext(k.task.context, { directory: location });
  return 0;
}

function makeDirectoryAt(k: Work, dirfd: number, at: number, mode: number): number {
  const path = readPath(k, at);
  make(k, resolve(k, path, { ...from(k, dirfd, path), follow: false }), { mode: S.IFDIR | masked(k, mode) });
  return 0;
}

function unlinkAt(k: Work, dirfd: number, at: number, flags: number): number {
  if ((flags & ~AT.REMOVEDIR) !== 0) throw E.EINVAL;
  const removes = (flags & AT.REMOVEDIR) !== 0;
  const path = readPath(k, at);
  const { location, directory, name, trailing } = resolve(k, path, { ...from(k, dirfd, path), follow: false });
  if (location === undefined) throw E.ENOENT;
  if (name === "." || name === "..") throw removes ? (name === "." ? E.EINVAL : E.ENOTEMPTY) : E.EISDIR;
  const victim = attributesAt(k, location);
  const around = attributesAt(k, directory);
  requireWritable(k, mountOf(k, directory));
  requireAccess(k, around, MAY.WRITE | MAY.EXEC);
  requireUnsticky(k, around, victim);
  if (removes !== isDirectory(victim)) throw removes ? E.ENOTDIR : trailing ? E.ENOTDIR : E.EISDIR;
  if (name === "" || location.mount !== directory.mount) throw E.EBUSY;
  const fs = fileSystemOf(k, directory);
  const { list, unlink, removeDirectory } = typeOf(fs);
  const remove = removes ? removeDirectory : unlink;
  if (remove === undefined) throw E.EPERM;
  if (removes && fs.type !== "cgroup2" && list(k, fs, location.ino).length > 0) throw E.ENOTEMPTY;
  remove(k, fs, directory.ino, name);
  return 0;
}

function readLinkAt(k: Work, dirfd: number, at: number, buffer: number, size: number): number {
  if (size <= 0) throw E.EINVAL;
  const path = readPath(k, at);
  const location = locate(k, path, { ...from(k, dirfd, path, true), follow: false, empty: true });
  if (!isLink(attributesAt(k, location))) throw E.EINVAL;
  const fs = fileSystemOf(k, location);
  const bytes = bytesOf(typeOf(fs).readLink!(k, fs, location.ino)).subarray(0, size);
  writeUser(k, buffer, bytes);
  return bytes.length;
}

function accessAt(k: Work, dirfd: number, at: number, mode: number, flags = 0): number {
  if ((mode & ~7) !== 0) throw E.EINVAL;
  const path = readPath(k, at);
  const follow = (flags & AT.SYMLINK_NOFOLLOW) === 0;
  const location = locate(k, path, { ...from(k, dirfd, path), follow });
  const { credentials } = k.task;
  const real = { ...credentials, fsuid: credentials.uid, fsgid: credentials.gid };
  requireAccess(k, attributesAt(k, location), mode, (flags & 0x200) !== 0 ? credentials : real);
  if ((mode & MAY.WRITE) !== 0) requireWritable(k, mountOf(k, location));
  return 0;
}

export const fileCalls: readonly SystemCall[] = [
  call("open", "pathname:path flags:flags mode:octal", (k, at, flags, mode) => openAt(k, AT.FDCWD, at, flags, mode)),
  call("openat", "dirfd:dirfd pathname:path flags:flags mode:octal", openAt),
  call("creat", "pathname:path mode:octal", (k, at, mode) =>
    openAt(k, AT.FDCWD, at, O.CREAT | O.WRONLY | O.TRUNC, mode),
  ),
  call("stat", "pathname:path statbuf:pointer", (k, at, buffer) => statAt(k, AT.FDCWD, at, buffer, 0)),
  call("lstat", "pathname:path statbuf:pointer", (k, at, buffer) =>
    statAt(k, AT.FDCWD, at, buffer, AT.SYMLINK_NOFOLLOW),
  ),
  call("stat64", "pathname:path statbuf:pointer", (k, at, buffer) => statAt(k, AT.FDCWD, at, buffer, 0)),
  call("lstat64", "pathname:path statbuf:pointer", (k, at, buffer) =>
    statAt(k, AT.FDCWD, at, buffer, AT.SYMLINK_NOFOLLOW),
  ),
  call("fstat", "fd:fd statbuf:pointer", statFile),
  call("fstat64", "fd:fd statbuf:pointer", statFile),
  call("newfstatat", "dirfd:dirfd pathname:path statbuf:pointer flags:flags", statAt),
  call("fstatat64", "dirfd:dirfd pathname:path statbuf:pointer flags:flags", statAt),
  call("getdents64", "fd:fd dirp:pointer count:uint", getDents),
  call("getcwd", "buf:pointer size:size", getCwd),
  call("chdir", "path:path", (k, at) => changeDirectory(k, locate(k, readPath(k, at)))),
  call("fchdir", "fd:fd", (k, fd) => {
    const { location } = fileAt(k, fd);
    if (location === undefined) throw E.ENOTDIR;
    return changeDirectory(k, location);
  }),
  call("mkdir", "pathname:path mode:octal", (k, at, mode) => makeDirectoryAt(k, AT.FDCWD, at, mode)),
  call("mkdirat", "dirfd:dirfd pathname:path mode:octal", makeDirectoryAt),
  call("unlink", "pathname:path", (k, at) => unlinkAt(k, AT.FDCWD, at, 0)),
  call("rmdir", "pathname:path", (k, at) => unlinkAt(k, AT.FDCWD, at, AT.REMOVEDIR)),
  call("unlinkat", "dirfd:dirfd pathname:path flags:flags", unlinkAt),
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

export { sameLocation };
