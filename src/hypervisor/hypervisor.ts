/**
 * A host with virtual machines as a value: a machine whose privileged software is this library's hypervisor, seen as what it is
 * to its operator.
 */
import { createState, withPlan } from "../hardware/boot/start.js";
import { typeInput } from "../hardware/devices/bus.js";
import { textFrom } from "../hardware/devices/sent-text.js";
import { sharedEngine } from "../hardware/engine/shared-engine.js";
import { Machine, machineOf, stateOf } from "../hardware/machine.js";
import type { MachineDifference } from "../hardware/machine-content.js";
import { asOutput } from "../hardware/output-text.js";
import { checkRun } from "../hardware/run-options.js";
import type { MachineEvent, MachineState, Stop } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { isBytes } from "../state/plain-data.js";
import { hypervisorOf, IDLE, vmAtRest, withState } from "./at-rest.js";
import { framesOf, freeBytes } from "./frames.js";
import { KIND, VERSION } from "./handlers.js";
import { lacks, removedOf } from "./isolation/protections.js";
import { BELL, beginning, resumed, typed } from "./operator.js";
import type { HostOptions, HypervisorRunOptions, Vm, VmOptions } from "./options.js";
import { assisted, checkMemory, checkMode, checkSerial, checkSlice, checkVm, refusal } from "./refusal.js";
import { newSchedule, PERIOD, withShare } from "./schedule.js";
import { startup } from "./startup.js";
import { type HypervisorState, type VmState, withVm } from "./state.js";
import { carve } from "./vm.js";

/** What a quantum is beside its steps costs little then, and another VM waits for a fraction of a turn. */
const QUANTUM = 16_384;
const RUN_ON = Number.POSITIVE_INFINITY;

/**
 * A host with virtual machines as an immutable value: every method gives another one. It is a machine (`machine`) whose privileged
 * software is this library's hypervisor, and all that the processor needs of it (VMCS or VMCB, nested and shadow tables, bitmaps) lies
 * in the machine's memory, to be read and stepped through like anything else. The time of a guest is its own: what the hypervisor
 * does for itself costs it nothing, so a guest ends as on a bare machine.
 *
 * @example
 * const machine = Machine.boot({ image: guest("hello"), model: "nehalem", memory: "4M" });
 * const host = Hypervisor.create({ model: "nehalem", memory: "16M" });
 * const started = host.addVm({ name: "a", guest: machine, technique: "vmx-ept" });
 * const vm = started.run({ until: { vm: "a" } }).vm("a");
 * vm.serial === machine.run().serial // => true
 * vm.machine.steps === machine.run().steps // => true
 * started.vm("a").exits // => 0
 */
export class Hypervisor {
  readonly #machine: Machine;

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /**
   * A host in front of the first instruction of its hypervisor.
   *
   * @throws VirtlabError for a machine that cannot be, or a mode its model has not.
   * @example
   * const machine = Machine.boot({ image: guest("hello"), model: "nehalem", memory: "4M" });
   * const host = Hypervisor.create({ processors: 2, memory: "32M" })
   *   .addVm({ name: "a", guest: machine, technique: "vmx-ept" })
   *   .addVm({ name: "b", guest: machine, technique: "vmx-ept" })
   *   .run({ observe: ["schedule"] });
   * host.events.map((event) => event.kind === "schedule" && [event.processor, event.vm]).slice(0, 2) // => [ [ 0, 'a' ], [ 1, 'b' ] ]
   * host.vm("b").machine.steps === machine.run().steps // => true
   */
  static create({ bits, slice = PERIOD, ...options }: HostOptions = {}): Hypervisor {
    checkSlice(slice);
    const { model = "nehalem", processors = 1 } = options;
    const kind = processors === 1 ? {} : ({ machine: "pc" } as const);
    const machine = createState({ memory: "256M", ...kind, ...options, model });
    const mode = bits ?? (assisted(model) ? 64 : 32);
    checkMode(model, mode, processors);
    checkMemory(machine.memorySize);
    const { plan, entries, places } = startup(model, mode, processors);
    const state: HypervisorState = {
      bits: mode,
      places,
      frames: framesOf(machine.memorySize),
      vms: [],
      schedule: newSchedule(processors, slice),
      processors: Array.from({ length: processors }, () => IDLE),
    };
    const supervisors = { [KIND]: { kind: KIND, version: VERSION, entries, state } };
    return new Hypervisor(machineOf({ ...withPlan(machine, plan), supervisors }));
  }

  /**
   * The hypervisor of a host's machine.
   *
   * @throws VirtlabError for a machine that runs none.
   */
  static of(machine: Machine): Hypervisor {
    hypervisorOf(stateOf(machine));
    return new Hypervisor(machine);
  }

  /** The host: a machine like any other. */
  get machine(): Machine {
    return this.#machine;
  }

  get #host(): MachineState {
    return stateOf(this.#machine);
  }

  get #state(): HypervisorState {
    return hypervisorOf(this.#host);
  }

  /**
   * The host with a VM more, which is ready to run: its memory is carved from the host's frames, its disks are in the host's store.
   *
   * @throws VirtlabError where the host has too little memory left, or lacks what the technique needs, and where that has no VMs of several
   * processors; this host is as it was.
   * @example
   * const two = Machine.boot({ image: guest("hello"), machine: "pc", processors: 2, model: "nehalem", memory: "4M" });
   * const host = Hypervisor.create({ memory: "32M" }).addVm({ name: "a", guest: two, technique: "vmx-ept" });
   * const { vcpus, machine } = host.run({ until: { vm: "a" } }).vm("a");
   * vcpus.map(({ status }) => status) // => [ 'ready', 'waiting' ]
   * Machine.diff(two.run(), machine).memory // => []
   */
  addVm(options: VmOptions): Hypervisor {
    checkVm(options);
    const refused = refusal(this.#state, this.#host.cpu.system.model, options);
    if (refused !== undefined) throw new VirtlabError(`${options.name}: ${refused}`);
    const { name, guest, technique, weight = 256, cap = 0, quantum = QUANTUM } = options;
    const { memory, disks = [] } = this.#host;
    const state = this.#state;
    const carved = carve(stateOf(guest), { frames: state.frames, memory, disks }, { name, technique, quantum });
    const pausedAt = options.paused === true ? this.#host.ticks : undefined;
    const vm = { ...carved.vm, ...beginning(stateOf(guest), this.#host.ticks), ...removedOf(options), pausedAt };
    const schedule = withShare(state.schedule, weight, lacks(vm, "scheduler cap") ? 0 : cap);
    const host: MachineState = {
      ...this.#host,
      // A host that idles is to look again.
      ...(this.steps === 0 ? {} : { devices: typeInput(this.#host.devices, BELL) }),
      memory: carved.memory,
      ...(carved.disks.length === 0 ? {} : { disks: carved.disks }),
    };
    return new Hypervisor(
      machineOf(withState(host, { ...state, frames: carved.frames, vms: [...state.vms, vm], schedule })),
    );
  }

  #number(name: string): number {
    const number = this.#state.vms.findIndex((vm) => vm.name === name);
    if (number < 0) {
      const names = this.#state.vms.map((vm) => vm.name).join(", ");
      throw new VirtlabError(`there is no VM "${name}" (${names === "" ? "there is none" : `there are: ${names}`})`);
    }
    return number;
  }

  /** The VMs in the order they were made. */
  get vms(): readonly Vm[] {
    return Object.freeze(this.#state.vms.map((_, number) => vmAtRest(this.#host, number)));
  }

  /** @throws VirtlabError for a name that no VM has. */
  vm(name: string): Vm {
    return vmAtRest(this.#host, this.#number(name));
  }

  /** Bytes of the host's memory that no VM and no structure of the hypervisor has. */
  get free(): number {
    return freeBytes(this.#state.frames);
  }

  /** The host with what its operator changes of a VM; the hypervisor hears of it by an interrupt of the serial port. */
  #ordered(name: string, change: (vm: VmState, now: number) => Partial<VmState>): Hypervisor {
    const number = this.#number(name);
    const state = this.#state;
    const vm = state.vms[number]!;
    const next = withVm(state, number, { ...vm, ...change(vm, this.ticks) });
    const host = withState(this.#host, next);
    return new Hypervisor(machineOf({ ...host, devices: typeInput(host.devices, BELL) }));
  }

  /** Lets the host go on until the hypervisor has done what was ordered. */
  #obeyed(isDone: (state: HypervisorState) => boolean): Hypervisor {
    if (isDone(this.#state)) return this;
    const engine = sharedEngine();
    engine.open(this.#host);
    const untilSupervisors = (all: MachineState["supervisors"]) => isDone(all![KIND]!.state as HypervisorState);
    engine.run({ limit: RUN_ON, untilSupervisors });
    return new Hypervisor(machineOf(engine.seal()));
  }

  /**
   * Text, as UTF-8, or bytes typed at a VM's serial port. A VM that waits for it goes on.
   *
   * @throws VirtlabError for a name that no VM has.
   */
  type(name: string, text: string | Uint8Array): Hypervisor {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    if (!isBytes(bytes)) throw new VirtlabError(`${name}: what is typed is text or bytes`);
    return this.#ordered(name, (vm, now) => typed(vm, bytes, now));
  }

  /**
   * The VM goes no further from now on, and its time stands still; what it has is kept.
   *
   * @throws VirtlabError for a name that no VM has, or a VM that is paused.
   */
  pause(name: string): Hypervisor {
    if (this.vm(name).paused) throw new VirtlabError(`${name}: is paused already`);
    return this.#ordered(name, (_, now) => ({ pausedAt: now }));
  }

  /**
   * A paused VM goes on.
   *
   * @throws VirtlabError for a name that no VM has, or a VM that is not paused.
   */
  resume(name: string): Hypervisor {
    if (!this.vm(name).paused) throw new VirtlabError(`${name}: is not paused`);
    return this.#ordered(name, resumed);
  }

  /**
   * The VM is switched off, whatever it does; its memory and disks stay as they are. The host goes on until that is done.
   *
   * @throws VirtlabError for a name that no VM has.
   */
  shutDown(name: string): Hypervisor {
    const number = this.#number(name);
    const ordered = this.#ordered(name, () => ({ order: "off" }));
    return ordered.#obeyed(({ vms }) => vms[number]!.order === undefined);
  }

  /**
   * The host without the VM: its frames and disks are the host's again. The host goes on until that is done.
   *
   * @throws VirtlabError for a name that no VM has.
   */
  remove(name: string): Hypervisor {
    const ordered = this.#ordered(name, () => ({ order: "leave" }));
    return ordered.#obeyed(({ vms }) => vms.every((vm) => vm.name !== name));
  }

  /**
   * The VM with another machine in it, such as one that boots from a disk that an installer has written: in front of its first
   * instruction, with the technique, weight and cap it had.
   *
   * @throws VirtlabError for a name that no VM has, or a machine with more memory than the host has left for it.
   */
  boot(name: string, guest: Machine): Hypervisor {
    const { technique, quantum, schedule } = {
      ...this.#state.vms[this.#number(name)]!,
      schedule: this.#state.schedule,
    };
    const { weight, cap } = schedule.shares[this.#number(name)]!;
    return this.remove(name).addVm({ name, guest, technique, weight, cap, quantum });
  }

  /** One step of the host: an instruction, a delivery, an exit, or what the hypervisor does about it. */
  step(): Hypervisor {
    return new Hypervisor(this.#machine.step());
  }

  /**
   * Goes on until a limit, a condition, or until no VM goes on by itself: `stop` says which.
   *
   * @throws VirtlabError for a name that no VM has.
   */
  run({ maxInstructions = RUN_ON, until, observe }: HypervisorRunOptions = {}): Hypervisor {
    checkRun(maxInstructions, observe);
    const engine = sharedEngine();
    engine.open(this.#host);
    const { stop, events } = engine.run({
      limit: maxInstructions,
      untilSupervisors: until === undefined ? undefined : this.#condition(until),
      observe: observe === undefined || observe.length === 0 ? undefined : new Set(observe),
    });
    return new Hypervisor(machineOf(engine.seal(), stop, events));
  }

  #condition({ vm: name, serial }: NonNullable<HypervisorRunOptions["until"]>) {
    const number = this.#number(name);
    checkSerial(serial);
    const text = serial === undefined ? undefined : asOutput(serial);
    let seen = this.#state.vms[number]!.devices.uart.output.length;
    return (supervisors: MachineState["supervisors"]): boolean => {
      const { devices, status } = (supervisors![KIND]!.state as HypervisorState).vms[number]!;
      if (status.kind === "stopped") return true;
      const { output } = devices.uart;
      if (text === undefined || output.length === seen) return false;
      const news = textFrom(output, Math.max(0, seen - text.length + 1));
      seen = output.length;
      return news.includes(text);
    };
  }

  /** Why the last run ended: the host's reason, which is "until" where a VM stopped. */
  get stop(): Stop | undefined {
    return this.#machine.stop;
  }

  /** What was observed in the last run: the host's events, with those of its guests' direct execution. */
  get events(): readonly MachineEvent[] {
    return this.#machine.events;
  }

  /**
   * What a VM's guest did to ports in the last run, in its own time, as the machine by itself would have told it: `"port"` has to be
   * among what the run observes.
   *
   * @throws VirtlabError for a name that no VM has.
   */
  eventsOf(name: string): readonly MachineEvent[] {
    this.#number(name);
    const own = this.events.flatMap((event) => {
      if (event.kind !== "port" || event.vm !== name) return [];
      const { vm: _, ...rest } = event;
      return [rest];
    });
    return Object.freeze(own);
  }

  /** Of the host: its guests' own instructions, exits, entries, and what the hypervisor does, a step each. */
  get steps(): number {
    return this.#machine.steps;
  }

  /** Time of the host. */
  get ticks(): number {
    return this.#machine.ticks;
  }

  /** Names all of it: host, hypervisor, guests. */
  get hash(): string {
    return this.#machine.hash;
  }

  /** All of it as bytes. */
  save(): Uint8Array {
    return this.#machine.save();
  }

  /**
   * What `save` has made.
   *
   * @param name of the file, for messages.
   * @throws VirtlabError for bytes that are no machine, and for a machine that runs no hypervisor.
   */
  static load(bytes: Uint8Array, name?: string): Hypervisor {
    return Hypervisor.of(Machine.load(bytes, name));
  }

  /** What differs between two hosts, by path and by byte of host memory: guests, hypervisor, hardware. */
  static diff(a: Hypervisor, b: Hypervisor): MachineDifference {
    return Machine.diff(a.machine, b.machine);
  }
}
