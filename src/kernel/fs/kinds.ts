/** What an open file is: an entry of the table of kinds. Regular files and directories are here; others stand with what they are of. */
import { VirtlabError } from "../../state/error.js";
import { E } from "../errno.js";
import type { OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { attributesOf, readInode, typeOf } from "./file-systems.js";

/** Events of poll(2). */
export const POLL = {
  IN: 1,
  PRI: 2,
  OUT: 4,
  ERR: 8,
  HUP: 16,
  NVAL: 32,
  RDNORM: 64,
  WRNORM: 256,
  RDHUP: 0x2000,
} as const;

/** What is true of an open file now, and when that may change. */
export interface Readiness {
  /** POLL_ bits. */
  readonly events: number;
  /** Channels that are woken when it changes. */
  readonly on: readonly number[];
  /** Tick at which it changes by itself. */
  readonly until?: number | undefined;
  /** Of what changes by itself: a number that is another after each change, for edge-triggered waits. */
  readonly edge?: number;
}

/** What is left out cannot be done with such a file: EINVAL, ESPIPE or ENOTTY, as the call says. */
export interface FileKind {
  readonly name: string;
  /** It has a position: reads and writes say where. Others are streams. */
  readonly seekable?: boolean;
  /** At most `length` bytes; none at the end. Throws `Wait` where there are none yet and the file may wait. */
  read?(k: Work, file: OpenFile, length: number, offset: number): Uint8Array;
  /** How many bytes were taken; the rest is for the caller to try again. */
  write?(k: Work, file: OpenFile, bytes: Uint8Array, offset: number): number;
  poll?(k: Work, file: OpenFile): Readiness;
  /** Where SEEK_END, SEEK_DATA and SEEK_HOLE lead. Throws EINVAL, ENXIO. */
  place?(k: Work, file: OpenFile, offset: number, whence: number): number;
  /** lseek(2), where it is another than that of files with bytes. */
  seek?(k: Work, file: OpenFile, offset: number, whence: number): number;
  /** ioctl(2). Throws ENOTTY for requests it does not know. */
  control?(k: Work, file: OpenFile, request: number, argument: number): number;
  /** Nothing refers to it any more. */
  release?(k: Work, file: OpenFile): void;
  /** For /proc/PID/fd: what stands where there is no path name, such as "pipe:[7]". */
  label?(file: OpenFile): string;
}

/** Open flags. Spec: open(2); Linux, include/uapi/asm-generic/fcntl.h. */
export const O = {
  ...{ RDONLY: 0, WRONLY: 1, RDWR: 2, ACCMODE: 3, CREAT: 0o100, EXCL: 0o200, NOCTTY: 0o400, TRUNC: 0o1000 },
  ...{ APPEND: 0o2000, NONBLOCK: 0o4000, DSYNC: 0o10000, ASYNC: 0o20000, DIRECT: 0o40000, LARGEFILE: 0o100000 },
  ...{ DIRECTORY: 0o200000, NOFOLLOW: 0o400000, NOATIME: 0o1000000, CLOEXEC: 0o2000000, SYNC: 0o4010000 },
  ...{ PATH: 0o10000000, TMPFILE: 0o20200000 },
} as const;

const ENDS = { END: 2, DATA: 3, HOLE: 4 } as const;

/** Spec: lseek(2), "Seeking file data and holes". */
function placeInRegular(k: Work, { inode }: OpenFile, offset: number, whence: number): number {
  const fs = k.fileSystemOf(inode!.fileSystem);
  const type = typeOf(fs);
  const { size } = type.attributes(k, fs, inode!.ino);
  if (whence === ENDS.END) return size + offset;
  if (offset < 0 || offset >= size) throw E.ENXIO;
  const wanted = whence === ENDS.DATA ? "data" : "hole";
  if (type.extent === undefined) return wanted === "data" ? offset : size;
  const found = type.extent(k, fs, inode!.ino, offset, wanted);
  if (found === undefined) throw E.ENXIO;
  return found;
}

/** Readiness of what never lets anybody wait. */
const always = (): Readiness => ({ events: POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM, on: [] });

const regular: FileKind = {
  name: "regular",
  seekable: true,
  place: placeInRegular,
  read: (k, { inode }, length, offset) => readInode(k, inode!, offset, length),
  write(k, { inode }, bytes, offset) {
    const fs = k.fileSystemOf(inode!.fileSystem);
    const { write } = typeOf(fs);
    if (write === undefined) throw E.EINVAL;
    return write(k, fs, inode!.ino, offset, bytes);
  },
  poll: always,
};

const directory: FileKind = {
  name: "directory",
  seekable: true,
  read() {
    throw E.EISDIR;
  },
  place() {
    throw E.EINVAL;
  },
  poll: always,
};

/** O_PATH: a place, and nothing that could be read. */
const place: FileKind = { name: "place" };

const kinds = new Map<string, FileKind>([regular, directory, place].map((kind) => [kind.name, kind]));

/** Makes a kind known, once, when its file is loaded. */
export function defineKind(kind: FileKind): FileKind {
  kinds.set(kind.name, kind);
  return kind;
}

export function kindOf({ kind }: OpenFile): FileKind {
  const found = kinds.get(kind);
  if (found === undefined) throw new VirtlabError(`open file of an unknown kind "${kind}"`);
  return found;
}

export const mayRead = ({ flags }: OpenFile): boolean => (flags & O.ACCMODE) !== O.WRONLY && (flags & O.PATH) === 0;
export const mayWrite = ({ flags }: OpenFile): boolean => (flags & O.ACCMODE) !== O.RDONLY && (flags & O.PATH) === 0;
export const mayWait = ({ flags }: OpenFile): boolean => (flags & O.NONBLOCK) === 0;

export { attributesOf };
