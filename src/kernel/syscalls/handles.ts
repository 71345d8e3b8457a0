/** Files by handles in the place of names. Spec: open_by_handle_at(2). */
import { E } from "../errno.js";
import { addDescriptor, fileAt, freeDescriptor } from "../fs/descriptors.js";
import { O } from "../fs/kinds.js";
import { openLocation } from "../fs/open.js";
import { attributesAt } from "../fs/path.js";
import { readUser, readWord, writeUser, writeWord } from "../mm/user-memory.js";
import { requireCapability } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { AT, targetAt } from "./at.js";
import { call, type SystemCall } from "./call.js";

/** Bytes of a handle: a generation, and the inode's number. */
const SIZE = 12;
const LARGEST = 128;
const TYPE = 1;

function nameToHandle(k: Work, dirfd: number, path: number, at: number, mountAt: number, flags: number): number {
  if ((flags & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) !== 0) throw E.EINVAL;
  const follow = (flags & AT.SYMLINK_FOLLOW) !== 0 ? 0 : AT.SYMLINK_NOFOLLOW;
  const { inode, location } = targetAt(k, dirfd, path, follow | (flags & AT.EMPTY_PATH));
  const room = readWord(k, at);
  if (room > LARGEST) throw E.EINVAL;
  if (location === undefined) throw E.EOPNOTSUPP;
  writeWord(k, mountAt, location.mount);
  writeWord(k, at, SIZE);
  if (room < SIZE) throw E.EOVERFLOW;
  const view = new DataView(new ArrayBuffer(4 + SIZE));
  view.setInt32(0, TYPE, true);
  view.setBigUint64(8, BigInt(inode.ino), true);
  writeUser(k, at + 4, new Uint8Array(view.buffer));
  return 0;
}

function openByHandle(k: Work, fd: number, at: number, flags: number): number {
  requireCapability(k, "CAP_DAC_READ_SEARCH", k.state.initial.user!);
  const { location } = fd === AT.FDCWD ? { location: k.context.directory } : fileAt(k, fd);
  const size = readWord(k, at);
  if (size === 0 || size > LARGEST) throw E.EINVAL;
  if (location === undefined || size !== SIZE) throw E.ESTALE;
  const view = new DataView(readUser(k, at + 4, 4 + SIZE).buffer);
  if (view.getInt32(0, true) !== TYPE) throw E.ESTALE;
  const found = { mount: location.mount, ino: Number(view.getBigUint64(8, true)), parent: 0, name: "" };
  attributesAt(k, found);
  freeDescriptor(k);
  return addDescriptor(k, openLocation(k, found, flags), (flags & O.CLOEXEC) !== 0);
}

export const handleCalls: readonly SystemCall[] = [
  call("name_to_handle_at", "dirfd:dirfd pathname:path handle:pointer mount_id:pointer flags:flags", nameToHandle),
  call("open_by_handle_at", "mount_fd:dirfd handle:pointer flags:flags", openByHandle),
];
