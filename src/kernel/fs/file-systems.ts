/** The types of file systems, and inodes by the names that records have for them. */
import { VirtlabError } from "../../state/error.js";
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import type { FileSystem, InodeName } from "../state.js";
import type { Work } from "../work.js";
import { memoryTypes } from "./tree.js";
import type { Attributes, FileSystemType } from "./types.js";

const types = new Map<string, FileSystemType>(memoryTypes.map((type) => [type.name, type]));

/** Makes a type known, once, when its file is loaded. */
export function defineFileSystem(type: FileSystemType): void {
  types.set(type.name, type);
}

export const fileSystemTypes = (): readonly FileSystemType[] => [...types.values()];

export const hasFileSystem = (type: string): boolean => types.has(type);

export function typeOf({ type }: FileSystem): FileSystemType {
  const found = types.get(type);
  if (found === undefined) throw new VirtlabError(`file system "${type}" is unknown`);
  return found;
}

/** A new file system of a type. Throws ENODEV for one there is not. */
export function newFileSystem(k: Work, type: string, source: string, options = ""): FileSystem {
  const found = types.get(type);
  if (found === undefined) throw E.ENODEV;
  const id = k.newId();
  const made: FileSystem = { ...found.mount(k, id, source, options), id, type, source, device: id };
  k.set({ fileSystems: k.state.fileSystems.set(id, made) });
  return k.fileSystemOf(id);
}

export const emptyTable = <V>(): PersistentMap<V> => PersistentMap.empty<V>();

export function attributesOf(k: Work, { fileSystem, ino }: InodeName): Attributes {
  const fs = k.fileSystemOf(fileSystem);
  return typeOf(fs).attributes(k, fs, ino);
}

/** The frame that has a page of a file. Throws EFAULT behind its end, ENOMEM. */
export function filePage(k: Work, { fileSystem, ino }: InodeName, index: number, forWrite: boolean): number {
  const fs = k.fileSystemOf(fileSystem);
  const { page } = typeOf(fs);
  if (page === undefined) throw E.EFAULT;
  return page(k, fs, ino, index, forWrite);
}

/** Bytes of a file. Throws EINVAL where it has none. */
export function readInode(k: Work, { fileSystem, ino }: InodeName, offset: number, length: number): Uint8Array {
  const fs = k.fileSystemOf(fileSystem);
  const { read } = typeOf(fs);
  if (read === undefined) throw E.EINVAL;
  return read(k, fs, ino, offset, length);
}
