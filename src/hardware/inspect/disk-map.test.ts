import { describe, expect, it } from "vitest";
import { createDisk } from "../disk.js";
import { diskReaders } from "../machine-content.js";
import type { MachineEvent } from "../state.js";
import { diskMap } from "./disk-map.js";
import { diskTransfers } from "./disk-transfers.js";

const SECTORS = 300;
/** A disk with each of these sectors filled with a byte. */
function disk(content: Readonly<Record<number, number | Uint8Array>> = {}, sectors = SECTORS) {
  const image = new Uint8Array(sectors * 512);
  for (const [sector, what] of Object.entries(content)) {
    const at = Number(sector) * 512;
    if (typeof what === "number") image.fill(what, at, at + 512);
    else image.set(what, at);
  }
  const made = createDisk(image);
  return diskReaders({ disks: [made] } as unknown as Parameters<typeof diskReaders>[0])[0]!;
}

const bootSector = new Uint8Array(512);
bootSector.set([3, 0, 0x55, 0xaa], 508);
const elf = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1);

/** Writes to ports as a run tells them: pairs of a port and a value. */
const events = (...writes: readonly (readonly [port: number, value: number])[]): readonly MachineEvent[] =>
  writes.map(([port, value], tick) => ({ kind: "port", tick, eip: 0, direction: "out", port, size: 1, value }));

const command = (base: number, device: number, count: number, lba: number, code: number) =>
  events(
    [base + 6, device],
    [base + 2, count],
    [base + 3, lba & 0xff],
    [base + 4, (lba >> 8) & 0xff],
    [base + 5, (lba >> 16) & 0xff],
    [base + 7, code],
  );

describe("diskTransfers", () => {
  it("tells drive, direction, sector and count of commands, in their order", () => {
    const all = [...command(0x1f0, 0xf0, 4, 0x12345, 0x30), ...command(0x170, 0xe1, 0, 7, 0xc8)];
    expect(diskTransfers(all)).toEqual([
      { tick: 5, drive: 1, command: "WRITE SECTOR(S)", write: true, sector: 0x12345, count: 4 },
      { tick: 5, drive: 2, command: "READ DMA", write: false, sector: 0x100_0007, count: 256 },
    ]);
  });

  it("takes what a register was given before for the upper half of 48 bits", () => {
    const upper = events([0x1f2, 1], [0x1f3, 0x44], [0x1f4, 0x55], [0x1f5, 0x66]);
    const [transfer] = diskTransfers([...upper, ...command(0x1f0, 0x40, 2, 0x332211, 0x24)]);
    expect(transfer).toMatchObject({ sector: 0x665544_332211, count: 0x102 });
  });

  it("reckons with 16 heads and 63 sectors where a sector is not named by its number", () => {
    // Cylinder 2, head 3, sector 4.
    const [transfer] = diskTransfers(
      events([0x1f6, 0xa3], [0x1f2, 1], [0x1f3, 4], [0x1f4, 2], [0x1f5, 0], [0x1f7, 0x20]),
    );
    expect(transfer!.sector).toBe((2 * 16 + 3) * 63 + 3);
  });

  it("leaves out commands that move no sectors, reads of ports, and other ports", () => {
    const others: MachineEvent[] = [
      { kind: "port", tick: 0, eip: 0, direction: "in", port: 0x1f7, size: 1, value: 0x30 },
      { kind: "port", tick: 0, eip: 0, direction: "out", port: 0x1f0, size: 2, value: 0x30 },
      { kind: "interrupt", tick: 0, eip: 0, cpl: 0, vector: 46 },
    ];
    expect(diskTransfers([...command(0x1f0, 0xe0, 1, 0, 0xec), ...others, ...events([0x3f6, 2])])).toEqual([]);
  });
});

describe("diskMap", () => {
  it("names boot sector, kernel, other data and what is left, from the first sector to the last", () => {
    const after = disk({ 0: bootSector, 1: elf, 2: 7, 3: 7, 250: 9 });
    expect(diskMap(disk(), after)).toEqual({
      sectors: SECTORS,
      ranges: [
        { first: 0, count: 1, state: "boot sector" },
        { first: 1, count: 3, state: "kernel" },
        { first: 4, count: 246, state: "never written" },
        { first: 250, count: 1, state: "data" },
        { first: 251, count: 49, state: "never written" },
      ],
    });
  });

  it("calls what was there before never written, and a first sector without a signature data", () => {
    expect(diskMap(disk({ 5: 1 }), disk({ 0: 1, 5: 1 }, SECTORS)).ranges).toEqual([
      { first: 0, count: 1, state: "data" },
      { first: 1, count: 299, state: "never written" },
    ]);
  });

  it("shows what changed since, and what changed back as what it was", () => {
    const after = disk({ 10: 1, 11: 1 });
    expect(diskMap(disk(), after, { now: disk({ 10: 2, 11: 1 }) }).ranges[1]).toEqual({
      first: 10,
      count: 1,
      state: "changed since",
    });
  });

  it("has the order of first writes from the transfers, and finds what was written as it was", () => {
    const transfers = diskTransfers([
      ...command(0x1f0, 0xe0, 2, 20, 0x30),
      ...command(0x1f0, 0xf0, 1, 5, 0x30),
      ...command(0x1f0, 0xe0, 2, 21, 0x30),
      ...command(0x1f0, 0xe0, 1, 0, 0x20),
    ]);
    const { ranges } = diskMap(disk(), disk({ 20: 1, 21: 1 }), { transfers });
    expect(ranges.filter(({ state }) => state !== "never written")).toEqual([
      { first: 20, count: 3, state: "data", order: 1 },
    ]);
    const other = diskMap(disk(), disk(), { transfers, drive: 1 }).ranges;
    expect(other[1]).toEqual({ first: 5, count: 1, state: "data", order: 1 });
  });

  it("says which sectors of the source have the content, going on where several are alike", () => {
    const source = disk({ 30: 1, 31: 1, 32: 2, 40: 1 });
    const { ranges } = diskMap(disk(), disk({ 3: 1, 4: 1, 5: 2, 6: 9, 7: 2 }), { source });
    expect(ranges.filter(({ state }) => state === "data")).toEqual([
      { first: 3, count: 3, state: "data", from: 30 },
      { first: 6, count: 1, state: "data" },
      { first: 7, count: 1, state: "data", from: 32 },
    ]);
  });

  it("refuses disks of different sizes", () => {
    expect(() => diskMap(disk(), disk({}, 10))).toThrow("the disk has 153600 bytes before, and 5120 after");
    expect(() => diskMap(disk(), disk(), { now: disk({}, 10) })).toThrow("5120 now");
  });

  it("cannot be changed", () => {
    expect(() => {
      (diskMap(disk(), disk()).ranges as unknown[]).push(1);
    }).toThrow(TypeError);
  });
});
