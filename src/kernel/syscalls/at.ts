/** Names relative to descriptors. Spec: openat(2), "Rationale for openat() and other directory file descriptor APIs". */
import { E } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { attributesAt, inodeAt, type ResolveOptions, resolve } from "../fs/path.js";
import { isDirectory } from "../fs/types.js";
import { readPath } from "../mm/user-memory.js";
import type { InodeName, Location, OpenFile } from "../state.js";
import type { Work } from "../work.js";

export const AT = {
  ...{ FDCWD: -100, SYMLINK_NOFOLLOW: 0x100, EACCESS: 0x200, REMOVEDIR: 0x200, SYMLINK_FOLLOW: 0x400 },
  ...{ NO_AUTOMOUNT: 0x800, EMPTY_PATH: 0x1000 },
} as const;

/** Where relative names begin. Throws EBADF, ENOTDIR. */
export function from(k: Work, dirfd: number, path: string): ResolveOptions {
  if (dirfd === AT.FDCWD || path.startsWith("/")) return {};
  const { location } = fileAt(k, dirfd);
  if (location === undefined) throw E.ENOTDIR;
  if (path !== "" && !isDirectory(attributesAt(k, location))) throw E.ENOTDIR;
  return { from: location };
}

/** An inode that a call is about, with the place it was found at unless it is a descriptor's that has none. */
export interface Target {
  readonly inode: InodeName;
  readonly location: Location | undefined;
  readonly file?: OpenFile;
}

/** What a descriptor is open for. Throws EBADF; EINVAL for what has no inode. */
export function targetOfFile(k: Work, fd: number): Target {
  const file = fileAt(k, fd);
  if (file.inode === undefined) throw E.EINVAL;
  return { inode: file.inode, location: file.location, file };
}

/** What a name stands for; with AT_EMPTY_PATH and no name, what the descriptor does. */
export function targetAt(k: Work, dirfd: number, pathAt: number, flags: number): Target {
  const path = readPath(k, pathAt);
  const empty = (flags & AT.EMPTY_PATH) !== 0;
  if (path === "" && empty && dirfd !== AT.FDCWD) return targetOfFile(k, dirfd);
  const follow = (flags & AT.SYMLINK_NOFOLLOW) === 0;
  const { location } = resolve(k, path, { ...from(k, dirfd, path), follow, empty });
  if (location === undefined) throw E.ENOENT;
  return { inode: inodeAt(k, location), location };
}

/** A 64-bit position that 32-bit programs pass in two registers. */
export const wideValue = (k: Work, low: number, high: number): number =>
  k.call.abi === "x86_64" ? low : (low >>> 0) + (high | 0) * 2 ** 32;
