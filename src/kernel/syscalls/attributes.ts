/** System calls that change what an inode says of itself. Spec: chmod(2), chown(2), utimensat(2), utime(2). */
import { E } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { attributesOf, typeOf } from "../fs/file-systems.js";
import { O } from "../fs/kinds.js";
import { IN, notify, notifyAt } from "../fs/notify.js";
import { mountOf } from "../fs/path.js";
import { inGroup, MAY, ownsInode, requireAccess, requireWritable } from "../fs/permissions.js";
import { type Attributes, isDirectory, isLink, S, typeOfMode } from "../fs/types.js";
import { readLong, readWord } from "../mm/user-memory.js";
import type { FileTime } from "../state.js";
import { idOutside, mayInNamespaceOf } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { AT, type Target, targetAt, targetOfFile } from "./at.js";
import { call, type SystemCall } from "./call.js";

/** A descriptor's inode, whose attributes change only where the descriptor is more than a place. Throws EBADF. */
function targetOpen(k: Work, fd: number): Target {
  if ((fileAt(k, fd).flags & O.PATH) !== 0) throw E.EBADF;
  return targetOfFile(k, fd);
}

function requireChangeable(k: Work, { location }: Target): void {
  if (location !== undefined) requireWritable(k, mountOf(k, location));
}

function change(k: Work, { inode, location }: Target, parts: Partial<Attributes>, event: number): void {
  const fs = k.fileSystemOf(inode.fileSystem);
  const { setAttributes } = typeOf(fs);
  if (setAttributes === undefined) throw E.EPERM;
  setAttributes(k, fs, inode.ino, parts);
  if (location === undefined) notify(k, inode, event);
  else notifyAt(k, location, event);
}

// ---- chmod --------------------------------------------------------------------------------------------------------

function changeMode(k: Work, target: Target, mode: number): number {
  requireChangeable(k, target);
  const old = attributesOf(k, target.inode);
  if (!ownsInode(k, old)) throw E.EPERM;
  if (isLink(old)) throw E.EOPNOTSUPP;
  const { credentials } = k.task;
  const keeps = inGroup(credentials, old.gid) || mayInNamespaceOf(k, credentials, "CAP_FSETID", old);
  const wanted = (mode & 0o7777 & ~(keeps ? 0 : S.ISGID)) | typeOfMode(old.mode);
  change(k, target, { mode: wanted }, IN.ATTRIB);
  return 0;
}

// ---- chown --------------------------------------------------------------------------------------------------------

const SAME = 0xffff_ffff;

/** Set-id bits go with the owner. Spec: chown(2): of files that can be executed by their group, and of all by who may not keep them. */
function modeOfOwned(k: Work, old: Attributes): number {
  if (isDirectory(old)) return old.mode;
  const { credentials } = k.task;
  const keeps = inGroup(credentials, old.gid) || mayInNamespaceOf(k, credentials, "CAP_FSETID", old);
  const dropsGroup = (old.mode & S.ISGID) !== 0 && ((old.mode & 0o010) !== 0 || !keeps);
  return old.mode & ~S.ISUID & ~(dropsGroup ? S.ISGID : 0);
}

function changeOwner(k: Work, target: Target, user: number, group: number): number {
  requireChangeable(k, target);
  const { user: namespace } = k.task.namespaces;
  const uid = user === SAME ? undefined : idOutside(k, namespace, "uidMap", user);
  const gid = group === SAME ? undefined : idOutside(k, namespace, "gidMap", group);
  const old = attributesOf(k, target.inode);
  const { credentials } = k.task;
  const isOwner = credentials.fsuid === old.uid;
  const mayAll = mayInNamespaceOf(k, credentials, "CAP_CHOWN", old);
  if (uid !== undefined && !(isOwner && uid === old.uid) && !mayAll) throw E.EPERM;
  const mayGive = isOwner && (gid === old.gid || (gid !== undefined && inGroup(credentials, gid)));
  if (gid !== undefined && !mayGive && !mayAll) throw E.EPERM;
  const parts = { mode: modeOfOwned(k, old), uid: uid ?? old.uid, gid: gid ?? old.gid };
  const fs = k.fileSystemOf(target.inode.fileSystem);
  const { attribute, setAttribute } = typeOf(fs);
  change(k, target, parts, IN.ATTRIB);
  if (attribute?.(k, k.fileSystemOf(fs.id), target.inode.ino)["security.capability"] !== undefined)
    setAttribute?.(k, k.fileSystemOf(fs.id), target.inode.ino, "security.capability", undefined);
  return 0;
}

function changeOwnerAt(k: Work, dirfd: number, at: number, user: number, group: number, flags: number): number {
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) throw E.EINVAL;
  return changeOwner(k, targetAt(k, dirfd, at, flags), user, group);
}

/** Ids of 32-bit programs' first calls have 16 bits. */
const idOf = (k: Work, id: number): number =>
  k.call.abi === "x86_64" ? id : (id & 0xffff) === 0xffff ? SAME : id & 0xffff;

// ---- times --------------------------------------------------------------------------------------------------------

const UTIME = { NOW: 0x3fff_ffff, OMIT: 0x3fff_fffe } as const;
type Wanted = FileTime | "now" | "omit";

/** Two times of a program: seconds, and a rest in units of so many nanoseconds. Throws EINVAL. */
function readTimes(k: Work, at: number, wide: boolean, unit: 1 | 1000): readonly Wanted[] {
  const word = (where: number): number => (wide ? readLong(k, where) : readWord(k, where) | 0);
  const size = wide ? 8 : 4;
  return [0, 1].map((index): Wanted => {
    const seconds = word(at + index * 2 * size);
    const rest = word(at + (index * 2 + 1) * size);
    if (unit === 1 && rest === UTIME.NOW) return "now";
    if (unit === 1 && rest === UTIME.OMIT) return "omit";
    if (rest < 0 || rest * unit >= 1e9) throw E.EINVAL;
    return Object.freeze([seconds, rest * unit] as const);
  });
}

function changeTimes(k: Work, target: Target, times: readonly Wanted[] | undefined): number {
  requireChangeable(k, target);
  const old = attributesOf(k, target.inode);
  const wanted = times ?? ["now", "now"];
  if (wanted.every((time) => time === "now")) {
    if (!ownsInode(k, old)) requireAccess(k, old, MAY.WRITE);
  } else if (!ownsInode(k, old)) throw E.EPERM;
  const [accessed, modified] = wanted.map((time) => (time === "now" ? k.now : time));
  const parts = {
    ...(accessed === "omit" ? {} : { accessed: accessed! }),
    ...(modified === "omit" ? {} : { modified: modified! }),
  };
  const event = accessed === "omit" ? IN.MODIFY : modified === "omit" ? IN.ACCESS : IN.ATTRIB;
  change(k, target, parts, event);
  return 0;
}

const omitsAll = (times: readonly Wanted[] | undefined): boolean => times?.every((time) => time === "omit") === true;

function utimensat(k: Work, dirfd: number, at: number, timesAt: number, flags: number, wide: boolean): number {
  const times = timesAt === 0 ? undefined : readTimes(k, timesAt, wide, 1);
  if (omitsAll(times)) return 0;
  if (at === 0 && dirfd !== AT.FDCWD) {
    if (flags !== 0) throw E.EINVAL;
    return changeTimes(k, targetOpen(k, dirfd), times);
  }
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) throw E.EINVAL;
  return changeTimes(k, targetAt(k, dirfd, at, flags), times);
}

const isWide = (k: Work): boolean => k.call.abi === "x86_64";

function futimesat(k: Work, dirfd: number, at: number, timesAt: number): number {
  const times = timesAt === 0 ? undefined : readTimes(k, timesAt, isWide(k), 1000);
  if (at === 0 && dirfd !== AT.FDCWD) return changeTimes(k, targetOpen(k, dirfd), times);
  return changeTimes(k, targetAt(k, dirfd, at, 0), times);
}

function utime(k: Work, at: number, timesAt: number): number {
  const word = (where: number): number => (isWide(k) ? readLong(k, where) : readWord(k, where) | 0);
  const size = isWide(k) ? 8 : 4;
  const times = timesAt === 0 ? undefined : [0, 1].map((index): FileTime => [word(timesAt + index * size), 0]);
  return changeTimes(k, targetAt(k, AT.FDCWD, at, 0), times);
}

export const attributeCalls: readonly SystemCall[] = [
  call("chmod", "pathname:path mode:octal", (k, at, mode) => changeMode(k, targetAt(k, AT.FDCWD, at, 0), mode)),
  call("fchmod", "fd:fd mode:octal", (k, fd, mode) => changeMode(k, targetOpen(k, fd), mode)),
  call("fchmodat", "dirfd:dirfd pathname:path mode:octal", (k, dirfd, at, mode) =>
    changeMode(k, targetAt(k, dirfd, at, 0), mode),
  ),
  call("chown", "pathname:path owner:uint group:uint", (k, at, user, group) =>
    changeOwnerAt(k, AT.FDCWD, at, idOf(k, user), idOf(k, group), 0),
  ),
  call("lchown", "pathname:path owner:uint group:uint", (k, at, user, group) =>
    changeOwnerAt(k, AT.FDCWD, at, idOf(k, user), idOf(k, group), AT.SYMLINK_NOFOLLOW),
  ),
  call("fchown", "fd:fd owner:uint group:uint", (k, fd, user, group) =>
    changeOwner(k, targetOpen(k, fd), idOf(k, user), idOf(k, group)),
  ),
  call("chown32", "pathname:path owner:uint group:uint", (k, at, user, group) =>
    changeOwnerAt(k, AT.FDCWD, at, user, group, 0),
  ),
  call("lchown32", "pathname:path owner:uint group:uint", (k, at, user, group) =>
    changeOwnerAt(k, AT.FDCWD, at, user, group, AT.SYMLINK_NOFOLLOW),
  ),
  call("fchown32", "fd:fd owner:uint group:uint", (k, fd, user, group) =>
    changeOwner(k, targetOpen(k, fd), user, group),
  ),
  call("fchownat", "dirfd:dirfd pathname:path owner:uint group:uint flags:flags", changeOwnerAt),
  call("utimensat", "dirfd:dirfd pathname:path times:pointer flags:flags", (k, dirfd, at, times, flags) =>
    utimensat(k, dirfd, at, times, flags, isWide(k)),
  ),
  call("utimensat_time64", "dirfd:dirfd pathname:path times:pointer flags:flags", (k, dirfd, at, times, flags) =>
    utimensat(k, dirfd, at, times, flags, true),
  ),
  call("futimesat", "dirfd:dirfd pathname:path times:pointer", futimesat),
  call("utimes", "filename:path times:pointer", (k, at, times) => futimesat(k, AT.FDCWD, at, times)),
  call("utime", "filename:path times:pointer", utime),
];
