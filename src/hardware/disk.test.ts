import { describe, expect, it } from "vitest";
import { createDisk, readDisk, writeDisk } from "./disk.js";
import { Machine } from "./machine.js";

/** 20 sectors, so that the last page is not whole; zeros but for a byte at 4097 and one at the end. */
function image(): Uint8Array {
  const bytes = new Uint8Array(20 * 512);
  bytes[4097] = 7;
  bytes[bytes.length - 1] = 9;
  return bytes;
}

describe("a disk", () => {
  it("has the bytes of its image, and holds no pages of zeros", () => {
    const disk = createDisk(image());
    expect(readDisk(disk, 0, disk.size)).toEqual(image());
    expect([...disk.pages.entries()].map(([number]) => number)).toEqual([1, 2]);
  });

  it("keeps what it was when another version of it is written, and when the image changes", () => {
    const bytes = image();
    const before = createDisk(bytes);
    bytes.fill(1);
    const after = writeDisk(before, 4000, Uint8Array.of(1, 2, 3));
    expect(readDisk(before, 0, before.size)).toEqual(image());
    expect(readDisk(after, 3999, 5)).toEqual(Uint8Array.of(0, 1, 2, 3, 0));
    expect(after.pages.get(1)).toBe(before.pages.get(1));
  });

  it("reads a source piece by piece", () => {
    const size = 3 * 2 ** 20 + 512;
    const asked: number[] = [];
    const disk = createDisk({
      size,
      read: (offset, length) => {
        asked.push(length);
        return new Uint8Array(length).fill(offset === 0 ? 0 : 5);
      },
    });
    expect(asked.reduce((sum, length) => sum + length, 0)).toBe(size);
    expect(readDisk(disk, 2 ** 20 - 1, 2)).toEqual(Uint8Array.of(0, 5));
  });

  it("refuses images that are no disks", () => {
    expect(() => createDisk(new Uint8Array(513), false, "odd.img")).toThrow(
      "odd.img: 513 bytes are no disk: it has to be whole sectors of 512 bytes",
    );
    expect(() => createDisk(new Uint8Array(), false, "empty.img")).toThrow("empty.img: 0 bytes are no disk");
    expect(() => createDisk("disk" as unknown as Uint8Array)).toThrow("expected a Uint8Array");
    const short = { size: 1024, read: () => new Uint8Array(3) };
    expect(() => createDisk(short)).toThrow("reading 1024 bytes at offset 0 gave something else");
  });
});

describe("a machine with disks", () => {
  const machine = Machine.create({ memory: "1M", disks: [image(), { image: image(), readOnly: true }] });

  it("shows copies of their content", () => {
    expect(machine.disks.map(({ size, readOnly }) => [size, readOnly])).toEqual([
      [10240, false],
      [10240, true],
    ]);
    machine.disks[0]!.read(4097, 1).fill(1);
    expect(machine.disks[0]!.read(4096, 3)).toEqual(Uint8Array.of(0, 7, 0));
    expect(() => machine.disks[1]!.read(10239, 2)).toThrow("disk 1: 2 bytes at 10239 are not all on it (10240 bytes)");
  });

  it("is the same after save and load, without the image", () => {
    const loaded = Machine.load(machine.save());
    expect(loaded.hash).toBe(machine.hash);
    expect(loaded.disks.map((disk) => disk.read(0, disk.size))).toEqual([image(), image()]);
  });

  it("has a hash of its disks' content, and a difference that names disk and offset", () => {
    const other = image();
    other[5000] = 3;
    const changed = Machine.create({ memory: "1M", disks: [image(), { image: other, readOnly: true }] });
    expect(changed.hash).not.toBe(machine.hash);
    expect(Machine.diff(machine, changed)).toEqual({
      state: [],
      memory: [],
      disks: [{ disk: 1, address: 5000, before: Uint8Array.of(0), after: Uint8Array.of(3) }],
    });
    expect(Machine.diff(Machine.create(), Machine.create()).disks).toBe(undefined);
  });
});
