/** open(2): from a path name to an open file description. */
import { E } from "../errno.js";
import type { Location, OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { newFile } from "./descriptors.js";
import { openDevice } from "./devices.js";
import { openFifo } from "./fifos.js";
import { typeOf } from "./file-systems.js";
import { O } from "./kinds.js";
import { IN, notify, notifyAt } from "./notify.js";
import { attributesAt, fileSystemOf, inodeAt, mountOf, type Resolution, type ResolveOptions, resolve } from "./path.js";
import { MAY, ownsInode, requireAccess, requireWritable } from "./permissions.js";
import { dropPrivileges } from "./transfer.js";
import { type Attributes, isDirectory, isLink, type NewInode, S, typeOfMode } from "./types.js";

const wantedOf = (flags: number): number =>
  ({ [O.RDONLY]: MAY.READ, [O.WRONLY]: MAY.WRITE, [O.RDWR]: MAY.READ | MAY.WRITE })[flags & O.ACCMODE] ?? 0;

/** Makes a name in a directory. Throws EEXIST, EACCES, EROFS ... */
export function make(
  k: Work,
  { location, directory, name, trailing }: Resolution,
  what: Partial<NewInode> & { readonly mode: number },
): Location {
  if (location !== undefined || name === "") throw E.EEXIST;
  if (trailing && typeOfMode(what.mode) !== S.IFDIR) throw E.ENOENT;
  const mount = mountOf(k, directory);
  const around = attributesAt(k, directory);
  if (around.links === 0) throw E.ENOENT;
  requireWritable(k, mount);
  requireAccess(k, around, MAY.WRITE | MAY.EXEC);
  const fs = k.fileSystemOf(mount.fileSystem);
  const { create } = typeOf(fs);
  if (create === undefined) throw E.EPERM;
  const { fsuid, fsgid } = k.task.credentials;
  const inherits = (around.mode & S.ISGID) !== 0;
  const isDir = typeOfMode(what.mode) === S.IFDIR;
  const ino = create(k, fs, directory.ino, name, {
    ...what,
    mode: what.mode | (inherits && isDir ? S.ISGID : 0),
    uid: fsuid,
    gid: inherits ? around.gid : fsgid,
  });
  notify(k, inodeAt(k, directory), IN.CREATE | (isDir ? IN.ISDIR : 0), name);
  return { mount: directory.mount, ino, parent: directory.ino, name };
}

/** A file in no directory. Spec: open(2), O_TMPFILE. */
function makeNameless(k: Work, path: string, flags: number, mode: number, options: ResolveOptions): OpenFile {
  if ((wantedOf(flags) & MAY.WRITE) === 0) throw E.EINVAL;
  const { location } = resolve(k, path, { ...options, follow: (flags & O.NOFOLLOW) === 0 });
  if (location === undefined) throw E.ENOENT;
  const around = attributesAt(k, location);
  if (!isDirectory(around)) throw E.ENOTDIR;
  requireWritable(k, mountOf(k, location));
  requireAccess(k, around, MAY.WRITE | MAY.EXEC);
  const fs = fileSystemOf(k, location);
  const { createNameless } = typeOf(fs);
  if (createNameless === undefined) throw E.EOPNOTSUPP;
  const { fsuid: uid, fsgid: gid } = k.task.credentials;
  const ino = createNameless(k, fs, { mode: S.IFREG | masked(k, mode), uid, gid });
  const made = { mount: location.mount, ino, parent: location.ino, name: `#${ino}` };
  return fileFor(k, made, flags & ~O.TMPFILE, attributesAt(k, made));
}

/** Permissions of a new file, the umask taken off. */
export const masked = (k: Work, mode: number): number => mode & 0o7777 & ~k.context.umask;

/** An open file for what a name leads to, which is made if that is asked for. */
export function open(k: Work, path: string, flags: number, mode: number, options: ResolveOptions = {}): OpenFile {
  if ((flags & O.TMPFILE) === O.TMPFILE && (flags & O.PATH) === 0) return makeNameless(k, path, flags, mode, options);
  const exclusive = (flags & (O.CREAT | O.EXCL)) === (O.CREAT | O.EXCL);
  const follow = (flags & O.NOFOLLOW) === 0 && !exclusive;
  const found = resolve(k, path, { ...options, follow });
  if (found.name === "" && found.trailing && (flags & O.CREAT) !== 0) throw E.EISDIR;
  if (found.location !== undefined && exclusive) throw E.EEXIST;
  if (found.location !== undefined) return openLocation(k, found.location, flags);
  if ((flags & O.CREAT) === 0) throw E.ENOENT;
  if (found.trailing) throw E.EISDIR;
  const made = make(k, found, { mode: S.IFREG | masked(k, mode) });
  return fileFor(k, made, flags, attributesAt(k, made));
}

/** An open file for an inode that is there. */
export function openLocation(k: Work, location: Location, flags: number): OpenFile {
  const attributes = attributesAt(k, location);
  const directory = isDirectory(attributes);
  if ((flags & O.DIRECTORY) !== 0 && !directory) throw E.ENOTDIR;
  if ((flags & O.PATH) !== 0)
    return newFile(k, {
      kind: "place",
      flags: flags & (O.PATH | O.DIRECTORY | O.NOFOLLOW),
      location,
      inode: inodeAt(k, location),
    });
  if (isLink(attributes)) throw E.ELOOP;
  const wanted = wantedOf(flags);
  if (directory && ((wanted & MAY.WRITE) !== 0 || (flags & O.CREAT) !== 0)) throw E.EISDIR;
  requireAccess(k, attributes, wanted | ((flags & O.TRUNC) !== 0 ? MAY.WRITE : 0));
  const type = typeOfMode(attributes.mode);
  if ((wanted & MAY.WRITE) !== 0 && type === S.IFREG) requireWritable(k, mountOf(k, location));
  if ((flags & O.NOATIME) !== 0 && !ownsInode(k, attributes)) throw E.EPERM;
  if ((flags & O.TRUNC) !== 0 && type === S.IFREG) {
    const fs = fileSystemOf(k, location);
    dropPrivileges(k, inodeAt(k, location));
    typeOf(fs).resize?.(k, k.fileSystemOf(fs.id), location.ino, 0);
    notifyAt(k, location, IN.MODIFY);
  }
  return fileFor(k, location, flags, attributes);
}

/** Flags that belong to the opening, and not to what is open. */
const OF_OPENING = O.CREAT | O.EXCL | O.NOCTTY | O.TRUNC | O.CLOEXEC;

function fileFor(k: Work, location: Location, flags: number, attributes: Attributes): OpenFile {
  const file = newFileFor(k, location, flags, attributes);
  notifyAt(k, location, IN.OPEN);
  return file;
}

function newFileFor(k: Work, location: Location, flags: number, { mode, device }: Attributes): OpenFile {
  const fs = fileSystemOf(k, location);
  const base = { flags: flags & ~OF_OPENING, location, inode: inodeAt(k, location) };
  const special = typeOf(fs).open?.(k, fs, location.ino, flags);
  if (special !== undefined) return newFile(k, { ...base, ...special });
  switch (typeOfMode(mode)) {
    case S.IFDIR:
      return newFile(k, { ...base, kind: "directory" });
    case S.IFREG:
      return newFile(k, { ...base, kind: "regular" });
    case S.IFCHR:
    case S.IFBLK:
      return newFile(k, { ...base, ...openDevice(k, mode, device, flags, mountOf(k, location), location) });
    case S.IFIFO:
      return newFile(k, { ...base, ...openFifo(k, base.inode, flags) });
    default:
      throw E.ENXIO;
  }
}
