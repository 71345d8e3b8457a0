/** Who has asked to hear of what happens to an inode, and what he is told. Spec: inotify(7). */
import { Errno } from "../errno.js";
import type { InodeName, Location } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { attributesOf } from "./file-systems.js";
import { inodeEntry, isEmptyTable, setInodeEntry } from "./inode-tables.js";
import { inodeAt, mountOf } from "./path.js";
import { isDirectory } from "./types.js";

export const IN = {
  ...{ ACCESS: 1, MODIFY: 2, ATTRIB: 4, CLOSE_WRITE: 8, CLOSE_NOWRITE: 0x10, OPEN: 0x20, MOVED_FROM: 0x40 },
  ...{ MOVED_TO: 0x80, CREATE: 0x100, DELETE: 0x200, DELETE_SELF: 0x400, MOVE_SELF: 0x800, ALL_EVENTS: 0xfff },
  ...{ UNMOUNT: 0x2000, Q_OVERFLOW: 0x4000, IGNORED: 0x8000, ONLYDIR: 0x100_0000, DONT_FOLLOW: 0x200_0000 },
  ...{ EXCL_UNLINK: 0x400_0000, MASK_CREATE: 0x1000_0000, MASK_ADD: 0x2000_0000, ISDIR: 0x4000_0000 },
  ...{ ONESHOT: 0x8000_0000 },
} as const;

export interface InotifyEvent {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: string;
}

/** An inotify instance. */
export interface Inotify {
  readonly kind: "inotify";
  readonly events: readonly InotifyEvent[];
  readonly nextWatch: number;
  readonly watches: readonly { readonly wd: number; readonly inode: InodeName }[];
}

export interface Watch {
  readonly instance: number;
  readonly wd: number;
  readonly mask: number;
}
export interface Watches {
  readonly watches: readonly Watch[];
}

const MOST_EVENTS = 16_384;

function put(k: Work, instance: number, event: InotifyEvent): void {
  const { events } = k.objectOf<Inotify>(instance);
  const last = events.at(-1);
  const { wd, mask, cookie, name } = event;
  if (last?.wd === wd && last.mask === mask && last.cookie === cookie && last.name === name) return;
  if (events.length > MOST_EVENTS) return;
  const overflow = { wd: -1, mask: IN.Q_OVERFLOW, cookie: 0, name: "" };
  k.changeObject<Inotify>(instance, { events: [...events, events.length === MOST_EVENTS ? overflow : event] });
  wake(k, instance);
}

/** A watch goes, and its owner is told. */
export function dropWatch(k: Work, inode: InodeName, { instance, wd }: Watch): void {
  const left = inodeEntry<Watches>(k, "watches", inode)!.watches.filter(
    (one) => one.instance !== instance || one.wd !== wd,
  );
  setInodeEntry<Watches>(k, "watches", inode, left.length === 0 ? undefined : { watches: left });
  if (k.objectOf<Inotify>(instance) === undefined) return;
  const { watches } = k.objectOf<Inotify>(instance);
  k.changeObject<Inotify>(instance, { watches: watches.filter((one) => one.wd !== wd) });
  put(k, instance, { wd, mask: IN.IGNORED, cookie: 0, name: "" });
}

/** Tells those who watch an inode; `name` is of the entry in it that the event is about. */
export function notify(k: Work, inode: InodeName, mask: number, name = "", cookie = 0): void {
  if (isEmptyTable(k, "watches")) return;
  for (const watch of inodeEntry<Watches>(k, "watches", inode)?.watches ?? []) {
    if ((watch.mask & mask & IN.ALL_EVENTS) === 0) continue;
    put(k, watch.instance, { wd: watch.wd, mask: mask >>> 0, cookie, name });
    if ((watch.mask & IN.ONESHOT) !== 0) dropWatch(k, inode, watch);
  }
}

const directoryFlag = (k: Work, inode: InodeName): number => (isDirectory(attributesOf(k, inode)) ? IN.ISDIR : 0);

/** Something happened to what a name leads to: its directory and itself are told. */
export function notifyAt(k: Work, location: Location | undefined, mask: number): void {
  if (isEmptyTable(k, "watches") || location === undefined || k.state.mounts.get(location.mount) === undefined) return;
  const inode = inodeAt(k, location);
  try {
    const all = mask | directoryFlag(k, inode);
    const { fileSystem, ino } = inode;
    const isRoot = mountOf(k, location).root === ino;
    if (!isRoot && location.name !== "") notify(k, { fileSystem, ino: location.parent }, all, location.name);
    notify(k, inode, all);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
  }
}

/** An inode may be gone: who watched it is told. */
export function notifyIfGone(k: Work, inode: InodeName): void {
  if (isEmptyTable(k, "watches") || inodeEntry(k, "watches", inode) === undefined) return;
  try {
    attributesOf(k, inode);
  } catch (thrown) {
    if (!(thrown instanceof Errno)) throw thrown;
    notify(k, inode, IN.DELETE_SELF);
    for (const watch of inodeEntry<Watches>(k, "watches", inode)?.watches ?? []) dropWatch(k, inode, watch);
  }
}
