/**
 * The devices of the open machine as its processor reaches them: by ports, by registers in memory, and its own local APIC; and
 * what an access does beyond the device.
 */
import { anyBreakpoint, portBreakpoints } from "../cpu/debug.js";
import type { AccessSize, LocalApicPort } from "../cpu/processor.js";
import { diskAccess, readMapped, stopBehindWrite, writeMapped } from "../devices/board.js";
import * as bus from "../devices/bus.js";
import type { Reach } from "../devices/guest-memory.js";
import { localApicPort } from "../devices/local-apic-port.js";
import type { Disk } from "../disk.js";
import type { MachineState } from "../state.js";
import type { AddressSpace } from "./address-space.js";
import { LOOK_AROUND } from "./attention.js";
import { KnownPorts } from "./known-ports.js";
import { INTERRUPT_WAITS } from "./layout.js";
import type { Processor } from "./processor.js";

export class DevicePort {
  readonly #processor: Processor;
  readonly #space: AddressSpace;
  readonly #i32: Int32Array;
  readonly #ports: KnownPorts;
  /** What devices reach of the open machine beyond their registers. */
  readonly #reach: Reach;
  readonly #ownApic: LocalApicPort;
  #devices!: bus.DeviceSet;
  disks: readonly Disk[] | undefined;
  /** Tick of the next thing a device does by itself. */
  nextEvent = 0;

  constructor(processor: Processor, buffer: ArrayBuffer, space: AddressSpace) {
    this.#processor = processor;
    this.#space = space;
    this.#i32 = new Int32Array(buffer);
    this.#ports = new KnownPorts(buffer);
    this.#ownApic = localApicPort(processor, (devices) => this.#accessed(devices));
    space.mapped = {
      read: (physical, size) => this.#memoryRead(physical, size),
      write: (physical, size, value) => this.#memoryWrite(physical, size, value),
    };
    this.#reach = { memory: space.guestMemory, disks: diskAccess(this) };
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  open({ devices, disks, ticks }: MachineState): void {
    this.devices = devices;
    this.disks = disks;
    this.#space.setA20(bus.a20Enabled(devices));
    // An event of this very tick has not been dealt with yet: that is done when execution goes on.
    this.nextEvent = bus.nextEvent(devices, ticks - 1);
  }

  get devices(): bus.DeviceSet {
    return this.#devices;
  }

  set devices(devices: bus.DeviceSet) {
    if (devices === this.#devices) return;
    this.#devices = devices;
    this.#ports.forget();
    this.noteRequests();
  }

  /** Lets generated code see whether an interrupt waits for this processor. */
  noteRequests(): void {
    this.#i32[INTERRUPT_WAITS >> 2] = this.interruptWaits ? 1 : 0;
  }

  get interruptWaits(): boolean {
    return bus.interruptRequested(this.#devices, this.#processor.apicId);
  }

  get localApic(): LocalApicPort | undefined {
    return this.#devices.apic === undefined ? undefined : this.#ownApic;
  }

  // ---- ports ------------------------------------------------------------------------------------------------------

  portRead(port: number, size: AccessSize): number {
    const processor = this.#processor;
    const before = this.#devices;
    const { devices, value } = bus.portRead(before, port, size, processor.now, this.#reach);
    processor.counts.portReads++;
    this.#portAccessed(devices, "in", port, size, value);
    if (
      devices === before &&
      processor.observe === undefined &&
      !anyBreakpoint(processor.system) &&
      bus.isTimeless(devices, port, size)
    ) {
      this.#ports.add(port, size, value);
      this.limitPorts();
    }
    return value;
  }

  portWrite(port: number, size: AccessSize, value: number): void {
    const processor = this.#processor;
    const before = this.#devices;
    const devices = bus.portWrite(before, port, size, value, processor.now, this.#reach);
    processor.counts.portWrites++;
    this.#portAccessed(devices, "out", port, size, value);
    this.#written(before, devices);
  }

  #portAccessed(devices: bus.DeviceSet, direction: "in" | "out", port: number, size: number, value: number): void {
    const processor = this.#processor;
    processor.trap(portBreakpoints(processor.system, port, size));
    if (processor.observe?.has("port"))
      processor.events.push({
        kind: "port",
        tick: processor.now,
        eip: processor.eip,
        direction,
        port,
        size,
        value,
      });
    this.#accessed(devices);
  }

  /** Known ports hold until the next tick at which time changes a device, told in steps that are left of the budget. */
  limitPorts(): void {
    const { ticks, budget } = this.#processor;
    if (!this.#ports.none) this.#ports.limit = ticks + budget - bus.quietUntil(this.#devices);
  }

  /** Every access of a port is to be seen again. */
  forgetPorts(): void {
    this.#ports.forget();
  }

  // ---- registers in memory ----------------------------------------------------------------------------------------

  #memoryRead(physical: number, size: number): number {
    const before = this.#devices;
    const { apicId, now } = this.#processor;
    const { devices, value } = readMapped(before, apicId, physical, size, now, this.#reach);
    this.#accessed(devices);
    return size === 4 ? value | 0 : (value << (32 - 8 * size)) >> (32 - 8 * size);
  }

  #memoryWrite(physical: number, size: number, value: number): void {
    const before = this.#devices;
    const { apicId, now } = this.#processor;
    const unsigned = size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1);
    const devices = writeMapped(before, apicId, physical, size, unsigned, now, this.#reach);
    this.#accessed(devices);
    if (devices !== before) this.#written(before, devices);
  }

  // ---- what follows -----------------------------------------------------------------------------------------------

  /** An access has made these of the devices: looked at behind the instruction. */
  #accessed(devices: bus.DeviceSet): void {
    if (devices === this.#devices) return;
    this.devices = devices;
    this.nextEvent = bus.nextEvent(devices, this.#processor.now);
    this.#processor.attention ??= LOOK_AROUND;
  }

  /** What a write to a device can do beyond the device. */
  #written(before: bus.DeviceSet, devices: bus.DeviceSet): void {
    const stop = stopBehindWrite(before, devices);
    if (stop !== undefined) this.#processor.attention = { stop };
    this.#space.setA20(bus.a20Enabled(devices));
  }
}
