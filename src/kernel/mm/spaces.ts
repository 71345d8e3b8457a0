/** Address spaces: made, copied at fork, given back. */

import { writeCr3 } from "../../hardware/cpu/control-registers.js";
import { PTE } from "../../hardware/cpu/paging-levels.js";
import { highWord } from "../../hardware/cpu/quadwords.js";
import { holdInode, releaseInode } from "../fs/holding.js";
import type { AddressSpace, Area } from "../state.js";
import type { Work } from "../work.js";
import { joined, split } from "./areas.js";
import { dropFrame, PAGE, shareFrame } from "./frames.js";
import { dropAll, eachPage, mapPage, newTop, unmapPage } from "./page-tables.js";

/** An empty address space for one task. */
export function newSpace(k: Work, bits: 32 | 64): AddressSpace {
  const id = k.newId();
  const space: AddressSpace = {
    id,
    users: 1,
    root: newTop(k),
    areas: [],
    ...{ breakStart: 0, breakEnd: 0, resident: 0, tables: 1 },
    argumentsAt: [0, 0],
    environmentAt: [0, 0],
    bits,
    executable: undefined,
  };
  k.set({ spaces: k.state.spaces.set(id, space) });
  return space;
}

/** The processor translates by this space from now on. */
export function useSpace(k: Work, root: number): void {
  const address = root * PAGE;
  if (k.port.system.cr3 >>> 0 !== address >>> 0 || k.port.system.cr3 > 0xffff_ffff)
    writeCr3(k.port, address | 0, highWord(address));
}

/** Takes what is mapped in a range out of a space, with its areas. Spec: munmap(2). */
export function unmapRange(k: Work, spaceId: number, start: number, end: number): void {
  const space = k.state.spaces.get(spaceId)!;
  const { inside, outside } = split(space.areas, start, end);
  if (inside.length === 0) return;
  // Parts that are left over have a file each, like the area they were.
  for (const area of outside) holdArea(k, area);
  for (const area of space.areas) releaseArea(k, area);
  for (const area of inside) dropPages(k, spaceId, area.start, area.end);
  k.setSpace(spaceId, { areas: joined(outside) });
  rehold(k, spaceId, outside);
}

/** `joined` may have made one area of several: each has one hold. */
function rehold(k: Work, spaceId: number, before: readonly Area[]): void {
  const after = k.state.spaces.get(spaceId)!.areas;
  for (const area of after) holdArea(k, area);
  for (const area of before) releaseArea(k, area);
}

/** Puts an area into a space; what was there is taken out first. */
export function addArea(k: Work, spaceId: number, area: Area): void {
  unmapRange(k, spaceId, area.start, area.end);
  holdArea(k, area);
  const before = [...k.state.spaces.get(spaceId)!.areas, area];
  k.setSpace(spaceId, { areas: joined(before) });
  rehold(k, spaceId, before);
}

const holdArea = (k: Work, { file }: Area): void => {
  if (file !== undefined) holdInode(k, file.inode);
};
const releaseArea = (k: Work, { file }: Area): void => {
  if (file !== undefined) releaseInode(k, file.inode);
};

/** Unmaps pages; areas stay. Spec: madvise(2), MADV_DONTNEED. */
export function dropPages(k: Work, spaceId: number, start: number, end: number): void {
  const { root, resident } = k.state.spaces.get(spaceId)!;
  const found: number[] = [];
  eachPage(k, root, start, end, (linear, { frame }) => found.push(linear, frame));
  for (let at = 0; at < found.length; at += 2) {
    unmapPage(k, root, found[at]!);
    dropFrame(k, found[at + 1]!);
  }
  if (found.length > 0) k.setSpace(spaceId, { resident: resident - found.length / 2 });
}

/** A copy of a space: private pages are shared until one of the two writes. Spec: fork(2). */
export function copySpace(k: Work, from: AddressSpace): AddressSpace {
  const copy = newSpace(k, from.bits);
  let tables = 1;
  let resident = 0;
  for (const area of from.areas) {
    holdArea(k, area);
    eachPage(k, from.root, area.start, area.end, (linear, { frame, flags, executable }) => {
      const writable = (flags & PTE.W) !== 0;
      const keeps = writable && area.shared;
      if (writable && !keeps) mapPage(k, from.root, linear, frame, { writable: false, executable });
      shareFrame(k, frame);
      tables += mapPage(k, copy.root, linear, frame, { writable: keeps, executable });
      resident++;
    });
  }
  k.setSpace(copy.id, {
    areas: from.areas,
    ...{ breakStart: from.breakStart, breakEnd: from.breakEnd, resident, tables },
    ...{ argumentsAt: from.argumentsAt, environmentAt: from.environmentAt, executable: from.executable },
  });
  return k.state.spaces.get(copy.id)!;
}

/** One user less; the last one's space is given back. */
export function dropSpace(k: Work, id: number): void {
  const space = k.state.spaces.get(id)!;
  if (space.users > 1) {
    k.setSpace(id, { users: space.users - 1 });
    return;
  }
  for (const area of space.areas) releaseArea(k, area);
  // Nobody may walk tables that are given back.
  if (k.port.system.cr3 >>> 0 === (space.root * PAGE) >>> 0) useSpace(k, KERNEL_ROOT);
  dropAll(k, space.root);
  k.set({ spaces: k.state.spaces.set(id, undefined) });
}

/** The kernel's own tables, while no program has the processor. */
export const KERNEL_ROOT = 0x11_0000 / PAGE;
