/**
 * cgroup2: a directory for each group, with the files that its controllers give it. An inode's number says which group and which file.
 * Spec: Linux, Documentation/admin-guide/cgroup-v2.rst "Mounting", "Delegation".
 */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import { defineFileSystem } from "../fs/file-systems.js";
import { defineKind, POLL } from "../fs/kinds.js";
import { type Attributes, S } from "../fs/types.js";
import { bytesOf, textOf } from "../mm/user-memory.js";
import type { DirectoryEntry, Inode } from "../state.js";
import type { Work } from "../work.js";
import type { CgroupFile } from "./files.js";
import { fileOwner } from "./moves.js";
import { type Cgroup, type CgroupNamespace, cgroupOf, changeCgroup, controllersOf, rootOf } from "./records.js";
import { cgroupFiles } from "./resources.js";
import { makeCgroup, removeCgroup } from "./tree.js";

const MAGIC = 0x6367_7270;
const FILES = 128;

const inoOf = (group: number, file = 0): number => group * FILES + file;
const groupOf = (ino: number): number => Math.floor(ino / FILES);
const fileOf = (ino: number): CgroupFile | undefined => cgroupFiles[(ino % FILES) - 1];

/** Throws ENODEV for a group that was removed. */
function liveGroup(k: Work, ino: number): Cgroup {
  const found = k.state.objects.get(groupOf(ino)) as Cgroup | undefined;
  if (found === undefined || found.removed) throw E.ENODEV;
  return found;
}

function isThere(k: Work, id: number, { controller, onRoot = false }: CgroupFile): boolean {
  if (id === rootOf(k)) return onRoot;
  return controller === undefined || controllersOf(k, id).includes(controller);
}

function attributes(k: Work, ino: number): Attributes {
  const group = k.state.objects.get(groupOf(ino)) as Cgroup | undefined;
  const file = fileOf(ino);
  const times = { accessed: 0, modified: 0, changed: 0, device: 0, size: 0 };
  if (group === undefined || group.removed) return { mode: S.IFDIR | 0o755, uid: 0, gid: 0, links: 0, ...times };
  const owner = fileOwner(group, file?.name ?? "", file?.write !== undefined);
  const mode =
    file !== undefined && file.read === undefined && group.files[file.name] === undefined
      ? S.IFREG | 0o200
      : owner.mode;
  return { ...owner, mode, links: file === undefined ? 2 + group.children.length : 1, ...times };
}

/** Files that belong to whoever makes a group. */
const DELEGATED = ["", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];

defineFileSystem({
  name: "cgroup2",
  withoutDevice: true,
  mount(k, _id, _source, options) {
    const known = new Set(["nsdelegate", "memory_recursiveprot", "memory_localevents", "favordynmods"]);
    for (const option of options.split(",")) if (option !== "" && !known.has(option)) throw E.EINVAL;
    const { root } = k.objectOf<CgroupNamespace>(k.namespaces.cgroup);
    return { root: inoOf(root), options, readOnly: false, inodes: PersistentMap.empty<Inode>(), nextIno: 1 };
  },
  attributes: (k, _fs, ino) => attributes(k, ino),
  lookup(k, _fs, directory, name) {
    const id = groupOf(directory);
    const child = liveGroup(k, directory).children.find((one) => cgroupOf(k, one).name === name);
    if (child !== undefined) return inoOf(child);
    const index = cgroupFiles.findIndex((file) => file.name === name && isThere(k, id, file));
    return index < 0 ? undefined : inoOf(id, index + 1);
  },
  list(k, _fs, directory) {
    const id = groupOf(directory);
    const entries: DirectoryEntry[] = [];
    cgroupFiles.forEach((file, index) => {
      if (isThere(k, id, file)) entries.push({ name: file.name, ino: inoOf(id, index + 1), cookie: index + 1 });
    });
    for (const child of liveGroup(k, directory).children)
      entries.push({ name: cgroupOf(k, child).name, ino: inoOf(child), cookie: child });
    return entries;
  },
  parent: (k, fs, directory) => {
    const { parent } = cgroupOf(k, groupOf(directory));
    return directory === fs.root || parent === 0 ? directory : inoOf(parent);
  },
  create(k, _fs, directory, name, { mode, uid, gid }) {
    if ((mode & S.IFMT) !== S.IFDIR) throw (mode & S.IFMT) === S.IFREG ? E.EACCES : E.EPERM;
    if (name.includes("\n")) throw E.EINVAL;
    const owners: Record<string, Cgroup["files"][string]> = {};
    for (const file of uid === 0 && gid === 0 ? [] : DELEGATED)
      owners[file] = { mode: file === "" ? mode : S.IFREG | 0o644, uid, gid };
    // All files of a new group belong to its maker.
    if (uid !== 0 || gid !== 0)
      for (const { name: file, write } of cgroupFiles)
        owners[file] = { mode: S.IFREG | (write === undefined ? 0o444 : 0o644), uid, gid };
    liveGroup(k, directory);
    return inoOf(makeCgroup(k, groupOf(directory), name, owners));
  },
  removeDirectory(k, _fs, directory, name) {
    const child = liveGroup(k, directory).children.find((one) => cgroupOf(k, one).name === name);
    if (child === undefined) throw E.ENOENT;
    removeCgroup(k, child);
  },
  setAttributes(k, _fs, ino, { mode, uid, gid }) {
    const group = liveGroup(k, ino);
    const name = fileOf(ino)?.name ?? "";
    const old = attributes(k, ino);
    const changed = { mode: mode ?? old.mode, uid: uid ?? old.uid, gid: gid ?? old.gid };
    changeCgroup(k, groupOf(ino), { files: { ...group.files, [name]: changed } });
  },
  open: (_k, _fs, ino) =>
    fileOf(ino) === undefined ? undefined : { kind: "cgroup-file", object: groupOf(ino), data: undefined },
  figures: () => ({ magic: MAGIC, blockSize: 4096, blocks: 0, free: 0, files: 0, freeFiles: 0 }),
});

/** Kernel text of one read at most. */
const MOST_WRITTEN = 4096;

defineKind({
  name: "cgroup-file",
  seekable: true,
  read(k, { inode }, length, offset) {
    liveGroup(k, inode!.ino);
    const { read } = fileOf(inode!.ino)!;
    if (read === undefined) throw E.EINVAL;
    return bytesOf(read(k, groupOf(inode!.ino))).subarray(offset, offset + length);
  },
  write(k, { inode }, bytes) {
    liveGroup(k, inode!.ino);
    const { write } = fileOf(inode!.ino)!;
    if (write === undefined || bytes.length > MOST_WRITTEN) throw E.EINVAL;
    write(k, groupOf(inode!.ino), textOf(bytes).trim());
    return bytes.length;
  },
  poll: (_k, { object }) => ({ events: POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM, on: [object] }),
});
