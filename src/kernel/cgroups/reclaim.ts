/**
 * Memory that is got back without anybody's loss: pages of files that the root came with and that are as the store has them. Pages that
 * have no other place (memory of programs, files of tmpfs) stay: there is no swap yet.
 */
import { readDisk } from "../../hardware/disk.js";
import { dropFrame, linearOf, ownerOf, PAGE, usersOf } from "../mm/frames.js";
import type { FileSystem, Inode, Table } from "../state.js";
import type { Work } from "../work.js";
import { upwards } from "./records.js";

/** What a file system began with: where its files' pages lie in the store. */
export interface Origin {
  readonly origin: Table<Inode>;
}

/** Whether a frame is charged to a cgroup or one below it; 0 is the machine, which has all. */
function belongs(k: Work, frame: number, cgroup: number): boolean {
  if (cgroup === 0) return true;
  const owner = ownerOf(k, frame);
  if (owner === 0) return false;
  for (const id of upwards(k, owner)) if (id === cgroup) return true;
  return false;
}

function isClean(k: Work, frame: number, stored: number): boolean {
  const here = new Uint8Array(PAGE);
  k.port.readBytes(linearOf(frame), here, false);
  const there = readDisk(k.access.disks[k.state.initial.store!]!, (-1 - stored) * PAGE, PAGE);
  return here.every((byte, index) => byte === there[index]);
}

/** Gives back up to so many pages that a cgroup pays for. Gives how many it were. */
export function reclaim(k: Work, cgroup: number, wanted: number): number {
  let got = 0;
  for (const [id, { data }] of k.state.fileSystems.entries()) {
    const { origin } = (data ?? {}) as Partial<Origin>;
    if (origin === undefined) continue;
    for (const [ino, { pages: stored }] of origin.entries()) {
      if (got >= wanted) return got;
      if (stored !== undefined) got += reclaimFile(k, id, ino, stored, { cgroup, wanted: wanted - got });
    }
  }
  return got;
}

interface Wanted {
  readonly cgroup: number;
  readonly wanted: number;
}

function reclaimFile(
  k: Work,
  id: FileSystem["id"],
  ino: number,
  stored: Table<number>,
  { cgroup, wanted }: Wanted,
): number {
  const inode = k.fileSystemOf(id).inodes.get(ino);
  if (inode?.pages === undefined || inode.pages === stored) return 0;
  let { pages } = inode;
  let got = 0;
  for (const [index, frame] of inode.pages.entries()) {
    const original = stored.get(index);
    if (got >= wanted) break;
    if (frame < 0 || original === undefined || usersOf(k, frame) > 1 || !belongs(k, frame, cgroup)) continue;
    if (!isClean(k, frame, original)) continue;
    pages = pages.set(index, original);
    dropFrame(k, frame);
    got++;
  }
  if (got > 0) k.setFileSystem(id, { inodes: k.fileSystemOf(id).inodes.set(ino, { ...inode, pages }) });
  return got;
}
