/**
 * The kernel while it has a processor: the port, what it remembers, and the thread it was entered for. A handler makes one of these and
 * works through it; what it remembers is replaced when the handler is done.
 *
 * Everything of the kernel is a function of a `Work`. Records are replaced, never changed: `k.set` replaces parts of the state, and the
 * other setters one record of a table.
 */
import type { ProcessorPort } from "../hardware/cpu/processor.js";
import type { HostAccess } from "../hardware/supervisors.js";
import { type Entered, saveRegisters } from "./arch/registers.js";
import type {
  AddressSpace,
  DescriptorTable,
  FileContext,
  FileSystem,
  KernelState,
  Namespaces,
  OpenFile,
  PendingCall,
  Process,
  Task,
} from "./state.js";

/** The namespaces that the machine starts with. */
export function firstNamespaces({ initial }: KernelState): Namespaces {
  const { mnt, uts, ipc, pid, net, user, cgroup, time } = initial as Record<string, number>;
  return {
    ...{ mnt: mnt!, uts: uts!, ipc: ipc!, pid: pid!, pidForChildren: pid! },
    ...{ net: net!, user: user!, cgroup: cgroup!, time: time!, timeForChildren: time! },
  };
}

export class Work {
  readonly port: ProcessorPort;
  readonly access: HostAccess;
  /** Number of the processor. */
  readonly cpu: number;
  /** How the thread that has the processor came in. */
  readonly entered: Entered;
  state: KernelState;
  /** Number of the thread at work; 0 while the processor idles. */
  current: number;
  /** The thread's registers are in its record: they were taken out, or made anew. */
  saved = false;
  /** The call at work has put other registers in the place of the program's: it has no result. */
  replaced = false;
  /** Cgroups that have more memory than they may, and 0 for the machine: looked at when the handler is through. */
  pressed: number[] = [];
  /** The thread at work gives way to others, if there are any. */
  yielded = false;
  /** The call at work has another signal mask for its time. */
  masked = false;
  /** The call at work. */
  call!: PendingCall;

  constructor(port: ProcessorPort, access: HostAccess, entered: Entered) {
    this.port = port;
    this.access = access;
    this.entered = entered;
    this.state = access.state as KernelState;
    this.cpu = port.apicId;
    this.current = this.state.cpus[this.cpu]!.task;
  }

  commit(): void {
    this.access.state = this.state;
  }

  /** Time in ticks. */
  get now(): number {
    return this.port.now;
  }

  set(change: Partial<KernelState>): void {
    this.state = { ...this.state, ...change };
  }

  /** A number for a new object. */
  newId(): number {
    const { nextId } = this.state;
    this.set({ nextId: nextId + 1 });
    return nextId;
  }

  // ---- the thread at work, and what it refers to ------------------------------------------------------------------

  get task(): Task {
    return this.state.tasks.get(this.current)!;
  }

  /** Its namespaces; while the processor idles, those of the start. */
  get namespaces(): Namespaces {
    return this.current === 0 ? firstNamespaces(this.state) : this.task.namespaces;
  }

  get process(): Process {
    return this.processOf(this.task.process);
  }

  get space(): AddressSpace {
    return this.state.spaces.get(this.task.space)!;
  }

  get context(): FileContext {
    return this.state.contexts.get(this.task.context)!;
  }

  /** Takes the registers of the thread at work out of the processor, into its record. */
  save(): Task {
    if (!this.saved) {
      this.saved = true;
      this.setTask(this.current, { registers: saveRegisters(this.port, this.entered) });
    }
    return this.task;
  }

  // ---- records by number ------------------------------------------------------------------------------------------

  taskOf(tid: number): Task {
    return this.state.tasks.get(tid)!;
  }

  setTask(tid: number, change: Partial<Task>): void {
    const { tasks } = this.state;
    this.set({ tasks: tasks.set(tid, { ...tasks.get(tid)!, ...change }) });
  }

  processOf(pid: number): Process {
    return this.state.processes.get(pid)!;
  }

  setProcess(pid: number, change: Partial<Process>): void {
    const { processes } = this.state;
    this.set({ processes: processes.set(pid, { ...processes.get(pid)!, ...change }) });
  }

  setSpace(id: number, change: Partial<AddressSpace>): void {
    const { spaces } = this.state;
    this.set({ spaces: spaces.set(id, { ...spaces.get(id)!, ...change }) });
  }

  setContext(id: number, change: Partial<FileContext>): void {
    const { contexts } = this.state;
    this.set({ contexts: contexts.set(id, { ...contexts.get(id)!, ...change }) });
  }

  setDescriptors(id: number, change: Partial<DescriptorTable>): void {
    const { descriptorTables } = this.state;
    this.set({ descriptorTables: descriptorTables.set(id, { ...descriptorTables.get(id)!, ...change }) });
  }

  fileOf(id: number): OpenFile {
    return this.state.files.get(id)!;
  }

  setFile(id: number, change: Partial<OpenFile>): void {
    const { files } = this.state;
    this.set({ files: files.set(id, { ...files.get(id)!, ...change }) });
  }

  fileSystemOf(id: number): FileSystem {
    return this.state.fileSystems.get(id)!;
  }

  setFileSystem(id: number, change: Partial<FileSystem>): void {
    const { fileSystems } = this.state;
    this.set({ fileSystems: fileSystems.set(id, { ...fileSystems.get(id)!, ...change }) });
  }

  /** What else has a number: the module that made it knows its type. */
  objectOf<T extends object>(id: number): T {
    return this.state.objects.get(id) as T;
  }

  setObject<T extends object>(id: number, value: T | undefined): void {
    this.set({ objects: this.state.objects.set(id, value) });
  }

  changeObject<T extends object>(id: number, change: Partial<T>): void {
    this.setObject<T>(id, { ...this.objectOf<T>(id), ...change });
  }

  /** A new object under a new number. */
  addObject<T extends object>(value: T): number {
    const id = this.newId();
    this.setObject(id, value);
    return id;
  }
}
