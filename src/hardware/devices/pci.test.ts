import { describe, expect, it } from "vitest";
import { peer } from "../../../tests/support/peers.js";
import { createDevices, type DeviceSet, portRead, portWrite } from "./bus.js";
import { outWide, type PortAction, readWide, runOnDevices, runOnQemu } from "./port-script.test-helper.js";

const ADDRESS = 0xcf8;
const DATA = 0xcfc;
const address = (slot: number, number: number, offset: number): number =>
  (0x8000_0000 | (slot << 11) | (number << 8) | (offset & 0xfc)) >>> 0;
/** A dword of a function's configuration space. */
const config = (slot: number, number: number, offset: number): PortAction[] => [
  ...outWide(ADDRESS, 4, address(slot, number, offset)),
  ...readWide(DATA, 4),
];

const pc = (): DeviceSet => createDevices({ machine: "pc" });
const read = (devices: DeviceSet, slot: number, number: number, offset: number, size: 1 | 2 | 4 = 4): number =>
  portRead(portWrite(devices, ADDRESS, 4, address(slot, number, offset), 0), DATA + (offset & 3), size, 0).value;
const write = (devices: DeviceSet, slot: number, number: number, offset: number, value: number, size = 4): DeviceSet =>
  portWrite(portWrite(devices, ADDRESS, 4, address(slot, number, offset), 0), DATA + (offset & 3), size, value, 0);

describe("PCI configuration", () => {
  it("finds the functions that QEMU's machine has in the same places, with the same identity", (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const functions = [
      [0, 0],
      [1, 0],
      [1, 1],
      [1, 3],
    ] as const;
    // Identity, class and revision, header type; where the power management is, PIRQ routing apart.
    const script = [
      ...functions.flatMap(([slot, number]) => [...config(slot, number, 0), ...config(slot, number, 8)]),
      ...functions.flatMap(([slot, number]) => [
        ...outWide(ADDRESS, 4, address(slot, number, 12)),
        ...readWide(DATA + 2, 1),
      ]),
      ...config(1, 3, 0x40),
      ...config(1, 7, 0),
      ...config(30, 0, 0),
    ];
    const hex = (values: readonly number[]): string[] => values.map((value) => value.toString(16));
    expect(hex(runOnDevices(script, pc()).values)).toEqual(hex(runOnQemu(qemu, script)));
  });

  it("needs the enable bit, and a dword for the address", () => {
    const devices = portWrite(pc(), ADDRESS, 4, 0, 0);
    expect(portRead(devices, DATA, 4, 0).value).toBe(0xffff_ffff);
    const enabled = portWrite(pc(), ADDRESS, 4, 0x8000_0000, 0);
    expect(portRead(enabled, ADDRESS, 4, 0).value).toBe(0x8000_0000);
    expect(portRead(portWrite(enabled, ADDRESS, 1, 8, 0), DATA, 2, 0).value).toBe(0x8086);
    expect(portRead(enabled, ADDRESS, 1, 0).value).toBe(0xff);
  });

  it("has nothing on other buses and in empty slots", () => {
    expect(read(pc(), 2, 0, 0)).toBe(0xffff_ffff);
    const other = portWrite(pc(), ADDRESS, 4, 0x8001_0000, 0);
    expect(portRead(other, DATA, 4, 0).value).toBe(0xffff_ffff);
    expect(portWrite(other, DATA, 4, 5, 0)).toBe(other);
  });

  it("writes the bits that can be written, by byte, word and dword, and clears others where a 1 is written", () => {
    expect(read(write(pc(), 1, 1, 4, 0xffff, 2), 1, 1, 4, 2)).toBe(0x0005);
    expect(read(write(pc(), 1, 0, 0x61, 0x8b, 1), 1, 0, 0x60)).toBe(0x0b0a_8b0a);
    expect(read(write(pc(), 1, 0, 0, 0x1234), 1, 0, 0)).toBe(0x7000_8086);
    const sized = write(pc(), 1, 1, 0x20, 0xffff_ffff);
    expect(read(sized, 1, 1, 0x20)).toBe(0xffff_fff1);
  });

  it("does not exist on an isapc, and does not hide reset control on a pc", () => {
    expect(portRead(portWrite(createDevices(), ADDRESS, 4, 0x8000_0000, 0), DATA, 4, 0).value).toBe(0xffff_ffff);
    expect(portWrite(pc(), ADDRESS, 4, 0x8000_0604, 0).reset.resetRequested).toBe(false);
    expect(portWrite(pc(), 0xcf9, 1, 6, 0).reset.resetRequested).toBe(true);
  });
});
