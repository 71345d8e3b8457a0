/**
 * Privileged software in TypeScript, of the open machine: where it is entered, what it remembers, and what a handler has beside the
 * processor.
 */
import * as bus from "../devices/bus.js";
import type { Disk } from "../disk.js";
import type { EventKind, MachineEvent, MachineState, RomRange } from "../state.js";
import {
  type HostAccess,
  type HostCall,
  type HostCalls,
  hostCallsOf,
  type Supervisor,
  type Supervisors,
  sameEntries,
} from "../supervisors.js";
import type { AddressSpace } from "./address-space.js";
import { LOOK_AROUND } from "./attention.js";
import type { Processor } from "./processor.js";
import type { Turns } from "./turns.js";

const NO_DISKS: readonly Disk[] = Object.freeze([]);
/** Of a supervisor that remembers nothing. */
const NO_STATE: object = Object.freeze({});

export class OpenSupervisors implements HostAccess {
  readonly #processor: Processor;
  readonly #space: AddressSpace;
  readonly #turns: Turns;
  #value: Supervisors | undefined;
  #calls: HostCalls = hostCallsOf(undefined);
  #memorySize = 0;
  #rom: readonly RomRange[] = [];

  // What the handler at work has.
  state: object = NO_STATE;
  disks: readonly Disk[] = NO_DISKS;

  constructor(processor: Processor, space: AddressSpace, turns: Turns) {
    this.#processor = processor;
    this.#space = space;
    this.#turns = turns;
  }

  open({ supervisors, memorySize, rom }: MachineState): void {
    if (!sameEntries(this.#value, supervisors)) this.#calls = hostCallsOf(supervisors);
    this.#value = supervisors;
    this.#memorySize = memorySize;
    this.#rom = rom;
  }

  /** They as they remember what they do at present. */
  get value(): Supervisors | undefined {
    return this.#value;
  }

  /** The handler that is entered where the processor is, if one is. */
  get here(): HostCall | undefined {
    return this.#calls.size === 0 ? undefined : this.#calls.get(this.#space.fetchedFrom(this.#processor.linearEip));
  }

  /** Runs a handler. One that throws has changed nothing of what is remembered here. */
  run({ supervisor: name, handler }: HostCall): void {
    const before = this.#value!;
    const supervisor: Supervisor = before[name]!;
    const { devicePort } = this.#processor;
    const state = supervisor.state ?? NO_STATE;
    const disks = devicePort.disks ?? NO_DISKS;
    this.state = state;
    this.disks = disks;
    handler(this.#processor, this);
    if (this.state !== state) this.#value = { ...before, [name]: { ...supervisor, state: this.state } };
    if (this.disks !== disks) devicePort.disks = this.disks;
  }

  get memory(): MachineState["memory"] {
    return this.#space.seal();
  }

  set memory(memory: MachineState["memory"]) {
    this.#space.open(memory, this.#memorySize, this.#rom);
  }

  get steps(): number {
    return this.#turns.ownSteps;
  }

  elapse(ticks: number): void {
    const processor = this.#processor;
    const { devicePort } = processor;
    processor.ticks += ticks;
    processor.attention ??= LOOK_AROUND;
    if (processor.now < devicePort.nextEvent) return;
    processor.devices = bus.advance(processor.devices, processor.now);
    devicePort.nextEvent = bus.nextEvent(processor.devices, processor.now);
  }

  note(event: MachineEvent): void {
    if (this.observes(event.kind)) this.#processor.events.push(event);
  }

  observes(kind: EventKind): boolean {
    return this.#processor.observe?.has(kind) ?? false;
  }
}
