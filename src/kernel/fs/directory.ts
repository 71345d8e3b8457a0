/** The entries of a directory as a persistent table: buckets by a hash of the name, so that a change costs the same however many there are. */
import { PersistentMap } from "../../state/persistent-map.js";
import type { DirectoryEntry, Table } from "../state.js";

export type Entries = Table<readonly DirectoryEntry[]>;
export const noEntries: Entries = PersistentMap.empty();

/** FNV-1a, 10 bits of it: a directory of 30,000 names has 30 in a bucket. */
function bucketOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 16)) & 0x3ff;
}

export function find(entries: Entries, name: string): DirectoryEntry | undefined {
  return entries.get(bucketOf(name))?.find((entry) => entry.name === name);
}

/** The entries with a name, which leads to what is given if it was there. */
export function withEntry(entries: Entries, entry: DirectoryEntry): Entries {
  const bucket = bucketOf(entry.name);
  const others = (entries.get(bucket) ?? []).filter(({ name }) => name !== entry.name);
  return entries.set(bucket, Object.freeze([...others, Object.freeze(entry)]));
}

export function withoutEntry(entries: Entries, name: string): Entries {
  const bucket = bucketOf(name);
  const others = (entries.get(bucket) ?? []).filter((entry) => entry.name !== name);
  return entries.set(bucket, others.length === 0 ? undefined : Object.freeze(others));
}

const lists = new WeakMap<Entries, readonly DirectoryEntry[]>();

/** All of them in the order in which they were made. */
export function listed(entries: Entries): readonly DirectoryEntry[] {
  let list = lists.get(entries);
  if (list === undefined) {
    list = Object.freeze([...entries.entries()].flatMap(([, bucket]) => bucket).sort((a, b) => a.cookie - b.cookie));
    lists.set(entries, list);
  }
  return list;
}
