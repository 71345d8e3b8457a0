/** Open file descriptions and the descriptors that refer to them. Spec: open(2), "Open file descriptions"; dup(2); fcntl(2). */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import type { Descriptor, DescriptorTable, OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { holdInode, releaseInode } from "./holding.js";
import { kindOf, mayWrite, O } from "./kinds.js";
import { releaseLocks } from "./locks.js";
import { IN, notifyAt, notifyIfGone } from "./notify.js";

const NOFILE = 7;

export type NewFile = Pick<OpenFile, "kind" | "flags"> &
  Partial<Pick<OpenFile, "location" | "inode" | "object" | "data" | "offset">>;

/** A new open file description that nothing refers to yet. */
export function newFile(k: Work, what: NewFile): OpenFile {
  const id = k.newId();
  const file: OpenFile = {
    offset: 0,
    location: undefined,
    inode: undefined,
    object: 0,
    ...what,
    id,
    users: 0,
    owner: 0,
  };
  if (file.inode !== undefined) holdInode(k, file.inode);
  k.set({ files: k.state.files.set(id, file) });
  return file;
}

export const holdFile = (k: Work, id: number): void => k.setFile(id, { users: k.fileOf(id).users + 1 });

/** A reference less; without any the file is closed. */
export function releaseFile(k: Work, id: number): void {
  const file = k.fileOf(id);
  if (file.users > 1) {
    k.setFile(id, { users: file.users - 1 });
    return;
  }
  kindOf(file).release?.(k, file);
  releaseLocks(k, file, { file: id });
  if (file.location !== undefined && (file.flags & O.PATH) === 0)
    notifyAt(k, file.location, mayWrite(file) ? IN.CLOSE_WRITE : IN.CLOSE_NOWRITE);
  if (file.inode !== undefined) {
    releaseInode(k, file.inode);
    notifyIfGone(k, file.inode);
  }
  k.set({ files: k.state.files.set(id, undefined) });
}

export function newDescriptorTable(k: Work): DescriptorTable {
  const table = { id: k.newId(), users: 1, descriptors: PersistentMap.empty<Descriptor>() };
  k.set({ descriptorTables: k.state.descriptorTables.set(table.id, table) });
  return table;
}

const tableOf = (k: Work): DescriptorTable => k.state.descriptorTables.get(k.task.descriptors)!;

/** How many descriptors a process may have. */
const limitOf = (k: Work): number => k.process.limits[NOFILE]![0];

/** The lowest free descriptor from `from` on. Throws EMFILE. */
export function freeDescriptor(k: Work, from = 0): number {
  const { descriptors } = tableOf(k);
  const limit = limitOf(k);
  for (let fd = from; fd < limit; fd++) if (descriptors.get(fd) === undefined) return fd;
  throw E.EMFILE;
}

/** A descriptor of a table is closed: with it go all record locks that the table's owner has on the file. */
function letGo(k: Work, table: number, file: number): void {
  releaseLocks(k, k.fileOf(file), { table });
  releaseFile(k, file);
}

/** Lets a descriptor refer to a file. What it referred to is closed. */
export function setDescriptor(k: Work, fd: number, file: number, closeOnExec: boolean): number {
  holdFile(k, file);
  const { id, descriptors } = tableOf(k);
  const old = descriptors.get(fd);
  k.setDescriptors(id, { descriptors: descriptors.set(fd, { file, closeOnExec }) });
  if (old !== undefined) letGo(k, id, old.file);
  return fd;
}

/** The lowest free descriptor for a new file. Throws EMFILE with nothing done: ask `freeDescriptor` before there is a file. */
export const addDescriptor = (k: Work, file: OpenFile, closeOnExec: boolean): number =>
  setDescriptor(k, freeDescriptor(k), file.id, closeOnExec);

/** What a descriptor refers to. Throws EBADF. */
export function descriptor(k: Work, fd: number): Descriptor {
  const found = fd < 0 ? undefined : tableOf(k).descriptors.get(fd);
  if (found === undefined) throw E.EBADF;
  return found;
}

/** The open file of a descriptor. Throws EBADF. */
export const fileAt = (k: Work, fd: number): OpenFile => k.fileOf(descriptor(k, fd).file);

/** Throws EBADF. */
export function closeDescriptor(k: Work, fd: number): void {
  const { file } = descriptor(k, fd);
  const { id, descriptors } = tableOf(k);
  k.setDescriptors(id, { descriptors: descriptors.set(fd, undefined) });
  letGo(k, id, file);
}

/** One user of a table less; the last one's descriptors are closed. */
export function dropDescriptors(k: Work, id: number): void {
  const table = k.state.descriptorTables.get(id)!;
  if (table.users > 1) {
    k.setDescriptors(id, { users: table.users - 1 });
    return;
  }
  k.set({ descriptorTables: k.state.descriptorTables.set(id, undefined) });
  for (const [, { file }] of table.descriptors.entries()) letGo(k, id, file);
}

/** A table with the same descriptors. */
export function copyDescriptors(k: Work, from: number): DescriptorTable {
  const { descriptors } = k.state.descriptorTables.get(from)!;
  const copy = newDescriptorTable(k);
  k.setDescriptors(copy.id, { descriptors });
  for (const [, { file }] of descriptors.entries()) holdFile(k, file);
  return copy;
}

/** Descriptors with FD_CLOEXEC go at execve(2). */
export function closeAtExec(k: Work): void {
  for (const [fd, { closeOnExec }] of tableOf(k).descriptors.entries()) if (closeOnExec) closeDescriptor(k, fd);
}
