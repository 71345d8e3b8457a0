/**
 * What the kernel remembers, as immutable records: plain data, with persistent maps where there may be many of a kind. What the
 * processor reads (page tables, descriptor tables, stacks) and what programs see (their memory) lies in the machine's memory instead.
 *
 * Records refer to each other by number. Numbers of kernel objects (files, pipes, address spaces, namespaces ...) are drawn from one
 * sequence, so that one names a channel to wait on, too.
 */
import type { PersistentMap } from "../state/persistent-map.js";
import type { UserRegisters } from "./arch/registers.js";
import type { DescriptorTable, FileSystem, InodeName, Location, Mount, OpenFile } from "./fs/records.js";

export type {
  Descriptor,
  DescriptorTable,
  DirectoryEntry,
  FileSystem,
  FileTime,
  Inode,
  InodeName,
  Location,
  Mount,
  OpenFile,
} from "./fs/records.js";

import type { Places } from "./arch/startup.js";

export type Table<V> = PersistentMap<V>;

// ---- memory -----------------------------------------------------------------------------------------------------

/** Page frames of the machine, by number. */
export interface Frames {
  /** Frames from here on have never been taken. */
  readonly next: number;
  readonly end: number;
  /** Frames that were given back, as a stack. */
  readonly free: Table<number>;
  readonly freed: number;
  /** Of frames with more than one user, or whose user is in another cgroup than the root: `users + OWNER * cgroup`. */
  readonly uses: Table<number>;
}

/** A part of an address space. Spec: mmap(2). */
export interface Area {
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
  /** PROT_ bits. */
  readonly protection: number;
  readonly shared: boolean;
  /** What its pages are read from; absent: zeros. */
  readonly file?: MappedFile | undefined;
  /** It grows downwards when touched below: the stack. */
  readonly growsDown?: boolean | undefined;
  /** What /proc/PID/maps calls it, where it has no file: [heap], [stack], [vdso]. */
  readonly label?: string | undefined;
  /** Pages stay in memory: mlock(2). */
  readonly locked?: boolean | undefined;
}

/** A file, or pages that only shared mappings have. */
export interface MappedFile {
  readonly inode: InodeName;
  /** In the file, of the area's first byte. */
  readonly offset: number;
  /** How it was opened, for /proc/PID/maps, and whether writes may reach it. */
  readonly path: Location | undefined;
  readonly writable: boolean;
}

export interface AddressSpace {
  readonly id: number;
  /** Tasks that have it. */
  readonly users: number;
  /** Frame of the top table. */
  readonly root: number;
  /** By rising address; they do not overlap. */
  readonly areas: readonly Area[];
  readonly breakStart: number;
  readonly breakEnd: number;
  /** Frames that are mapped, without tables; and frames of tables. */
  readonly resident: number;
  readonly tables: number;
  /** Where arguments and environment lie, for /proc. */
  readonly argumentsAt: readonly [start: number, end: number];
  readonly environmentAt: readonly [start: number, end: number];
  readonly bits: 32 | 64;
  readonly executable: Location | undefined;
}

// ---- tasks ------------------------------------------------------------------------------------------------------

/** The two instruction sets of system calls. */
export type Abi = "i386" | "x86_64";

/** A system call that was begun. */
export interface PendingCall {
  readonly abi: Abi;
  readonly number: number;
  readonly arguments: readonly number[];
  /** What it remembered when it could not go on. */
  readonly progress?: unknown;
  /** A signal ended its wait: what becomes of it if there is a handler. See `Wait`. */
  readonly interrupted?: "restart" | "interrupt" | undefined;
}

export type TaskStatus =
  | { readonly kind: "ready" }
  /** It has a processor. */
  | { readonly kind: "running"; readonly cpu: number }
  /** A call of it waits. */
  | {
      readonly kind: "waiting";
      readonly on: readonly number[];
      readonly until: number | undefined;
      /** Whether a signal ends the wait. */
      readonly interruptible: boolean;
    }
  | { readonly kind: "stopped" }
  | { readonly kind: "dead" };

/** Spec: capabilities(7), "Thread capability sets". Bits by number. */
export interface Capabilities {
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly inheritable: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
}

/** Ids are those of the initial user namespace. Spec: credentials(7). */
export interface Credentials {
  readonly uid: number;
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly gid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  readonly capabilities: Capabilities;
  /** Spec: capabilities(7), "The securebits flags". */
  readonly securebits: number;
  readonly noNewPrivileges: boolean;
}

/** By kind, the number of the namespace. Spec: namespaces(7). */
export interface Namespaces {
  readonly mnt: number;
  readonly uts: number;
  readonly ipc: number;
  readonly pid: number;
  /** That of children to come. */
  readonly pidForChildren: number;
  readonly net: number;
  readonly user: number;
  readonly cgroup: number;
  readonly time: number;
  readonly timeForChildren: number;
}

/** A signal that waits. Spec: sigaction(2), "The siginfo_t argument". */
export interface PendingSignal {
  readonly signal: number;
  readonly code: number;
  readonly pid: number;
  readonly uid: number;
  /** si_status, si_value or si_addr. */
  readonly value: number;
  /** What else its kind has: SIGCHLD the times, SIGSYS the call and its instruction set, SI_TIMER the timer. */
  readonly more?: readonly [number, number] | undefined;
  /** All of siginfo_t, as a program gave it: rt_sigqueueinfo(2). */
  readonly raw?: Uint8Array | undefined;
  /** Even the first process of a PID namespace takes it: an exception of its own, or from outside of the namespace. */
  readonly forced?: boolean | undefined;
}

/** A thread. Spec: Linux, task_struct. */
export interface Task {
  /** In the initial PID namespace. */
  readonly tid: number;
  /** Its thread group. */
  readonly process: number;
  readonly name: string;
  readonly status: TaskStatus;
  /** Where it goes on; what the processor has while it runs is not here. */
  readonly registers: UserRegisters;
  /** The call it is in, when it waits or is about to make it anew. */
  readonly call: PendingCall | undefined;
  /** 0: none, of a thread that has ended. */
  readonly space: number;
  readonly descriptors: number;
  readonly context: number;
  readonly handlers: number;
  readonly credentials: Credentials;
  readonly namespaces: Namespaces;
  readonly cgroup: number;
  /** Signals that wait for this thread alone. */
  readonly pending: readonly PendingSignal[];
  readonly blocked: bigint;
  /** The mask before a call that changed it for its time. */
  readonly savedMask: bigint | undefined;
  readonly alternateStack: { readonly base: number; readonly size: number; readonly flags: number } | undefined;
  /** Words of the TLS entries of the GDT: two for each. */
  readonly tls: readonly number[];
  /** Where its end is told: set_tid_address(2). */
  readonly clearTid: number;
  readonly robustList: number;
  /** Virtual run time, and ticks it has had as user and in system calls. */
  readonly virtualTime: number;
  readonly ran: number;
  readonly nice: number;
  readonly affinity: number;
  readonly startedAt: number;
  /** Program in cBPF, last one first. */
  readonly filters: readonly number[];
  /** What PR_SET_PDEATHSIG asked for. */
  readonly parentDeathSignal: number;
  /** Signals that sigtimedwait(2) waits for. */
  readonly awaits?: bigint | undefined;
  /** Its last exception, for signal frames. */
  readonly trap?: readonly [vector: number, code: number, address: number] | undefined;
}

/** A thread group. */
export interface Process {
  readonly pid: number;
  /** Its numbers in its PID namespace and those around it, the initial one last. */
  readonly numbers: readonly { readonly namespace: number; readonly number: number }[];
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly threads: readonly number[];
  readonly children: readonly number[];
  /** Signals that wait for any of its threads. */
  readonly pending: readonly PendingSignal[];
  /** What its parent is sent at its end; 0 for nothing. */
  readonly exitSignal: number;
  /** Wait status, once it has ended or stopped and this was not told yet. Spec: wait(2). */
  readonly status: number | undefined;
  readonly ended: boolean;
  readonly stopReport: number | undefined;
  /** The controlling terminal. */
  readonly terminal: number | undefined;
  /** Soft and hard limit by RLIMIT_ number. */
  readonly limits: readonly (readonly [number, number])[];
  readonly hasExecuted: boolean;
  readonly dumpable: boolean;
  /** Ticks that its ended children had. */
  readonly childrenRan: number;
  /** ITIMER_REAL: the tick at which it fires, and ticks between. */
  readonly alarm: { readonly at: number; readonly interval: number } | undefined;
  readonly isSubreaper: boolean;
  readonly oomAdjustment: number;
  /** The signal that has stopped it, until SIGCONT. */
  readonly stoppedBy?: number | undefined;
  /** Of a process that was started from outside: the object that says what became of it. */
  readonly operator: number | undefined;
}

/** Spec: sigaction(2). */
export interface SignalAction {
  readonly handler: number;
  readonly flags: number;
  readonly restorer: number;
  readonly mask: bigint;
}

export interface SignalHandlers {
  readonly id: number;
  readonly users: number;
  /** By signal number; absent ones are SIG_DFL. */
  readonly actions: Table<SignalAction>;
}

/** What clone(2) calls the file-system information. */
export interface FileContext {
  readonly id: number;
  readonly users: number;
  readonly root: Location;
  readonly directory: Location;
  readonly umask: number;
}

// ---- all of it --------------------------------------------------------------------------------------------------

/** What an operator asks for; done by the kernel at the next boundary. */
export type Order = SpawnOrder | MountOrder | FeedOrder | ResizeOrder;

export interface SpawnOrder {
  readonly kind: "spawn";
  /** Of the object that says what became of it. */
  readonly id: number;
  readonly arguments: readonly string[];
  readonly environment: readonly string[];
  /** Files for descriptors 0, 1 and 2: the console, or pipes of the operator's. */
  readonly streams: readonly ("console" | "pipes")[];
  readonly directory: string;
}

/** A file system to be mounted before there is a program. */
export interface MountOrder {
  readonly kind: "mount";
  readonly type: string;
  readonly source: string;
  readonly at: string;
  readonly options: string;
}

/** Bytes for descriptor 0 of a process, or the end of them. */
export type FeedOrder =
  | { readonly kind: "feed"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "close"; readonly id: number };

/** The console has another size. */
export interface ResizeOrder {
  readonly kind: "resize";
  readonly rows: number;
  readonly columns: number;
}

/** One processor. */
export interface Cpu {
  /** Thread that has it; 0: none, it idles. */
  readonly task: number;
  /** Tick at which the thread got it, and at which its turn ends. */
  readonly since: number;
  readonly sliceEnd: number;
  /** Tick for which the timer is set. */
  readonly alarm: number;
}

export interface KernelState {
  readonly places: Places;
  readonly memorySize: number;
  readonly cpus: readonly Cpu[];
  /** The next number of a kernel object. */
  readonly nextId: number;
  readonly frames: Frames;
  /** A frame of zeros that is nobody's. */
  readonly zeroFrame: number;
  readonly spaces: Table<AddressSpace>;
  readonly tasks: Table<Task>;
  readonly processes: Table<Process>;
  readonly handlers: Table<SignalHandlers>;
  readonly contexts: Table<FileContext>;
  readonly descriptorTables: Table<DescriptorTable>;
  readonly files: Table<OpenFile>;
  readonly fileSystems: Table<FileSystem>;
  readonly mounts: Table<Mount>;
  /** Pipes, sockets, terminals, namespaces, cgroups ...: what else has a number, by it. */
  readonly objects: Table<object>;
  /** Tasks that wait on a channel, by its number. */
  readonly waiters: Table<readonly number[]>;
  /** Tasks that wait for a time, and the ticks, earliest first. */
  readonly timers: readonly { readonly at: number; readonly task: number }[];
  /** Tasks that are ready, by rising virtual time. */
  readonly queue: readonly number[];
  readonly lastPid: number;
  /** Where the sequence of random numbers stands. */
  readonly random: bigint;
  readonly orders: readonly Order[];
  /** Numbers of what there is one of. */
  readonly initial: Readonly<Record<string, number>>;
}
