/** What the kernel remembers of files: inodes, names, what is open, what is mounted. */
import type { Table } from "../state.js";

/** An inode by its file system and number. */
export interface InodeName {
  readonly fileSystem: number;
  readonly ino: number;
}

/** Where a name led. Directories know their parents; of other files `parent` and `name` say by which name they were found. */
export interface Location {
  readonly mount: number;
  readonly ino: number;
  /** Inode of the directory it was found in. */
  readonly parent: number;
  readonly name: string;
}

/** An open file description. Spec: open(2), "Open file descriptions". */
export interface OpenFile {
  readonly id: number;
  /** Descriptors and mappings that refer to it. */
  readonly users: number;
  /** Entry of the table of kinds. */
  readonly kind: string;
  /** O_ flags, with the access mode. */
  readonly flags: number;
  readonly offset: number;
  readonly location: Location | undefined;
  readonly inode: InodeName | undefined;
  /** Pipe, socket, terminal ... it stands for. */
  readonly object: number;
  /** What its kind remembers. */
  readonly data?: unknown;
  /** Whom SIGIO goes to: fcntl(2), F_SETOWN. */
  readonly owner: number;
}

export interface Descriptor {
  readonly file: number;
  readonly closeOnExec: boolean;
}

export interface DescriptorTable {
  readonly id: number;
  readonly users: number;
  readonly descriptors: Table<Descriptor>;
}

/** A file system that is mounted, or was and is in use. */
export interface FileSystem {
  readonly id: number;
  /** Entry of the table of types. */
  readonly type: string;
  readonly source: string;
  /** Its device number: major and minor. */
  readonly device: number;
  readonly root: number;
  readonly options: string;
  readonly readOnly: boolean;
  /** Of types that keep their inodes here. */
  readonly inodes: Table<Inode>;
  readonly nextIno: number;
  readonly data?: unknown;
}

/** A tick, or seconds since 1970 and nanoseconds where a program has set the time. */
export type FileTime = number | readonly [seconds: number, nanoseconds: number];

/** Spec: inode(7). */
export interface Inode {
  /** S_IFMT and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  /** Bytes. */
  readonly size: number;
  /** Last access, content change and status change. */
  readonly accessed: FileTime;
  readonly modified: FileTime;
  readonly changed: FileTime;
  /** Of a device. */
  readonly device: number;
  /** Of a file: frames and stored pages by number. */
  readonly pages?: Table<number> | undefined;
  /** Of a directory: its parent and its entries by hash of their names. */
  readonly parent?: number | undefined;
  readonly entries?: Table<readonly DirectoryEntry[]> | undefined;
  readonly count?: number | undefined;
  readonly target?: string | undefined;
  readonly attributes?: Readonly<Record<string, Uint8Array>> | undefined;
  /** FIFO or socket that is bound to it. */
  readonly object?: number | undefined;
  /** Open files and mappings of it, which keep it when it has no links. */
  readonly opened: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly ino: number;
  /** Position for readdir, in the order in which entries were made. */
  readonly cookie: number;
}

/** Spec: mount_namespaces(7). */
export interface Mount {
  readonly id: number;
  readonly namespace: number;
  readonly fileSystem: number;
  /** Inode that is its root. */
  readonly root: number;
  /** Mount it stands on, and the directory or file there; its own id for the root of a namespace. */
  readonly parent: number;
  readonly at: Location | undefined;
  /** MS_ flags that are the mount's own: read-only, nosuid, nodev, noexec ... */
  readonly flags: number;
  readonly propagation: "private" | "shared" | "slave" | "unbindable";
  /** Peer group, and that which it is a slave of. */
  readonly group: number | undefined;
  readonly master: number | undefined;
  /** Mounts that stand on it, in the order in which they were put there: another list whenever that changes. */
  readonly children: readonly number[];
  /** Of a root that is no directory: the directory it was found in, and its name there. */
  readonly rootName?: readonly [directory: number, name: string] | undefined;
  /** It came from a namespace of more privilege: it stays where it is, and these flags stay set. */
  readonly locked?: boolean | undefined;
  readonly lockedFlags?: number | undefined;
}
