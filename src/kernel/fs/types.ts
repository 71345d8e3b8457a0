/** What a type of file system has to say: an entry of the table in `file-systems.ts`. */
import type { DirectoryEntry, FileSystem, Inode, InodeName, OpenFile } from "../state.js";
import type { Work } from "../work.js";

/** Spec: inode(7), "The file type and mode". */
export const S = {
  ...{ IFMT: 0o170000, IFSOCK: 0o140000, IFLNK: 0o120000, IFREG: 0o100000, IFBLK: 0o060000, IFDIR: 0o040000 },
  ...{ IFCHR: 0o020000, IFIFO: 0o010000, ISUID: 0o4000, ISGID: 0o2000, ISVTX: 0o1000 },
} as const;
export const typeOfMode = (mode: number): number => mode & S.IFMT;
export const isDirectory = ({ mode }: { readonly mode: number }): boolean => typeOfMode(mode) === S.IFDIR;
export const isRegular = ({ mode }: { readonly mode: number }): boolean => typeOfMode(mode) === S.IFREG;
export const isLink = ({ mode }: { readonly mode: number }): boolean => typeOfMode(mode) === S.IFLNK;

/** What stat(2) tells of an inode, apart from its number and device. */
export type Attributes = Pick<
  Inode,
  "mode" | "uid" | "gid" | "links" | "size" | "accessed" | "modified" | "changed" | "device"
>;

/** A new inode. */
export interface NewInode {
  /** Type and permissions, the umask taken off. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly device?: number;
  /** Of a symbolic link. */
  readonly target?: string;
}

/** Spec: statfs(2). Sizes in blocks of `blockSize` bytes. */
export interface FileSystemFigures {
  readonly magic: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly free: number;
  readonly files: number;
  readonly freeFiles: number;
}

/**
 * Operations on inodes by number. Names have been checked, permissions too: a type does what is asked or throws an `Errno`, with nothing
 * changed. What is left out is answered by EPERM or EINVAL, as the callers say.
 */
export interface FileSystemType {
  readonly name: string;
  /** It needs no device: "nodev" in /proc/filesystems. */
  readonly withoutDevice: boolean;
  /** A new instance. Throws EINVAL for options it does not know. */
  mount(k: Work, id: number, source: string, options: string): Omit<FileSystem, "id" | "type" | "source" | "device">;
  attributes(k: Work, fs: FileSystem, ino: number): Attributes;
  /** Inode of a name in a directory; undefined where there is none. */
  lookup(k: Work, fs: FileSystem, directory: number, name: string): number | undefined;
  /** All names of a directory but "." and "..", by rising cookie. */
  list(k: Work, fs: FileSystem, directory: number): readonly DirectoryEntry[];
  /** The directory around a directory. */
  parent(k: Work, fs: FileSystem, directory: number): number;
  create?(k: Work, fs: FileSystem, directory: number, name: string, what: NewInode): number;
  link?(k: Work, fs: FileSystem, directory: number, name: string, ino: number): void;
  unlink?(k: Work, fs: FileSystem, directory: number, name: string): void;
  /** The directory is empty. */
  removeDirectory?(k: Work, fs: FileSystem, directory: number, name: string): void;
  /** What stood under the new name goes; with `exchange` the two change places. */
  rename?(
    k: Work,
    fs: FileSystem,
    from: { readonly directory: number; readonly name: string },
    to: { readonly directory: number; readonly name: string },
    exchange: boolean,
  ): void;
  setAttributes?(k: Work, fs: FileSystem, ino: number, change: Partial<Attributes>): void;
  readLink?(k: Work, fs: FileSystem, ino: number): string;
  /** At most `length` bytes; fewer at the end of the file. */
  read?(k: Work, fs: FileSystem, ino: number, offset: number, length: number): Uint8Array;
  /** Writes all bytes, or fewer where there is no more room. */
  write?(k: Work, fs: FileSystem, ino: number, offset: number, bytes: Uint8Array): number;
  resize?(k: Work, fs: FileSystem, ino: number, size: number): void;
  /** Bytes of a file become zeros that take no room. */
  punch?(k: Work, fs: FileSystem, ino: number, start: number, end: number): void;
  /** Where the next byte is that was written, or that was not, from a place in the file on; undefined where there is none. */
  extent?(k: Work, fs: FileSystem, ino: number, from: number, wanted: "data" | "hole"): number | undefined;
  /** Blocks of 512 bytes that a file takes. */
  blocks?(k: Work, fs: FileSystem, ino: number): number;
  /** A file without a name. Spec: open(2), O_TMPFILE. */
  createNameless?(k: Work, fs: FileSystem, what: NewInode): number;
  /** The frame that has a page of a file, for mappings. Throws EFAULT behind the end. */
  page?(k: Work, fs: FileSystem, ino: number, index: number, forWrite: boolean): number;
  /** What an open file of an inode is, where it is none of the kinds that modes say: its kind, object and data. */
  open?(k: Work, fs: FileSystem, ino: number, flags: number): Pick<OpenFile, "kind" | "object" | "data"> | undefined;
  /** Where a link leads that is more than its text (/proc/PID/exe): undefined for others. */
  follow?(k: Work, fs: FileSystem, ino: number): import("../state.js").Location | undefined;
  /** An open file or mapping more, or less, keeps an inode. */
  hold?(k: Work, fs: FileSystem, ino: number, by: 1 | -1): void;
  attribute?(k: Work, fs: FileSystem, ino: number): Readonly<Record<string, Uint8Array>>;
  setAttribute?(k: Work, fs: FileSystem, ino: number, name: string, value: Uint8Array | undefined): void;
  /** Nothing has it mounted any more, and it goes. A type that leaves this out stays as it is, and can be mounted again. */
  unmount?(k: Work, fs: FileSystem): void;
  /** The file system that is there already and is what is meant: of types that there is one of for a namespace. */
  instance?(k: Work): number | undefined;
  /** Other options from now on: mount(2), MS_REMOUNT. Gives them as they are shown. */
  reconfigure?(k: Work, fs: FileSystem, options: string): string;
  /** Who may mount it: without this only the initial user namespace. Spec: user_namespaces(7), "Capabilities". */
  readonly forNamespaces?: boolean;
  /** File systems that it stands on. */
  layers?(fs: FileSystem): readonly number[];
  /** The inode that has the pages of a file: what is mapped stays that, whatever becomes of the file. */
  mapped?(k: Work, fs: FileSystem, ino: number): InodeName;
  figures(k: Work, fs: FileSystem): FileSystemFigures;
}
