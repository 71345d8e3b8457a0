import { describe, expect, it } from "vitest";
import { peer } from "../../../tests/support/peers.js";
import { createDisk } from "../disk.js";
import { createDevices, type DeviceSet, interruptRequested, portRead, portWrite } from "./bus.js";
import {
  out,
  outWide,
  type PortAction,
  read,
  readBits,
  readWide,
  runOnDevices,
  runOnQemu,
  TestReach,
  until,
} from "./port-script.test-helper.js";

const SECTORS = 20_000;
/** Byte n of sector s. */
const pattern = (sector: number, byte: number): number => (sector * 7 + byte * 3 + (byte >> 8)) & 0xff;

function image(): Uint8Array {
  const bytes = new Uint8Array(SECTORS * 512);
  for (let at = 0; at < bytes.length; at++) bytes[at] = pattern(at >> 9, at & 511);
  return bytes;
}
const IMAGE = image();

const BASE = 0x1f0;
const CONTROL = 0x3f6;
const BSY = 0x80;
const DRQ = 0x08;
const idle: PortAction[] = until(BASE + 7, BSY, 0);
/** Sector count, LBA and device, then a command. */
const command = (code: number, lba = 0, count = 1, device = 0xe0): PortAction[] => [
  ...out(BASE + 2, count & 0xff),
  ...out(BASE + 3, lba & 0xff),
  ...out(BASE + 4, (lba >> 8) & 0xff),
  ...out(BASE + 5, (lba >> 16) & 0xff),
  ...out(BASE + 6, device | ((lba >> 24) & 15)),
  ...out(BASE + 7, code),
];
/** Each register of LBA48 twice, the high part first. */
const extended = (code: number, lba: number, count: number): PortAction[] => [
  ...out(BASE + 6, 0x40),
  ...out(BASE + 2, count >> 8, count & 0xff),
  ...out(BASE + 3, (lba >> 24) & 0xff, lba & 0xff),
  ...out(BASE + 4, 0, (lba >> 8) & 0xff),
  ...out(BASE + 5, 0, (lba >> 16) & 0xff),
  ...out(BASE + 7, code),
];
const words = (count: number): PortAction[] => readWide(BASE, 2, count);
const registers: PortAction[] = read(BASE + 1, BASE + 2, BASE + 3, BASE + 4, BASE + 5, BASE + 6, BASE + 7);
const block = (value: number): PortAction[] =>
  outWide(BASE, 2, ...Array.from({ length: 256 }, (_, index) => (value + index * 257) & 0xffff));
const feature = (subcommand: number, value: number): PortAction[] => [
  ...out(BASE + 1, subcommand),
  ...command(0xef, 0, value),
  ...idle,
  ...registers,
];
/** Drive 0 is selected first, since QEMU's reset leaves the selection as firmware had it. */
const reset: PortAction[] = [...out(BASE + 6, 0xa0), ...out(CONTROL, 0x06), ...out(CONTROL, 0x02), ...idle];
/** Not DSC, which QEMU clears where a command is refused. */
const status = readBits(BASE + 7, 0xef);

/** What QEMU's disk and ours do alike. */
const SCRIPTS: Readonly<Record<string, readonly PortAction[]>> = {
  "the registers after a software reset": [...reset, ...registers],
  "sectors read one by one": [
    ...reset,
    ...command(0x20, 5, 2),
    ...idle,
    ...words(256),
    ...idle,
    ...words(256),
    ...read(BASE + 7),
  ],
  "sectors read by 48-bit addresses": [
    ...reset,
    ...extended(0x24, 19_998, 2),
    ...idle,
    ...words(256),
    ...idle,
    ...words(256),
  ],
  "sectors read by cylinder, head and sector": [
    ...reset,
    ...command(0x20, (3 << 8) | 11, 1, 0xa5),
    ...idle,
    ...words(256),
    ...read(BASE + 7),
  ],
  "a block of four sectors after SET MULTIPLE MODE": [
    ...reset,
    ...command(0xc6, 0, 4),
    ...idle,
    ...registers,
    ...command(0xc4, 40, 6),
    ...idle,
    ...words(1024),
    ...idle,
    ...words(512),
    ...read(BASE + 7),
  ],
  "32-bit reads of the data register": [
    ...reset,
    ...command(0x20, 9),
    ...idle,
    ...readWide(BASE, 4, 128),
    ...read(BASE + 7),
  ],
  "sectors written and read back": [
    ...reset,
    ...command(0x30, 77, 2),
    ...idle,
    ...block(0x1234),
    ...idle,
    ...block(0x4321),
    ...idle,
    ...read(BASE + 7),
    ...command(0xe7),
    ...idle,
    ...read(BASE + 7),
    ...command(0x20, 76, 4),
    ...[0, 0, 0, 0].flatMap(() => [...idle, ...words(256)]),
  ],
  "a command that does not exist": [...reset, ...command(0xff), ...idle, ...read(BASE + 1), ...status],
  "READ MULTIPLE while it is off": [
    ...reset,
    ...command(0xc6, 0, 0),
    ...idle,
    ...command(0xc4, 0),
    ...idle,
    ...read(BASE + 1),
    ...status,
  ],
  "transfer modes and the write cache": [
    ...reset,
    ...feature(0x03, 0x0c),
    ...feature(0x02, 0),
    ...feature(0x82, 0),
  ].filter((action) => !("in" in action) || action.in === BASE + 7),
  "the highest address": [...reset, ...command(0xf8), ...idle, ...read(BASE + 3, BASE + 4, BASE + 5, BASE + 7)],
  "the high bytes of registers": [
    ...reset,
    ...out(BASE + 3, 0x12, 0x34),
    ...out(CONTROL, 0x82),
    ...read(BASE + 3),
    ...out(CONTROL, 2),
    ...read(BASE + 3),
  ],
  "the second drive that is not there": [
    ...reset,
    ...out(BASE + 6, 0xf0),
    ...read(BASE + 7),
    ...out(BASE + 6, 0xe0),
    ...read(BASE + 7),
  ],
};

const start = (): DeviceSet =>
  createDevices({ machine: "pc" }, { disks: [{ disk: 0, size: IMAGE.length, readOnly: false }] });

/** The values of each script by its name; all of them run one behind the other, as starting a QEMU takes long. */
function byScript(run: (all: readonly PortAction[]) => readonly number[]): Record<string, string[]> {
  const values = run(Object.values(SCRIPTS).flat()).map((value) => value.toString(16));
  let at = 0;
  return Object.fromEntries(
    Object.entries(SCRIPTS).map(([name, script]) => {
      const from = at;
      at += script.filter((action) => "in" in action).length;
      return [name, values.slice(from, at)];
    }),
  );
}

describe("an IDE channel", () => {
  it("reads the same as QEMU's, whatever is done to it", (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const ours = byScript((all) => runOnDevices(all, start(), new TestReach(createDisk(IMAGE))).values);
    expect(ours).toEqual(byScript((all) => runOnQemu(qemu, all, IMAGE)));
  });
});

/** A machine's devices and what they reach, with accesses that go on in time. */
class Host {
  devices = start();
  tick = 0;
  readonly reach = new TestReach(createDisk(IMAGE));

  out(port: number, value: number, size = 1): void {
    this.devices = portWrite(this.devices, port, size, value, ++this.tick, this.reach);
  }

  in(port: number, size = 1): number {
    const result = portRead(this.devices, port, size, ++this.tick, this.reach);
    this.devices = result.devices;
    return result.value;
  }

  play(...actions: readonly PortAction[]): void {
    for (const action of actions) if ("out" in action) this.out(action.out, action.value, action.size);
  }

  /** Goes to the end of what the drive does. */
  wait(): void {
    this.tick = Math.max(this.tick, ...this.devices.ide!.channels.map((c) => c.busyUntil).filter(Number.isFinite));
  }

  /** The request of IRQ 14, at the slave's IRR. */
  get requested(): boolean {
    this.out(0xa0, 0x0a);
    return (this.in(0xa0) & 0x40) !== 0;
  }

  sectors(count: number): number[] {
    return Array.from({ length: count * 256 }, () => this.in(BASE, 2)).flatMap((word) => [word & 0xff, word >> 8]);
  }
}

const sectorBytes = (sector: number): number[] => Array.from({ length: 512 }, (_, byte) => pattern(sector, byte));

describe("an IDE drive", () => {
  it("identifies itself with its size, in sectors, and the modes it has", () => {
    const host = new Host();
    host.play(...command(0xec));
    host.wait();
    const bytes = Uint8Array.from(host.sectors(1));
    const view = new DataView(bytes.buffer);
    const word = (index: number): number => view.getUint16(2 * index, true);
    const text = (first: number, count: number): string =>
      Array.from({ length: count }, (_, index) =>
        String.fromCharCode(word(first + index) >> 8, word(first + index) & 0xff),
      ).join("");
    expect(text(27, 20).trim()).toBe("VIRTLAB HARDDISK");
    expect(text(10, 10).trim()).toBe("VL00000");
    expect([view.getUint32(120, true), view.getUint32(200, true)]).toEqual([SECTORS, SECTORS]);
    // LBA and DMA; LBA48 and FLUSH CACHE EXT.
    expect(word(49) & 0x0300).toBe(0x0300);
    expect(word(83) & 0x2400).toBe(0x2400);
    expect(word(1) * word(3) * word(6)).toBeLessThanOrEqual(SECTORS);
  });

  it("is busy for some ticks, and interrupts when the data are there", () => {
    const host = new Host();
    host.play(...command(0x20, 3));
    expect(host.in(CONTROL) & BSY).toBe(BSY);
    expect(host.requested).toBe(false);
    host.wait();
    expect(host.in(CONTROL) & (BSY | DRQ)).toBe(DRQ);
    expect(host.requested).toBe(true);
    host.in(BASE + 7);
    expect(host.requested).toBe(false);
    expect(host.sectors(1)).toEqual(sectorBytes(3));
    expect(host.requested).toBe(false);
  });

  it("does not interrupt while nIEN is set", () => {
    const host = new Host();
    host.out(CONTROL, 2);
    host.play(...command(0x20, 3));
    host.wait();
    host.in(CONTROL);
    expect(host.requested).toBe(false);
    host.out(CONTROL, 0);
    expect(host.requested).toBe(true);
  });

  it("writes nothing of a sector that was not written as a whole", () => {
    const host = new Host();
    host.play(...command(0x30, 3));
    host.wait();
    for (let index = 0; index < 255; index++) host.out(BASE, 0xffff, 2);
    expect([...host.reach.disks.read(0, 3 * 512, 512)]).toEqual(sectorBytes(3));
    host.out(BASE, 0xffff, 2);
    expect([...host.reach.disks.read(0, 3 * 512, 512)]).toEqual(Array.from({ length: 512 }, () => 0xff));
    expect([...host.reach.disks.read(0, 4 * 512, 512)]).toEqual(sectorBytes(4));
  });

  it("floats where there is no drive, but for the bit that is pulled down", () => {
    const host = new Host();
    expect([host.in(0x177), host.in(0x376), host.in(0x172)]).toEqual([0x7f, 0x7f, 0x7f]);
  });

  it("does not find a sector behind the last", () => {
    const host = new Host();
    host.play(...command(0x20, SECTORS - 1, 2));
    host.wait();
    expect([host.in(BASE + 7) & 0x09, host.in(BASE + 1)]).toEqual([1, 0x10]);
  });

  it("refuses to write to a disk that can only be read", () => {
    const host = new Host();
    host.devices = createDevices({ machine: "pc" }, { disks: [{ disk: 0, size: IMAGE.length, readOnly: true }] });
    host.play(...command(0x30, 3));
    host.wait();
    expect([host.in(BASE + 7) & 1, host.in(BASE + 1)]).toEqual([1, 4]);
  });
});

const MASTER = 0xc000;
/** A table of regions in memory at 0x1000, and the bus master pointed to it. */
function withTable(host: Host, ...regions: readonly (readonly [address: number, length: number])[]): void {
  const view = new DataView(host.reach.bytes.buffer);
  regions.forEach(([address, length], index) => {
    view.setUint32(0x1000 + 8 * index, address, true);
    view.setUint32(0x1004 + 8 * index, (length & 0xffff) | (index === regions.length - 1 ? 0x8000_0000 : 0), true);
  });
  host.out(MASTER + 4, 0x1000, 4);
  host.out(MASTER + 2, 0x66);
}

describe("a bus master", () => {
  it("moves sectors to the pieces of memory that a table lists, and interrupts at the end", () => {
    const host = new Host();
    withTable(host, [0x2000, 512], [0x4000, 1024]);
    host.out(MASTER, 0x08);
    host.play(...command(0xc8, 9, 3));
    expect(host.in(MASTER + 2) & 5).toBe(0);
    host.out(MASTER, 0x09);
    expect([host.in(CONTROL) & BSY, host.requested]).toEqual([BSY, false]);
    host.wait();
    expect(host.requested).toBe(true);
    expect(host.in(MASTER + 2) & 7).toBe(4);
    expect([...host.reach.bytes.subarray(0x2000, 0x2200)]).toEqual(sectorBytes(9));
    expect([...host.reach.bytes.subarray(0x4000, 0x4400)]).toEqual([...sectorBytes(10), ...sectorBytes(11)]);
    expect(host.reach.bytes[0x4400]).toBe(0);
    host.out(MASTER + 2, 0x64);
    host.out(MASTER, 0x08);
    expect([host.in(MASTER + 2), host.in(BASE + 7)]).toEqual([0x60, 0x50]);
  });

  it("moves them from memory to the disk, and takes a length of 0 for 64 KiB", () => {
    const host = new Host();
    host.reach.bytes.fill(0x5a, 0x1_0000, 0x2_0000);
    withTable(host, [0x1_0000, 0]);
    host.out(MASTER, 0x00);
    host.play(...command(0xca, 100, 128));
    host.out(MASTER, 0x01);
    host.wait();
    expect(host.in(BASE + 7)).toBe(0x50);
    expect(host.reach.disks.read(0, 100 * 512, 0x1_0000).every((byte) => byte === 0x5a)).toBe(true);
    expect([...host.reach.disks.read(0, 228 * 512, 512)]).toEqual(sectorBytes(228));
  });

  it("reports an error for a table that is too short, and stays active for one that is too long", () => {
    const host = new Host();
    withTable(host, [0x2000, 512]);
    host.out(MASTER, 0x08);
    host.play(...command(0xc8, 9, 2));
    host.out(MASTER, 0x09);
    expect(host.in(MASTER + 2) & 7).toBe(2);
    const other = new Host();
    withTable(other, [0x2000, 1024]);
    other.out(MASTER, 0x08);
    other.play(...command(0xc8, 9, 1));
    other.out(MASTER, 0x09);
    other.wait();
    expect(other.in(MASTER + 2) & 7).toBe(5);
  });

  it("answers where its base address is, and nowhere while I/O is off", () => {
    const host = new Host();
    host.out(0xcf8, 0x8000_0920, 4);
    expect(host.in(0xcfc, 4)).toBe(0xc001);
    host.out(0xcfc, 0xffff_ffff, 4);
    expect(host.in(0xcfc, 4)).toBe(0xffff_fff1);
    host.out(0xcfc, 0xd000, 4);
    host.out(0xd004, 0x1234_5678, 4);
    expect([host.in(0xd004, 4), host.in(0xc004, 4)]).toEqual([0x1234_5678, 0xffff_ffff]);
    host.out(0xcf8, 0x8000_0904, 4);
    host.out(0xcfc, 0, 2);
    expect(host.in(0xd004, 4)).toBe(0xffff_ffff);
  });
});

describe("IDE on an isapc", () => {
  it("has the drives, without a bus master and without DMA in what they say", () => {
    const disks = [{ disk: 0, size: IMAGE.length, readOnly: false }];
    const host = new Host();
    host.devices = createDevices({ extra: ["ide"] }, { disks });
    expect(host.in(MASTER + 2)).toBe(0xff);
    host.play(...command(0xec));
    host.wait();
    expect((host.sectors(1)[99]! << 8) & 0x0100).toBe(0);
    host.play(...command(0xc8, 9, 1));
    host.wait();
    expect([host.in(BASE + 7) & 1, host.in(BASE + 1)]).toEqual([1, 4]);
    expect(interruptRequested(host.devices)).toBe(false);
  });
});
