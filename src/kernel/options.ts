/** What a kernel is started with and asked for, and what it says of the programs that were started from outside. */
import type { EventKind } from "../hardware/state.js";
import type { Kernel } from "./kernel.js";
import type { RootEntry } from "./root.js";

/** A file system that is mounted before the first program. */
export interface KernelMount {
  /** As mount(2) has it: "proc", "tmpfs" ... */
  readonly type: string;
  /** Folder; it is made if it is not there. */
  readonly at: string;
  readonly source?: string;
  readonly options?: string;
}

export interface KernelOptions {
  /** The files that the root has: a list, or the bytes of a tar or newc cpio archive, which may be compressed with gzip. */
  readonly root: readonly RootEntry[] | Uint8Array;
  readonly hostname?: string;
  /** Beside the root, and devtmpfs at /dev if the root has that folder. */
  readonly mounts?: readonly KernelMount[];
}

/** Where a descriptor leads: the machine's console, or a pipe of the operator's. */
export type Stream = "console" | "pipes";

export interface SpawnOptions {
  /** NAME=VALUE each. PATH and HOME are set unless they are here. */
  readonly environment?: readonly string[];
  /** Where descriptors 0 to 2 lead, all of them or each. Default: pipes. */
  readonly streams?: Stream | readonly [Stream, Stream, Stream];
  readonly directory?: string;
  /** What can be read at descriptor 0 where it is a pipe. Behind it is its end, unless `inputOpen`. */
  readonly input?: string | Uint8Array;
  /** More will be fed: `feed`, `closeInput`. */
  readonly inputOpen?: boolean;
}

/** A process that was started from outside. */
export interface SpawnedProcess {
  readonly id: number;
  /** 0 until the kernel has made it. */
  readonly pid: number;
  /** Why it could not begin: the name of an errno. */
  readonly failed: string | undefined;
  /** Wait status once it has ended. Spec: wait(2). */
  readonly status: number | undefined;
  /** What it has put out at descriptors 1 and 2 so far. */
  readonly output: Uint8Array;
  readonly errors: Uint8Array;
  /** Bytes that were fed and not read yet. */
  readonly unread: number;
}

/** Until the serial port has put out a text, a process that was started from outside has ended, or what is asked behind every system call is true. */
export type KernelUntil = { readonly serial: string } | { readonly ended: number } | ((kernel: Kernel) => boolean);

export interface KernelRunOptions {
  /** Steps at the most. Default: no limit. */
  readonly maxInstructions?: number;
  readonly until?: KernelUntil;
  /** Kinds of events to collect in `events`. */
  readonly observe?: readonly EventKind[];
}
