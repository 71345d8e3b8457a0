/**
 * Who may do what with an inode. Ids of records are those of the initial user namespace.
 * Spec: path_resolution(7), "Permissions"; capabilities(7).
 */

import { E } from "../errno.js";
import type { Credentials, Mount } from "../state.js";
import { mayInNamespaceOf } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { type Attributes, isDirectory, isRegular } from "./types.js";

export const MAY = { EXEC: 1, WRITE: 2, READ: 4 } as const;

/** Spec: mount(2). */
export const MS = {
  ...{ RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8, SYNCHRONOUS: 16, REMOUNT: 32, MANDLOCK: 64, DIRSYNC: 128 },
  ...{ NOSYMFOLLOW: 256, NOATIME: 1024, NODIRATIME: 2048, BIND: 4096, MOVE: 8192, REC: 16384, SILENT: 32768 },
  ...{ UNBINDABLE: 1 << 17, PRIVATE: 1 << 18, SLAVE: 1 << 19, SHARED: 1 << 20, RELATIME: 1 << 21 },
  ...{ STRICTATIME: 1 << 24, LAZYTIME: 1 << 25 },
} as const;

export const inGroup = ({ fsgid, groups }: Credentials, gid: number): boolean => fsgid === gid || groups.includes(gid);

/** Whether the thread at work may use an inode so. Throws EACCES. */
export function requireAccess(
  k: Work,
  inode: Attributes,
  wanted: number,
  credentials: Credentials = k.task.credentials,
): void {
  const { mode, uid, gid } = inode;
  const shift = credentials.fsuid === uid ? 6 : inGroup(credentials, gid) ? 3 : 0;
  if ((~(mode >> shift) & wanted) === 0) return;
  const anyExec = isDirectory(inode) || (mode & 0o111) !== 0;
  if (((wanted & MAY.EXEC) === 0 || anyExec) && mayInNamespaceOf(k, credentials, "CAP_DAC_OVERRIDE", inode)) return;
  const reads = (wanted & MAY.WRITE) === 0 && ((wanted & MAY.EXEC) === 0 || isDirectory(inode));
  if (reads && mayInNamespaceOf(k, credentials, "CAP_DAC_READ_SEARCH", inode)) return;
  throw E.EACCES;
}

/** Whether the thread owns the inode, or may act as if it did. */
export const ownsInode = (k: Work, inode: Attributes, credentials: Credentials = k.task.credentials): boolean =>
  credentials.fsuid === inode.uid || mayInNamespaceOf(k, credentials, "CAP_FOWNER", inode);

/** Throws EROFS where a mount or its file system may not be written. */
export function requireWritable(k: Work, { flags, fileSystem }: Mount): void {
  if ((flags & MS.RDONLY) !== 0 || k.fileSystemOf(fileSystem).readOnly) throw E.EROFS;
}

/** May a name be taken out of a directory: with the sticky bit only by an owner. Throws EPERM. */
export function requireUnsticky(k: Work, directory: Attributes, victim: Attributes): void {
  if ((directory.mode & 0o1000) === 0) return;
  const { fsuid } = k.task.credentials;
  if (fsuid === victim.uid || fsuid === directory.uid) return;
  if (!mayInNamespaceOf(k, k.task.credentials, "CAP_FOWNER", victim)) throw E.EPERM;
}

export { isRegular };
