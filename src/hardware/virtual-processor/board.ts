/** The devices and the clock of a virtual machine, as one of its processors reaches them. */
import type { AccessSize, LocalApicPort } from "../cpu/processor.js";
import { diskAccess, readMapped, stopBehindWrite, writeMapped } from "../devices/board.js";
import * as bus from "../devices/bus.js";
import type { Reach } from "../devices/guest-memory.js";
import { localApicPort } from "../devices/local-apic-port.js";
import type { Disk } from "../disk.js";
import type { Stop } from "../state.js";
import { dmaOf, type VirtualMemory } from "./memory.js";

/** The address line that the A20 gate holds low. */
const LINE_20 = 1 << 20;

export interface BoardState {
  readonly devices: bus.DeviceSet;
  readonly disks?: readonly Disk[] | undefined;
  /** Ticks since the machine's reset. */
  readonly tick: number;
  /** Which processor of the machine it is for: 0 unless given. */
  readonly processor?: number;
}

/** Holds the devices of a machine and replaces them as they are accessed. What it became is read from its fields. */
export class VirtualBoard {
  readonly memory: VirtualMemory;
  /** Of several processors, the one that reaches them now. */
  apicId: number;
  disks: readonly Disk[] | undefined;
  /** Why the machine stops, once a device says so. */
  stop: Stop | undefined;
  /** Accesses of ports. */
  portReads = 0;
  portWrites = 0;
  /** Told of each of them. */
  watch: ((direction: "in" | "out", port: number, size: AccessSize, value: number) => void) | undefined;
  #devices: bus.DeviceSet;
  /** Bits of a physical address that do not get through. */
  #held: number;
  #now: number;
  /** Tick of the next thing a device does by itself; undefined: to be looked up among those later than `#done`. */
  #nextEvent: number | undefined;
  #done: number;
  #reach: Reach | undefined;
  #localApic: LocalApicPort | undefined;

  constructor({ devices, disks, tick, processor = 0 }: BoardState, memory: VirtualMemory) {
    this.memory = memory;
    this.apicId = processor;
    this.disks = disks;
    this.#devices = devices;
    this.#now = tick;
    // What happens at this very tick has not been done yet.
    this.#done = tick - 1;
    this.#held = bus.a20Enabled(devices) ? 0 : LINE_20;
  }

  get devices(): bus.DeviceSet {
    return this.#devices;
  }

  /** Other devices: what a person typed, what another processor did. */
  set devices(devices: bus.DeviceSet) {
    if (devices === this.#devices) return;
    this.#devices = devices;
    this.#held = bus.a20Enabled(devices) ? 0 : LINE_20;
    this.#changed(this.#now - 1);
  }

  /** A machine has gone on by itself: its devices and disks, and its tick. */
  become({ devices, disks, tick }: Omit<BoardState, "processor">): void {
    this.#now = tick;
    this.devices = devices;
    this.disks = disks;
  }

  #changed(done: number): void {
    this.#nextEvent = undefined;
    this.#done = done;
  }

  get processors(): number {
    return this.#devices.apic?.local.length ?? 1;
  }

  // ---- time -------------------------------------------------------------------------------------------------------

  /** The present tick. */
  get now(): number {
    return this.#now;
  }

  /** Tick of the next thing a device does by itself; infinity for never. One of this very tick has not been done yet. */
  get nextEvent(): number {
    this.#nextEvent ??= bus.nextEvent(this.#devices, this.#done);
    return this.#nextEvent;
  }

  /** Time goes on to a tick: what devices do by themselves until then is done. */
  advance(tick: number): void {
    this.#now = tick;
    if (tick < this.nextEvent) return;
    this.#devices = bus.advance(this.#devices, tick);
    this.#changed(tick);
  }

  /** A step was made: a tick has gone by. What is due then waits for the next `advance`. */
  count(): void {
    this.#now++;
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  /** A device asks for an interrupt of this processor. */
  get interruptWaits(): boolean {
    return bus.interruptRequested(this.#devices, this.apicId);
  }

  /** Takes the vector of the interrupt that is asked for. */
  acknowledge(): number {
    const { devices, vector } = bus.acknowledge(this.#devices, this.apicId);
    this.#devices = devices;
    this.#changed(this.#now);
    return vector;
  }

  /** The tick at which a device asks for an interrupt of this processor, halted from now on; infinity if none will by itself. */
  get nextInterrupt(): number {
    let devices = this.#devices;
    let tick = this.#now;
    let due = this.nextEvent;
    for (;;) {
      if (tick >= due) {
        devices = bus.advance(devices, tick);
        due = bus.nextEvent(devices, tick);
      }
      if (bus.interruptRequested(devices, this.apicId)) return tick;
      if (due === Number.POSITIVE_INFINITY || !bus.canWakeByItself(devices, tick, this.apicId))
        return Number.POSITIVE_INFINITY;
      tick = due;
    }
  }

  get localApic(): LocalApicPort | undefined {
    if (this.#devices.apic === undefined) return undefined;
    this.#localApic ??= localApicPort(this, (devices) => {
      this.#accessed(devices);
    });
    return this.#localApic;
  }

  // ---- accesses ---------------------------------------------------------------------------------------------------

  portRead(port: number, size: AccessSize): number {
    this.portReads++;
    const { devices, value } = bus.portRead(this.#devices, port, size, this.#now, this.#reached);
    this.#accessed(devices);
    this.watch?.("in", port, size, value);
    return value;
  }

  portWrite(port: number, size: AccessSize, value: number): void {
    this.portWrites++;
    this.watch?.("out", port, size, value);
    this.#written(bus.portWrite(this.#devices, port, size, value, this.#now, this.#reached));
  }

  /** A physical address as it leaves the A20 gate. */
  onBus(physical: number): number {
    return this.#held === 0 ? physical : physical - (physical & this.#held);
  }

  /** Reads where there is no memory: a register of a device, or all ones. Unsigned. */
  readMapped(physical: number, size: AccessSize): number {
    const { devices, value } = readMapped(this.#devices, this.apicId, physical, size, this.#now, this.#reached);
    this.#accessed(devices);
    return value;
  }

  writeMapped(physical: number, size: AccessSize, value: number): void {
    this.#written(writeMapped(this.#devices, this.apicId, physical, size, value, this.#now, this.#reached));
  }

  get #reached(): Reach {
    this.#reach ??= { memory: this.memory.dma ?? dmaOf(this.memory), disks: diskAccess(this) };
    return this.#reach;
  }

  #accessed(devices: bus.DeviceSet): void {
    if (devices === this.#devices) return;
    this.#devices = devices;
    this.#changed(this.#now);
  }

  #written(devices: bus.DeviceSet): void {
    const before = this.#devices;
    this.#accessed(devices);
    if (devices === before) return;
    this.stop = stopBehindWrite(before, devices) ?? this.stop;
    this.#held = bus.a20Enabled(devices) ? 0 : LINE_20;
  }
}
