/**
 * The type "overlay": lower layers that are only read, and an upper one that takes every change. What is changed first is copied up; what
 * is removed from a lower layer has a whiteout in the upper one.
 * Spec: Linux, Documentation/filesystems/overlayfs.rst.
 */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import type { FileSystem, InodeName } from "../state.js";
import type { Work } from "../work.js";
import { noEntries } from "./directory.js";
import { attributesOf, defineFileSystem, filePage, readInode, typeOf } from "./file-systems.js";
import { O } from "./kinds.js";
import {
  addNode,
  childNode,
  dataOf,
  enter,
  isWhiteout,
  leave,
  lowerHas,
  namesIn,
  nodeOf,
  type OverlayData,
  type OverlayNode,
  ROOT,
  realOf,
  setData,
  setNode,
} from "./overlay-nodes.js";
import { layersFrom, shownOptions } from "./overlay-options.js";
import { type Attributes, isDirectory, isRegular, S } from "./types.js";

const MAGIC = 0x794c_7630;
const AT_ONCE = 1 << 20;
const YES = Uint8Array.of(0x79);

const upperFs = (k: Work, id: number): FileSystem => k.fileSystemOf(dataOf(k, id).upper!.fileSystem);

// ---- copying up ---------------------------------------------------------------------------------------------------

/** Gives the number in the upper layer, where a node is from now on. Spec: overlayfs.rst, "Non-directories". */
function copyUp(k: Work, id: number, ino: number): number {
  const node = nodeOf(k, id, ino);
  if (node.upper !== undefined) return node.upper;
  if (dataOf(k, id).upper === undefined) throw E.EROFS;
  const from = node.lowers[0]!;
  const directory = copyUp(k, id, node.parent);
  const attributes = attributesOf(k, from);
  const { mode, uid, gid, device } = attributes;
  const below = k.fileSystemOf(from.fileSystem);
  const target =
    typeOf(below).readLink !== undefined && mode >>> 12 === 10
      ? typeOf(below).readLink!(k, below, from.ino)
      : undefined;
  const around = attributesOf(k, { fileSystem: upperFs(k, id).id, ino: directory });
  const what = { mode, uid, gid, device, ...(target === undefined ? {} : { target }) };
  const upper = typeOf(upperFs(k, id)).create!(k, upperFs(k, id), directory, node.name, what);
  copyContent(k, id, from, upper, attributes);
  const { accessed, modified } = attributes;
  typeOf(upperFs(k, id)).setAttributes!(k, upperFs(k, id), upper, { accessed, modified });
  typeOf(upperFs(k, id)).setAttributes!(k, upperFs(k, id), directory, { modified: around.modified });
  moveHolds(k, id, from, upper, node.opened);
  setNode(k, id, ino, { upper, ...(isDirectory(attributes) ? {} : { lowers: [] }) });
  return upper;
}

function copyContent(k: Work, id: number, from: InodeName, to: number, attributes: Attributes): void {
  const below = k.fileSystemOf(from.fileSystem);
  const { prefix } = dataOf(k, id);
  for (const [name, value] of Object.entries(typeOf(below).attribute?.(k, below, from.ino) ?? {}))
    if (!name.startsWith(prefix)) typeOf(upperFs(k, id)).setAttribute!(k, upperFs(k, id), to, name, value);
  if (!isRegular(attributes)) return;
  for (let at = 0; at < attributes.size; ) {
    const bytes = readInode(k, from, at, Math.min(AT_ONCE, attributes.size - at));
    const count = typeOf(upperFs(k, id)).write!(k, upperFs(k, id), to, at, bytes);
    if (count === 0) throw E.ENOSPC;
    at += count;
  }
}

/** Open files hold the copy from now on. */
function moveHolds(k: Work, id: number, from: InodeName, to: number, count: number): void {
  const hold = (fs: FileSystem, ino: number, by: 1 | -1): void => typeOf(fs).hold?.(k, fs, ino, by);
  for (let index = 0; index < count; index++) hold(upperFs(k, id), to, 1);
  for (let index = 0; index < count; index++) hold(k.fileSystemOf(from.fileSystem), from.ino, -1);
}

// ---- names in the upper layer -------------------------------------------------------------------------------------

/** Takes a whiteout away. Gives whether there was one. */
function clearWhiteout(k: Work, id: number, directory: number, name: string): boolean {
  const fs = upperFs(k, id);
  const found = typeOf(fs).lookup(k, fs, directory, name);
  if (found === undefined || !isWhiteout(typeOf(fs).attributes(k, fs, found))) return false;
  typeOf(fs).unlink!(k, fs, directory, name);
  return true;
}

const WHITEOUT = "#whiteout";

/** Whiteouts are links to one. Spec: Linux, fs/overlayfs/dir.c ovl_whiteout. */
function putWhiteout(k: Work, id: number, directory: number, name: string): void {
  const { workspace, whiteout } = dataOf(k, id);
  const { create, link } = typeOf(upperFs(k, id));
  const what = { mode: S.IFCHR, uid: 0, gid: 0, device: 0 };
  const shared = whiteout ?? create!(k, upperFs(k, id), workspace!, WHITEOUT, what);
  if (whiteout === undefined) setData(k, id, { whiteout: shared });
  link!(k, upperFs(k, id), directory, name, shared);
}

/** Nothing of the lower layers is seen through a directory. */
const setOpaque = (k: Work, id: number, upper: number): void =>
  typeOf(upperFs(k, id)).setAttribute!(k, upperFs(k, id), upper, `${dataOf(k, id).prefix}opaque`, YES);

/** Whiteouts are all that an empty directory may still have in the upper layer. */
function clearDirectory(k: Work, id: number, upper: number): void {
  const fs = upperFs(k, id);
  for (const { name } of typeOf(fs).list(k, fs, upper)) clearWhiteout(k, id, upper, name);
}

/** A node has lost a name: without others it goes, as soon as nobody has it open. */
function forget(k: Work, id: number, ino: number): void {
  const { upper, opened } = nodeOf(k, id, ino);
  const inode = upper === undefined ? undefined : upperFs(k, id).inodes.get(upper);
  if (inode !== undefined && !isDirectory(inode) && inode.links > 0) return;
  setNode(k, id, ino, opened > 0 ? { removed: true } : undefined);
}

function remove(k: Work, id: number, directory: number, name: string, isDir: boolean): void {
  const ino = childNode(k, id, directory, name)!;
  const hidden = lowerHas(k, id, directory, name);
  const around = copyUp(k, id, directory);
  const { upper } = nodeOf(k, id, ino);
  if (upper !== undefined) {
    if (isDir) clearDirectory(k, id, upper);
    const { removeDirectory, unlink } = typeOf(upperFs(k, id));
    (isDir ? removeDirectory : unlink)!(k, upperFs(k, id), around, name);
  }
  if (hidden) putWhiteout(k, id, around, name);
  leave(k, id, directory, name);
  forget(k, id, ino);
}

interface Name {
  readonly directory: number;
  readonly name: string;
}

/** A directory of a lower layer stays where it is. Throws EXDEV. Spec: overlayfs.rst, "renaming directories". */
function requireMovable(k: Work, id: number, ino: number): void {
  if (isDirectory(attributesOf(k, realOf(k, id, ino))) && nodeOf(k, id, ino).lowers.length > 0) throw E.EXDEV;
}

function rename(k: Work, fs: FileSystem, from: Name, to: Name, exchange: boolean): void {
  const { id } = fs;
  const ino = childNode(k, id, from.directory, from.name)!;
  const other = childNode(k, id, to.directory, to.name);
  requireMovable(k, id, ino);
  if (exchange) requireMovable(k, id, other!);
  const [hidesFrom, hidesTo] = [from, to].map(({ directory, name }) => lowerHas(k, id, directory, name));
  copyUp(k, id, ino);
  if (exchange) copyUp(k, id, other!);
  const source = { directory: copyUp(k, id, from.directory), name: from.name };
  const target = { directory: copyUp(k, id, to.directory), name: to.name };
  clearWhiteout(k, id, target.directory, to.name);
  const replaced = other === undefined || exchange ? undefined : nodeOf(k, id, other).upper;
  if (replaced !== undefined && isDirectory(attributesOf(k, realOf(k, id, other!)))) clearDirectory(k, id, replaced);
  typeOf(upperFs(k, id)).rename!(k, upperFs(k, id), source, target, exchange);
  moved(k, id, ino, from, to, hidesTo!);
  if (exchange) {
    moved(k, id, other!, to, from, hidesFrom!);
    enter(k, id, to.directory, to.name, ino);
  } else {
    if (other !== undefined) forget(k, id, other);
    // The rename itself leaves this one behind: it is no link.
    const what = { mode: S.IFCHR, uid: 0, gid: 0, device: 0 };
    if (hidesFrom) typeOf(upperFs(k, id)).create!(k, upperFs(k, id), source.directory, from.name, what);
  }
}

/** A node stands under another name. */
function moved(k: Work, id: number, ino: number, from: Name, to: Name, hides: boolean): void {
  const { upper } = nodeOf(k, id, ino);
  leave(k, id, from.directory, from.name);
  enter(k, id, to.directory, to.name, ino);
  setNode(k, id, ino, { parent: to.directory, name: to.name });
  if (hides && isDirectory(attributesOf(k, realOf(k, id, ino)))) setOpaque(k, id, upper!);
}

// ---- the type -----------------------------------------------------------------------------------------------------

/** Does something at the inode that has a node's content. */
function at<T>(k: Work, { id }: FileSystem, ino: number, work: (real: FileSystem, number: number) => T): T {
  const { fileSystem, ino: number } = realOf(k, id, ino);
  return work(k.fileSystemOf(fileSystem), number);
}

function attributes(k: Work, fs: FileSystem, ino: number): Attributes {
  const found = attributesOf(k, realOf(k, fs.id, ino));
  const { upper, lowers, removed } = nodeOf(k, fs.id, ino);
  if (removed === true && upper === undefined) return { ...found, links: 0 };
  const merged = isDirectory(found) && lowers.length + (upper === undefined ? 0 : 1) > 1;
  return merged ? { ...found, links: 1 } : found;
}

/** What a read changes: the time of change is told with it as it was. */
const ACCESS: ReadonlySet<string> = new Set(["accessed", "changed"]);
const WRITES = O.WRONLY | O.RDWR;

/** The directory that is made in the work directory, without what an earlier overlay has left there. */
function workspaceIn(k: Work, { fileSystem, ino }: InodeName): number {
  const fs = k.fileSystemOf(fileSystem);
  const { lookup, create, list, unlink } = typeOf(fs);
  const known = lookup(k, fs, ino, "work");
  if (known === undefined) return create!(k, fs, ino, "work", { mode: S.IFDIR, uid: 0, gid: 0 });
  for (const { name } of list(k, fs, known)) unlink!(k, k.fileSystemOf(fileSystem), known, name);
  return known;
}

defineFileSystem({
  name: "overlay",
  withoutDevice: true,
  forNamespaces: true,

  mount(k, _id, _source, options) {
    const layers = layersFrom(k, options);
    const { work, upper, lowers } = layers;
    const workspace = work === undefined ? undefined : workspaceIn(k, work);
    const root: OverlayNode = {
      ...{ parent: ROOT, name: "", upper: upper?.ino, lowers, children: noEntries, opened: 0 },
    };
    const nodes = PersistentMap.empty<OverlayNode>().set(ROOT, root);
    const data: OverlayData = { ...layers, nodes, next: ROOT + 1, workspace, whiteout: undefined };
    return {
      ...{ root: ROOT, options: shownOptions(options), readOnly: upper === undefined },
      ...{ inodes: PersistentMap.empty(), nextIno: 0, data },
    };
  },

  layers(fs) {
    const { lowers, upper } = fs.data as OverlayData;
    return [...(upper === undefined ? [] : [upper]), ...lowers].map(({ fileSystem }) => fileSystem);
  },

  unmount(k, { id }) {
    const { workspace, whiteout } = dataOf(k, id);
    if (whiteout !== undefined) typeOf(upperFs(k, id)).unlink!(k, upperFs(k, id), workspace!, WHITEOUT);
  },

  attributes,
  lookup: (k, { id }, directory, name) => childNode(k, id, directory, name),

  list(k, { id }, directory) {
    return namesIn(k, id, directory)
      .map((name) => ({ name, ino: childNode(k, id, directory, name)! }))
      .map(({ name, ino }) => ({ name, ino, cookie: ino }))
      .sort((a, b) => a.cookie - b.cookie);
  },

  parent: (k, { id }, directory) => nodeOf(k, id, directory).parent,

  create(k, { id }, directory, name, what) {
    const around = copyUp(k, id, directory);
    const hides = clearWhiteout(k, id, around, name) || lowerHas(k, id, directory, name);
    const upper = typeOf(upperFs(k, id)).create!(k, upperFs(k, id), around, name, what);
    if (hides && isDirectory(what)) setOpaque(k, id, upper);
    return addNode(k, id, { parent: directory, name, upper, lowers: [] });
  },

  link(k, { id }, directory, name, ino) {
    const upper = copyUp(k, id, ino);
    const around = copyUp(k, id, directory);
    clearWhiteout(k, id, around, name);
    typeOf(upperFs(k, id)).link!(k, upperFs(k, id), around, name, upper);
    enter(k, id, directory, name, ino);
  },

  unlink: (k, { id }, directory, name) => remove(k, id, directory, name, false),
  removeDirectory: (k, { id }, directory, name) => remove(k, id, directory, name, true),
  rename,

  setAttributes(k, { id }, ino, change) {
    // Reading alone copies nothing up.
    const onlyAccess = change.accessed !== undefined && Object.keys(change).every((name) => ACCESS.has(name));
    if (onlyAccess && nodeOf(k, id, ino).upper === undefined) return;
    const upper = copyUp(k, id, ino);
    typeOf(upperFs(k, id)).setAttributes!(k, upperFs(k, id), upper, change);
  },

  readLink: (k, fs, ino) => at(k, fs, ino, (real, number) => typeOf(real).readLink!(k, real, number)),
  read: (k, fs, ino, offset, length) => readInode(k, realOf(k, fs.id, ino), offset, length),

  write(k, { id }, ino, offset, bytes) {
    const upper = copyUp(k, id, ino);
    return typeOf(upperFs(k, id)).write!(k, upperFs(k, id), upper, offset, bytes);
  },

  resize(k, { id }, ino, size) {
    const upper = copyUp(k, id, ino);
    typeOf(upperFs(k, id)).resize!(k, upperFs(k, id), upper, size);
  },

  extent: (k, fs, ino, from, wanted) =>
    at(k, fs, ino, (real, number) => {
      const { extent } = typeOf(real);
      if (extent !== undefined) return extent(k, real, number, from, wanted);
      return wanted === "data" ? from : attributesOf(k, { fileSystem: real.id, ino: number }).size;
    }),

  blocks: (k, fs, ino) => at(k, fs, ino, (real, number) => typeOf(real).blocks?.(k, real, number) ?? 0),

  page: (k, fs, ino, index, forWrite) => filePage(k, realOf(k, fs.id, ino), index, forWrite),

  open(k, fs, ino, flags) {
    const attributesNow = attributes(k, fs, ino);
    if (isRegular(attributesNow) && (flags & (WRITES | O.TRUNC)) !== 0) copyUp(k, fs.id, ino);
    return at(k, fs, ino, (real, number) => typeOf(real).open?.(k, real, number, flags));
  },

  follow: (k, fs, ino, mount) => at(k, fs, ino, (real, number) => typeOf(real).follow?.(k, real, number, mount)),

  mapped: (k, fs, ino) => {
    const real = realOf(k, fs.id, ino);
    const below = k.fileSystemOf(real.fileSystem);
    return typeOf(below).mapped?.(k, below, real.ino) ?? real;
  },

  hold(k, { id }, ino, by) {
    const node = dataOf(k, id).nodes.get(ino);
    if (node === undefined) return;
    const { fileSystem, ino: number } = realOf(k, id, ino);
    setNode(k, id, ino, node.removed === true && node.opened + by === 0 ? undefined : { opened: node.opened + by });
    const real = k.fileSystemOf(fileSystem);
    typeOf(real).hold?.(k, real, number, by);
  },

  attribute(k, fs, ino) {
    const { prefix } = dataOf(k, fs.id);
    const all = at(k, fs, ino, (real, number) => typeOf(real).attribute?.(k, real, number) ?? {});
    return Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith(prefix)));
  },

  setAttribute(k, { id }, ino, name, value) {
    if (name.startsWith(dataOf(k, id).prefix)) throw E.EOPNOTSUPP;
    const upper = copyUp(k, id, ino);
    typeOf(upperFs(k, id)).setAttribute!(k, upperFs(k, id), upper, name, value);
  },

  figures: (k, fs) => at(k, fs, ROOT, (real) => ({ ...typeOf(real).figures(k, real), magic: MAGIC })),
});
