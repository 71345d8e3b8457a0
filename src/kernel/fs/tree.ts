/**
 * File systems whose inodes are records of the kernel and whose files are pages in memory: tmpfs, and the types that are one with other
 * names. Spec: tmpfs(5).
 */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import { freeFrames, PAGE } from "../mm/frames.js";
import type { FileSystem, Inode } from "../state.js";
import type { Work } from "../work.js";
import { countPages, extentIn, punchPages, readPages, residentPage, resizePages, writePages } from "./content.js";
import { find, listed, noEntries, withEntry, withoutEntry } from "./directory.js";
import { type Attributes, type FileSystemType, isDirectory, isRegular, type NewInode, S, typeOfMode } from "./types.js";

const ROOT = 1;
/** What the size of a directory grows by with each name. Spec: Linux, mm/shmem.c, BOGO_DIRENT_SIZE. */
const ENTRY_SIZE = 20;
const TMPFS_MAGIC = 0x0102_1994;

const inodeOf = (fs: FileSystem, ino: number): Inode => {
  const inode = fs.inodes.get(ino);
  if (inode === undefined) throw E.ESTALE;
  return inode;
};

/** Replaces parts of an inode of the file system as it is now. */
function change(k: Work, { id }: FileSystem, ino: number, parts: Partial<Inode>): void {
  const { inodes } = k.fileSystemOf(id);
  k.setFileSystem(id, { inodes: inodes.set(ino, { ...inodes.get(ino)!, ...parts }) });
}

const touched = (k: Work): Pick<Inode, "modified" | "changed"> => ({ modified: k.now, changed: k.now });

/** A directory with its entries changed. */
function setEntries(k: Work, fs: FileSystem, directory: number, parts: Partial<Inode>): void {
  change(k, fs, directory, { ...parts, ...touched(k) });
}

export function newInode(k: Work, what: NewInode, parent: number): Inode {
  const { mode, uid, gid, device = 0, target } = what;
  const type = typeOfMode(mode);
  return Object.freeze({
    mode,
    uid,
    gid,
    links: type === S.IFDIR ? 2 : 1,
    size: type === S.IFDIR ? 2 * ENTRY_SIZE : (target?.length ?? 0),
    ...{ accessed: k.now, modified: k.now, changed: k.now },
    device,
    opened: 0,
    ...(type === S.IFREG ? { pages: PersistentMap.empty<number>() } : {}),
    ...(type === S.IFDIR ? { parent, entries: noEntries, count: 0 } : {}),
    ...(target === undefined ? {} : { target }),
  });
}

function enter(k: Work, fs: FileSystem, directory: number, name: string, ino: number): void {
  const inode = inodeOf(k.fileSystemOf(fs.id), directory);
  const cookie = (inode.count ?? 0) + 1;
  const entries = withEntry(inode.entries!, { name, ino, cookie });
  setEntries(k, fs, directory, { entries, count: cookie, size: inode.size + ENTRY_SIZE });
}

function leave(k: Work, fs: FileSystem, directory: number, name: string): void {
  const { entries, size } = inodeOf(k.fileSystemOf(fs.id), directory);
  setEntries(k, fs, directory, { entries: withoutEntry(entries!, name), size: size - ENTRY_SIZE });
}

/** A link less; without links and users the inode goes. */
function unlinked(k: Work, fs: FileSystem, ino: number, by = 1): void {
  const inode = inodeOf(k.fileSystemOf(fs.id), ino);
  change(k, fs, ino, { links: inode.links - by, changed: k.now });
  reap(k, fs, ino);
}

function reap(k: Work, { id }: FileSystem, ino: number): void {
  const { inodes } = k.fileSystemOf(id);
  const inode = inodes.get(ino);
  if (inode === undefined || inode.links > 0 || inode.opened > 0 || ino === ROOT) return;
  if (inode.pages !== undefined) resizePages(k, inode.pages, 0);
  k.setFileSystem(id, { inodes: k.fileSystemOf(id).inodes.set(ino, undefined) });
}

const directoryOf = (fs: FileSystem, ino: number): Inode => {
  const inode = inodeOf(fs, ino);
  if (!isDirectory(inode)) throw E.ENOTDIR;
  return inode;
};

const linksOf = (k: Work, fs: FileSystem, ino: number): number => inodeOf(k.fileSystemOf(fs.id), ino).links;

/** Options of tmpfs that say something of its root. Throws EINVAL for others. */
function rootMode(options: string): Pick<Inode, "mode" | "uid" | "gid"> {
  let [mode, uid, gid] = [0o1777, 0, 0];
  for (const option of options.split(",").filter((one) => one !== "")) {
    const [name, value = ""] = option.split("=");
    if (name === "mode") mode = Number.parseInt(value, 8);
    else if (name === "uid") uid = Number(value);
    else if (name === "gid") gid = Number(value);
    else if (!["size", "nr_inodes", "nr_blocks", "huge", "inode32", "inode64"].includes(name!)) throw E.EINVAL;
  }
  if ([mode, uid, gid].some((number) => !Number.isSafeInteger(number))) throw E.EINVAL;
  return { mode: S.IFDIR | (mode & 0o7777), uid, gid };
}

const operations = {
  withoutDevice: true,

  mount(k, _id, _source, options) {
    const root = newInode(k, rootMode(options), ROOT);
    return {
      root: ROOT,
      options,
      readOnly: false,
      inodes: PersistentMap.empty<Inode>().set(ROOT, root),
      nextIno: ROOT + 1,
    };
  },

  attributes: (_k, fs, ino) => inodeOf(fs, ino),

  lookup: (_k, fs, directory, name) => find(directoryOf(fs, directory).entries!, name)?.ino,

  list: (_k, fs, directory) => listed(directoryOf(fs, directory).entries!),

  parent: (_k, fs, directory) => directoryOf(fs, directory).parent!,

  create(k, fs, directory, name, what) {
    const ino = fs.nextIno;
    const inode = newInode(k, what, directory);
    k.setFileSystem(fs.id, { inodes: fs.inodes.set(ino, inode), nextIno: ino + 1 });
    enter(k, fs, directory, name, ino);
    if (isDirectory(inode)) change(k, fs, directory, { links: linksOf(k, fs, directory) + 1 });
    return ino;
  },

  createNameless(k, fs, what) {
    const ino = fs.nextIno;
    const inode = { ...newInode(k, what, ROOT), links: 0 };
    k.setFileSystem(fs.id, { inodes: fs.inodes.set(ino, inode), nextIno: ino + 1 });
    return ino;
  },

  link(k, fs, directory, name, ino) {
    change(k, fs, ino, { links: linksOf(k, fs, ino) + 1, changed: k.now });
    enter(k, fs, directory, name, ino);
  },

  unlink(k, fs, directory, name) {
    const { ino } = find(directoryOf(fs, directory).entries!, name)!;
    leave(k, fs, directory, name);
    unlinked(k, fs, ino);
  },

  removeDirectory(k, fs, directory, name) {
    const { ino } = find(directoryOf(fs, directory).entries!, name)!;
    leave(k, fs, directory, name);
    change(k, fs, directory, { links: linksOf(k, fs, directory) - 1 });
    unlinked(k, fs, ino, 2);
  },

  rename(k, fs, from, to, exchange) {
    const { ino } = find(directoryOf(fs, from.directory).entries!, from.name)!;
    const other = find(directoryOf(fs, to.directory).entries!, to.name)?.ino;
    leave(k, fs, from.directory, from.name);
    if (other !== undefined) leave(k, fs, to.directory, to.name);
    enter(k, fs, to.directory, to.name, ino);
    move(k, fs, ino, from.directory, to.directory);
    if (other === undefined) return;
    if (exchange) {
      enter(k, fs, from.directory, from.name, other);
      move(k, fs, other, to.directory, from.directory);
    } else if (isDirectory(inodeOf(k.fileSystemOf(fs.id), other))) {
      change(k, fs, to.directory, { links: linksOf(k, fs, to.directory) - 1 });
      unlinked(k, fs, other, 2);
    } else unlinked(k, fs, other);
  },

  setAttributes(k, fs, ino, parts) {
    change(k, fs, ino, { changed: k.now, ...parts });
  },

  readLink: (_k, fs, ino) => inodeOf(fs, ino).target!,

  read(k, fs, ino, offset, length) {
    const { pages, size } = inodeOf(fs, ino);
    return readPages(k, pages!, offset, Math.max(0, Math.min(length, size - offset)));
  },

  write(k, fs, ino, offset, bytes) {
    const inode = inodeOf(fs, ino);
    const { pages, written } = writePages(k, inode.pages!, offset, bytes);
    const size = Math.max(inode.size, offset + written);
    change(k, fs, ino, { pages, size, ...touched(k) });
    return written;
  },

  resize(k, fs, ino, size) {
    const inode = inodeOf(fs, ino);
    const pages = size < inode.size ? resizePages(k, inode.pages!, size) : inode.pages!;
    change(k, fs, ino, { pages, size, ...touched(k) });
  },

  punch(k, fs, ino, start, end) {
    change(k, fs, ino, { pages: punchPages(k, inodeOf(fs, ino).pages!, start, end), ...touched(k) });
  },

  extent(_k, fs, ino, from, wanted) {
    const { pages, size } = inodeOf(fs, ino);
    return extentIn(pages!, from, size, wanted);
  },

  blocks: (_k, fs, ino) => countPages(inodeOf(fs, ino).pages ?? PersistentMap.empty()) * (PAGE / 512),

  page(k, fs, ino, index) {
    const inode = inodeOf(fs, ino);
    if (!isRegular(inode) || index * PAGE >= inode.size) throw E.EFAULT;
    const { pages, frame } = residentPage(k, inode.pages!, index);
    if (pages !== inode.pages) change(k, fs, ino, { pages });
    return frame;
  },

  hold(k, fs, ino, by) {
    const inode = fs.inodes.get(ino);
    if (inode === undefined) return;
    change(k, fs, ino, { opened: inode.opened + by });
    reap(k, fs, ino);
  },

  attribute: (_k, fs, ino) => inodeOf(fs, ino).attributes ?? {},

  setAttribute(k, fs, ino, name, value) {
    const { [name]: _old, ...others } = inodeOf(fs, ino).attributes ?? {};
    change(k, fs, ino, { attributes: value === undefined ? others : { ...others, [name]: value }, changed: k.now });
  },

  figures(k, fs) {
    const blocks = Math.floor(k.state.memorySize / PAGE / 2);
    const files = Math.floor(k.state.memorySize / PAGE / 2);
    return {
      magic: TMPFS_MAGIC,
      blockSize: PAGE,
      blocks,
      free: Math.min(blocks, freeFrames(k)),
      files,
      freeFiles: Math.max(0, files - fs.nextIno),
    };
  },
} satisfies Omit<FileSystemType, "name">;

/** A directory that stands elsewhere from now on. */
function move(k: Work, fs: FileSystem, ino: number, from: number, to: number): void {
  change(k, fs, ino, { changed: k.now });
  if (from === to || !isDirectory(inodeOf(k.fileSystemOf(fs.id), ino))) return;
  change(k, fs, ino, { parent: to });
  change(k, fs, from, { links: linksOf(k, fs, from) - 1 });
  change(k, fs, to, { links: linksOf(k, fs, to) + 1 });
}

/** "rootfs" is what the machine's root is unpacked into. */
export const memoryTypes: readonly FileSystemType[] = ["rootfs", "tmpfs", "devtmpfs"].map((name) => ({
  ...operations,
  name,
}));

export type { Attributes };
