/** The file system of pseudoterminals: a multiplexer that makes them, and a device file for each. Spec: Linux, Documentation/filesystems/devpts.rst; pts(4). */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import type { DirectoryEntry, FileSystem, Inode, Location, OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { defineDevice, deviceNumber } from "./devices.js";
import { defineFileSystem, typeOf } from "./file-systems.js";
import { fileSystemOf, resolve } from "./path.js";
import { newPseudoTerminal, setOnClose } from "./tty/master.js";
import { openTerminal } from "./tty/slave.js";
import { type Attributes, type FileSystemType, isDirectory, S } from "./types.js";

const MAGIC = 0x1cd1;
const [ROOT, PTMX, FIRST] = [1, 2, 3];
const SLAVE_MAJOR = 136;
/** Spec: Linux, /proc/sys/kernel/pty/max. */
const MOST = 4096;

interface Options {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly mode: number;
  readonly ptmxMode: number;
  readonly max: number;
}

const DEFAULT: Options = { uid: undefined, gid: undefined, mode: 0o600, ptmxMode: 0, max: MOST };

/** Throws EINVAL. */
function parsed(text: string): Options {
  let options = DEFAULT;
  const number = (value: string, pattern: RegExp, base: number): number => {
    if (!pattern.test(value)) throw E.EINVAL;
    return Number.parseInt(value, base);
  };
  for (const option of text.split(",").filter((one) => one !== "")) {
    const [name, value = ""] = option.split("=");
    const decimal = () => number(value, /^\d+$/, 10);
    const octal = () => number(value, /^[0-7]+$/, 8) & 0o777;
    if (name === "uid") options = { ...options, uid: decimal() };
    else if (name === "gid") options = { ...options, gid: decimal() };
    else if (name === "mode") options = { ...options, mode: octal() };
    else if (name === "ptmxmode") options = { ...options, ptmxMode: octal() };
    else if (name === "max") options = { ...options, max: decimal() };
    else if (name !== "newinstance") throw E.EINVAL;
  }
  return options;
}

const optionsOf = ({ data }: FileSystem): Options => (data as { readonly options: Options }).options;

const inode = (k: Work, what: Pick<Inode, "mode"> & Partial<Inode>): Inode => ({
  ...{ uid: 0, gid: 0, links: 1, size: 0, device: 0, opened: 0 },
  ...{ accessed: k.now, modified: k.now, changed: k.now },
  ...what,
});

function inodeOf(fs: FileSystem, ino: number): Inode {
  const found = fs.inodes.get(ino);
  if (found === undefined) throw E.ESTALE;
  return found;
}

const nameOf = (ino: number): string => (ino === PTMX ? "ptmx" : String(ino - FIRST));

/** The pseudoterminal with a number. */
function terminalAt(k: Work, fs: FileSystem, ino: number): number {
  const { object } = inodeOf(fs, ino);
  if (object === undefined || k.state.objects.get(object) === undefined) throw E.EIO;
  return object;
}

/** Opens a multiplexer: a new pseudoterminal, with a device file in the file system. Throws ENOSPC. */
function openMultiplexer(k: Work, id: number, mount: number): Pick<OpenFile, "kind" | "object" | "data"> {
  const fs = k.fileSystemOf(id);
  const { uid, gid, mode, max } = optionsOf(fs);
  let index = 0;
  while (fs.inodes.get(FIRST + index) !== undefined) index++;
  if (index >= max) throw E.ENOSPC;
  const ino = FIRST + index;
  const place: Location = { mount, ino, parent: ROOT, name: String(index) };
  const object = newPseudoTerminal(k, id, index, place);
  const { fsuid, fsgid } = k.task.credentials;
  const device = deviceNumber(SLAVE_MAJOR, index);
  const slave = inode(k, { mode: S.IFCHR | mode, uid: uid ?? fsuid, gid: gid ?? fsgid, device, object });
  k.setFileSystem(id, { inodes: k.fileSystemOf(id).inodes.set(ino, slave) });
  return { kind: "pty-master", object, data: undefined };
}

setOnClose((k, id, index) => {
  const fs = k.state.fileSystems.get(id);
  if (fs !== undefined) k.setFileSystem(id, { inodes: fs.inodes.set(FIRST + index, undefined) });
});

/** Some mount of the file system, for names that lead there. */
const mountOf = (k: Work, id: number): number => {
  for (const [mount, { fileSystem }] of k.state.mounts.entries()) if (fileSystem === id) return mount;
  return 0;
};

const devpts: FileSystemType = {
  name: "devpts",
  withoutDevice: true,

  mount(k, _id, _source, text) {
    const options = parsed(text);
    const root = inode(k, { mode: S.IFDIR | 0o755, links: 2 });
    const ptmx = inode(k, { mode: S.IFCHR | options.ptmxMode, device: deviceNumber(5, 2) });
    return {
      root: ROOT,
      options: `mode=${options.mode.toString(8)},ptmxmode=${options.ptmxMode.toString(8).padStart(3, "0")}`,
      readOnly: false,
      inodes: PersistentMap.empty<Inode>().set(ROOT, root).set(PTMX, ptmx),
      nextIno: FIRST,
      data: { options },
    };
  },

  attributes: (_k, fs, ino) => inodeOf(fs, ino),

  lookup(_k, fs, directory, name) {
    if (directory !== ROOT) throw E.ENOTDIR;
    if (name === "ptmx") return PTMX;
    const ino = /^(0|[1-9]\d{0,5})$/.test(name) ? FIRST + Number(name) : 0;
    return fs.inodes.get(ino) === undefined || ino < FIRST ? undefined : ino;
  },

  list(_k, fs, directory) {
    if (directory !== ROOT) throw E.ENOTDIR;
    const found: DirectoryEntry[] = [];
    for (const [ino, one] of fs.inodes.entries())
      if (!isDirectory(one)) found.push({ name: nameOf(ino), ino, cookie: ino });
    return found.sort((a, b) => a.cookie - b.cookie);
  },

  parent: () => ROOT,

  setAttributes(k, fs, ino, change: Partial<Attributes>) {
    k.setFileSystem(fs.id, { inodes: fs.inodes.set(ino, { ...inodeOf(fs, ino), changed: k.now, ...change }) });
  },

  open(k, fs, ino, flags) {
    if (ino === ROOT) return undefined;
    if (ino === PTMX) return openMultiplexer(k, fs.id, mountOf(k, fs.id));
    return openTerminal(k, terminalAt(k, fs, ino), flags, true);
  },

  figures: () => ({ magic: MAGIC, blockSize: 4096, blocks: 0, free: 0, files: 0, freeFiles: 0 }),
};
defineFileSystem(devpts);

/** /dev/ptmx stands for the multiplexer of the file system that is mounted beside it at "pts". Throws ENODEV. */
defineDevice({
  name: "ptmx",
  type: "character",
  major: 5,
  minor: 2,
  open(k, _flags, location) {
    const parent = { mount: location.mount, ino: location.parent, parent: location.parent, name: "" };
    const found = resolve(k, "pts", { from: parent }).location;
    if (found === undefined || typeOf(fileSystemOf(k, found)) !== devpts) throw E.ENODEV;
    return openMultiplexer(k, fileSystemOf(k, found).id, found.mount);
  },
});
