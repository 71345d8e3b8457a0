/**
 * A host with virtual machines as a value: a machine whose privileged software is this library's hypervisor, seen as what it is
 * to its operator.
 */
import { type CreateOptions, createState, withPlan } from "../hardware/boot/start.js";
import { type ModelName, models } from "../hardware/cpu/model.js";
import { typeInput } from "../hardware/devices/bus.js";
import { textFrom } from "../hardware/devices/sent-text.js";
import { sharedEngine } from "../hardware/engine/shared-engine.js";
import { Machine, machineOf, stateOf } from "../hardware/machine.js";
import { deepFreeze, type MachineDifference } from "../hardware/machine-content.js";
import { asOutput, textOf } from "../hardware/output-text.js";
import type { EventKind, MachineEvent, MachineState, Stop } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { framesOf, freeBytes } from "./frames.js";
import { KIND, VERSION } from "./handlers.js";
import { exitsOf, type Ledger, type LedgerEntry } from "./ledger.js";
import { startup } from "./startup.js";
import type { HypervisorState, VmState, VmStatus } from "./state.js";
import { type TranslationView, translationView } from "./techniques/bt/view.js";
import { techniqueOf } from "./techniques/index.js";
import { type TechniqueName, techniqueNames, techniques } from "./techniques/names.js";
import { carve, machineOfVm } from "./vm.js";

/** The host: a machine of any kind, with the hypervisor in place of a system. */
export interface HostOptions extends CreateOptions {
  /**
   * The mode the hypervisor runs in. Hardware-assisted techniques need 64, the others, which truncate segments, 32. Default: 64 where the
   * model has VT-x or AMD-V.
   */
  readonly bits?: 32 | 64;
}

export interface VmOptions {
  readonly name: string;
  /** What the VM is in front of its first instruction, or wherever it goes on from. */
  readonly guest: Machine;
  readonly technique: TechniqueName;
  /** Share of the processors beside other VMs: 1 to 65535. Default 256. */
  readonly weight?: number;
  /** Most per cent of one processor: 0, which is the default, is no limit. */
  readonly cap?: number;
}

export interface HypervisorRunOptions {
  /** Steps of the host at the most: default, no limit. */
  readonly maxInstructions?: number;
  /** Until a VM's serial port has put out a text, or a VM stops. */
  readonly until?: { readonly vm: string; readonly serial?: string };
  readonly observe?: readonly EventKind[];
}

/** A virtual machine of a host, at this step. */
export interface Vm {
  readonly name: string;
  readonly technique: TechniqueName;
  readonly status: VmStatus;
  /** What the guest sees, as a machine that could go on by itself: registers, memory, devices, disks, its own time. */
  readonly machine: Machine;
  readonly serial: string;
  /** Every exit, by reason, instruction and effect. */
  readonly ledger: readonly LedgerEntry[];
  readonly exits: number;
  /** Host ticks during which it had a processor. */
  readonly ran: number;
  /** Binary translation: what it has made of the guest's kernel. Undefined of other techniques, and before the VM first runs. */
  readonly translation: TranslationView | undefined;
  readonly weight: number;
  readonly cap: number;
}

const RUN_ON = Number.POSITIVE_INFINITY;

const assisted = (model: ModelName): boolean => models[model].features.has("VMX") || models[model].features.has("SVM");

/** What a host's machine has of it. */
function hypervisorOf(machine: MachineState): HypervisorState {
  const supervisor = machine.supervisors?.[KIND];
  if (supervisor === undefined) throw new VirtlabError("this machine runs no hypervisor");
  return supervisor.state as HypervisorState;
}

const withState = (machine: MachineState, state: HypervisorState): MachineState => ({
  ...machine,
  supervisors: { ...machine.supervisors, [KIND]: { ...machine.supervisors![KIND]!, state } },
});

/** Why a VM cannot be made; undefined where it can. */
function refusal(host: MachineState, { name, guest, technique, weight = 256, cap = 0 }: VmOptions): string | undefined {
  const { bits, vms } = hypervisorOf(host);
  const { model } = host.cpu.system;
  if (typeof name !== "string" || name === "") return "a VM needs a name";
  if (vms.some((vm) => vm.name === name)) return "there is a VM of that name";
  if (!techniqueNames.includes(technique))
    return `technique "${String(technique)}" is unknown (known: ${techniqueNames.join(", ")})`;
  const { title, bits: modes, lacks, most = Number.POSITIVE_INFINITY } = techniques[technique];
  if (vms.filter((vm) => vm.technique === technique).length >= most)
    return `${title} has room for ${most} VMs of a host`;
  const lacking = lacks(model);
  if (lacking !== undefined) return `${title} needs ${lacking}, which a ${model} has not`;
  if (!modes.includes(bits)) return `${title} needs a host in ${modes.join(" or ")}-bit mode, not in ${bits}-bit mode`;
  if (!Number.isInteger(weight) || weight < 1 || weight > 65535) return `weight ${weight} is not 1 to 65535`;
  if (!Number.isInteger(cap) || cap < 0) return `cap ${cap} is no per cent of a processor`;
  return techniqueOf({ technique, name }).refusal?.(stateOf(guest));
}

export class Hypervisor {
  readonly #machine: Machine;

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /**
   * A host in front of the first instruction of its hypervisor.
   *
   * @throws VirtlabError for a machine that cannot be, or a mode its model has not.
   */
  static create({ bits, ...options }: HostOptions = {}): Hypervisor {
    const model = options.model ?? "nehalem";
    const mode = bits ?? (assisted(model) ? 64 : 32);
    const machine = createState({ memory: "256M", ...options, model });
    if (mode === 64 && !models[model].features.has("LM"))
      throw new VirtlabError(`hypervisor: a ${model} has no 64-bit mode`);
    const { plan, entries, places } = startup(model, mode);
    const state: HypervisorState = {
      bits: mode,
      places,
      frames: framesOf(machine.memorySize),
      vms: [],
      current: undefined,
      running: undefined,
      alarm: undefined,
      sliceEnd: 0,
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
   * @throws VirtlabError where the host has too little memory left, or lacks what the technique needs; this host is as it was.
   */
  addVm(options: VmOptions): Hypervisor {
    const refused = refusal(this.#host, options);
    if (refused !== undefined) throw new VirtlabError(`${options.name}: ${refused}`);
    const { name, guest, technique, weight = 256, cap = 0 } = options;
    const { memory, disks = [] } = this.#host;
    const state = this.#state;
    const carved = carve(stateOf(guest), { frames: state.frames, memory, disks }, { name, technique, weight, cap });
    const vm: VmState = { ...carved.vm, status: { kind: "ready" } };
    const host: MachineState = {
      ...this.#host,
      memory: carved.memory,
      ...(carved.disks.length === 0 ? {} : { disks: carved.disks }),
    };
    return new Hypervisor(machineOf(withState(host, { ...state, frames: carved.frames, vms: [...state.vms, vm] })));
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
    return Object.freeze(this.#state.vms.map((_, number) => this.#vm(number)));
  }

  /** @throws VirtlabError for a name that no VM has. */
  vm(name: string): Vm {
    return this.#vm(this.#number(name));
  }

  #vm(number: number): Vm {
    const host = this.#host;
    const { vms, current, running } = this.#state;
    const vm = vms[number]!;
    const { name, technique, status, devices, ledger, ran, weight, cap } = vm;
    const isRunning = running?.vm === number;
    const beyond = isRunning ? (techniqueOf(vm).beyondAtRest?.(host, vm) ?? 0) : 0;
    const had = isRunning ? Math.max(0, host.ticks - running.since - beyond) : 0;
    const now = { ...vm, steps: vm.steps + had, ticks: vm.ticks + had };
    let machine: Machine | undefined;
    return Object.freeze({
      name,
      technique,
      status: deepFreeze(status),
      get machine(): Machine {
        machine ??= machineOfVm(host, now, techniqueOf(vm).view(host, vm, current === number));
        return machine;
      },
      get serial(): string {
        return textOf(devices.uart.output);
      },
      ledger: deepFreeze(Object.values(ledger)),
      exits: exitsOf(ledger),
      ran: ran + had,
      get translation(): TranslationView | undefined {
        return technique === "bt" ? translationView(host, vm) : undefined;
      },
      weight,
      cap,
    });
  }

  /** Bytes of the host's memory that no VM and no structure of the hypervisor has. */
  get free(): number {
    return freeBytes(this.#state.frames);
  }

  /** Text typed at a VM's serial port. A VM that waits for it goes on. */
  type(name: string, text: string): Hypervisor {
    const number = this.#number(name);
    const state = this.#state;
    const vm = state.vms[number]!;
    const devices = typeInput(vm.devices, new TextEncoder().encode(text));
    const status: VmStatus = vm.status.kind === "halted" ? { kind: "ready" } : vm.status;
    const vms = state.vms.with(number, { ...vm, devices, status });
    return new Hypervisor(machineOf(withState(this.#host, { ...state, vms })));
  }

  /** One step of the host: an instruction, a delivery, an exit, or what the hypervisor does about it. */
  step(): Hypervisor {
    return new Hypervisor(this.#machine.step());
  }

  /** Goes on until a limit, a condition, or until no VM goes on by itself. */
  run({ maxInstructions = RUN_ON, until, observe }: HypervisorRunOptions = {}): Hypervisor {
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

  get stop(): Stop | undefined {
    return this.#machine.stop;
  }

  get events(): readonly MachineEvent[] {
    return this.#machine.events;
  }

  get steps(): number {
    return this.#machine.steps;
  }

  get ticks(): number {
    return this.#machine.ticks;
  }

  /** Names all of it: host, hypervisor, guests. */
  get hash(): string {
    return this.#machine.hash;
  }

  save(): Uint8Array {
    return this.#machine.save();
  }

  static load(bytes: Uint8Array, name?: string): Hypervisor {
    return Hypervisor.of(Machine.load(bytes, name));
  }

  static diff(a: Hypervisor, b: Hypervisor): MachineDifference {
    return Machine.diff(a.machine, b.machine);
  }
}

export type { Ledger, TranslationView, VmStatus };
