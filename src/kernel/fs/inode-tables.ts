/** What the kernel remembers of inodes beside what their file systems do: locks, FIFOs, watches, seals. */
import { PersistentMap } from "../../state/persistent-map.js";
import type { InodeName, Table } from "../state.js";
import type { Work } from "../work.js";

export type InodeTableName = "locks" | "fifos" | "watches" | "seals";

/** By file system, by inode. */
export interface InodeTable {
  readonly kind: "inodes";
  readonly entries: Table<Table<object>>;
}

const KEYS = 2 ** 30;
const none = PersistentMap.empty<Table<object>>();
export const emptyInodeTable: InodeTable = Object.freeze({ kind: "inodes", entries: none });

/** Number of a table: a channel of its own, too. */
export const inodeTableId = ({ state }: Work, table: InodeTableName): number => state.initial[table]!;

/** Nothing is in a table: what most calls ask first. */
export const isEmptyTable = (k: Work, table: InodeTableName): boolean =>
  k.objectOf<InodeTable>(inodeTableId(k, table)).entries === none;

export function inodeEntry<T extends object>(
  k: Work,
  table: InodeTableName,
  { fileSystem, ino }: InodeName,
): T | undefined {
  const { entries } = k.objectOf<InodeTable>(inodeTableId(k, table));
  return entries.get(fileSystem)?.get(ino % KEYS) as T | undefined;
}

export function setInodeEntry<T extends object>(
  k: Work,
  table: InodeTableName,
  { fileSystem, ino }: InodeName,
  value: T | undefined,
): void {
  const id = inodeTableId(k, table);
  const { entries } = k.objectOf<InodeTable>(id);
  const changed = (entries.get(fileSystem) ?? PersistentMap.empty<object>()).set(ino % KEYS, value);
  const left = entries.set(fileSystem, isEmpty(changed) ? undefined : changed);
  k.changeObject<InodeTable>(id, { entries: isEmpty(left) ? none : left });
}

const isEmpty = (table: Table<unknown>): boolean => table.entries().next().done === true;
