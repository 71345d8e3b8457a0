/** Physical addresses as they leave the A20 gate. */
import { describe, expect, it } from "vitest";
import { BusMemory } from "./bus-memory.js";
import { SLOTS } from "./layout.js";

const noCode = { hits: () => false, drop: () => {}, forget: () => {}, isFoundOn: () => false, dropAll: () => {} };
const newBus = (): BusMemory => new BusMemory(new ArrayBuffer(SLOTS), undefined, noCode);
const addresses = [0xfffff, 0x100000, 0x3fffff, 0x80100000, 0xfff00000, 2 ** 32 + 0x100000, 2 ** 40 + 0x180000];

describe("the A20 gate", () => {
  it("lets every address through while it is open", () => {
    expect(addresses.map((address) => newBus().onBus(address))).toEqual(addresses);
  });

  it("takes bit 20 away while it is closed, and no other, above 4 GiB too", () => {
    const bus = newBus();
    expect(bus.setA20(false)).toBe(true);
    expect(addresses.map((address) => bus.onBus(address))).toEqual([
      0xfffff,
      0,
      0x2fffff,
      0x80000000,
      0xffe00000,
      2 ** 32,
      2 ** 40 + 0x80000,
    ]);
    expect(bus.frameOfEntry(0x00100067)).toBe(0);
    expect(bus.setA20(false)).toBe(false);
  });
});
