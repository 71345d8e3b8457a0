/** The devices of a virtual machine as its processor reaches them: the A20 gate, registers in memory, disks, stops. */
import { describe, expect, it } from "vitest";
import { createDevices } from "../devices/bus.js";
import { VirtualBoard } from "./board.js";
import { dmaOf, type VirtualMemory } from "./memory.js";

/** 2 MiB of RAM whose second page is ROM. */
function ram(): VirtualMemory & { readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(2 ** 21);
  const view = new DataView(bytes.buffer);
  return {
    bytes,
    has: (physical) => physical < bytes.length,
    read: (at, size) => (size === 4 ? view.getUint32(at, true) : size === 2 ? view.getUint16(at, true) : bytes[at]!),
    write(at, size, value) {
      if (at >>> 12 === 1) return;
      if (size === 4) view.setUint32(at, value, true);
      else if (size === 2) view.setUint16(at, value, true);
      else view.setUint8(at, value);
    },
  };
}

const board = (config = {}): VirtualBoard => {
  const devices = createDevices({ machine: "isapc", debugConsolePort: 0xe9, debugExitPort: 0xf4, ...config });
  return new VirtualBoard({ devices, tick: 0 }, ram());
};

describe("the board", () => {
  it("holds address line 20 low from the write of port 92H on that says so", () => {
    const one = board();
    one.portWrite(0x92, 1, 2);
    expect(one.onBus(0x10_0000)).toBe(0x10_0000);
    one.portWrite(0x92, 1, 0);
    one.portWrite(0x64, 1, 0xd1);
    one.portWrite(0x60, 1, 0xdd);
    expect(one.onBus(0x10_0000)).toBe(0);
    expect(new VirtualBoard({ devices: one.devices, tick: 0 }, one.memory).onBus(0x31_2345)).toBe(0x21_2345);
  });

  it("reads ones where neither memory nor a device answers, and counts the accesses of ports", () => {
    const one = board();
    expect([one.readMapped(0xf000_0000, 4), one.portRead(0x5678, 2)]).toEqual([0xffff_ffff, 0xffff]);
    expect([one.portReads, one.portWrites]).toEqual([1, 0]);
  });

  it("stops the machine at a write to the debug-exit port, and goes on from other devices", () => {
    const one = board();
    const before = one.devices;
    one.portWrite(0xf4, 1, 0x10);
    expect(one.stop).toEqual({ reason: "debug-exit", value: 0x10, status: 0x21 });
    expect(before.debugExit?.exitValue).toBeUndefined();
  });

  it("tells when the timer interrupts next, and advances to it", () => {
    const one = board();
    expect(one.nextEvent).toBe(Number.POSITIVE_INFINITY);
    for (const [port, value] of [
      ...[
        [0x20, 0x11],
        [0x21, 0x20],
        [0x21, 4],
        [0x21, 1],
        [0x21, 0xfe],
      ],
      ...[
        [0x43, 0x34],
        [0x40, 2],
        [0x40, 0],
      ],
    ] as const)
      one.portWrite(port!, 1, value!);
    const due = one.nextInterrupt;
    expect(due).toBeGreaterThan(0);
    one.advance(due - 1);
    expect(one.interruptWaits).toBe(false);
    one.advance(due);
    expect([one.interruptWaits, one.nextInterrupt, one.acknowledge()]).toEqual([true, due, 0x20]);
  });
});

describe("memory as devices see it", () => {
  it("is read and written over the ends of pages and of memory, and ROM is not written", () => {
    const memory = ram();
    const dma = dmaOf(memory);
    dma.write(0xffd, Uint8Array.of(1, 2, 3, 4, 5));
    expect([...dma.read(0xffc, 6)]).toEqual([0, 1, 2, 3, 0, 0]);
    memory.bytes.set([7, 8, 9], 2 ** 21 - 3);
    expect([...dma.read(2 ** 21 - 3, 5)]).toEqual([7, 8, 9, 0xff, 0xff]);
    dma.write(2 ** 21 - 2, Uint8Array.of(1, 2, 3, 4));
    expect([...memory.bytes.subarray(-3)]).toEqual([7, 1, 2]);
  });
});
