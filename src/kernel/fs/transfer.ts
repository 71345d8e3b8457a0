/** Bytes from and to open files, and what that changes of the files besides. Spec: read(2), write(2), inode(7). */
import { E } from "../errno.js";
import type { InodeName, OpenFile } from "../state.js";
import { mayInNamespaceOf } from "../tasks/capabilities.js";
import { kernelSignal, signalNumbers, signalTask } from "../tasks/signals.js";
import { timeOf } from "../time.js";
import type { Work } from "../work.js";
import { attributesOf, typeOf } from "./file-systems.js";
import { inodeEntry, isEmptyTable } from "./inode-tables.js";
import { kindOf, O } from "./kinds.js";
import { IN, notifyAt } from "./notify.js";
import { MS } from "./permissions.js";
import { type Attributes, S } from "./types.js";

const FSIZE = 1;
const DAY = 86_400;

const isBefore = (a: Attributes["accessed"], b: Attributes["accessed"]): boolean => {
  const [[first, firstRest], [second, secondRest]] = [timeOf(a), timeOf(b)];
  return first < second || (first === second && firstRest <= secondRest);
};

/** A file was read: its time of access moves only where that tells something. Spec: mount(2), MS_RELATIME. */
function touch(k: Work, { inode, location, flags }: OpenFile): void {
  if (inode === undefined || location === undefined || (flags & O.NOATIME) !== 0) return;
  const mount = k.state.mounts.get(location.mount);
  if (mount === undefined || (mount.flags & (MS.NOATIME | MS.RDONLY)) !== 0) return;
  const fs = k.fileSystemOf(inode.fileSystem);
  const type = typeOf(fs);
  if (type.setAttributes === undefined || fs.readOnly) return;
  const { accessed, modified, changed } = type.attributes(k, fs, inode.ino);
  const [seconds] = timeOf(accessed);
  const isOld = isBefore(accessed, modified) || isBefore(accessed, changed) || timeOf(k.now)[0] - seconds >= DAY;
  if (isOld && accessed !== k.now) type.setAttributes(k, fs, inode.ino, { accessed: k.now, changed });
}

/** Reads from where the file is, or from a place. Throws EINVAL where nothing can be read, ESPIPE where there are no places. */
export function readFile(k: Work, file: OpenFile, length: number, at?: number): Uint8Array {
  const kind = kindOf(file);
  if (kind.read === undefined) throw E.EINVAL;
  if (at !== undefined && kind.seekable !== true) throw E.ESPIPE;
  const bytes = kind.read(k, file, length, at ?? file.offset);
  if (kind.seekable === true && at === undefined) k.setFile(file.id, { offset: file.offset + bytes.length });
  if (file.kind === "regular" && length > 0) touch(k, file);
  if (bytes.length > 0) notifyAt(k, file.location, IN.ACCESS);
  return bytes;
}

/** Set-id bits and capabilities of a file go when its content changes. Spec: write(2), capabilities(7). */
export function dropPrivileges(k: Work, inode: InodeName): void {
  const fs = k.fileSystemOf(inode.fileSystem);
  const { attributes, setAttributes, attribute, setAttribute } = typeOf(fs);
  const own = attributes(k, fs, inode.ino);
  const dropped = (own.mode & S.ISUID) | ((own.mode & 0o2010) === 0o2010 ? S.ISGID : 0);
  if (dropped !== 0 && !mayInNamespaceOf(k, k.task.credentials, "CAP_FSETID", own))
    setAttributes?.(k, fs, inode.ino, { mode: own.mode & ~dropped });
  if (attribute?.(k, fs, inode.ino)["security.capability"] !== undefined)
    setAttribute?.(k, k.fileSystemOf(fs.id), inode.ino, "security.capability", undefined);
}

/** How long a file may be. Throws EFBIG with SIGXFSZ. Spec: getrlimit(2), RLIMIT_FSIZE. */
export function requireSize(k: Work, offset: number): number {
  const limit = k.process.limits[FSIZE]![0];
  if (offset < limit) return limit;
  signalTask(k, k.current, kernelSignal(signalNumbers.SIGXFSZ));
  throw E.EFBIG;
}

/** What may not be done with a file's content any more. Spec: fcntl(2), "File Sealing". */
export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16 } as const;

export const sealsOf = (k: Work, inode: InodeName): number | undefined =>
  isEmptyTable(k, "seals") ? undefined : inodeEntry<{ readonly seals: number }>(k, "seals", inode)?.seals;

/** Throws EPERM. */
export function requireUnsealed(k: Work, inode: InodeName, seals: number): void {
  if (((sealsOf(k, inode) ?? 0) & seals) !== 0) throw E.EPERM;
}

function writeRegular(k: Work, file: OpenFile, bytes: Uint8Array, at: number | undefined): number {
  const inode = file.inode!;
  const { size } = attributesOf(k, inode);
  const offset = (file.flags & O.APPEND) !== 0 ? size : (at ?? file.offset);
  if (bytes.length === 0) return 0;
  const limit = requireSize(k, offset);
  requireUnsealed(k, inode, SEAL.WRITE | SEAL.FUTURE_WRITE | (offset + bytes.length > size ? SEAL.GROW : 0));
  dropPrivileges(k, inode);
  const part = offset + bytes.length > limit ? bytes.subarray(0, limit - offset) : bytes;
  const written = kindOf(file).write!(k, file, part, offset);
  if (at === undefined) k.setFile(file.id, { offset: offset + written });
  return written;
}

/** Writes where the file is, or at a place; may take less than all. */
export function writeFile(k: Work, file: OpenFile, bytes: Uint8Array, at?: number): number {
  const kind = kindOf(file);
  if (kind.write === undefined) throw E.EINVAL;
  if (at !== undefined && kind.seekable !== true) throw E.ESPIPE;
  let written: number;
  if (file.kind === "regular") written = writeRegular(k, file, bytes, at);
  else {
    written = kind.write(k, file, bytes, at ?? file.offset);
    if (kind.seekable === true && at === undefined) k.setFile(file.id, { offset: file.offset + written });
  }
  if (written > 0) notifyAt(k, file.location, IN.MODIFY);
  return written;
}
