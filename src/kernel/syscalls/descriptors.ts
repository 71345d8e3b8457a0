/** System calls on descriptors and what they refer to. Spec: dup(2), close(2), pipe(2), ioctl(2), memfd_create(2). */
import { E } from "../errno.js";
import {
  addDescriptor,
  closeDescriptor,
  copyDescriptors,
  descriptor,
  dropDescriptors,
  fileAt,
  freeDescriptor,
  newFile,
  setDescriptor,
} from "../fs/descriptors.js";
import { typeOf } from "../fs/file-systems.js";
import { setInodeEntry } from "../fs/inode-tables.js";
import { kindOf, O } from "../fs/kinds.js";
import { openPipe } from "../fs/pipes.js";
import { SEAL } from "../fs/transfer.js";
import { S } from "../fs/types.js";
import { readBytesToZero, readWord, writeWord } from "../mm/user-memory.js";
import type { OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { control } from "./fcntl.js";

const NOFILE = 7;

function pipe(k: Work, at: number, flags: number): number {
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK | O.DIRECT)) !== 0) throw E.EINVAL;
  freeDescriptor(k, freeDescriptor(k) + 1);
  const [reader, writer] = openPipe(k, flags & O.NONBLOCK);
  const closeOnExec = (flags & O.CLOEXEC) !== 0;
  const first = addDescriptor(k, reader, closeOnExec);
  const second = addDescriptor(k, writer, closeOnExec);
  writeWord(k, at, first);
  writeWord(k, at + 4, second);
  return 0;
}

function duplicate(k: Work, fd: number, to: number, flags: number): number {
  const { file } = descriptor(k, fd);
  if (to < 0 || to >= k.process.limits[NOFILE]![0]) throw E.EBADF;
  return fd === to ? to : setDescriptor(k, to, file, (flags & O.CLOEXEC) !== 0);
}

const CLOSE_RANGE = { UNSHARE: 2, CLOEXEC: 4 } as const;

function closeRange(k: Work, first: number, last: number, flags: number): number {
  if ((flags & ~(CLOSE_RANGE.UNSHARE | CLOSE_RANGE.CLOEXEC)) !== 0 || first > last) throw E.EINVAL;
  if ((flags & CLOSE_RANGE.UNSHARE) !== 0) {
    const old = k.task.descriptors;
    if (k.state.descriptorTables.get(old)!.users > 1) {
      const { id } = copyDescriptors(k, old);
      k.setTask(k.current, { descriptors: id });
      dropDescriptors(k, old);
    }
  }
  const { id, descriptors } = k.state.descriptorTables.get(k.task.descriptors)!;
  for (const [fd, one] of descriptors.entries()) {
    if (fd < first || fd > last) continue;
    if ((flags & CLOSE_RANGE.CLOEXEC) === 0) closeDescriptor(k, fd);
    else {
      const { descriptors: now } = k.state.descriptorTables.get(id)!;
      k.setDescriptors(id, { descriptors: now.set(fd, { ...one, closeOnExec: true }) });
    }
  }
  return 0;
}

/** Requests that every file knows. Spec: Linux, fs/ioctl.c. */
const REQUEST = { FIONCLEX: 0x5450, FIOCLEX: 0x5451, FIONBIO: 0x5421, FIONREAD: 0x541b } as const;

function setCloseOnExec(k: Work, fd: number, closeOnExec: boolean): number {
  const { file } = descriptor(k, fd);
  const { id, descriptors } = k.state.descriptorTables.get(k.task.descriptors)!;
  k.setDescriptors(id, { descriptors: descriptors.set(fd, { file, closeOnExec }) });
  return 0;
}

function controlDevice(k: Work, fd: number, request: number, argument: number): number {
  const file = fileAt(k, fd);
  if ((file.flags & O.PATH) !== 0) throw E.EBADF;
  if (request === REQUEST.FIOCLEX || request === REQUEST.FIONCLEX)
    return setCloseOnExec(k, fd, request === REQUEST.FIOCLEX);
  if (request === REQUEST.FIONBIO) {
    const on = readWord(k, argument) !== 0;
    k.setFile(file.id, { flags: on ? file.flags | O.NONBLOCK : file.flags & ~O.NONBLOCK });
    return 0;
  }
  if (request === REQUEST.FIONREAD && file.kind === "regular") return unread(k, file, argument);
  const { control: ask } = kindOf(file);
  if (ask === undefined) throw E.ENOTTY;
  return ask(k, file, request, argument);
}

/** How much of a file lies behind where it is. */
function unread(k: Work, { inode, offset }: OpenFile, at: number): number {
  const fs = k.fileSystemOf(inode!.fileSystem);
  writeWord(k, at, typeOf(fs).attributes(k, fs, inode!.ino).size - offset);
  return 0;
}

const MFD = { CLOEXEC: 1, ALLOW_SEALING: 2 } as const;

function createMemory(k: Work, at: number, flags: number): number {
  if ((flags & ~(MFD.CLOEXEC | MFD.ALLOW_SEALING)) !== 0) throw E.EINVAL;
  if (readBytesToZero(k, at, 250) === undefined) throw E.EINVAL;
  freeDescriptor(k);
  const fs = k.fileSystemOf(k.state.initial.sharedMemory!);
  const { fsuid: uid, fsgid: gid } = k.task.credentials;
  const ino = typeOf(fs).createNameless!(k, fs, { mode: S.IFREG | 0o777, uid, gid });
  const inode = { fileSystem: fs.id, ino };
  setInodeEntry(k, "seals", inode, { seals: (flags & MFD.ALLOW_SEALING) !== 0 ? 0 : SEAL.SEAL });
  const file = newFile(k, { kind: "regular", flags: O.RDWR | O.LARGEFILE, inode });
  return addDescriptor(k, file, (flags & MFD.CLOEXEC) !== 0);
}

export const descriptorCalls: readonly SystemCall[] = [
  call("close", "fd:fd", (k, fd) => {
    closeDescriptor(k, fd);
    return 0;
  }),
  call("close_range", "first:uint last:uint flags:flags", closeRange),
  call("dup", "fd:fd", (k, fd) => {
    const { file } = descriptor(k, fd);
    return setDescriptor(k, freeDescriptor(k), file, false);
  }),
  call("dup2", "oldfd:fd newfd:fd", (k, fd, to) => duplicate(k, fd, to, 0)),
  call("dup3", "oldfd:fd newfd:fd flags:flags", (k, fd, to, flags) => {
    if (fd === to || (flags & ~O.CLOEXEC) !== 0) throw E.EINVAL;
    return duplicate(k, fd, to, flags);
  }),
  call("fcntl", "fd:fd cmd:int arg:size", control),
  call("fcntl64", "fd:fd cmd:int arg:size", control),
  call("pipe", "pipefd:pointer", (k, at) => pipe(k, at, 0)),
  call("pipe2", "pipefd:pointer flags:flags", pipe),
  call("ioctl", "fd:fd request:uint argp:size", controlDevice),
  call("memfd_create", "name:text flags:flags", createMemory),
];
