import { describe, expect, it } from "vitest";
import { createDisk } from "../disk.js";
import { Machine } from "../machine.js";
import { createDevices, type DeviceSet, memoryRead, memoryWrite } from "./bus.js";
import { MEMORY } from "./layout.js";
import type { MachineName } from "./machines.js";
import { TestReach } from "./port-script.test-helper.js";

const SECTORS = 64;
const image = Uint8Array.from({ length: SECTORS * 512 }, (_, at) => (at >> 9) + (at & 255));
const QUEUE = { desc: 0x1000, driver: 0x2000, device: 0x3000 } as const;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** Registers by the names of the specification; where each is behind PCI and in memory. */
const REGISTERS = {
  device_feature_select: [0, 0x14],
  device_feature: [4, 0x10],
  driver_feature_select: [8, 0x24],
  driver_feature: [12, 0x20],
  device_status: [20, 0x70],
  queue_select: [22, 0x30],
  queue_size: [24, 0x38],
  queue_enable: [28, 0x44],
  desc: [32, 0x80],
  driver: [40, 0x90],
  device: [48, 0xa0],
} as const;
const PCI_SIZES: Readonly<Record<string, number>> = {
  device_status: 1,
  queue_select: 2,
  queue_size: 2,
  queue_enable: 2,
};

/** A driver of one virtio device. */
class Driver {
  devices: DeviceSet;
  readonly reach = new TestReach(createDisk(image));
  readonly #pci: boolean;
  readonly #base: number;
  #offered = 0;
  #descriptor = 0;

  constructor(machine: MachineName, place: number, readOnly = false) {
    this.#pci = machine === "pc";
    this.#base = this.#pci ? MEMORY.virtioMemory.base + place * 0x4000 : MEMORY.virtioMmio.base + place * 0x200;
    const extra = this.#pci ? (["virtioRng", "virtioConsole", "virtioBlock"] as const) : (["virtioBlock"] as const);
    const virtioDisk = { disk: 0, size: image.length, readOnly };
    this.devices = createDevices({ machine, extra }, { virtioDisk, seed: 5n });
  }

  read(offset: number, size = 4): number {
    const { devices, value } = memoryRead(this.devices, this.#base + offset, size, 0, this.reach);
    this.devices = devices;
    return value;
  }

  write(offset: number, value: number, size = 4): void {
    this.devices = memoryWrite(this.devices, this.#base + offset, size, value, 0, this.reach);
  }

  get(name: keyof typeof REGISTERS): number {
    return this.read(REGISTERS[name][this.#pci ? 0 : 1], this.#pci ? (PCI_SIZES[name] ?? 4) : 4);
  }

  set(name: keyof typeof REGISTERS, value: number): void {
    this.write(REGISTERS[name][this.#pci ? 0 : 1], value, this.#pci ? (PCI_SIZES[name] ?? 4) : 4);
  }

  /** As a driver sets a device up: features, one queue, and on. */
  start(queue = 0, features = [0, 1]): void {
    this.set("device_status", 0);
    this.set("device_status", 3);
    features.forEach((word, select) => {
      this.set("driver_feature_select", select);
      this.set("driver_feature", word);
    });
    this.set("device_status", 11);
    this.set("queue_select", queue);
    for (const [name, address] of Object.entries(QUEUE)) this.set(name as keyof typeof QUEUE, address);
    this.set("queue_enable", 1);
    this.set("device_status", 15);
  }

  /** Offers a chain of buffers and notifies the device. */
  offer(queue: number, ...pieces: readonly (readonly [address: number, length: number, flags?: number])[]): void {
    const view = new DataView(this.reach.bytes.buffer);
    const head = this.#descriptor;
    pieces.forEach(([address, length, flags = 0], index) => {
      const at = QUEUE.desc + 16 * this.#descriptor++;
      view.setUint32(at, address, true);
      view.setUint32(at + 8, length, true);
      view.setUint16(at + 12, flags | (index < pieces.length - 1 ? NEXT : 0), true);
      view.setUint16(at + 14, this.#descriptor, true);
    });
    view.setUint16(QUEUE.driver + 4 + 2 * this.#offered, head, true);
    view.setUint16(QUEUE.driver + 2, ++this.#offered, true);
    if (this.#pci) this.write(0x3000 + 4 * queue, queue, 2);
    else this.write(0x50, queue);
  }

  /** Index of the device's ring, and the length that its last entry says was written. */
  get used(): readonly [index: number, written: number] {
    const view = new DataView(this.reach.bytes.buffer);
    const index = view.getUint16(QUEUE.device + 2, true);
    return [index, view.getUint32(QUEUE.device + 8 * index, true)];
  }

  request(type: number, sector: number): void {
    const view = new DataView(this.reach.bytes.buffer);
    view.setUint32(0x4000, type, true);
    view.setUint32(0x4008, sector, true);
  }

  bytes(address: number, length: number): number[] {
    return [...this.reach.bytes.subarray(address, address + length)];
  }
}

const FACES = ["pc", "microvm"] as const;
const PLACE = { rng: 0, console: 1, block: 2 } as const;

describe.each(FACES)("a virtio device of a %s", (machine) => {
  it("offers version 1 and indirect descriptors, and agrees to no feature it has not offered", () => {
    const driver = new Driver(machine, PLACE.block);
    driver.set("device_feature_select", 1);
    expect(driver.get("device_feature")).toBe(1);
    driver.set("device_feature_select", 0);
    expect(driver.get("device_feature") & 0x1000_0000).not.toBe(0);
    driver.start(0, [0, 1]);
    expect(driver.get("device_status")).toBe(15);
    driver.start(0, [0x8000_0000, 1]);
    expect(driver.get("device_status") & 8).toBe(0);
    driver.start(0, [0, 0]);
    expect(driver.get("device_status") & 8).toBe(0);
  });

  it("reads sectors into the driver's buffers, with a result of one byte behind", () => {
    const driver = new Driver(machine, PLACE.block);
    driver.start();
    driver.request(0, 3);
    driver.offer(0, [0x4000, 16], [0x5000, 512, WRITE], [0x6000, 512, WRITE], [0x7000, 1, WRITE]);
    expect(driver.used).toEqual([1, 1025]);
    expect(driver.bytes(0x5000, 512)).toEqual([...image.subarray(3 * 512, 4 * 512)]);
    expect(driver.bytes(0x6000, 512)).toEqual([...image.subarray(4 * 512, 5 * 512)]);
    expect(driver.bytes(0x7000, 1)).toEqual([0]);
  });

  it("takes its descriptors from a table of their own, too", () => {
    const driver = new Driver(machine, PLACE.block);
    driver.start(0, [0x1000_0000, 1]);
    driver.request(0, 1);
    const view = new DataView(driver.reach.bytes.buffer);
    const table: readonly (readonly [number, number, number])[] = [
      [0x4000, 16, NEXT],
      [0x5000, 512, WRITE | NEXT],
      [0x7000, 1, WRITE],
    ];
    table.forEach(([address, length, flags], index) => {
      view.setUint32(0x8000 + 16 * index, address, true);
      view.setUint32(0x8008 + 16 * index, length, true);
      view.setUint16(0x800c + 16 * index, flags, true);
      view.setUint16(0x800e + 16 * index, index + 1, true);
    });
    driver.offer(0, [0x8000, 48, INDIRECT]);
    expect(driver.used).toEqual([1, 513]);
    expect(driver.bytes(0x5000, 4)).toEqual([...image.subarray(512, 516)]);
  });

  it("writes sectors to the disk, and refuses what is not on it", () => {
    const driver = new Driver(machine, PLACE.block);
    driver.start();
    driver.reach.bytes.fill(0xa5, 0x5000, 0x5200);
    driver.request(1, 7);
    driver.offer(0, [0x4000, 16], [0x5000, 512], [0x7000, 1, WRITE]);
    expect([driver.used, driver.bytes(0x7000, 1)]).toEqual([[1, 1], [0]]);
    expect([...driver.reach.disks.read(0, 7 * 512, 512)].every((byte) => byte === 0xa5)).toBe(true);
    driver.request(1, SECTORS);
    driver.offer(0, [0x4000, 16], [0x5000, 512], [0x7000, 1, WRITE]);
    expect(driver.bytes(0x7000, 1)).toEqual([1]);
    driver.request(99, 0);
    driver.offer(0, [0x4000, 16], [0x7000, 1, WRITE]);
    expect(driver.bytes(0x7000, 1)).toEqual([2]);
  });

  it("does not write to a disk that can only be read, which its features say", () => {
    const driver = new Driver(machine, PLACE.block, true);
    expect(driver.get("device_feature") & 0x20).toBe(0x20);
    driver.start();
    driver.request(1, 7);
    driver.offer(0, [0x4000, 16], [0x5000, 512], [0x7000, 1, WRITE]);
    expect(driver.bytes(0x7000, 1)).toEqual([1]);
  });

  it("interrupts for a used buffer until that is acknowledged, unless the driver wants none", () => {
    const driver = new Driver(machine, PLACE.rng);
    driver.start();
    const pins = (): number => driver.devices.virtioRng!.isr;
    driver.offer(0, [0x5000, 16, WRITE]);
    expect(pins()).toBe(1);
    // Line 5, or 10 where the PCI pin is routed to.
    const { master, slave } = driver.devices.pic;
    expect((master.inputs & 0x20) | (slave.inputs & 0x04)).not.toBe(0);
    if (machine === "pc") expect([driver.read(0x1000, 1), driver.read(0x1000, 1)]).toEqual([1, 0]);
    else {
      expect(driver.read(0x60)).toBe(1);
      driver.write(0x64, 1);
      expect(driver.read(0x60)).toBe(0);
    }
    const after = driver.devices.pic;
    expect((after.master.inputs & 0x20) | (after.slave.inputs & 0x04)).toBe(0);
    driver.reach.bytes[QUEUE.driver] = 1;
    driver.offer(0, [0x5000, 16, WRITE]);
    expect([driver.used[0], pins()]).toEqual([2, 0]);
  });

  it("gives random bytes that follow from the seed, each once", () => {
    const one = new Driver(machine, PLACE.rng);
    one.start();
    one.offer(0, [0x5000, 40, WRITE]);
    one.offer(0, [0x6000, 24, WRITE]);
    const other = new Driver(machine, PLACE.rng);
    other.start();
    other.offer(0, [0x5000, 64, WRITE]);
    expect([...one.bytes(0x5000, 40), ...one.bytes(0x6000, 24)]).toEqual(other.bytes(0x5000, 64));
    expect(new Set(other.bytes(0x5000, 64)).size).toBeGreaterThan(32);
  });

  it("puts out what is written to the console", () => {
    const driver = new Driver(machine, PLACE.console);
    driver.start(1);
    driver.reach.bytes.set([0x48, 0x69], 0x5000);
    driver.reach.bytes.set([0x21], 0x6000);
    driver.offer(1, [0x5000, 2], [0x6000, 1]);
    expect(driver.devices.virtioConsole!.output).toBe("Hi!");
    expect(driver.used).toEqual([1, 0]);
  });

  it("does nothing before the driver is ready, and ends at chains that bite their tails", () => {
    const driver = new Driver(machine, PLACE.rng);
    driver.offer(0, [0x5000, 16, WRITE]);
    expect(driver.used[0]).toBe(0);
    driver.start();
    const view = new DataView(driver.reach.bytes.buffer);
    view.setUint16(QUEUE.desc + 12, WRITE | NEXT, true);
    view.setUint16(QUEUE.desc + 14, 0, true);
    driver.offer(0, [0x5000, 16, WRITE]);
    expect(driver.used[0]).toBe(2);
  });

  it("is as after reset when 0 is written to its status, but for its disk", () => {
    const driver = new Driver(machine, PLACE.block);
    const before = driver.devices.virtioBlock;
    driver.start();
    driver.set("device_status", 0);
    expect(driver.devices.virtioBlock).toEqual(before);
  });
});

describe("a virtio device", () => {
  it("has the size of its disk in its configuration", () => {
    const pci = new Driver("pc", PLACE.block);
    const memory = new Driver("microvm", PLACE.block);
    expect([pci.read(0x2000), memory.read(0x100)]).toEqual([SECTORS, SECTORS]);
    expect([memory.read(0), memory.read(4), memory.read(8)]).toEqual([0x7472_6976, 2, 2]);
    expect(memory.read(0x34)).toBe(256);
  });

  it("is absent unless it is asked for: nobody answers", () => {
    const devices = createDevices({ machine: "pc" });
    expect(memoryRead(devices, MEMORY.virtioMemory.base, 4, 0).value).toBe(0xffff_ffff);
    expect(Machine.create({ machine: "pc" }).devices.virtioRng).toBe(undefined);
    expect(() => Machine.create().type("x", "console")).toThrow("the machine has no virtio console");
    expect(() => Machine.create({ devices: ["virtioRng"] })).toThrow(
      'machine "isapc" cannot have a device "virtioRng" besides',
    );
  });

  it("keeps what is typed at the console until its driver offers buffers", () => {
    const machine = Machine.create({ machine: "pc", devices: ["virtioConsole"] }).type("typed", "console");
    expect(machine.devices.virtioConsole!.input).toBe("typed");
    expect(machine.console).toBe("");
    expect(Machine.load(machine.save()).hash).toBe(machine.hash);
  });
});
