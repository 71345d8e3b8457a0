/**
 * Files whose text is made when they are read, as /proc and /sys have them: trees of them from a list of path names, and the kind of open
 * file that keeps what it made, so that reads one after the other belong together. Spec: Linux, Documentation/filesystems/seq_file.rst.
 */
import { VirtlabError } from "../../state/error.js";
import { E } from "../errno.js";
import { bytesOf } from "../mm/user-memory.js";
import type { DirectoryEntry, FileSystem } from "../state.js";
import type { Work } from "../work.js";
import { typeOf } from "./file-systems.js";
import { defineKind, POLL } from "./kinds.js";
import { type Attributes, S } from "./types.js";

/** A file or link of such a tree. Directories on the way are made by themselves. */
export interface GeneratedFile {
  /** "sys/kernel/hostname". */
  readonly path: string;
  /** Permissions. Default: what can be read or written says it. */
  readonly mode?: number;
  readonly read?: (k: Work, fs: FileSystem) => string;
  readonly write?: (k: Work, text: string) => void;
  /** It is a symbolic link to this. */
  readonly target?: (k: Work, fs: FileSystem) => string;
  /** It is an empty directory. */
  readonly directory?: boolean;
}

export interface GeneratedNode {
  readonly ino: number;
  readonly parent: number;
  readonly mode: number;
  readonly file: GeneratedFile | undefined;
  readonly entries: readonly DirectoryEntry[];
}

const modeOf = ({ mode, read, write, target, directory }: GeneratedFile): number => {
  if (target !== undefined) return S.IFLNK | 0o777;
  if (directory === true) return S.IFDIR | (mode ?? 0o555);
  return S.IFREG | (mode ?? (read === undefined ? 0 : 0o444) | (write === undefined ? 0 : 0o200));
};

/** The nodes of a tree by number; the root is 1. A path that comes twice is what was said last. */
export function treeFrom(files: readonly GeneratedFile[]): ReadonlyMap<number, GeneratedNode> {
  const nodes = new Map<number, { -readonly [key in keyof GeneratedNode]: GeneratedNode[key] }>();
  const add = (parent: number, mode: number, file: GeneratedFile | undefined, name: string): number => {
    const ino = nodes.size + 1;
    nodes.set(ino, { ino, parent, mode, file, entries: [] });
    const around = nodes.get(parent)!;
    if (ino !== parent) around.entries = [...around.entries, { name, ino, cookie: around.entries.length + 1 }];
    return ino;
  };
  const child = (at: number, name: string): number | undefined =>
    nodes.get(at)!.entries.find((entry) => entry.name === name)?.ino;
  add(1, S.IFDIR | 0o555, undefined, "");
  for (const file of files) {
    const parts = file.path.split("/");
    const name = parts.pop()!;
    let at = 1;
    for (const part of parts) at = child(at, part) ?? add(at, S.IFDIR | 0o555, undefined, part);
    if (nodes.get(at)!.mode >>> 12 !== 4) throw new VirtlabError(`${file.path}: a part of it is no directory`);
    const known = child(at, name);
    if (known === undefined) add(at, modeOf(file), file, name);
    else Object.assign(nodes.get(known)!, { mode: modeOf(file), file });
  }
  return nodes;
}

/** What stat(2) tells of a file that is generated. */
export const generatedAttributes = (
  mode: number,
  {
    uid = 0,
    gid = 0,
    links = 1,
    at = 0,
    size = 0,
  }: { uid?: number; gid?: number; links?: number; at?: number; size?: number } = {},
): Attributes => ({ mode, uid, gid, links, size, accessed: at, modified: at, changed: at, device: 0 });

const linksOf = (nodes: ReadonlyMap<number, GeneratedNode>, { entries }: GeneratedNode): number =>
  2 + entries.filter(({ ino }) => nodes.get(ino)!.mode >>> 12 === 4).length;

/** Attributes of a node of a tree. Throws ENOENT. */
export function nodeAttributes(nodes: ReadonlyMap<number, GeneratedNode>, ino: number): Attributes {
  const node = nodes.get(ino);
  if (node === undefined) throw E.ENOENT;
  const isDir = node.mode >>> 12 === 4;
  return generatedAttributes(node.mode, isDir ? { links: linksOf(nodes, node) } : {});
}

/** All bytes of a file with this text. */
export const slice = (text: string, offset: number, length: number): Uint8Array =>
  bytesOf(text.slice(offset, offset + length));

/** A text that was written, without the line's end. */
export const written = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

const ALL = Number.MAX_SAFE_INTEGER;

defineKind({
  name: "generated",
  seekable: true,
  read(k, file, length, offset) {
    const { fileSystem, ino } = file.inode!;
    const fs = k.fileSystemOf(fileSystem);
    let text = offset === 0 ? undefined : (file.data as Uint8Array | undefined);
    if (text === undefined) {
      const { read } = typeOf(fs);
      if (read === undefined) throw E.EINVAL;
      text = read(k, fs, ino, 0, ALL);
      k.setFile(file.id, { data: text });
    }
    return text.slice(offset, offset + length);
  },
  write(k, file, bytes) {
    const { fileSystem, ino } = file.inode!;
    const fs = k.fileSystemOf(fileSystem);
    const { write } = typeOf(fs);
    if (write === undefined) throw E.EINVAL;
    return write(k, fs, ino, 0, bytes);
  },
  poll: () => ({ events: POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM, on: [] }),
});
