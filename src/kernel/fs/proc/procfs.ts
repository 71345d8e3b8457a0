/**
 * The type "proc": a directory for each process of a PID namespace, one for each of its threads, and files about the system. Inode numbers
 * say what a file is of, so that nothing has to be remembered. Spec: proc(5).
 */
import { PersistentMap } from "../../../state/persistent-map.js";
import { E } from "../../errno.js";
import type { DirectoryEntry, FileSystem, Location } from "../../state.js";
import type { Work } from "../../work.js";
import { defineFileSystem } from "../file-systems.js";
import { type GeneratedNode, generatedAttributes, nodeAttributes, slice, treeFrom, written } from "../generated.js";
import { O } from "../kinds.js";
import { type Attributes, S } from "../types.js";
import {
  type ItemEntry,
  namespaceShown,
  type ProcData,
  type ProcessEntry,
  processEntries,
  procFiles,
} from "./entries.js";
import {
  numberIn,
  outsideOf,
  processSubject,
  requireInspection,
  type Subject,
  threadSubject,
  threadsOf,
} from "./subjects.js";

const MAGIC = 0x9fa0;
const ROOT = 1;

// ---- inode numbers ------------------------------------------------------------------------------------------------

/** What an inode number above those of the system's files says. */
interface Numbered {
  readonly id: number;
  readonly isThread: boolean;
  /** 0: the directory itself; otherwise one more than the place of the entry in its table. */
  readonly row: number;
  /** 0: the entry itself; otherwise one more than the number of what is in it. */
  readonly item: number;
  /** Not the link itself, but what it leads to where that has no other place. */
  readonly target?: boolean;
}
const TARGET = 2 ** 18;
const ITEM = 2 ** 19;
const THREAD = 2 ** 27;
const ID = 2 ** 28;

const numberOf = ({ id, isThread, row, item, target = false }: Numbered): number =>
  id * ID + (isThread ? THREAD : 0) + row * ITEM + item + (target ? TARGET : 0);
const numbered = (ino: number): Numbered => ({
  id: Math.floor(ino / ID),
  isThread: Math.floor(ino / THREAD) % 2 === 1,
  row: Math.floor(ino / ITEM) % 256,
  item: ino % TARGET,
  target: Math.floor(ino / TARGET) % 2 === 1,
});
const directoryOf = (id: number, isThread: boolean): number => numberOf({ id, isThread, row: 0, item: 0 });

let nodes: ReadonlyMap<number, GeneratedNode> | undefined;
const system = (): ReadonlyMap<number, GeneratedNode> => {
  nodes ??= treeFrom(procFiles());
  return nodes;
};

// ---- what a number is of ------------------------------------------------------------------------------------------

function subjectOf(k: Work, fs: FileSystem, { id, isThread }: Numbered): Subject | undefined {
  return (isThread ? threadSubject : processSubject)(k, namespaceShown(fs), id);
}

/** The process or thread. Throws what the caller says where it is gone. */
function requireSubject(k: Work, fs: FileSystem, where: Numbered, gone = E.ESRCH): Subject {
  const subject = subjectOf(k, fs, where);
  if (subject === undefined) throw gone;
  return subject;
}

const rowOf = ({ row }: Numbered): ProcessEntry => {
  const entry = processEntries()[row - 1];
  if (entry === undefined) throw E.ENOENT;
  return entry;
};

const isFor = ({ only }: ProcessEntry, isThread: boolean): boolean =>
  only === undefined || (only === "thread") === isThread;

const entryMode = ({ mode, link, list, write, name }: ProcessEntry): number => {
  if (link !== undefined) return S.IFLNK | (mode ?? 0o777);
  if (list !== undefined || name === "task") return S.IFDIR | (mode ?? 0o555);
  return S.IFREG | (mode ?? (write === undefined ? 0o444 : 0o644));
};

function attributes(k: Work, fs: FileSystem, ino: number): Attributes {
  if (ino < ID) {
    const found = nodeAttributes(system(), ino);
    return ino === ROOT ? { ...found, links: found.links + processes(k, fs).length } : found;
  }
  const where = numbered(ino);
  const subject = requireSubject(k, fs, where, E.ENOENT);
  const { euid, egid } = subject.task.credentials;
  const at = subject.task.startedAt;
  if (where.row === 0) {
    const links = where.isThread ? 7 : 9;
    return generatedAttributes(S.IFDIR | 0o555, { uid: euid, gid: egid, links, at });
  }
  const row = rowOf(where);
  const mode = where.item === 0 ? entryMode(row) : itemMode(k, row, subject, where);
  const owner = subject.process.dumpable ? { uid: euid, gid: egid } : {};
  const isDir = mode >>> 12 === 4;
  const size = mode >>> 12 === 10 ? 64 : 0;
  return generatedAttributes(mode, { ...owner, at, size: where.item === 0 ? 0 : size, links: isDir ? 2 : 1 });
}

function itemOf(k: Work, { item }: ProcessEntry, subject: Subject, where: Numbered): ItemEntry {
  if (item === undefined || !item.has(k, subject, where.item - 1)) throw E.ENOENT;
  return item;
}

function itemMode(k: Work, row: ProcessEntry, subject: Subject, where: Numbered): number {
  const { mode, nameless } = itemOf(k, row, subject, where);
  return (where.target === true ? nameless!.mode : mode)(k, subject, where.item - 1);
}

// ---- directories --------------------------------------------------------------------------------------------------

const processes = (k: Work, fs: FileSystem): readonly (readonly [id: number, number: number])[] => {
  const namespace = namespaceShown(fs);
  const found: (readonly [number, number])[] = [];
  for (const [id] of k.state.processes.entries()) {
    const number = numberIn(k, namespace, id);
    if (number !== 0) found.push([id, number]);
  }
  return found.sort((a, b) => a[1] - b[1]);
};

/** Positions of processes come behind those of all files. */
const FIRST_PROCESS = 256;
const NUMBER = /^(0|[1-9][0-9]{0,8})$/;

function lookup(k: Work, fs: FileSystem, directory: number, name: string): number | undefined {
  if (directory < ID) {
    const found = system()
      .get(directory)
      ?.entries.find((entry) => entry.name === name)?.ino;
    if (found !== undefined || directory !== ROOT || !NUMBER.test(name)) return found;
    const id = outsideOf(k, namespaceShown(fs), Number(name));
    const exists = id !== 0 && processSubject(k, namespaceShown(fs), id) !== undefined;
    return exists ? directoryOf(id, false) : undefined;
  }
  const where = numbered(directory);
  const subject = requireSubject(k, fs, where, E.ENOENT);
  if (where.row === 0) {
    const at = processEntries().findIndex((entry) => entry.name === name && isFor(entry, where.isThread));
    return at < 0 ? undefined : numberOf({ ...where, row: at + 1 });
  }
  const row = rowOf(where);
  if (row.name === "task") {
    const id = NUMBER.test(name) ? outsideOf(k, namespaceShown(fs), Number(name)) : 0;
    return threadsOf(subject).includes(id) ? directoryOf(id, true) : undefined;
  }
  const number = row.list?.(k, subject).find((item) => item.name === name)?.number;
  return number === undefined ? undefined : numberOf({ ...where, item: number + 1 });
}

function list(k: Work, fs: FileSystem, directory: number): readonly DirectoryEntry[] {
  if (directory < ID) {
    const entries = system().get(directory)?.entries ?? [];
    if (directory !== ROOT) return entries;
    const rest = processes(k, fs).map(([id, number]) => ({
      name: `${number}`,
      ino: directoryOf(id, false),
      cookie: FIRST_PROCESS + number,
    }));
    return [...entries, ...rest];
  }
  const where = numbered(directory);
  const subject = requireSubject(k, fs, where, E.ENOENT);
  if (where.row === 0)
    return processEntries().flatMap((entry, index) =>
      isFor(entry, where.isThread)
        ? [{ name: entry.name, ino: numberOf({ ...where, row: index + 1 }), cookie: index + 1 }]
        : [],
    );
  const row = rowOf(where);
  if (row.name === "task")
    return threadsOf(subject).map((id) => {
      const number = numberIn(k, namespaceShown(fs), id);
      return { name: `${number}`, ino: directoryOf(id, true), cookie: number + 1 };
    });
  return (row.list?.(k, subject) ?? []).map(({ name, number }) => ({
    name,
    ino: numberOf({ ...where, item: number + 1 }),
    cookie: number + 1,
  }));
}

function parent(k: Work, fs: FileSystem, directory: number): number {
  if (directory < ID) return system().get(directory)?.parent ?? ROOT;
  const where = numbered(directory);
  if (where.item !== 0) return numberOf({ ...where, item: 0 });
  if (where.row !== 0) return directoryOf(where.id, where.isThread);
  if (!where.isThread) return ROOT;
  const { process } = requireSubject(k, fs, where, E.ENOENT);
  const task = processEntries().findIndex(({ name }) => name === "task") + 1;
  return numberOf({ id: process.pid, isThread: false, row: task, item: 0 });
}

// ---- files --------------------------------------------------------------------------------------------------------

/** The whole text of a file as it is now. Throws ESRCH, EINVAL, ENOENT. */
function textOf(k: Work, fs: FileSystem, ino: number): string {
  if (ino < ID) {
    const { read } = system().get(ino)?.file ?? {};
    if (read === undefined) throw E.EINVAL;
    return read(k, fs);
  }
  const where = numbered(ino);
  const subject = requireSubject(k, fs, where);
  const row = rowOf(where);
  const text =
    where.item === 0 ? row.read?.(k, subject) : itemOf(k, row, subject, where).read?.(k, subject, where.item - 1);
  if (text === undefined) throw E.EINVAL;
  return text;
}

function write(k: Work, fs: FileSystem, ino: number, _offset: number, bytes: Uint8Array): number {
  const text = written(bytes);
  if (ino < ID) {
    const put = system().get(ino)?.file?.write;
    if (put === undefined) throw E.EIO;
    put(k, text);
  } else {
    const where = numbered(ino);
    const put = where.item === 0 ? rowOf(where).write : undefined;
    if (put === undefined) throw E.EIO;
    put(k, requireSubject(k, fs, where), text);
  }
  return bytes.length;
}

function open(k: Work, fs: FileSystem, ino: number, flags: number) {
  const generated = { kind: "generated", object: 0, data: undefined };
  if (ino < ID) {
    const node = system().get(ino)!;
    if (node.mode >>> 12 === 4) return undefined;
    const writes = (flags & O.ACCMODE) !== O.RDONLY;
    if (writes && (node.mode & 0o222) === 0 && node.file!.path.startsWith("sys/")) throw E.EACCES;
    return generated;
  }
  const where = numbered(ino);
  const subject = requireSubject(k, fs, where, E.ENOENT);
  if (where.row === 0) return undefined;
  const row = rowOf(where);
  if (where.item === 0 && entryMode(row) >>> 12 === 4) return undefined;
  if (row.inspects === true) requireInspection(k, subject);
  if (where.target === true) return itemOf(k, row, subject, where).nameless!.open(k, subject, where.item - 1, flags);
  return where.item === 0 && row.open !== undefined ? row.open(k, subject) : generated;
}

/** The two sides of a link: what it says, and where it leads. */
function linked<T>(
  k: Work,
  fs: FileSystem,
  ino: number,
  ofRow: (row: ProcessEntry, subject: Subject) => T,
  ofItem: (item: ItemEntry, subject: Subject, number: number) => T,
): T {
  const where = numbered(ino);
  const subject = requireSubject(k, fs, where, E.ENOENT);
  const row = rowOf(where);
  if (row.inspects === true) requireInspection(k, subject);
  return where.item === 0 ? ofRow(row, subject) : ofItem(itemOf(k, row, subject, where), subject, where.item - 1);
}

defineFileSystem({
  name: "proc",
  withoutDevice: true,
  forNamespaces: true,

  mount(k, _id, _source, options) {
    if (options !== "") throw E.EINVAL;
    const data: ProcData = { namespace: k.namespaces.pid };
    return { root: ROOT, options, readOnly: false, inodes: PersistentMap.empty(), nextIno: 0, data };
  },

  unmount() {
    // Nothing is remembered.
  },

  attributes,
  lookup,
  list,
  parent,
  open,
  write,

  // A name that there is not cannot be looked up, not even to be made.
  create() {
    throw E.ENOENT;
  },
  rename() {
    throw E.ENOENT;
  },

  readLink(k, fs, ino) {
    if (ino < ID) return system().get(ino)!.file!.target!(k, fs);
    return linked(
      k,
      fs,
      ino,
      (row, subject) => row.link!(k, subject),
      (item, subject, number) => item.link!(k, subject, number),
    );
  },

  follow(k, fs, ino, mount): Location | undefined {
    if (ino < ID) return undefined;
    const to = numberOf({ ...numbered(ino), target: true });
    return linked(
      k,
      fs,
      ino,
      (row, subject) => row.follow?.(k, subject),
      (item, subject, number) =>
        item.follow?.(k, subject, number) ??
        (item.nameless === undefined ? undefined : { mount, ino: to, parent: to, name: "" }),
    );
  },

  read: (k, fs, ino, offset, length) => slice(textOf(k, fs, ino), offset, length),

  figures: () => ({ magic: MAGIC, blockSize: 4096, blocks: 0, free: 0, files: 0, freeFiles: 0 }),
});
