/** System calls that list directories, and on the directory a thread is in. Spec: getdents(2), chdir(2), getcwd(2). */
import { E } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { typeOf } from "../fs/file-systems.js";
import { mayRead } from "../fs/kinds.js";
import { attributesAt, fileSystemOf, locate, nameOf, parentOf } from "../fs/path.js";
import { MAY, requireAccess } from "../fs/permissions.js";
import { isDirectory, typeOfMode } from "../fs/types.js";
import { bytesOf, joinBytes, readPath, writeUser } from "../mm/user-memory.js";
import type { Location, OpenFile } from "../state.js";
import { movePlaces } from "../tasks/contexts.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** An entry as bytes: inode, position of the next one, type as DT_ has it, name. */
type Layout = (ino: number, position: number, type: number, name: Uint8Array) => Uint8Array;

/** `struct linux_dirent64`. */
const wideEntry: Layout = (ino, position, type, name) => {
  const length = Math.ceil((19 + name.length + 1) / 8) * 8;
  const view = new DataView(new ArrayBuffer(length));
  view.setBigInt64(0, BigInt(ino), true);
  view.setBigInt64(8, BigInt(position), true);
  view.setUint16(16, length, true);
  view.setUint8(18, type);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(name, 19);
  return bytes;
};

/** `struct linux_dirent`: its words are as wide as the program's, and the type is its last byte. */
const entryOf =
  (wide: boolean): Layout =>
  (ino, position, type, name) => {
    const [word, start] = wide ? [8, 18] : [4, 10];
    const length = Math.ceil((start + name.length + 2) / word) * word;
    const view = new DataView(new ArrayBuffer(length));
    const put = (at: number, value: number): void => {
      if (wide) view.setBigInt64(at, BigInt(value), true);
      else view.setUint32(at, value, true);
    };
    put(0, ino);
    put(word, position);
    view.setUint16(2 * word, length, true);
    const bytes = new Uint8Array(view.buffer);
    bytes.set(name, start);
    bytes[length - 1] = type;
    return bytes;
  };

/** Cookies begin at 1; "." and ".." stand before them, and a position is one behind its entry. */
const BEFORE = 2;

function list(k: Work, fd: number, buffer: number, count: number, layout: Layout): number {
  const file = fileAt(k, fd);
  if (!mayRead(file)) throw E.EBADF;
  if (file.location === undefined || file.kind !== "directory") throw E.ENOTDIR;
  if (attributesAt(k, file.location).links === 0) throw E.ENOENT;
  const { parts, offset, more } = entriesOf(k, file, file.location, count, layout);
  if (parts.length === 0 && more) throw E.EINVAL;
  const bytes = joinBytes(parts.length === 0 ? [new Uint8Array(0)] : parts);
  writeUser(k, buffer, bytes);
  k.setFile(file.id, { offset });
  return bytes.length;
}

function entriesOf(k: Work, file: OpenFile, location: Location, count: number, layout: Layout) {
  const fs = fileSystemOf(k, location);
  const type = typeOf(fs);
  const fixed = [
    { name: ".", ino: () => location.ino, cookie: -1 },
    { name: "..", ino: () => parentOf(k, location, k.context.root).ino, cookie: 0 },
  ];
  const parts: Uint8Array[] = [];
  let size = 0;
  let { offset } = file;
  const fits = (name: string, ino: number, position: number, mode: number): boolean => {
    const part = layout(ino, position, typeOfMode(mode) >>> 12, bytesOf(name));
    if (size + part.length > count) return false;
    parts.push(part);
    size += part.length;
    offset = position;
    return true;
  };
  for (const { name, ino, cookie } of fixed)
    if (cookie + BEFORE > file.offset && !fits(name, ino(), cookie + BEFORE, 0o040000))
      return { parts, offset, more: true };
  const all = type.list(k, fs, location.ino);
  for (let index = firstBehind(all, file.offset - BEFORE); index < all.length; index++) {
    const { name, ino, cookie } = all[index]!;
    if (!fits(name, ino, cookie + BEFORE, type.attributes(k, fs, ino).mode)) return { parts, offset, more: true };
  }
  return { parts, offset, more: false };
}

/** Index of the first entry whose cookie is above one: they rise. */
function firstBehind(all: readonly { readonly cookie: number }[], cookie: number): number {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (all[middle]!.cookie > cookie) high = middle;
    else low = middle + 1;
  }
  return low;
}

function getCwd(k: Work, buffer: number, size: number): number {
  if (attributesAt(k, k.context.directory).links === 0) throw E.ENOENT;
  const name = nameOf(k, k.context.directory);
  const bytes = bytesOf(`${name ?? "(unreachable)/"}\0`);
  if (bytes.length > size) throw E.ERANGE;
  writeUser(k, buffer, bytes);
  return bytes.length;
}

function changeDirectory(k: Work, location: Location): number {
  const attributes = attributesAt(k, location);
  if (!isDirectory(attributes)) throw E.ENOTDIR;
  requireAccess(k, attributes, MAY.EXEC);
  movePlaces(k, k.task.context, { directory: location });
  return 0;
}

export const directoryCalls: readonly SystemCall[] = [
  call("getdents64", "fd:fd dirp:pointer count:uint", (k, fd, buffer, count) => list(k, fd, buffer, count, wideEntry)),
  call("getdents", "fd:fd dirp:pointer count:uint", (k, fd, buffer, count) =>
    list(k, fd, buffer, count, entryOf(k.call.abi === "x86_64")),
  ),
  call("getcwd", "buf:pointer size:size", getCwd),
  call("chdir", "path:path", (k, at) => changeDirectory(k, locate(k, readPath(k, at)))),
  call("fchdir", "fd:fd", (k, fd) => {
    const { location } = fileAt(k, fd);
    if (location === undefined) throw E.ENOTDIR;
    return changeDirectory(k, location);
  }),
];
