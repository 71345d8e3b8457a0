/**
 * A machine as a value: every method that does something gives a new machine and leaves this one as it was.
 *
 * All machines of a process share one engine, which is a cache of the value used last; keeping a machine is keeping its
 * reference, and going on from an old one is free of copying.
 */
import type { OnProgress } from "../state/progress.js";
import { type BootOptions, bootState, type CreateOptions, createState } from "./boot/start.js";
import { checkTurn } from "./check-turn.js";
import { type Counters, countersOf } from "./counters.js";
import { checkedModel } from "./cpu/model.js";
import type { PageWalk } from "./cpu/page-walk.js";
import { type CpuState, cplOf } from "./cpu/state.js";
import { type DeviceSet, typeInput, typeKeys } from "./devices/bus.js";
import { checkDevices } from "./devices/check-devices.js";
import { type MachineName, machineKind } from "./devices/machines.js";
import { sharedEngine } from "./engine/shared-engine.js";
import type { RunStops } from "./engine/stops.js";
import type { DeliveredException } from "./inspect/exception.js";
import { type Explanation, explain } from "./inspect/explain.js";
import { type Screen, screen } from "./inspect/screen.js";
import { type LinearAddress, readLinear, type WalkAccess, walkOf } from "./linear-memory.js";
import {
  type DiskReader,
  deepFreeze,
  differenceOf,
  diskReaders,
  hashOf,
  loadState,
  type MachineDifference,
  type MemoryReader,
  memoryReader,
  saveState,
  withBytes,
} from "./machine-content.js";
import { type EditableMachine, editedState } from "./machine-edit.js";
import { typedAtConsole } from "./machine-input.js";
import { asOutput, bytesOf, textOf } from "./output-text.js";
import { type Registers, registersOf } from "./registers.js";
import { pieceOf, runInPieces } from "./run-in-pieces.js";
import { checkRun, type RunOptions, type RunTask, runStops, upToEvent } from "./run-options.js";
import type { EventKind, MachineEvent, MachineState, Stop, Turn } from "./state.js";
import { checkSupervisors } from "./supervisors.js";

export type { Counters } from "./counters.js";
export type { LinearAddress, WalkAccess } from "./linear-memory.js";
export type { MachineDifference } from "./machine-content.js";
export type { EditableMachine } from "./machine-edit.js";
export type { LongRegisters, NumberRegisterName, Registers } from "./registers.js";
export type { RunOptions, Until } from "./run-options.js";

const NO_EVENTS: readonly MachineEvent[] = Object.freeze([]);

/** For levels above, which make machines and take them apart: no part of the package's surface. */
export let machineOf: (state: MachineState, stop?: Stop, events?: readonly MachineEvent[]) => Machine;
export let stateOf: (machine: Machine) => MachineState;

export class Machine {
  readonly #state: MachineState;
  readonly #stop: Stop | undefined;
  readonly #events: readonly MachineEvent[];
  #hash: string | undefined;

  static {
    machineOf = (state, stop, events) => new Machine(state, stop, events);
    stateOf = (machine) => machine.#state;
  }

  private constructor(state: MachineState, stop?: Stop, events: readonly MachineEvent[] = NO_EVENTS) {
    this.#state = state;
    this.#stop = deepFreeze(stop);
    this.#events = deepFreeze(events);
  }

  /**
   * A machine without a program: 32-bit protected mode with flat segments, EIP 0, memory all zeros.
   *
   * @throws VirtlabError for a memory size, model or port that cannot be.
   */
  static create(options: CreateOptions = {}): Machine {
    return new Machine(createState(options));
  }

  /**
   * A machine with a program in memory and the processor at its entry point, or with a ROM and the processor after reset.
   *
   * @throws VirtlabError naming the image, the offset and the reason when the image cannot be loaded.
   * @example
   * const machine = Machine.boot({ image: guest("rings"), memory: "16M" });
   * machine.cpl // => 0
   */
  static boot(options: BootOptions): Machine {
    return new Machine(bootState(options));
  }

  /**
   * The machine that `save` wrote.
   *
   * @throws VirtlabError for bytes that are no save, or a damaged or newer one.
   */
  static load(bytes: Uint8Array, name?: string): Machine {
    const state = loadState(bytes, {
      kind: "virtlab machine",
      name,
      model: createState({}),
      check: ({ cpu, devices, turn, supervisors }) => {
        checkedModel(cpu.system.model);
        checkDevices(devices);
        checkTurn({ turn, devices });
        checkSupervisors(supervisors);
      },
    });
    return new Machine(state);
  }

  /**
   * One instruction, one REP iteration, or the delivery of one exception or interrupt.
   *
   * @example
   * const before = Machine.boot({ image: Uint8Array.of(0x40) }); // inc eax
   * const after = before.step();
   * [before.registers.eax, after.registers.eax] // => [ 0, 1 ]
   *
   * With a kind of event: as many steps as lead to just behind the next event of that kind, which `events` then has, or to an end.
   *
   * @throws VirtlabError for an unknown kind.
   * @example
   * const machine = Machine.boot({ image: guest("rings") }).step("exception");
   * [machine.steps, machine.events.length] // => [ 79, 1 ]
   */
  step(kind?: EventKind): Machine {
    const shared = sharedEngine();
    const options = kind === undefined ? { limit: 1 } : upToEvent(kind);
    shared.open(this.#state);
    const { stop, events } = shared.run(options);
    return this.#next(shared.seal(), stop?.reason === "limit" ? undefined : stop, events);
  }

  /**
   * Goes on until a limit, a condition, or the end of the machine; `stop` of the result says which.
   *
   * @example
   * const machine = Machine.boot({ image: guest("rings") });
   * machine.run({ until: { serial: "hello" } }).stop?.reason // => 'until'
   * machine.run({ maxInstructions: 1000 }).steps // => 1000
   * machine.run({ observe: ["exception"] }).events.length // => 8
   */
  run(options: RunOptions = {}): Machine {
    const { maxInstructions = Number.POSITIVE_INFINITY, until, observe, onProgress } = options;
    checkRun(maxInstructions, observe);
    const serialFrom = this.#state.devices.uart.output.length;
    const task: RunTask = { until, observe, serialFrom, stops: runStops(options) };
    return onProgress === undefined
      ? this.#run(task, maxInstructions)
      : this.#runTelling(task, maxInstructions, onProgress);
  }

  #run({ until, observe, serialFrom, stops }: RunTask, limit: number): Machine {
    if (typeof until === "function") return this.#runUntil(until, limit, observe, stops);
    const shared = sharedEngine();
    shared.open(this.#state);
    const { stop, events } = shared.run({
      limit,
      stops,
      untilSerial: typeof until === "object" ? asOutput(until.serial) : undefined,
      serialFrom,
      observe: observe && observe.length > 0 ? new Set(observe) : undefined,
    });
    return this.#next(shared.seal(), stop, events);
  }

  #runTelling(task: RunTask, limit: number, onProgress: OnProgress): Machine {
    const events: (readonly MachineEvent[])[] = [];
    const last = runInPieces<Machine>(this, {
      limit,
      every: pieceOf(task.until, task.observe?.includes("instruction")),
      onProgress,
      run: (machine, steps) => {
        const next = machine.#run(task, steps);
        if (next.#events.length > 0) events.push(next.#events);
        return next;
      },
    });
    return events.length === 0 ? last : new Machine(last.#state, last.#stop, events.flat());
  }

  #runUntil(
    until: (machine: Machine) => boolean,
    limit: number,
    observe: readonly EventKind[] | undefined,
    { addresses, watchpoints }: RunStops,
  ): Machine {
    const step = { maxInstructions: 1, breakpoints: [...addresses], watchpoints, ...(observe ? { observe } : {}) };
    const events: MachineEvent[] = [];
    let machine: Machine = this;
    for (let steps = 0; steps < limit; steps++) {
      const next = machine.run(step);
      events.push(...next.events);
      if (next.#stop && next.#stop.reason !== "limit") return new Machine(next.#state, next.#stop, events);
      machine = next;
      if (until(machine)) return new Machine(machine.#state, { reason: "until" }, events);
    }
    return new Machine(machine.#state, { reason: "limit" }, events);
  }

  #next(state: MachineState, stop: Stop | undefined, events: readonly MachineEvent[] = NO_EVENTS): Machine {
    return state === this.#state && stop === this.#stop && events.length === 0
      ? this
      : new Machine(state, stop, events);
  }

  /**
   * The machine with text (UTF-8) or bytes typed at its serial port, or at its virtio console.
   *
   * @throws VirtlabError for a console that the machine has not.
   */
  type(input: string | Uint8Array, at: "serial" | "console" = "serial"): Machine {
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    if (at === "console") return new Machine(typedAtConsole(this.#state, bytes));
    return new Machine({ ...this.#state, devices: typeInput(this.#state.devices, bytes) });
  }

  /**
   * The machine with text typed at its keyboard, which has a US layout.
   *
   * @throws VirtlabError for a character that layout cannot type.
   */
  typeKeys(text: string): Machine {
    return new Machine({ ...this.#state, devices: typeKeys(this.#state.devices, text) });
  }

  /**
   * The machine with registers or devices edited; memory is written with `write`. With several processors the registers are
   * those of `processor`, or of the one whose turn it is.
   *
   * @throws VirtlabError for what no machine could be: unknown registers or devices, another VM flag, values that are no
   * numbers; and for a processor it has not.
   */
  edit(recipe: (draft: EditableMachine) => void, processor?: number): Machine {
    return new Machine(editedState(this.#state, recipe, processor));
  }

  /** The machine with bytes written at a physical address. */
  write(physical: number, bytes: Uint8Array): Machine {
    return new Machine(withBytes(this.#state, physical, bytes));
  }

  /** Why the run that gave this machine ended; undefined after a plain step. Not part of the value: outside hash and diff. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** What was observed during the run that gave this machine. */
  get events(): readonly MachineEvent[] {
    return this.#events;
  }

  /**
   * Registers as unsigned 32-bit numbers, selectors as 16-bit ones; in long mode RAX to R15, RIP and RFLAGS beside them as
   * bigints.
   */
  get registers(): Registers {
    return registersOf(this.#state.cpu);
  }

  /** The processor's state by name, with segments as they were loaded and the tables. */
  get cpu(): CpuState {
    return deepFreeze(this.#state.cpu);
  }

  /** Which kind of machine it is: which devices it has. */
  get kind(): MachineName {
    return machineKind(this.#state.devices.config.machine).name;
  }

  /**
   * Of a machine with several processors: the number of the one that `cpu` and `registers` are those of, how many steps its
   * turn still has, the others by their numbers, and the steps that each has made. Undefined where there is one processor.
   */
  get turn(): Turn | undefined {
    return deepFreeze(this.#state.turn);
  }

  /** Current privilege level, 0 to 3. */
  get cpl(): number {
    return cplOf(this.#state.cpu.system, this.#state.cpu.eflags);
  }

  /** Physical memory: its size in bytes, and copies of its content. */
  get memory(): MemoryReader {
    return memoryReader(this.#state);
  }

  /** The disks, by number: sizes, and copies of their content as it is now. */
  get disks(): readonly DiskReader[] {
    return diskReaders(this.#state);
  }

  /**
   * Bytes at a linear address, as supervisor software sees them; the accessed flags stay as they are.
   *
   * @throws VirtlabError where nothing is mapped.
   */
  readLinear(linear: LinearAddress, length: number): Uint8Array {
    return readLinear(this.#state, linear, length);
  }

  /**
   * The page walk of a linear address, every entry as it stands; a read by the supervisor unless said otherwise. With
   * 4-level paging addresses are canonical: negative numbers are those of the upper half, and so is a bigint like
   * 0xffffffff81000000n. In a guest with nested paging `nested` has the walk in both dimensions.
   *
   * @throws VirtlabError for a number that is no exact address.
   */
  walk(linear: LinearAddress, access: WalkAccess = {}): PageWalk {
    return walkOf(this.#state, linear, access);
  }

  /**
   * What the instruction at EIP, or at another offset of the code segment, means, with its operands as they are now.
   *
   * @throws VirtlabError where nothing is mapped at the address.
   */
  explain(address?: LinearAddress): Explanation {
    return explain(this, address);
  }

  /** Steps since reset: how many `step()`s lead here. */
  get steps(): number {
    return this.#state.steps;
  }

  /** Time since reset: steps, and what HLT skipped. The timer runs at one clock per 84 ticks. */
  get ticks(): number {
    return this.#state.ticks;
  }

  /** The machine with its NMI pin pulsed: vector 2 is delivered before the next instruction, unless an NMI handler runs. */
  nmi(): Machine {
    const { cpu } = this.#state;
    return new Machine({ ...this.#state, cpu: { ...cpu, pending: { ...cpu.pending, nmi: true } } });
  }

  /** The last exception that was raised, with every fault on the way to its handler. Outside of hash and diff. */
  get lastException(): DeliveredException | undefined {
    return deepFreeze(this.#state.lastException);
  }

  get halted(): boolean {
    return this.#state.cpu.halted;
  }

  get counters(): Counters {
    return countersOf(this.#state);
  }

  /** Everything the serial port has put out, decoded as UTF-8. */
  get serial(): string {
    return textOf(this.#state.devices.uart.output);
  }

  /** Everything the virtio console has put out, decoded as UTF-8. */
  get console(): string {
    return textOf(this.#state.devices.virtioConsole?.output ?? "");
  }

  get serialBytes(): Uint8Array {
    return bytesOf(this.#state.devices.uart.output);
  }

  /** The text screen, as the VGA shows it; undefined for a machine without one. */
  get screen(): Screen | undefined {
    return this.#state.devices.vga === undefined ? undefined : screen(this);
  }

  /** Device states by name. */
  get devices(): DeviceSet {
    return deepFreeze(this.#state.devices);
  }

  /** SHA-256 of the whole content, in hexadecimal. Equal machines have equal hashes, however they came about. */
  get hash(): string {
    this.#hash ??= hashOf(this.#state);
    return this.#hash;
  }

  /** The machine as bytes, for `Machine.load`. */
  save(): Uint8Array {
    return saveState("virtlab machine", this.#state, this.hash);
  }

  /** What differs between two machines, by name and by physical address. Equal parts are skipped by identity. */
  static diff(a: Machine, b: Machine): MachineDifference {
    return differenceOf(a.#state, b.#state);
  }
}
