/** A machine that runs this library's kernel, as a value: processes, files, and what they do, step by step. */
import { withPlan } from "../hardware/boot/start.js";
import { includes } from "../hardware/cpu/model.js";
import { sharedEngine } from "../hardware/engine/shared-engine.js";
import { type Machine, machineOf, stateOf } from "../hardware/machine.js";
import { checkRun } from "../hardware/run-options.js";
import type { EventKind, MachineEvent, MachineState, Stop } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { startup } from "./arch/startup.js";
import { firstState } from "./first-state.js";
import type { Pipe } from "./fs/pipes.js";
import { KIND, VERSION } from "./handlers.js";
import { joinBytes } from "./mm/user-memory.js";
import { type OperatorProcess, operatorPipe } from "./orders.js";
import { type RootEntry, rootOf } from "./root.js";
import type { KernelState } from "./state.js";

export interface KernelOptions {
  /** The files that the root has. */
  readonly root: readonly RootEntry[];
  readonly hostname?: string;
}

export interface SpawnOptions {
  /** NAME=VALUE each. PATH and HOME are set unless they are here. */
  readonly environment?: readonly string[];
  /** Where descriptors 0 to 2 lead: the machine's console, or pipes of the operator's. Default: pipes. */
  readonly streams?: "console" | "pipes";
  readonly directory?: string;
  /** What can be read at descriptor 0. Without it, and with pipes, it is at its end. */
  readonly input?: string | Uint8Array;
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
}

const RUN_ON = Number.POSITIVE_INFINITY;
const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function kernelOf(machine: MachineState): KernelState {
  const supervisor = machine.supervisors?.[KIND];
  if (supervisor === undefined) throw new VirtlabError("this machine runs no kernel of this library");
  return supervisor.state as KernelState;
}

const withState = (machine: MachineState, state: KernelState): MachineState => ({
  ...machine,
  supervisors: { ...machine.supervisors, [KIND]: { ...machine.supervisors![KIND]!, state } },
});

export class Kernel {
  readonly #machine: Machine;

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** A machine in front of the first instruction of its kernel. @throws VirtlabError for a machine that cannot run it. */
  static boot(machine: Machine, { root, hostname = "virtlab" }: KernelOptions): Kernel {
    const hardware = stateOf(machine);
    const { model } = hardware.cpu.system;
    if (!includes(model, ["LM", "SYSCALL", "NX"]))
      throw new VirtlabError(`${model}: the kernel needs a processor with 64-bit mode, SYSCALL and NX`);
    if (hardware.turn !== undefined)
      throw new VirtlabError("the kernel runs on one processor; this machine has several");
    const { plan, entries, places, firstFrame } = startup(hardware.memorySize);
    const { root: files, store } = rootOf(root);
    const disks = hardware.disks ?? [];
    const state = firstState({
      places,
      memorySize: hardware.memorySize,
      firstFrame,
      files,
      store: disks.length,
      hostname,
    });
    const supervisors = { ...hardware.supervisors, [KIND]: { kind: KIND, version: VERSION, entries, state } };
    return new Kernel(machineOf({ ...withPlan(hardware, plan), disks: [...disks, store], supervisors }));
  }

  /** The kernel of a machine. @throws VirtlabError for a machine that runs none. */
  static of(machine: Machine): Kernel {
    kernelOf(stateOf(machine));
    return new Kernel(machine);
  }

  get machine(): Machine {
    return this.#machine;
  }

  get #state(): KernelState {
    return kernelOf(stateOf(this.#machine));
  }

  /** The kernel with a process that is to be started, and its number for `spawned`. */
  spawn(parameters: readonly string[], options: SpawnOptions = {}): Kernel {
    const { environment = [], streams = "pipes", directory = "/", input = "" } = options;
    const state = this.#state;
    const defaults = [DEFAULT_PATH, "HOME=/root"].filter(
      (one) => !environment.some((other) => other.startsWith(one.slice(0, one.indexOf("=") + 1))),
    );
    const id = state.nextId;
    let { objects } = state;
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input.slice();
    const stdin: Pipe = { ...operatorPipe(), writers: 0, parts: bytes.length === 0 ? [] : [bytes], size: bytes.length };
    [stdin, operatorPipe(), operatorPipe()].forEach((pipe, index) => {
      objects = objects.set(id + 1 + index, { ...pipe, ...(index === 0 ? {} : { capacity: RUN_ON }) });
    });
    const process: OperatorProcess = {
      kind: "operator-process",
      pid: 0,
      failed: undefined,
      pipes: [id + 1, id + 2, id + 3],
    };
    const order = {
      kind: "spawn" as const,
      id,
      arguments: parameters,
      environment: [...defaults, ...environment],
      streams,
      directory,
    };
    const next = { ...state, objects: objects.set(id, process), nextId: id + 4, orders: [...state.orders, order] };
    const machine = withState(stateOf(this.#machine), next);
    const rung =
      machine.steps === 0
        ? machine
        : { ...machine, cpu: { ...machine.cpu, pending: { ...machine.cpu.pending, nmi: true } } };
    return new Kernel(machineOf(rung));
  }

  /** The processes that were started from outside, in order. */
  get spawned(): readonly SpawnedProcess[] {
    const { objects, processes } = this.#state;
    const found: SpawnedProcess[] = [];
    for (const [id, value] of objects.entries()) {
      if ((value as OperatorProcess).kind !== "operator-process") continue;
      const { pid, failed, pipes } = value as OperatorProcess;
      const bytes = (pipe: number): Uint8Array => {
        const { parts, read } = objects.get(pipe) as Pipe;
        return joinBytes([...parts, new Uint8Array(0)]).slice(read);
      };
      found.push(
        Object.freeze({
          id,
          pid,
          failed,
          status: processes.get(pid)?.status,
          output: bytes(pipes[1]),
          errors: bytes(pipes[2]),
        }),
      );
    }
    return Object.freeze(found);
  }

  /** Goes on until a limit, or until nothing goes on by itself. */
  run({
    maxInstructions = RUN_ON,
    observe,
  }: {
    maxInstructions?: number;
    observe?: readonly EventKind[];
  } = {}): Kernel {
    checkRun(maxInstructions, observe);
    const engine = sharedEngine();
    engine.open(stateOf(this.#machine));
    const { stop, events } = engine.run({
      limit: maxInstructions,
      observe: observe === undefined || observe.length === 0 ? undefined : new Set(observe),
    });
    return new Kernel(machineOf(engine.seal(), stop, events));
  }

  get stop(): Stop | undefined {
    return this.#machine.stop;
  }

  get events(): readonly MachineEvent[] {
    return this.#machine.events;
  }
}
