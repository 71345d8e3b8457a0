/**
 * Page faults of programs, and of the kernel at their memory: which page belongs there, and whether it may be used so.
 * Spec: mmap(2), "SIGSEGV", "SIGBUS"; SDM Vol. 3A, "Page-Fault Exceptions".
 */
import { PTE } from "../../hardware/cpu/paging-levels.js";
import { Errno } from "../errno.js";
import { filePage } from "../fs/file-systems.js";
import type { AddressSpace, Area } from "../state.js";
import type { Work } from "../work.js";
import { areaAt, PROT } from "./areas.js";
import { copyFrame, dropFrame, shareFrame, takeZeroFrame, usersOf } from "./frames.js";
import { entryOf, mapPage, type PageEntry } from "./page-tables.js";

/** What is wanted of the page. */
export type Touch = "read" | "write" | "execute";

/** Why a fault could not be mended: the signal, with its code. Spec: sigaction(2), "SIGSEGV", "SIGBUS". */
export type Unmendable = "not mapped" | "not allowed" | "behind the file" | "out of memory";

const NEEDED = { read: PROT.READ, write: PROT.WRITE, execute: PROT.EXEC } as const;
const RLIMIT_STACK = 3;

function grown(k: Work, space: AddressSpace, address: number): Area | undefined {
  const above = space.areas.find(({ end, growsDown }) => growsDown === true && end > address);
  if (above === undefined || above.start <= address || above.end - address > k.process.limits[RLIMIT_STACK]![0])
    return undefined;
  const start = Math.floor(address / 4096) * 4096;
  if (space.areas.some((area) => area !== above && area.end > start && area.start < above.start)) return undefined;
  const area = { ...above, start };
  k.setSpace(space.id, { areas: space.areas.map((one) => (one === above ? area : one)) });
  return area;
}

/** Mends a fault at an address of a space: the page is there afterwards, and may be used as wanted. */
export function mend(k: Work, spaceId: number, address: number, touch: Touch): Unmendable | undefined {
  const space = k.state.spaces.get(spaceId)!;
  const area = areaAt(space.areas, address) ?? grown(k, space, address);
  if (area === undefined) return "not mapped";
  if ((area.protection & NEEDED[touch]) === 0) return "not allowed";
  const linear = Math.floor(address / 4096) * 4096;
  try {
    const present = entryOf(k, space.root, linear);
    return present === undefined
      ? fill(k, spaceId, area, linear, touch)
      : widen(k, spaceId, area, linear, present, touch);
  } catch (thrown) {
    if (thrown instanceof Errno) return thrown.name === "EFAULT" ? "behind the file" : "out of memory";
    throw thrown;
  }
}

function map(k: Work, spaceId: number, area: Area, linear: number, frame: number, writable: boolean): void {
  const space = k.state.spaces.get(spaceId)!;
  const made = mapPage(k, space.root, linear, frame, {
    writable,
    executable: (area.protection & PROT.EXEC) !== 0,
    dirty: writable,
  });
  k.setSpace(spaceId, { resident: space.resident + 1, tables: space.tables + made });
}

function fill(k: Work, spaceId: number, area: Area, linear: number, touch: Touch): Unmendable | undefined {
  const { file } = area;
  const mayWrite = (area.protection & PROT.WRITE) !== 0;
  if (file === undefined) {
    if (touch === "write") map(k, spaceId, area, linear, takeZeroFrame(k), true);
    else map(k, spaceId, area, linear, k.state.zeroFrame, false);
    return undefined;
  }
  const index = (file.offset + linear - area.start) / 4096;
  if (area.shared) {
    const frame = filePage(k, file.inode, index, touch === "write");
    shareFrame(k, frame);
    map(k, spaceId, area, linear, frame, mayWrite && touch === "write");
    return undefined;
  }
  const frame = filePage(k, file.inode, index, false);
  if (touch === "write") map(k, spaceId, area, linear, copyFrame(k, frame), true);
  else {
    shareFrame(k, frame);
    map(k, spaceId, area, linear, frame, false);
  }
  return undefined;
}

/** The page is there, but not for this: a copy is due, or a flag. */
function widen(
  k: Work,
  spaceId: number,
  area: Area,
  linear: number,
  { frame, flags, executable }: PageEntry,
  touch: Touch,
): Unmendable | undefined {
  const { root } = k.state.spaces.get(spaceId)!;
  const mayExecute = (area.protection & PROT.EXEC) !== 0;
  if (touch !== "write") {
    if (executable !== mayExecute || (flags & PTE.U) === 0)
      mapPage(k, root, linear, frame, { writable: false, executable: mayExecute });
    return undefined;
  }
  const { file } = area;
  if (area.shared && file !== undefined) filePage(k, file.inode, (file.offset + linear - area.start) / 4096, true);
  const alone = frame !== k.state.zeroFrame && usersOf(k, frame) === 1;
  if (area.shared || alone) {
    mapPage(k, root, linear, frame, { writable: true, executable: mayExecute, dirty: true });
    return undefined;
  }
  const own = frame === k.state.zeroFrame ? takeZeroFrame(k) : copyFrame(k, frame);
  dropFrame(k, frame);
  mapPage(k, root, linear, own, { writable: true, executable: mayExecute, dirty: true });
  return undefined;
}

/** What an error code of #PF says was wanted. */
export const touchOf = (errorCode: number): Touch =>
  (errorCode & 2) !== 0 ? "write" : (errorCode & 16) !== 0 ? "execute" : "read";

export const isDirty = ({ flags }: PageEntry): boolean => (flags & PTE.D) !== 0;
