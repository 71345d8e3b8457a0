/** System calls on address spaces. Spec: mmap(2), munmap(2), mprotect(2), brk(2), madvise(2), mremap(2). */
import { USER_END } from "../arch/layout.js";
import { E } from "../errno.js";
import { mappingsTop } from "../exec/execute.js";
import { fileAt } from "../fs/descriptors.js";
import { mayRead, mayWrite } from "../fs/kinds.js";
import { mountOf } from "../fs/path.js";
import { MS } from "../fs/permissions.js";
import { newInode } from "../fs/tree.js";
import { S } from "../fs/types.js";
import { freeRange, isFree, joined, PROT, split } from "../mm/areas.js";
import { PAGE, shareFrame } from "../mm/frames.js";
import { eachPage, mapPage } from "../mm/page-tables.js";
import { addArea, dropPages, unmapRange } from "../mm/spaces.js";
import type { Area, MappedFile } from "../state.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

const MAP = {
  ...{ SHARED: 1, PRIVATE: 2, SHARED_VALIDATE: 3, TYPE: 15, FIXED: 16, ANONYMOUS: 32, GROWSDOWN: 0x100 },
  ...{ LOCKED: 0x2000, NORESERVE: 0x4000, POPULATE: 0x8000, STACK: 0x2_0000, FIXED_NOREPLACE: 0x10_0000 },
} as const;
/** The lowest address that a mapping may have. */
const LOWEST = 0x1_0000;
const up = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

/** A place for a mapping. Throws ENOMEM. */
function place(k: Work, hint: number, length: number, flags: number): number {
  const { areas, bits } = k.space;
  const end = USER_END[bits];
  if ((flags & (MAP.FIXED | MAP.FIXED_NOREPLACE)) !== 0) {
    if (hint % PAGE !== 0) throw E.EINVAL;
    if (hint + length > end || hint < 0) throw E.ENOMEM;
    if (hint < LOWEST) throw E.EPERM;
    if ((flags & MAP.FIXED_NOREPLACE) !== 0 && !isFree(areas, hint, hint + length)) throw E.EEXIST;
    return hint;
  }
  const wanted = up(hint);
  if (wanted >= LOWEST && wanted + length <= end && isFree(areas, wanted, wanted + length)) return wanted;
  const found = freeRange(areas, length, mappingsTop(bits), LOWEST);
  if (found === undefined) throw E.ENOMEM;
  return found;
}

function mappedFile(k: Work, fd: number, offset: number, protection: number, shared: boolean): MappedFile {
  const file = fileAt(k, fd);
  if (!mayRead(file)) throw E.EACCES;
  if (shared && (protection & PROT.WRITE) !== 0 && !mayWrite(file)) throw E.EACCES;
  if (file.inode === undefined || file.kind !== "regular") throw E.ENODEV;
  const mount = file.location === undefined ? undefined : mountOf(k, file.location);
  if ((protection & PROT.EXEC) !== 0 && mount !== undefined && (mount.flags & MS.NOEXEC) !== 0) throw E.EPERM;
  return { inode: file.inode, offset, path: file.location, writable: mayWrite(file) };
}

/** Pages that only shared mappings have: a file without a name. */
function sharedPages(k: Work, size: number): MappedFile {
  const fs = k.fileSystemOf(k.state.initial.sharedMemory!);
  const ino = fs.nextIno;
  const inode = { ...newInode(k, { mode: S.IFREG | 0o600, uid: 0, gid: 0 }, ino), links: 0, size };
  k.setFileSystem(fs.id, { inodes: fs.inodes.set(ino, inode), nextIno: ino + 1 });
  return { inode: { fileSystem: fs.id, ino }, offset: 0, path: undefined, writable: true };
}

function map(
  k: Work,
  hint: number,
  size: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  const type = flags & MAP.TYPE;
  if (size <= 0 || offset % PAGE !== 0 || offset < 0) throw E.EINVAL;
  if (type !== MAP.SHARED && type !== MAP.PRIVATE && type !== MAP.SHARED_VALIDATE) throw E.EINVAL;
  const length = up(size);
  if (length > USER_END[k.space.bits]) throw E.ENOMEM;
  const shared = type !== MAP.PRIVATE;
  const anonymous = (flags & MAP.ANONYMOUS) !== 0;
  let file = anonymous ? undefined : mappedFile(k, fd, offset, protection, shared);
  const start = place(k, hint, length, flags);
  if (anonymous && shared) file = sharedPages(k, length);
  const area: Area = {
    start,
    end: start + length,
    protection: protection & 7,
    shared,
    ...(file === undefined ? {} : { file }),
    ...((flags & MAP.GROWSDOWN) !== 0 ? { growsDown: true } : {}),
  };
  addArea(k, k.task.space, area);
  return start;
}

function unmap(k: Work, start: number, size: number): number {
  if (start % PAGE !== 0 || size <= 0 || start + size > USER_END[64]) throw E.EINVAL;
  unmapRange(k, k.task.space, start, start + up(size));
  return 0;
}

/** Whether areas cover a range without a gap. */
function isCovered(areas: readonly Area[], start: number, end: number): boolean {
  let at = start;
  for (const area of areas) if (area.start <= at && area.end > at) at = area.end;
  return at >= end;
}

function protect(k: Work, start: number, size: number, protection: number): number {
  if (start % PAGE !== 0 || (protection & ~(7 | PROT.GROWSDOWN)) !== 0) throw E.EINVAL;
  const end = start + up(size);
  if (end === start) return 0;
  const { id, root, areas } = k.space;
  if (!isCovered(areas, start, end)) throw E.ENOMEM;
  const { inside, outside } = split(areas, start, end);
  const wanted = protection & 7;
  const refused = ({ shared, file }: Area): boolean =>
    shared && file !== undefined && !file.writable && (wanted & PROT.WRITE) !== 0;
  if (inside.some(refused)) throw E.EACCES;
  k.setSpace(id, { areas: joined([...outside, ...inside.map((area) => ({ ...area, protection: wanted }))]) });
  // Pages that may be used less are looked at again when they are touched; without any access they go out of the tables' reach.
  const pages: (readonly [number, number])[] = [];
  eachPage(k, root, start, end, (linear, { frame }) => pages.push([linear, frame]));
  for (const [linear, frame] of pages)
    mapPage(k, root, linear, frame, { writable: false, executable: (wanted & PROT.EXEC) !== 0, user: wanted !== 0 });
  return 0;
}

function setBreak(k: Work, to: number): number {
  const { id, breakStart, breakEnd, areas, bits } = k.space;
  if (to < breakStart || to > USER_END[bits]) return breakEnd;
  const [oldEnd, newEnd] = [up(breakEnd), up(to)];
  if (newEnd > oldEnd) {
    if (!isFree(areas, oldEnd, newEnd)) return breakEnd;
    const protection = PROT.READ | PROT.WRITE;
    addArea(k, id, { start: oldEnd, end: newEnd, protection, shared: false, label: "[heap]" });
  } else if (newEnd < oldEnd) unmapRange(k, id, newEnd, oldEnd);
  k.setSpace(id, { breakEnd: to });
  return to;
}

const MADV = { DONTNEED: 4, FREE: 8 } as const;
/** Advice that changes nothing that a program could see. */
const HINTS: ReadonlySet<number> = new Set([0, 1, 2, 3, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]);

function advise(k: Work, start: number, size: number, advice: number): number {
  if (start % PAGE !== 0) throw E.EINVAL;
  const end = start + up(size);
  if (advice === MADV.DONTNEED || advice === MADV.FREE) {
    if (!isCovered(k.space.areas, start, end)) throw E.ENOMEM;
    dropPages(k, k.task.space, start, end);
    return 0;
  }
  if (!HINTS.has(advice)) throw E.EINVAL;
  return 0;
}

const MREMAP = { MAYMOVE: 1, FIXED: 2 } as const;

function remap(k: Work, start: number, oldSize: number, newSize: number, flags: number, to: number): number {
  if (start % PAGE !== 0 || newSize <= 0 || (flags & ~3) !== 0) throw E.EINVAL;
  const { id, areas, root } = k.space;
  const [from, length] = [up(oldSize), up(newSize)];
  const area = areas.find((one) => one.start <= start && one.end >= start + from);
  if (area === undefined) throw E.EFAULT;
  if (from === 0) throw E.EINVAL;
  if ((flags & MREMAP.FIXED) === 0) {
    if (length <= from) {
      if (length < from) unmapRange(k, id, start + length, start + from);
      return start;
    }
    if (area.end === start + from && isFree(areas, start + from, start + length)) {
      addArea(k, id, { ...partOf(area, start + from), end: start + length });
      return start;
    }
    if ((flags & MREMAP.MAYMOVE) === 0) throw E.ENOMEM;
  }
  const target = (flags & MREMAP.FIXED) === 0 ? place(k, 0, length, 0) : place(k, to, length, MAP.FIXED);
  const moved: (readonly [number, number, boolean, boolean])[] = [];
  eachPage(k, root, start, start + Math.min(from, length), (linear, { frame, flags: bits, executable }) =>
    moved.push([linear, frame, (bits & 2) !== 0, executable]),
  );
  addArea(k, id, { ...partOf(area, start), start: target, end: target + length });
  for (const [linear, frame, writable, executable] of moved) {
    shareFrame(k, frame);
    const made = mapPage(k, root, linear - start + target, frame, { writable, executable });
    const { resident, tables } = k.space;
    k.setSpace(id, { resident: resident + 1, tables: tables + made });
  }
  unmapRange(k, id, start, start + from);
  return target;
}

/** An area as it goes on from an address. */
const partOf = (area: Area, start: number): Area =>
  area.file === undefined
    ? { ...area, start }
    : { ...area, start, file: { ...area.file, offset: area.file.offset + start - area.start } };

export const memoryCalls: readonly SystemCall[] = [
  call("mmap", "addr:pointer length:size prot:flags flags:flags fd:fd offset:long", map),
  call(
    "mmap2",
    "addr:pointer length:size prot:flags flags:flags fd:fd pgoffset:size",
    (k, hint, size, protection, flags, fd, page) => map(k, hint, size, protection, flags, fd, page * PAGE),
  ),
  call("munmap", "addr:pointer length:size", unmap),
  call("mprotect", "addr:pointer len:size prot:flags", protect),
  call("brk", "addr:pointer", setBreak),
  call("madvise", "addr:pointer length:size advice:int", advise),
  call("mremap", "old_address:pointer old_size:size new_size:size flags:flags new_address:pointer", remap),
];
