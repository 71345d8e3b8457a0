/** System V shared memory: segments whose pages a file without a name has. Spec: shmget(2), shmop(2), shmctl(2). */
import { E } from "../errno.js";
import { holdInode, releaseInode } from "../fs/holding.js";
import { newInode } from "../fs/tree.js";
import { S } from "../fs/types.js";
import { isFree, PROT } from "../mm/areas.js";
import { PAGE } from "../mm/frames.js";
import { addArea, unmapRange } from "../mm/spaces.js";
import type { Area, InodeName } from "../state.js";
import { MAP, place } from "../syscalls/memory.js";
import type { Work } from "../work.js";
import { atIpcEnd, type IpcObject, ipcGet, ipcObject, recordOf, removeIpc, requireIpc } from "./records.js";

export interface SharedSegment extends IpcObject {
  readonly kind: "shm";
  readonly size: number;
  readonly inode: InodeName;
  readonly creator: number;
  readonly last: number;
  /** Ticks, or -1. */
  readonly attachedAt: number;
  readonly detachedAt: number;
  readonly changedAt: number;
  readonly attached: number;
  readonly isDoomed: boolean;
  readonly isLocked: boolean;
}

const MOST_SEGMENTS = 4096;
const SHM = { RDONLY: 0o10000, RND: 0o20000, REMAP: 0o40000, EXEC: 0o100000, HUGETLB: 0o4000 } as const;
const up = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

export function getSegment(k: Work, key: number, size: number, flags: number): number {
  if ((flags & SHM.HUGETLB) !== 0) throw E.EINVAL;
  return ipcGet<SharedSegment>(
    k,
    "shm",
    { key, flags, most: MOST_SEGMENTS },
    (segment) => {
      if (size > segment.size) throw E.EINVAL;
    },
    () => {
      if (size < 1 || size > Number.MAX_SAFE_INTEGER) throw E.EINVAL;
      const creator = k.task.process;
      return {
        ...{ size, inode: pages(k, up(size)), creator, last: 0, attachedAt: -1, detachedAt: -1, changedAt: k.now },
        ...{ attached: 0, isDoomed: false, isLocked: false },
      };
    },
  );
}

/** Pages of a segment: a file that the segment itself keeps. */
function pages(k: Work, size: number): InodeName {
  const fs = k.fileSystemOf(k.state.initial.sharedMemory!);
  const ino = fs.nextIno;
  const inode = { ...newInode(k, { mode: S.IFREG | 0o600, uid: 0, gid: 0 }, ino), links: 0, size };
  k.setFileSystem(fs.id, { inodes: fs.inodes.set(ino, inode), nextIno: ino + 1 });
  const name = { fileSystem: fs.id, ino };
  holdInode(k, name);
  return name;
}

/** shmat(2). Gives the address. */
export function attach(k: Work, id: number, wanted: number, flags: number): number {
  let at = wanted;
  if (at % PAGE !== 0) {
    if ((flags & SHM.RND) === 0) throw E.EINVAL;
    at -= at % PAGE;
  }
  if (at === 0 && wanted !== 0 && (flags & SHM.REMAP) !== 0) throw E.EINVAL;
  const segment = ipcObject<SharedSegment>(k, "shm", id);
  const readOnly = (flags & SHM.RDONLY) !== 0;
  requireIpc(k, segment, (readOnly ? 4 : 6) | ((flags & SHM.EXEC) !== 0 ? 1 : 0));
  const length = up(segment.size);
  if (at !== 0 && (flags & SHM.REMAP) === 0 && !isFree(k.space.areas, at, at + length)) throw E.EINVAL;
  const start = place(k, at, length, wanted === 0 ? 0 : MAP.FIXED);
  const number = recordOf(k, segment);
  const area: Area = {
    start,
    end: start + length,
    protection: PROT.READ | (readOnly ? 0 : PROT.WRITE) | ((flags & SHM.EXEC) !== 0 ? PROT.EXEC : 0),
    shared: true,
    file: { inode: segment.inode, offset: 0, path: undefined, writable: !readOnly },
    segment: number,
  };
  addArea(k, k.task.space, area);
  k.changeObject<SharedSegment>(number, { last: k.task.process, attachedAt: k.now });
  return start;
}

/** shmdt(2). Throws EINVAL where no segment begins. */
export function detach(k: Work, address: number): number {
  const area = k.space.areas.find(({ start, segment }) => start === address && segment !== undefined);
  if (area === undefined || address % PAGE !== 0) throw E.EINVAL;
  const { segment } = area;
  const offset = address - area.file!.offset;
  k.changeObject<SharedSegment>(segment!, { detachedAt: k.now, last: k.task.process });
  for (const one of k.space.areas)
    if (one.segment === segment && one.start - one.file!.offset === offset)
      unmapRange(k, k.task.space, one.start, one.end);
  return 0;
}

/** An area of a segment more, or less. The last one of a segment that was removed ends it. */
export function countAttached(k: Work, number: number, by: 1 | -1): void {
  const segment = k.state.objects.get(number) as SharedSegment | undefined;
  if (segment === undefined) return;
  const attached = segment.attached + by;
  k.changeObject<SharedSegment>(number, { attached });
  if (attached === 0 && segment.isDoomed) destroy(k, number);
}

function destroy(k: Work, number: number): void {
  const segment = k.objectOf<SharedSegment>(number);
  removeIpc(k, segment);
  releaseInode(k, segment.inode);
}

/** IPC_RMID: nobody finds it any more, and it goes with the last one who has it. */
export function removeSegment(k: Work, segment: SharedSegment): void {
  const number = recordOf(k, segment);
  if (segment.attached === 0) {
    destroy(k, number);
    return;
  }
  const SHM_DEST = 0o1000;
  const { permissions } = segment;
  k.changeObject<SharedSegment>(number, {
    isDoomed: true,
    permissions: { ...permissions, key: 0, mode: permissions.mode | SHM_DEST },
  });
}

atIpcEnd("shm", (k, number) => {
  if (k.objectOf<SharedSegment>(number).attached === 0) destroy(k, number);
  else removeIpc(k, k.objectOf<SharedSegment>(number));
});
