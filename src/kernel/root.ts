/**
 * The root that a kernel starts with, as records: inodes, and the bytes of files as pages of a store. Both are made outside of the
 * machine, as an initramfs is unpacked before there is a program.
 */

import type { Disk } from "../hardware/disk.js";
import { VirtlabError } from "../state/error.js";
import { PAGE_SIZE, Page } from "../state/pages.js";
import { PersistentMap } from "../state/persistent-map.js";
import { storedPage } from "./fs/content.js";
import { deviceNumber } from "./fs/devices.js";
import { find, noEntries, withEntry } from "./fs/directory.js";
import { S, typeOfMode } from "./fs/types.js";
import { bytesOf } from "./mm/user-memory.js";
import type { FileSystem, Inode } from "./state.js";

/** A file of a root. */
export interface RootEntry {
  /** Without a slash at the start; "" is the root itself. */
  readonly path: string;
  /** Type and permissions, as stat(2) has them. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Content of a file. */
  readonly data?: Uint8Array;
  /** Of a symbolic link; of a hard link, the path it is another name of. */
  readonly target?: string;
  readonly hardLink?: boolean;
  readonly device?: readonly [major: number, minor: number];
}

const ROOT = 1;

/** Bytes as whole pages of a store. */
class Store {
  readonly #numbers: number[] = [];
  readonly #pages: Page[] = [];
  #next = 0;

  /** Gives the pages of a file. Those of zeros are none. */
  add(bytes: Uint8Array): PersistentMap<number> {
    const indexes: number[] = [];
    const entries: number[] = [];
    for (let at = 0; at < bytes.length; at += PAGE_SIZE) {
      const part = bytes.subarray(at, at + PAGE_SIZE);
      if (part.every((byte) => byte === 0)) continue;
      const whole = new Uint8Array(PAGE_SIZE);
      whole.set(part);
      indexes.push(at / PAGE_SIZE);
      entries.push(storedPage(this.#next));
      this.#numbers.push(this.#next++);
      this.#pages.push(Page.copyFrom(whole));
    }
    return PersistentMap.empty<number>().setAll(indexes, entries);
  }

  get disk(): Disk {
    const pages = PersistentMap.empty<Page>().setAll(this.#numbers, this.#pages);
    return { size: Math.max(1, this.#next) * PAGE_SIZE, readOnly: true, pages };
  }
}

/** A file system with these files, and the store that has their bytes. Folders that are missing are made. */
export function rootOf(entries: readonly RootEntry[]): {
  readonly root: Pick<FileSystem, "inodes" | "nextIno" | "root">;
  readonly store: Disk;
} {
  const store = new Store();
  const inodes = new Map<number, Inode>();
  let nextIno = ROOT;
  const add = (inode: Pick<Inode, "mode"> & Partial<Inode>): number => {
    const ino = nextIno++;
    const links = typeOfMode(inode.mode) === S.IFDIR ? 2 : 1;
    const times = { accessed: 0, modified: 0, changed: 0 };
    inodes.set(ino, { ...{ uid: 0, gid: 0, links, size: 0, device: 0, opened: 0 }, ...times, ...inode });
    return ino;
  };
  const addDirectory = (mode: number, parent: number, owner: Partial<Inode> = {}): number =>
    add({ mode: S.IFDIR | (mode & 0o7777), size: 40, parent, entries: noEntries, count: 0, ...owner });
  const enter = (parent: number, name: string, ino: number): void => {
    const around = inodes.get(parent)!;
    const cookie = around.count! + 1;
    const entries = withEntry(around.entries!, { name, ino, cookie });
    inodes.set(parent, { ...around, entries, count: cookie, size: around.size + 20 });
    const child = inodes.get(ino)!;
    if (typeOfMode(child.mode) === S.IFDIR)
      inodes.set(parent, { ...inodes.get(parent)!, links: inodes.get(parent)!.links + 1 });
  };
  addDirectory(0o755, ROOT);
  const lookUp = (path: string, makes: boolean): number | undefined => {
    let at = ROOT;
    for (const part of path.split("/").filter((one) => one !== "" && one !== ".")) {
      const found = find(inodes.get(at)!.entries ?? noEntries, part);
      if (found === undefined) {
        if (!makes) return undefined;
        const made = addDirectory(0o755, at);
        enter(at, part, made);
        at = made;
      } else at = found.ino;
      if (makes && inodes.get(at)!.entries === undefined) throw new VirtlabError(`root: ${path} is no folder`);
    }
    return at;
  };
  for (const entry of entries) {
    const parts = entry.path.split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes("..")) throw new VirtlabError(`root: ${entry.path} leads out of it`);
    const name = parts.pop();
    const owner = { uid: entry.uid ?? 0, gid: entry.gid ?? 0 };
    if (name === undefined) {
      inodes.set(ROOT, { ...inodes.get(ROOT)!, mode: S.IFDIR | (entry.mode & 0o7777), ...owner });
      continue;
    }
    const parent = lookUp(parts.join("/"), true)!;
    const known = find(inodes.get(parent)!.entries!, name)?.ino;
    if (typeOfMode(entry.mode) === S.IFDIR) {
      if (known === undefined) enter(parent, name, addDirectory(entry.mode, parent, owner));
      else inodes.set(known, { ...inodes.get(known)!, mode: entry.mode, ...owner });
      continue;
    }
    enter(parent, name, inodeFor(entry, owner));
  }

  function inodeFor(entry: RootEntry, owner: Pick<Inode, "uid" | "gid">): number {
    const { mode, data = new Uint8Array(0), target = "", device, hardLink } = entry;
    if (hardLink === true) {
      const ino = lookUp(target, false);
      if (ino === undefined) throw new VirtlabError(`root: ${entry.path} is a link to ${target}, which is not there`);
      inodes.set(ino, { ...inodes.get(ino)!, links: inodes.get(ino)!.links + 1 });
      return ino;
    }
    if (typeOfMode(mode) === S.IFREG) return add({ mode, ...owner, size: data.length, pages: store.add(data) });
    // Names and targets are bytes as characters below 256.
    if (typeOfMode(mode) === S.IFLNK) return add({ mode, ...owner, size: bytesOf(target).length, target });
    return add({ mode, ...owner, ...(device === undefined ? {} : { device: deviceNumber(...device) }) });
  }

  const numbers = [...inodes.keys()];
  const table = PersistentMap.empty<Inode>().setAll(
    numbers,
    numbers.map((ino) => Object.freeze(inodes.get(ino)!)),
  );
  return { root: { inodes: table, nextIno, root: ROOT }, store: store.disk };
}
