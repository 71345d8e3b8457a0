/** A machine that runs this library's kernel, as a value: processes, files, and what they do, step by step. */
import { withPlan } from "../hardware/boot/start.js";
import { includes } from "../hardware/cpu/model.js";
import { sharedEngine } from "../hardware/engine/shared-engine.js";
import { Machine, machineOf, stateOf } from "../hardware/machine.js";
import type { MachineDifference } from "../hardware/machine-content.js";
import { asOutput } from "../hardware/output-text.js";
import { checkRun } from "../hardware/run-options.js";
import type { EventKind, MachineEvent, MachineState, Stop } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { isBytes } from "../state/plain-data.js";
import { startup } from "./arch/startup.js";
import { entriesOf } from "./archives/archive.js";
import { firstState } from "./first-state.js";
import { hasFileSystem } from "./fs/file-systems.js";
import { KIND, VERSION } from "./handlers.js";
import { closed, collected, fed, ordered, spawned, spawnedOf, statusOf } from "./operator.js";
import type { KernelOptions, KernelRunOptions, SpawnedProcess, SpawnOptions } from "./options.js";
import { rootOf } from "./root.js";
import type { KernelState } from "./state.js";
import {
  type FileRow,
  fileRows,
  type MountRow,
  mountRows,
  type NamespaceRow,
  namespaceRows,
  type ProcessRow,
  processRows,
} from "./views.js";

export type {
  KernelMount,
  KernelOptions,
  KernelRunOptions,
  KernelUntil,
  SpawnedProcess,
  SpawnOptions,
} from "./options.js";

function kernelOf(machine: MachineState): KernelState {
  const supervisor = machine.supervisors?.[KIND];
  if (supervisor === undefined) throw new VirtlabError("this machine runs no kernel of this library");
  return supervisor.state as KernelState;
}

const withState = (machine: MachineState, state: KernelState): MachineState => ({
  ...machine,
  supervisors: { ...machine.supervisors, [KIND]: { ...machine.supervisors![KIND]!, state } },
});

const RUN_ON = Number.POSITIVE_INFINITY;

/**
 * A machine that runs this library's kernel, as an immutable value: every method gives another one. Programs are real ones for Linux, at
 * the privilege that they have there; their system calls are answered by TypeScript, each in one step of the machine.
 *
 * @example
 * // A static program for x86-64: it writes "hi" and ends with status 3.
 * const code = assemble(`org 0x400078
 *   mov eax, 1
 *   mov edi, 1
 *   lea rsi, [rel text]
 *   mov edx, 3
 *   syscall
 *   mov eax, 231
 *   mov edi, 3
 *   syscall
 * text: db "hi", 10`, { bits: 64 });
 * const header = Buffer.alloc(0x78);
 * header.write("7f454c46020101", 0, "hex"); // magic number, 64 bits, little-endian
 * header.writeUInt16LE(2, 16); // ET_EXEC
 * header.writeUInt16LE(62, 18); // EM_X86_64
 * header.writeUInt32LE(0x400078, 24); // entry
 * header.writeUInt32LE(64, 32); // program headers: here,
 * header.writeUInt16LE(56, 54); // so long each,
 * header.writeUInt16LE(1, 56); // and one of them:
 * header.writeUInt32LE(1, 64); // PT_LOAD
 * header.writeUInt32LE(5, 68); // to be read and executed
 * header.writeUInt32LE(0x400000, 80); // from this address on
 * header.writeUInt32LE(4096, 96);
 * header.writeUInt32LE(4096, 104);
 * const program = Buffer.concat([header, code.bytes]);
 * const machine = Machine.create({ machine: "pc", model: "max", memory: "16M" });
 * const kernel = Kernel.boot(machine, { root: [{ path: "hi", mode: 0o100755, data: program }] });
 * const done = kernel.spawn(["/hi"]).run();
 * const [process] = done.spawned;
 * [Buffer.from(process!.output).toString(), process!.status] // => [ 'hi\n', 768 ]
 * const call = kernel.spawn(["/hi"]).step("syscall").events[0];
 * call?.kind === "syscall" && [call.name, call.result] // => [ 'write', 3 ]
 */
export class Kernel {
  readonly #machine: Machine;

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /**
   * A machine in front of the first instruction of its kernel.
   *
   * @throws VirtlabError for a machine that cannot run it, and for a root that is damaged.
   */
  static boot(machine: Machine, { root, hostname = "virtlab", mounts = [] }: KernelOptions): Kernel {
    const hardware = stateOf(machine);
    const { model } = hardware.cpu.system;
    if (!includes(model, ["LM", "SYSCALL", "NX"]))
      throw new VirtlabError(`${model}: the kernel needs a processor with 64-bit mode, SYSCALL and NX`);
    if (hardware.turn !== undefined)
      throw new VirtlabError("the kernel runs on one processor; this machine has several");
    for (const { type } of mounts)
      if (!hasFileSystem(type)) throw new VirtlabError(`kernel: there is no file system "${type}"`);
    const { plan, entries, places, firstFrame } = startup(hardware.memorySize);
    const { root: files, store } = rootOf(isBytes(root) ? entriesOf(root) : root);
    const disks = hardware.disks ?? [];
    const first = firstState({
      places,
      memorySize: hardware.memorySize,
      firstFrame,
      files,
      store: disks.length,
      hostname,
    });
    const orders = mounts.map(({ type, at, source = type, options = "" }) => ({
      ...{ kind: "mount" as const, type, source, at, options },
    }));
    const state: KernelState = { ...first, orders };
    const supervisors = { ...hardware.supervisors, [KIND]: { kind: KIND, version: VERSION, entries, state } };
    return new Kernel(machineOf({ ...withPlan(hardware, plan), disks: [...disks, store], supervisors }));
  }

  /** The kernel of a machine. @throws VirtlabError for a machine that runs none. */
  static of(machine: Machine): Kernel {
    kernelOf(stateOf(machine));
    return new Kernel(machine);
  }

  /** The kernel that `save` wrote. @throws VirtlabError for bytes that are no save of one. */
  static load(bytes: Uint8Array, name?: string): Kernel {
    return Kernel.of(Machine.load(bytes, name));
  }

  /** What differs between two kernels, as between their machines. */
  static diff(a: Kernel, b: Kernel): MachineDifference {
    return Machine.diff(a.#machine, b.#machine);
  }

  /** The machine it runs on. */
  get machine(): Machine {
    return this.#machine;
  }

  get #state(): KernelState {
    return kernelOf(stateOf(this.#machine));
  }

  /** The kernel with something to do, which it does at its next boundary: one that waits is woken. */
  #ordered(state: KernelState): Kernel {
    if (state === this.#state) return this;
    const machine = withState(stateOf(this.#machine), state);
    const { cpu } = machine;
    return new Kernel(
      machineOf(state.zeroFrame === 0 ? machine : { ...machine, cpu: { ...cpu, pending: { ...cpu.pending, nmi: true } } }),
    );
  }

  // ---- what an operator does --------------------------------------------------------------------------------------

  /**
   * The kernel with a process that is to be started; the last of `spawned` says what becomes of it. A name without a slash is looked
   * for in PATH.
   *
   * @throws VirtlabError for what cannot be arguments.
   */
  spawn(parameters: readonly string[], options: SpawnOptions = {}): Kernel {
    return this.#ordered(spawned(this.#state, parameters, options));
  }

  /** The kernel with text (UTF-8) or bytes typed at its console. */
  type(input: string | Uint8Array): Kernel {
    return new Kernel(this.#machine.type(input));
  }

  /**
   * The kernel with more to be read at descriptor 0 of a process that was started with `inputOpen`.
   *
   * @throws VirtlabError for a number that is not in `spawned`, and behind `closeInput`.
   */
  feed(id: number, input: string | Uint8Array): Kernel {
    return this.#ordered(fed(this.#state, id, input));
  }

  /** The kernel with the end of what can be read at descriptor 0 of such a process. */
  closeInput(id: number): Kernel {
    return this.#ordered(closed(this.#state, id));
  }

  /** What a process that was started from outside has put out, and the kernel without it: for programs that put out much. */
  collect(id: number): { readonly kernel: Kernel; readonly output: Uint8Array; readonly errors: Uint8Array } {
    const { state, output, errors } = collected(this.#state, id);
    const kernel = state === this.#state ? this : new Kernel(machineOf(withState(stateOf(this.#machine), state)));
    return Object.freeze({ kernel, output, errors });
  }

  /** The kernel with a console of another size, in characters. */
  resize(rows: number, columns: number): Kernel {
    for (const size of [rows, columns])
      if (!(Number.isInteger(size) && size >= 0 && size < 65_536))
        throw new VirtlabError(`resize: ${size} is no number of rows or columns`);
    return this.#ordered(ordered(this.#state, { kind: "resize", rows, columns }));
  }

  // ---- going on ---------------------------------------------------------------------------------------------------

  /** One step of the machine, or as many as lead to just behind the next event of a kind, such as "syscall". */
  step(kind?: EventKind): Kernel {
    const next = this.#machine.step(kind);
    return next === this.#machine ? this : new Kernel(next);
  }

  /** Goes on until a limit, a condition, or until nothing goes on by itself; `stop` of the result says which. */
  run({ maxInstructions = RUN_ON, until, observe }: KernelRunOptions = {}): Kernel {
    checkRun(maxInstructions, observe);
    if (typeof until === "function") return this.#runUntil(until, maxInstructions, observe);
    const engine = sharedEngine();
    engine.open(stateOf(this.#machine));
    const { stop, events } = engine.run({
      limit: maxInstructions,
      observe: observe === undefined || observe.length === 0 ? undefined : new Set(observe),
      ...conditionOf(until),
    });
    return new Kernel(machineOf(engine.seal(), stop, events));
  }

  /** Asks behind every system call. */
  #runUntil(until: (kernel: Kernel) => boolean, limit: number, observe: readonly EventKind[] = []): Kernel {
    const events: MachineEvent[] = [];
    const kinds = new Set<EventKind>([...observe, "syscall"]);
    const engine = sharedEngine();
    let kernel: Kernel = this;
    let stop: Stop = { reason: "limit" };
    const end = this.#machine.steps + limit;
    while (kernel.#machine.steps < end) {
      engine.open(stateOf(kernel.#machine));
      const left = end - kernel.#machine.steps;
      const called = engine.run({ limit: left, observe: kinds, untilEvent: "syscall" });
      events.push(...called.events.filter((event) => observe.includes(event.kind)));
      stop = called.stop;
      kernel = new Kernel(machineOf(engine.seal(), stop));
      if (stop.reason !== "until" || until(kernel)) break;
    }
    return new Kernel(machineOf(stateOf(kernel.#machine), stop, events));
  }

  /** Why the run that gave this kernel ended. Not part of the value. */
  get stop(): Stop | undefined {
    return this.#machine.stop;
  }

  /** What was observed during the run that gave this kernel. */
  get events(): readonly MachineEvent[] {
    return this.#machine.events;
  }

  // ---- what there is ----------------------------------------------------------------------------------------------

  /** The processes that were started from outside, in order. */
  get spawned(): readonly SpawnedProcess[] {
    return spawnedOf(this.#state);
  }

  /** All processes, by number. */
  get processes(): readonly ProcessRow[] {
    return processRows(this.#state);
  }

  get namespaces(): readonly NamespaceRow[] {
    return namespaceRows(this.#state);
  }

  /** Mounts of all namespaces, in the order in which they were made. */
  get mounts(): readonly MountRow[] {
    return mountRows(this.#state);
  }

  /** Descriptors of all processes, and what they refer to. */
  get files(): readonly FileRow[] {
    return fileRows(this.#state);
  }

  /** All that the console has put out. */
  get console(): string {
    return this.#machine.serial;
  }

  /** SHA-256 of the whole content of the machine, in hexadecimal. */
  get hash(): string {
    return this.#machine.hash;
  }

  /** The machine as bytes, for `Kernel.load`. */
  save(): Uint8Array {
    return this.#machine.save();
  }
}

/** When a run ends, as the engine asks for it. */
function conditionOf(until: Exclude<KernelRunOptions["until"], (kernel: Kernel) => boolean>) {
  if (until === undefined) return {};
  if ("serial" in until) return { untilSerial: asOutput(until.serial) };
  const { ended } = until;
  return {
    untilSupervisors: (all: MachineState["supervisors"]) =>
      statusOf(all![KIND]!.state as KernelState, ended) !== undefined,
  };
}
