/**
 * The inodes of an overlay: each stands for one in the upper layer or in a lower one, and a directory for all of its name. They are made
 * when a name is looked up, and keep their numbers when they are copied up.
 * Spec: Linux, Documentation/filesystems/overlayfs.rst, "Upper and Lower", "Directories", "whiteouts and opaque directories".
 */
import { E } from "../errno.js";
import type { FileSystem, InodeName, Table } from "../state.js";
import type { Work } from "../work.js";
import { type Entries, find, noEntries, withEntry, withoutEntry } from "./directory.js";
import { attributesOf, typeOf } from "./file-systems.js";
import type { Layers } from "./overlay-options.js";
import { type Attributes, isDirectory, S, typeOfMode } from "./types.js";

export interface OverlayNode {
  /** The directory it was found in, and its name there. */
  readonly parent: number;
  readonly name: string;
  /** Number in the upper layer. */
  readonly upper: number | undefined;
  /** In lower layers, the top one first: of a file at most one. */
  readonly lowers: readonly InodeName[];
  /** Names in it that were looked up. */
  readonly children: Entries;
  /** Open files and mappings. */
  readonly opened: number;
  /** It has lost its name. */
  readonly removed?: boolean | undefined;
}

export interface OverlayData extends Layers {
  readonly nodes: Table<OverlayNode>;
  readonly next: number;
  /** The directory for what is not to be seen, in the work directory, and the whiteout there that all others are links to. */
  readonly workspace: number | undefined;
  readonly whiteout: number | undefined;
}

export const ROOT = 1;

export const dataOf = (k: Work, id: number): OverlayData => k.fileSystemOf(id).data as OverlayData;

export function nodeOf(k: Work, id: number, ino: number): OverlayNode {
  const node = dataOf(k, id).nodes.get(ino);
  if (node === undefined) throw E.ESTALE;
  return node;
}

export const setData = (k: Work, id: number, change: Partial<OverlayData>): void =>
  k.setFileSystem(id, { data: { ...dataOf(k, id), ...change } });

export function setNode(k: Work, id: number, ino: number, change: Partial<OverlayNode> | undefined): void {
  const { nodes } = dataOf(k, id);
  setData(k, id, { nodes: nodes.set(ino, change === undefined ? undefined : { ...nodes.get(ino)!, ...change }) });
}

/** A node under a new number, which its directory knows by its name. */
export function addNode(k: Work, id: number, node: Pick<OverlayNode, "parent" | "name" | "upper" | "lowers">): number {
  const { nodes, next: ino } = dataOf(k, id);
  setData(k, id, { nodes: nodes.set(ino, { ...node, children: noEntries, opened: 0 }), next: ino + 1 });
  enter(k, id, node.parent, node.name, ino);
  return ino;
}

export function enter(k: Work, id: number, directory: number, name: string, ino: number): void {
  const { children } = nodeOf(k, id, directory);
  setNode(k, id, directory, { children: withEntry(children, { name, ino, cookie: ino }) });
}

export function leave(k: Work, id: number, directory: number, name: string): void {
  setNode(k, id, directory, { children: withoutEntry(nodeOf(k, id, directory).children, name) });
}

// ---- what a node stands for ---------------------------------------------------------------------------------------

/** The inode that has a node's content. */
export function realOf(k: Work, id: number, ino: number): InodeName {
  const { upper, lowers } = nodeOf(k, id, ino);
  return upper === undefined ? lowers[0]! : { fileSystem: dataOf(k, id).upper!.fileSystem, ino: upper };
}

/** The layers of a node that have something, the top one first. */
const layersOf = (k: Work, id: number, { upper, lowers }: OverlayNode): readonly InodeName[] =>
  upper === undefined ? lowers : [{ fileSystem: dataOf(k, id).upper!.fileSystem, ino: upper }, ...lowers];

export const isWhiteout = ({ mode, device }: Attributes): boolean => typeOfMode(mode) === S.IFCHR && device === 0;

export function isOpaque(k: Work, id: number, { fileSystem, ino }: InodeName): boolean {
  const fs = k.fileSystemOf(fileSystem);
  const value = typeOf(fs).attribute?.(k, fs, ino)[`${dataOf(k, id).prefix}opaque`];
  return value?.length === 1 && value[0] === 0x79;
}

const childOf = (k: Work, { fileSystem, ino }: InodeName, name: string): InodeName | undefined => {
  const fs = k.fileSystemOf(fileSystem);
  const found = typeOf(fs).lookup(k, fs, ino, name);
  return found === undefined ? undefined : { fileSystem, ino: found };
};

/** What the layers of a directory have under a name; undefined where that is nothing, or hidden. */
function stackOf(k: Work, id: number, directory: number, name: string): readonly InodeName[] | undefined {
  const stack: InodeName[] = [];
  for (const layer of layersOf(k, id, nodeOf(k, id, directory))) {
    const found = childOf(k, layer, name);
    if (found === undefined) continue;
    const attributes = attributesOf(k, found);
    if (isWhiteout(attributes)) break;
    if (!isDirectory(attributes)) {
      if (stack.length === 0) stack.push(found);
      break;
    }
    stack.push(found);
    if (isOpaque(k, id, found)) break;
  }
  return stack.length === 0 ? undefined : stack;
}

/** Number of the node under a name. */
export function childNode(k: Work, id: number, directory: number, name: string): number | undefined {
  const node = nodeOf(k, id, directory);
  if (node.removed === true) return undefined;
  const known = find(node.children, name)?.ino;
  if (known !== undefined) return known;
  const stack = stackOf(k, id, directory, name);
  if (stack === undefined) return undefined;
  const { upper } = dataOf(k, id);
  const [first] = stack;
  const isUpper =
    node.upper !== undefined &&
    childOf(k, { ...upper!, ino: node.upper }, name)?.ino === first!.ino &&
    first!.fileSystem === upper!.fileSystem;
  return addNode(k, id, {
    parent: directory,
    name,
    upper: isUpper ? first!.ino : undefined,
    lowers: isUpper ? stack.slice(1) : stack,
  });
}

/** Whether the lower layers alone would show a name. */
export function lowerHas(k: Work, id: number, directory: number, name: string): boolean {
  for (const layer of nodeOf(k, id, directory).lowers) {
    const found = childOf(k, layer, name);
    if (found !== undefined) return !isWhiteout(attributesOf(k, found));
  }
  return false;
}

/** All names that a directory shows. */
export function namesIn(k: Work, id: number, directory: number): readonly string[] {
  const node = nodeOf(k, id, directory);
  const shown = new Map<string, boolean>();
  if (node.removed === true) return [];
  for (const { fileSystem, ino } of layersOf(k, id, node)) {
    const fs: FileSystem = k.fileSystemOf(fileSystem);
    for (const { name, ino: child } of typeOf(fs).list(k, fs, ino))
      if (!shown.has(name)) shown.set(name, !isWhiteout(typeOf(fs).attributes(k, fs, child)));
  }
  return [...shown].flatMap(([name, isThere]) => (isThere ? [name] : []));
}
