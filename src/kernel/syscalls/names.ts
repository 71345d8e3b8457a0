/** System calls that make, move and remove names. Spec: mkdir(2), unlink(2), rename(2), link(2), symlink(2), mknod(2). */
import { E } from "../errno.js";
import { deviceNumber } from "../fs/devices.js";
import { attributesOf, typeOf } from "../fs/file-systems.js";
import { IN, notify, notifyIfGone } from "../fs/notify.js";
import { make, masked } from "../fs/open.js";
import { attributesAt, fileSystemOf, inodeAt, mountOf, type Resolution, resolve } from "../fs/path.js";
import { MAY, requireAccess, requireUnsticky, requireWritable } from "../fs/permissions.js";
import { isDirectory, S, typeOfMode } from "../fs/types.js";
import { readPath } from "../mm/user-memory.js";
import type { InodeName, Location } from "../state.js";
import { may, requireCapability } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { AT, from, targetAt } from "./at.js";
import { call, type SystemCall } from "./call.js";

const lastOf = (k: Work, dirfd: number, path: string): Resolution =>
  resolve(k, path, { ...from(k, dirfd, path), follow: false });

/** The last part of a name is one of a directory's own entries. */
const isNormal = ({ name }: Resolution): boolean => name !== "" && name !== "." && name !== "..";

function makeDirectoryAt(k: Work, dirfd: number, at: number, mode: number): number {
  const path = readPath(k, at);
  make(k, lastOf(k, dirfd, path), { mode: S.IFDIR | (masked(k, mode) & 0o1777) });
  return 0;
}

/** May a name be taken out of its directory. Throws EROFS, EACCES, EPERM. */
function requireRemoval(k: Work, directory: Location, victim: Location): void {
  const around = attributesAt(k, directory);
  requireAccess(k, around, MAY.WRITE | MAY.EXEC);
  requireUnsticky(k, around, attributesAt(k, victim));
}

function unlinkAt(k: Work, dirfd: number, at: number, flags: number): number {
  if ((flags & ~AT.REMOVEDIR) !== 0) throw E.EINVAL;
  const removes = (flags & AT.REMOVEDIR) !== 0;
  const path = readPath(k, at);
  const { location, directory, name, trailing } = lastOf(k, dirfd, path);
  if (name === ".") throw removes ? E.EINVAL : E.EISDIR;
  if (name === "..") throw removes ? E.ENOTEMPTY : E.EISDIR;
  if (name === "") throw removes ? E.EBUSY : E.EISDIR;
  requireWritable(k, mountOf(k, directory));
  if (location === undefined) throw E.ENOENT;
  const victim = attributesAt(k, location);
  if (!removes && trailing) throw isDirectory(victim) ? E.EISDIR : E.ENOTDIR;
  requireRemoval(k, directory, location);
  if (removes !== isDirectory(victim)) throw removes ? E.ENOTDIR : E.EISDIR;
  if (location.mount !== directory.mount) throw E.EBUSY;
  const fs = fileSystemOf(k, directory);
  const { list, unlink, removeDirectory } = typeOf(fs);
  const remove = removes ? removeDirectory : unlink;
  if (remove === undefined) throw E.EPERM;
  if (removes && list(k, fs, location.ino).length > 0) throw E.ENOTEMPTY;
  const [inode, around] = [inodeAt(k, location), inodeAt(k, directory)];
  if (!removes) notify(k, inode, IN.ATTRIB);
  remove(k, fs, directory.ino, name);
  tellRemoved(k, around, name, inode, removes);
  return 0;
}

/** A file system may have put another inode in the place of what was removed: it is not asked. */
function tellRemoved(k: Work, around: InodeName, name: string, inode: InodeName, directory: boolean): void {
  notify(k, around, IN.DELETE | (directory ? IN.ISDIR : 0), name);
  notifyIfGone(k, inode);
}

// ---- rename -------------------------------------------------------------------------------------------------------

const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;

/** Whether a directory is another, or one around it, in their file system. */
function isAround(k: Work, outer: Location, inner: Location): boolean {
  const fs = fileSystemOf(k, inner);
  const { parent } = typeOf(fs);
  for (let ino = inner.ino; ; ) {
    if (ino === outer.ino) return true;
    const around = parent(k, fs, ino);
    if (around === ino) return false;
    ino = around;
  }
}

function checkTrailing(old: Resolution, to: Resolution, flags: number, source: boolean, target: boolean): void {
  if ((flags & RENAME.EXCHANGE) !== 0 && to.trailing && !target) throw E.ENOTDIR;
  if (source) return;
  if (old.trailing || (to.trailing && (flags & RENAME.EXCHANGE) === 0)) throw E.ENOTDIR;
}

/** Everything that rename(2) asks for. Gives whether there is anything to do. */
function checkRename(k: Work, old: Resolution, to: Resolution, flags: number): boolean {
  if (old.directory.mount !== to.directory.mount) throw E.EXDEV;
  if (!isNormal(old)) throw E.EBUSY;
  if (!isNormal(to)) throw (flags & RENAME.NOREPLACE) !== 0 ? E.EEXIST : E.EBUSY;
  requireWritable(k, mountOf(k, old.directory));
  if (attributesAt(k, to.directory).links === 0) throw E.ENOENT;
  const [source, target] = [old.location, to.location];
  if (source === undefined) throw E.ENOENT;
  if ((flags & RENAME.NOREPLACE) !== 0 && target !== undefined) throw E.EEXIST;
  const exchange = (flags & RENAME.EXCHANGE) !== 0;
  if (exchange && target === undefined) throw E.ENOENT;
  const movesDirectory = isDirectory(attributesAt(k, source));
  const ontoDirectory = target !== undefined && isDirectory(attributesAt(k, target));
  checkTrailing(old, to, flags, movesDirectory, ontoDirectory);
  const sourceHere = source.mount === old.directory.mount;
  const targetHere = target?.mount === to.directory.mount;
  if (movesDirectory && sourceHere && isAround(k, source, to.directory)) throw E.EINVAL;
  if (target !== undefined && ontoDirectory && targetHere && isAround(k, target, old.directory))
    throw exchange ? E.EINVAL : E.ENOTEMPTY;
  if (target !== undefined && source.mount === target.mount && source.ino === target.ino) return false;
  requireRemoval(k, old.directory, source);
  if (target === undefined) requireAccess(k, attributesAt(k, to.directory), MAY.WRITE | MAY.EXEC);
  else {
    requireRemoval(k, to.directory, target);
    if (!exchange && movesDirectory !== ontoDirectory) throw movesDirectory ? E.ENOTDIR : E.EISDIR;
  }
  if (old.directory.ino !== to.directory.ino) {
    if (movesDirectory) requireAccess(k, attributesAt(k, source), MAY.WRITE);
    if (exchange && ontoDirectory) requireAccess(k, attributesAt(k, target!), MAY.WRITE);
  }
  if (!sourceHere || (target !== undefined && !targetHere)) throw E.EBUSY;
  return true;
}

function renameAt(k: Work, oldDir: number, oldAt: number, newDir: number, newAt: number, flags: number): number {
  if ((flags & ~7) !== 0 || ((flags & RENAME.EXCHANGE) !== 0 && (flags & 5) !== 0)) throw E.EINVAL;
  const [oldPath, newPath] = [readPath(k, oldAt), readPath(k, newAt)];
  const old = lastOf(k, oldDir, oldPath);
  const to = lastOf(k, newDir, newPath);
  if (!checkRename(k, old, to, flags)) return 0;
  const fs = fileSystemOf(k, old.directory);
  const { rename, list } = typeOf(fs);
  if (rename === undefined) throw E.EPERM;
  if ((flags & RENAME.WHITEOUT) !== 0) throw E.EINVAL;
  const exchange = (flags & RENAME.EXCHANGE) !== 0;
  const target = to.location;
  const replaced = target === undefined || exchange ? undefined : target;
  if (replaced !== undefined && isDirectory(attributesAt(k, replaced)) && list(k, fs, replaced.ino).length > 0)
    throw E.ENOTEMPTY;
  const moved = inodeAt(k, old.location!);
  const kind = isDirectory(attributesAt(k, old.location!)) ? IN.ISDIR : 0;
  const dirs = [inodeAt(k, old.directory), inodeAt(k, to.directory)] as const;
  rename(
    k,
    fs,
    { directory: old.directory.ino, name: old.name },
    { directory: to.directory.ino, name: to.name },
    exchange,
  );
  const cookie = k.newId();
  notify(k, dirs[0], IN.MOVED_FROM | kind, old.name, cookie);
  notify(k, dirs[1], IN.MOVED_TO | kind, to.name, cookie);
  notify(k, moved, IN.MOVE_SELF | kind);
  if (replaced !== undefined) notifyIfGone(k, { fileSystem: fs.id, ino: replaced.ino });
  return 0;
}

// ---- link, symlink, mknod -----------------------------------------------------------------------------------------

function linkAt(k: Work, oldDir: number, oldAt: number, newDir: number, newAt: number, flags: number): number {
  if ((flags & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) !== 0) throw E.EINVAL;
  if ((flags & AT.EMPTY_PATH) !== 0 && !may(k, "CAP_DAC_READ_SEARCH")) throw E.ENOENT;
  const follow = (flags & AT.SYMLINK_FOLLOW) !== 0 ? 0 : AT.SYMLINK_NOFOLLOW;
  const { inode, location } = targetAt(k, oldDir, oldAt, follow | (flags & AT.EMPTY_PATH));
  const path = readPath(k, newAt);
  const to = lastOf(k, newDir, path);
  if (to.location !== undefined || !isNormal(to)) throw E.EEXIST;
  if (to.trailing) throw E.ENOENT;
  requireWritable(k, mountOf(k, to.directory));
  if (location?.mount !== to.directory.mount) throw E.EXDEV;
  const around = attributesAt(k, to.directory);
  if (around.links === 0) throw E.ENOENT;
  requireAccess(k, around, MAY.WRITE | MAY.EXEC);
  const old = attributesOf(k, inode);
  const fs = fileSystemOf(k, to.directory);
  const { link } = typeOf(fs);
  if (link === undefined || isDirectory(old)) throw E.EPERM;
  // Without a name a file has none to add to, unless it was opened with O_TMPFILE.
  if (old.links === 0 && (flags & (AT.EMPTY_PATH | AT.SYMLINK_FOLLOW)) === 0) throw E.ENOENT;
  link(k, fs, to.directory.ino, to.name, inode.ino);
  notify(k, inode, IN.ATTRIB);
  notify(k, inodeAt(k, to.directory), IN.CREATE, to.name);
  return 0;
}

function symlinkAt(k: Work, targetAddress: number, dirfd: number, at: number): number {
  const target = readPath(k, targetAddress);
  if (target === "") throw E.ENOENT;
  const path = readPath(k, at);
  make(k, lastOf(k, dirfd, path), { mode: S.IFLNK | 0o777, target });
  return 0;
}

/** The device number that a program gives. Spec: makedev(3). */
const decoded = (device: number): number =>
  deviceNumber((device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00));

const MAKEABLE: ReadonlySet<number> = new Set([0, S.IFREG, S.IFCHR, S.IFBLK, S.IFIFO, S.IFSOCK]);

function makeNodeAt(k: Work, dirfd: number, at: number, mode: number, device: number): number {
  const type = typeOfMode(mode);
  if (type === S.IFDIR) throw E.EPERM;
  if (!MAKEABLE.has(type)) throw E.EINVAL;
  const path = readPath(k, at);
  const to = lastOf(k, dirfd, path);
  if (to.location !== undefined || !isNormal(to)) throw E.EEXIST;
  const isDevice = type === S.IFCHR || type === S.IFBLK;
  // A whiteout of an overlay is no device that could be used.
  if (isDevice && !(type === S.IFCHR && device === 0)) requireCapability(k, "CAP_MKNOD", k.state.initial.user!);
  const made = (type === 0 ? S.IFREG : type) | masked(k, mode);
  make(k, to, { mode: made, ...(isDevice ? { device: decoded(device) } : {}) });
  return 0;
}

export const nameCalls: readonly SystemCall[] = [
  call("mkdir", "pathname:path mode:octal", (k, at, mode) => makeDirectoryAt(k, AT.FDCWD, at, mode)),
  call("mkdirat", "dirfd:dirfd pathname:path mode:octal", makeDirectoryAt),
  call("unlink", "pathname:path", (k, at) => unlinkAt(k, AT.FDCWD, at, 0)),
  call("rmdir", "pathname:path", (k, at) => unlinkAt(k, AT.FDCWD, at, AT.REMOVEDIR)),
  call("unlinkat", "dirfd:dirfd pathname:path flags:flags", unlinkAt),
  call("rename", "oldpath:path newpath:path", (k, old, to) => renameAt(k, AT.FDCWD, old, AT.FDCWD, to, 0)),
  call("renameat", "olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path", (k, oldDir, old, newDir, to) =>
    renameAt(k, oldDir, old, newDir, to, 0),
  ),
  call("renameat2", "olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path flags:flags", renameAt),
  call("link", "oldpath:path newpath:path", (k, old, to) => linkAt(k, AT.FDCWD, old, AT.FDCWD, to, 0)),
  call("linkat", "olddirfd:dirfd oldpath:path newdirfd:dirfd newpath:path flags:flags", linkAt),
  call("symlink", "target:path linkpath:path", (k, target, at) => symlinkAt(k, target, AT.FDCWD, at)),
  call("symlinkat", "target:path newdirfd:dirfd linkpath:path", symlinkAt),
  call("mknod", "pathname:path mode:octal dev:uint", (k, at, mode, device) =>
    makeNodeAt(k, AT.FDCWD, at, mode, device),
  ),
  call("mknodat", "dirfd:dirfd pathname:path mode:octal dev:uint", makeNodeAt),
];
