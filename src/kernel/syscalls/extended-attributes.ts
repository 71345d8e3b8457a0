/** Extended attributes. Spec: xattr(7), setxattr(2), getxattr(2), listxattr(2), removexattr(2). */
import { E } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { attributesOf, typeOf } from "../fs/file-systems.js";
import { O } from "../fs/kinds.js";
import { IN, notify, notifyAt } from "../fs/notify.js";
import { mountOf } from "../fs/path.js";
import { MAY, ownsInode, requireAccess, requireWritable } from "../fs/permissions.js";
import { isDirectory, isRegular, S } from "../fs/types.js";
import { bytesOf, readBytesToZero, readUser, textOf, writeUser } from "../mm/user-memory.js";
import type { FileSystem } from "../state.js";
import { may, mayInNamespaceOf } from "../tasks/capabilities.js";
import { rootOf } from "../tasks/credentials.js";
import type { Work } from "../work.js";
import { AT, type Target, targetAt, targetOfFile } from "./at.js";
import { call, type SystemCall } from "./call.js";

const XATTR = { CREATE: 1, REPLACE: 2 } as const;
const LONGEST_NAME = 255;
const LARGEST_VALUE = 65_536;
const LARGEST_LIST = 65_536;
const CAPABILITY = "security.capability";

type Find = (k: Work, where: number) => Target;
const followed: Find = (k, path) => targetAt(k, AT.FDCWD, path, 0);
const itself: Find = (k, path) => targetAt(k, AT.FDCWD, path, AT.SYMLINK_NOFOLLOW);
const opened: Find = (k, fd) => {
  const file = fileAt(k, fd);
  if ((file.flags & O.PATH) !== 0) throw E.EBADF;
  if (file.inode === undefined) throw E.EOPNOTSUPP;
  return targetOfFile(k, fd);
};

function readName(k: Work, at: number): string {
  const bytes = readBytesToZero(k, at, LONGEST_NAME + 1);
  if (bytes === undefined || bytes.length === 0) throw E.ERANGE;
  return textOf(bytes);
}

const systemOf = (k: Work, { inode }: Target): FileSystem => k.fileSystemOf(inode.fileSystem);

/** Whether a name may be read or written. Throws EPERM, ENODATA, EACCES, EOPNOTSUPP. */
function requireName(k: Work, target: Target, name: string, writes: boolean): void {
  const own = attributesOf(k, target.inode);
  if (writes && target.location !== undefined) requireWritable(k, mountOf(k, target.location));
  const [prefix] = name.split(".", 1);
  if (prefix === "trusted") {
    if (!may(k, "CAP_SYS_ADMIN", k.state.initial.user!)) throw writes ? E.EPERM : E.ENODATA;
  } else if (prefix === "user") {
    if (!isRegular(own) && !isDirectory(own)) throw writes ? E.EPERM : E.ENODATA;
    if (writes && isDirectory(own) && (own.mode & S.ISVTX) !== 0 && !ownsInode(k, own)) throw E.EPERM;
  }
  if (prefix !== "security" && prefix !== "system") requireAccess(k, own, writes ? MAY.WRITE : MAY.READ);
  if (writes && prefix === "security") requireSecurity(k, target, name);
  if (!["trusted", "user", "security"].includes(prefix!) || !name.includes(".")) throw E.EOPNOTSUPP;
  if (typeOf(systemOf(k, target)).attribute === undefined) throw E.EOPNOTSUPP;
}

function requireSecurity(k: Work, { inode }: Target, name: string): void {
  if (name === CAPABILITY) {
    if (!mayInNamespaceOf(k, k.task.credentials, "CAP_SETFCAP", attributesOf(k, inode))) throw E.EPERM;
  } else if (!may(k, "CAP_SYS_ADMIN", k.state.initial.user!)) throw E.EPERM;
}

/** Sizes of `struct vfs_cap_data` by revision. Spec: capabilities(7), "File capability extended attribute versioning". */
const REVISIONS: Readonly<Record<number, number>> = { 2: 20, 3: 24 };

/** Capabilities as they are kept: those that a user namespace gives say of which one they are. Throws EINVAL. */
function keptCapabilities(k: Work, value: Uint8Array): Uint8Array {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const revision = value.length < 4 ? 0 : view.getUint32(0, true) >>> 24;
  if (REVISIONS[revision] !== value.length) throw E.EINVAL;
  if (revision === 3 || k.task.namespaces.user === k.state.initial.user) return value;
  const kept = new Uint8Array(24);
  kept.set(value);
  const out = new DataView(kept.buffer);
  out.setUint32(0, (3 << 24) | (view.getUint32(0, true) & 1), true);
  out.setUint32(20, rootOf(k), true);
  return kept;
}

function tell(k: Work, { inode, location }: Target): void {
  if (location === undefined) notify(k, inode, IN.ATTRIB);
  else notifyAt(k, location, IN.ATTRIB);
}

const set =
  (find: Find) =>
  (k: Work, where: number, nameAt: number, valueAt: number, size: number, flags: number): number => {
    if ((flags & ~3) !== 0) throw E.EINVAL;
    const name = readName(k, nameAt);
    if (size > LARGEST_VALUE) throw E.E2BIG;
    const given = readUser(k, valueAt, size);
    const target = find(k, where);
    requireName(k, target, name, true);
    const value = name === CAPABILITY ? keptCapabilities(k, given) : given;
    const { attribute, setAttribute } = typeOf(systemOf(k, target));
    if (setAttribute === undefined) throw E.EOPNOTSUPP;
    const known = attribute!(k, systemOf(k, target), target.inode.ino)[name] !== undefined;
    if (known && (flags & XATTR.CREATE) !== 0) throw E.EEXIST;
    if (!known && (flags & XATTR.REPLACE) !== 0) throw E.ENODATA;
    setAttribute(k, systemOf(k, target), target.inode.ino, name, value);
    tell(k, target);
    return 0;
  };

/** Gives bytes of which a program may only ask the size. */
function give(k: Work, at: number, size: number, bytes: Uint8Array): number {
  if (size === 0) return bytes.length;
  if (bytes.length > size) throw E.ERANGE;
  writeUser(k, at, bytes);
  return bytes.length;
}

const get =
  (find: Find) =>
  (k: Work, where: number, nameAt: number, valueAt: number, size: number): number => {
    const target = find(k, where);
    const name = readName(k, nameAt);
    requireName(k, target, name, false);
    const value = typeOf(systemOf(k, target)).attribute!(k, systemOf(k, target), target.inode.ino)[name];
    if (value === undefined) throw E.ENODATA;
    return give(k, valueAt, size, value);
  };

const list =
  (find: Find) =>
  (k: Work, where: number, at: number, size: number): number => {
    const target = find(k, where);
    const all = typeOf(systemOf(k, target)).attribute?.(k, systemOf(k, target), target.inode.ino) ?? {};
    const trusted = may(k, "CAP_SYS_ADMIN", k.state.initial.user!);
    const names = Object.keys(all).filter((name) => trusted || !name.startsWith("trusted."));
    const bytes = bytesOf(names.map((name) => `${name}\0`).join(""));
    if (bytes.length > LARGEST_LIST) throw E.E2BIG;
    return give(k, at, size, bytes);
  };

const remove =
  (find: Find) =>
  (k: Work, where: number, nameAt: number): number => {
    const target = find(k, where);
    const name = readName(k, nameAt);
    requireName(k, target, name, true);
    const { attribute, setAttribute } = typeOf(systemOf(k, target));
    if (attribute!(k, systemOf(k, target), target.inode.ino)[name] === undefined) throw E.ENODATA;
    if (setAttribute === undefined) throw E.EOPNOTSUPP;
    setAttribute(k, systemOf(k, target), target.inode.ino, name, undefined);
    tell(k, target);
    return 0;
  };

const WAYS = [
  ["", "path:path", followed],
  ["l", "path:path", itself],
  ["f", "fd:fd", opened],
] as const;

export const extendedAttributeCalls: readonly SystemCall[] = WAYS.flatMap(([prefix, where, find]) => [
  call(`${prefix}setxattr`, `${where} name:text value:buffer size:size flags:flags`, set(find)),
  call(`${prefix}getxattr`, `${where} name:text value:buffer size:size`, get(find)),
  call(`${prefix}listxattr`, `${where} list:buffer size:size`, list(find)),
  call(`${prefix}removexattr`, `${where} name:text`, remove(find)),
]);
