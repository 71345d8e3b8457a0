/** System calls that tell of inodes. Spec: stat(2), statx(2); Linux, arch/x86/include/uapi/asm/stat.h. */
import { E } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { majorOf, minorOf } from "../fs/devices.js";
import { attributesOf, typeOf } from "../fs/file-systems.js";
import { mountOf } from "../fs/path.js";
import { type Attributes, isRegular, S } from "../fs/types.js";
import { readPath, writeUser } from "../mm/user-memory.js";
import type { InodeName, Location } from "../state.js";
import { idInside } from "../tasks/capabilities.js";
import { timeOf } from "../time.js";
import type { Work } from "../work.js";
import { AT, targetAt } from "./at.js";
import { call, type SystemCall } from "./call.js";

interface Facts extends Attributes {
  readonly ino: number;
  /** Of the file system. */
  readonly on: number;
  readonly blocks: number;
  readonly mount: number;
  readonly isMountRoot: boolean;
}

const BLOCK = 4096;

function factsOf(k: Work, inode: InodeName, location: Location | undefined): Facts {
  const fs = k.fileSystemOf(inode.fileSystem);
  const type = typeOf(fs);
  const attributes = attributesOf(k, inode);
  const guessed = isRegular(attributes) ? Math.ceil(attributes.size / BLOCK) * (BLOCK / 512) : 0;
  const { user } = k.task.namespaces;
  return {
    ...attributes,
    uid: idInside(k, user, "uidMap", attributes.uid),
    gid: idInside(k, user, "gidMap", attributes.gid),
    ino: inode.ino,
    on: fs.device,
    blocks: isRegular(attributes) ? (type.blocks?.(k, fs, inode.ino) ?? guessed) : 0,
    mount: location?.mount ?? 0,
    isMountRoot: location !== undefined && mountOf(k, location).root === inode.ino,
  };
}

/** Types of open files without an inode. */
const NAMELESS: Readonly<Record<string, number>> = { pipe: S.IFIFO | 0o600, socket: S.IFSOCK | 0o777 };

function factsOfFile(k: Work, fd: number): Facts {
  const { inode, location, kind, object } = fileAt(k, fd);
  if (inode !== undefined) return factsOf(k, inode, location);
  const { euid: uid, egid: gid } = k.task.credentials;
  const times = { accessed: 0, modified: 0, changed: 0 };
  const nowhere = { ino: object, on: 1, blocks: 0, mount: 0, isMountRoot: false };
  return { mode: NAMELESS[kind] ?? 0o600, uid, gid, links: 1, size: 0, device: 0, ...times, ...nowhere };
}

function factsAt(k: Work, dirfd: number, pathAt: number, flags: number): Facts {
  if ((flags & AT.EMPTY_PATH) !== 0 && dirfd !== AT.FDCWD && readPath(k, pathAt) === "") return factsOfFile(k, dirfd);
  const { inode, location } = targetAt(k, dirfd, pathAt, flags);
  return factsOf(k, inode, location);
}

const encoded = (device: number): number =>
  (majorOf(device) & 0xfff) * 256 + (minorOf(device) & 0xff) + (minorOf(device) >>> 8) * 2 ** 20;
const timesOf = ({ accessed, modified, changed }: Facts) => [accessed, modified, changed].map(timeOf);

/** `struct stat` of 64-bit programs. */
function statBytes(facts: Facts): Uint8Array {
  const view = new DataView(new ArrayBuffer(144));
  const quad = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), true);
  quad(0, encoded(facts.on));
  quad(8, facts.ino);
  quad(16, facts.links);
  view.setUint32(24, facts.mode, true);
  view.setUint32(28, facts.uid, true);
  view.setUint32(32, facts.gid, true);
  quad(40, encoded(facts.device));
  quad(48, facts.size);
  quad(56, BLOCK);
  quad(64, facts.blocks);
  timesOf(facts).forEach(([seconds, rest], index) => {
    quad(72 + index * 16, seconds);
    quad(80 + index * 16, rest);
  });
  return new Uint8Array(view.buffer);
}

/** `struct stat64` of 32-bit programs. */
function stat64Bytes(facts: Facts): Uint8Array {
  const view = new DataView(new ArrayBuffer(96));
  const quad = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), true);
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  quad(0, encoded(facts.on));
  word(12, facts.ino);
  word(16, facts.mode);
  word(20, facts.links);
  word(24, facts.uid);
  word(28, facts.gid);
  quad(32, encoded(facts.device));
  quad(44, facts.size);
  word(52, BLOCK);
  quad(56, facts.blocks);
  timesOf(facts).forEach(([seconds, rest], index) => {
    word(64 + index * 8, seconds);
    word(68 + index * 8, rest);
  });
  quad(88, facts.ino);
  return new Uint8Array(view.buffer);
}

/** `struct stat` of 32-bit programs. Throws EOVERFLOW for sizes that do not fit. */
function shortStatBytes(facts: Facts): Uint8Array {
  if (facts.size > 0x7fff_ffff) throw E.EOVERFLOW;
  const view = new DataView(new ArrayBuffer(64));
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  const id = (value: number): number => (value > 0xffff ? 65534 : value);
  word(0, encoded(facts.on));
  word(4, facts.ino);
  [facts.mode, facts.links, id(facts.uid), id(facts.gid)].forEach((value, index) => {
    view.setUint16(8 + index * 2, value, true);
  });
  word(16, encoded(facts.device));
  word(20, facts.size);
  word(24, BLOCK);
  word(28, facts.blocks);
  timesOf(facts).forEach(([seconds, rest], index) => {
    word(32 + index * 8, seconds);
    word(36 + index * 8, rest);
  });
  return new Uint8Array(view.buffer);
}

function give(k: Work, at: number, bytes: Uint8Array): number {
  writeUser(k, at, bytes);
  return 0;
}

const FSTATAT_FLAGS = AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH;

function fstatat(k: Work, dirfd: number, path: number, buffer: number, flags: number): number {
  if ((flags & ~FSTATAT_FLAGS) !== 0) throw E.EINVAL;
  const bytes = k.call.abi === "x86_64" ? statBytes : stat64Bytes;
  return give(k, buffer, bytes(factsAt(k, dirfd, path, flags)));
}

/** `stat` and its kind: a structure for each instruction set. */
const plain = (k: Work, facts: Facts): Uint8Array => (k.call.abi === "x86_64" ? statBytes : shortStatBytes)(facts);

const STATX = { BASIC: 0x7ff, MNT_ID: 0x1000, RESERVED: 0x8000_0000, SYNC_TYPE: 0x6000, MOUNT_ROOT: 0x2000 } as const;

function statxBytes(facts: Facts): Uint8Array {
  const view = new DataView(new ArrayBuffer(256));
  const quad = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), true);
  const word = (at: number, value: number): void => view.setUint32(at, value, true);
  const [accessed, modified, changed] = timesOf(facts);
  word(0, STATX.BASIC | STATX.MNT_ID);
  word(4, BLOCK);
  quad(8, facts.isMountRoot ? STATX.MOUNT_ROOT : 0);
  word(16, facts.links);
  word(20, facts.uid);
  word(24, facts.gid);
  view.setUint16(28, facts.mode, true);
  quad(32, facts.ino);
  quad(40, facts.size);
  quad(48, facts.blocks);
  quad(56, STATX.MOUNT_ROOT);
  for (const [at, time] of [
    [64, accessed!],
    [96, changed!],
    [112, modified!],
  ] as const) {
    quad(at, time[0]);
    word(at + 8, time[1]);
  }
  word(128, majorOf(facts.device));
  word(132, minorOf(facts.device));
  word(136, majorOf(facts.on));
  word(140, minorOf(facts.on));
  quad(144, facts.mount);
  return new Uint8Array(view.buffer);
}

function statx(k: Work, dirfd: number, path: number, flags: number, mask: number, buffer: number): number {
  if ((mask & STATX.RESERVED) !== 0 || (flags & STATX.SYNC_TYPE) === STATX.SYNC_TYPE) throw E.EINVAL;
  if ((flags & ~(FSTATAT_FLAGS | STATX.SYNC_TYPE)) !== 0) throw E.EINVAL;
  return give(k, buffer, statxBytes(factsAt(k, dirfd, path, flags)));
}

// ---- file systems -------------------------------------------------------------------------------------------------

/** Spec: statfs(2). */
interface FileSystemFacts {
  readonly words: readonly number[];
  readonly id: number;
  readonly blockSize: number;
  readonly flags: number;
}

/** MS_ flags of mounts as ST_ flags. */
const ST = { SAME: 0x5f | 0xc00, RELATIME: 0x1000, VALID: 0x20 } as const;

function fileSystemFacts(k: Work, inode: InodeName, location: Location | undefined): FileSystemFacts {
  const fs = k.fileSystemOf(inode.fileSystem);
  const { magic, blockSize, blocks, free, files, freeFiles } = typeOf(fs).figures(k, fs);
  const own = location === undefined ? 0 : mountOf(k, location).flags;
  const atime = (own & 0x400) === 0 ? ST.RELATIME : 0;
  const flags = (own & ST.SAME & ~ST.VALID) | (fs.readOnly ? 1 : 0) | atime | ST.VALID;
  return { words: [magic, blockSize, blocks, free, free, files, freeFiles], id: fs.device, blockSize, flags };
}

const NAME_MAX = 255;

function wideFileSystemBytes({ words, id, blockSize, flags }: FileSystemFacts): Uint8Array {
  const view = new DataView(new ArrayBuffer(120));
  [...words, id, NAME_MAX, blockSize, flags].forEach((value, index) => {
    view.setBigInt64(index * 8, BigInt(value), true);
  });
  return new Uint8Array(view.buffer);
}

/** `struct statfs` of 32-bit programs, or `struct statfs64` with its wider counts. */
function fileSystemBytes({ words, id, blockSize, flags }: FileSystemFacts, wide: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(wide ? 84 : 64));
  let at = 0;
  const put = (value: number, size: 4 | 8): void => {
    if (size === 4) view.setUint32(at, value >>> 0, true);
    else view.setBigInt64(at, BigInt(value), true);
    at += size;
  };
  words.forEach((value, index) => {
    put(value, wide && index > 1 ? 8 : 4);
  });
  for (const value of [id, 0, NAME_MAX, blockSize, flags]) put(value, 4);
  return new Uint8Array(view.buffer);
}

function statfs(k: Work, facts: FileSystemFacts, buffer: number): number {
  return give(k, buffer, k.call.abi === "x86_64" ? wideFileSystemBytes(facts) : fileSystemBytes(facts, false));
}

function statfs64(k: Work, facts: () => FileSystemFacts, size: number, buffer: number): number {
  if (size !== 84 && size !== 88) throw E.EINVAL;
  return give(k, buffer, fileSystemBytes(facts(), true));
}

function fileSystemAt(k: Work, path: number): FileSystemFacts {
  const { inode, location } = targetAt(k, AT.FDCWD, path, 0);
  return fileSystemFacts(k, inode, location);
}

/** Pipes and their like are of a file system without a place. */
const NOWHERE: FileSystemFacts = {
  words: [0x0904_1934, BLOCK, 0, 0, 0, 0, 0],
  ...{ id: 1, blockSize: BLOCK, flags: ST.VALID },
};

function fileSystemOfFile(k: Work, fd: number): FileSystemFacts {
  const { inode, location } = fileAt(k, fd);
  return inode === undefined ? NOWHERE : fileSystemFacts(k, inode, location);
}

export const statCalls: readonly SystemCall[] = [
  call("stat", "pathname:path statbuf:pointer", (k, at, buffer) =>
    give(k, buffer, plain(k, factsAt(k, AT.FDCWD, at, 0))),
  ),
  call("lstat", "pathname:path statbuf:pointer", (k, at, buffer) =>
    give(k, buffer, plain(k, factsAt(k, AT.FDCWD, at, AT.SYMLINK_NOFOLLOW))),
  ),
  call("fstat", "fd:fd statbuf:pointer", (k, fd, buffer) => give(k, buffer, plain(k, factsOfFile(k, fd)))),
  call("stat64", "pathname:path statbuf:pointer", (k, at, buffer) => fstatat(k, AT.FDCWD, at, buffer, 0)),
  call("lstat64", "pathname:path statbuf:pointer", (k, at, buffer) =>
    fstatat(k, AT.FDCWD, at, buffer, AT.SYMLINK_NOFOLLOW),
  ),
  call("fstat64", "fd:fd statbuf:pointer", (k, fd, buffer) => give(k, buffer, stat64Bytes(factsOfFile(k, fd)))),
  call("newfstatat", "dirfd:dirfd pathname:path statbuf:pointer flags:flags", fstatat),
  call("fstatat64", "dirfd:dirfd pathname:path statbuf:pointer flags:flags", fstatat),
  call("statx", "dirfd:dirfd pathname:path flags:flags mask:uint statxbuf:pointer", statx),
  call("statfs", "path:path buf:pointer", (k, at, buffer) => statfs(k, fileSystemAt(k, at), buffer)),
  call("fstatfs", "fd:fd buf:pointer", (k, fd, buffer) => statfs(k, fileSystemOfFile(k, fd), buffer)),
  call("statfs64", "path:path sz:size buf:pointer", (k, at, size, buffer) =>
    statfs64(k, () => fileSystemAt(k, at), size, buffer),
  ),
  call("fstatfs64", "fd:fd sz:size buf:pointer", (k, fd, size, buffer) =>
    statfs64(k, () => fileSystemOfFile(k, fd), size, buffer),
  ),
];
