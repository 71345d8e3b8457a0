/** Instances of inotify(7): watches are made, and events are read. */
import { E, Wait } from "../errno.js";
import { bytesOf, joinBytes, writeWord } from "../mm/user-memory.js";
import type { InodeName, OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { newFile } from "./descriptors.js";
import { inodeEntry, setInodeEntry } from "./inode-tables.js";
import { defineKind, mayWait, O, POLL } from "./kinds.js";
import { dropWatch, IN, type Inotify, type InotifyEvent, type Watches } from "./notify.js";

export const openInotify = (k: Work, flags: number): OpenFile =>
  newFile(k, {
    kind: "inotify",
    flags: O.RDONLY | flags,
    object: k.addObject<Inotify>({ kind: "inotify", events: [], nextWatch: 1, watches: [] }),
  });

/** A watch on an inode: a new one, or another mask for the one there is. */
export function addWatch(k: Work, instance: number, inode: InodeName, mask: number): number {
  const { watches, nextWatch } = k.objectOf<Inotify>(instance);
  const there = inodeEntry<Watches>(k, "watches", inode)?.watches ?? [];
  const old = there.find((one) => one.instance === instance);
  if (old !== undefined && (mask & IN.MASK_CREATE) !== 0) throw E.EEXIST;
  const kept = mask & (IN.ALL_EVENTS | IN.ONESHOT | IN.EXCL_UNLINK);
  if (old !== undefined) {
    const changed = { ...old, mask: (mask & IN.MASK_ADD) !== 0 ? old.mask | kept : kept };
    setInodeEntry<Watches>(k, "watches", inode, { watches: there.map((one) => (one === old ? changed : one)) });
    return old.wd;
  }
  setInodeEntry<Watches>(k, "watches", inode, { watches: [...there, { instance, wd: nextWatch, mask: kept }] });
  k.changeObject<Inotify>(instance, {
    watches: [...watches, { wd: nextWatch, inode }],
    nextWatch: nextWatch + 1,
  });
  return nextWatch;
}

export function removeWatch(k: Work, instance: number, wd: number): void {
  const watch = k.objectOf<Inotify>(instance).watches.find((one) => one.wd === wd);
  if (watch === undefined) throw E.EINVAL;
  dropWatch(k, watch.inode, { instance, wd, mask: 0 });
}

/** `struct inotify_event`: its name is filled up with zeros. */
function eventBytes({ wd, mask, cookie, name }: InotifyEvent): Uint8Array {
  const length = name === "" ? 0 : Math.ceil((name.length + 1) / 16) * 16;
  const view = new DataView(new ArrayBuffer(16 + length));
  view.setInt32(0, wd, true);
  view.setUint32(4, mask, true);
  view.setUint32(8, cookie, true);
  view.setUint32(12, length, true);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(bytesOf(name), 16);
  return bytes;
}

defineKind({
  name: "inotify",
  read(k, file, length) {
    const { events } = k.objectOf<Inotify>(file.object);
    if (events.length === 0) {
      if (!mayWait(file)) throw E.EAGAIN;
      throw new Wait([file.object]);
    }
    const parts: Uint8Array[] = [];
    let size = 0;
    for (const event of events) {
      const bytes = eventBytes(event);
      if (size + bytes.length > length) break;
      parts.push(bytes);
      size += bytes.length;
    }
    if (parts.length === 0) throw E.EINVAL;
    k.changeObject<Inotify>(file.object, { events: events.slice(parts.length) });
    return joinBytes(parts);
  },
  poll: (k, { object }) => ({
    events: k.objectOf<Inotify>(object).events.length > 0 ? POLL.IN | POLL.RDNORM : 0,
    on: [object],
  }),
  control(k, { object }, request, argument) {
    const FIONREAD = 0x541b;
    if (request !== FIONREAD) throw E.ENOTTY;
    const { events } = k.objectOf<Inotify>(object);
    writeWord(
      k,
      argument,
      events.reduce((sum, event) => sum + eventBytes(event).length, 0),
    );
    return 0;
  },
  release(k, { object }) {
    for (const { inode, wd } of k.objectOf<Inotify>(object).watches)
      dropWatch(k, inode, { instance: object, wd, mask: 0 });
    k.setObject(object, undefined);
  },
  seek: () => 0,
  label: () => "anon_inode:inotify",
});
