/** The guest `installer`: what it puts onto the second disk, that this disk starts, and what it says of bad disks. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bootDisk, diskMap, diskTransfers, guest, Machine } from "../../src/index.js";
import { images } from "../support/guests.js";
import { peer } from "../support/peers.js";
import { runProcessToFile } from "../support/processes.js";
import { tellingInstructions } from "../support/telling-instructions.js";
import { packageRoot } from "../support/virtlab.js";

const expected = (name: string): string => readFileSync(join(packageRoot, "guests", "expected", `${name}.txt`), "utf8");
const folder = mkdtempSync(join(tmpdir(), "virtlab-installer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SIZE = 2016 * 512;
const LIMIT = 5_000_000;
const kernel = guest("kernel");
const first = bootDisk(guest("installer"), { kernel });
const empty = new Uint8Array(SIZE);
/** What the second disk has in the end. */
const installed = bootDisk(kernel, { sectors: SIZE / 512 });
const isGood = { reason: "debug-exit", value: 0x10 };

describe("the installer", () => {
  it.each(["isapc", "pc"] as const)(
    "puts boot sector and kernel onto the second disk of a %s, and nothing else",
    (machine) => {
      const end = Machine.boot({ machine, disks: [first, empty], memory: "16M" }).run({ maxInstructions: LIMIT });
      expect(end.serial).toBe(expected("installer"));
      expect(end.stop).toMatchObject(isGood);
      expect(Buffer.compare(end.disks[1]!.read(0, SIZE), installed)).toBe(0);
      expect(Buffer.compare(end.disks[0]!.read(0, SIZE), first)).toBe(0);
    },
  );

  it("does the same with a module, whatever the first disk is", () => {
    const end = Machine.boot({
      image: guest("installer"),
      modules: [{ data: kernel }],
      disks: [new Uint8Array(512), empty],
      memory: "16M",
    }).run({ maxInstructions: LIMIT });
    expect(end.serial).toBe(expected("installer").replace("is on the first disk", "is a module"));
    expect(Buffer.compare(end.disks[1]!.read(0, SIZE), installed)).toBe(0);
  });

  it("leaves a disk that starts alone, down to the kernel's end", () => {
    const end = Machine.boot({ disks: [first, empty], memory: "16M" }).run({ maxInstructions: LIMIT });
    const alone = Machine.boot({ disks: [end.disks[1]!.read(0, SIZE)], memory: "16M" }).run({ maxInstructions: LIMIT });
    expect(alone.serial).toBe(expected("kernel-disk"));
    expect(alone.stop).toMatchObject(isGood);
  });

  it("writes the kernel from the first disk, in order, and the boot sector last, as the disk map shows", () => {
    const start = Machine.boot({ disks: [first, empty], memory: "16M" });
    const end = start.run({ maxInstructions: LIMIT, observe: ["port"] });
    const alone = Machine.boot({ disks: [end.disks[1]!.read(0, SIZE)], memory: "16M" }).run({ maxInstructions: LIMIT });
    const { ranges } = diskMap(start.disks[1]!, end.disks[1]!, {
      now: alone.disks[0]!,
      transfers: diskTransfers(end.events),
      drive: 1,
      source: end.disks[0]!,
    });
    const count = Math.ceil(kernel.length / 512);
    const from = 2 + Math.ceil(guest("installer").length / 512);
    expect(ranges.filter(({ state }) => state !== "never written")).toEqual([
      { first: 0, count: 1, state: "boot sector", order: count + 1 },
      { first: 1, count, state: "kernel", order: 1, from },
      { first: 1024, count: 4, state: "changed since" },
    ]);
  });

  it("writes the same disk in QEMU, and there that disk starts alone, too", async (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const [from, to] = [join(folder, "first.img"), join(folder, "second.img")];
    writeFileSync(from, first);
    writeFileSync(to, empty);
    const drive = (file: string): string[] => ["-drive", `file=${file},format=raw,if=ide`];
    const run = (...drives: string[]) =>
      runProcessToFile(qemu, [
        ...["-m", "16", "-accel", "tcg", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4", ...drives],
      ]);
    const ended = await run(...drive(from), ...drive(to));
    expect([ended.stdout, ended.status], ended.stderr).toEqual([expected("installer"), 33]);
    expect(Buffer.compare(readFileSync(to), installed)).toBe(0);
    const alone = await run(...drive(to));
    expect([alone.stdout, alone.status], alone.stderr).toEqual([expected("kernel-disk"), 33]);
  });

  const image = guest("installer");
  const unmarked = bootDisk(image);
  const cut = bootDisk(image, { kernel }).slice(0, (Math.ceil(image.length / 512) + 3) * 512);
  it.each([
    ["a second disk that is too small", { disks: [first, new Uint8Array(8 * 512)] }, "the second disk is too small"],
    ["a first disk without a kernel", { image, disks: [unmarked, empty] }, "the first disk has no kernel"],
    ["a first disk with a part of one", { image, disks: [cut, empty] }, "the kernel on the first disk is not complete"],
    ["an empty first disk", { image, disks: [empty, empty] }, "the first disk has no kernel"],
    [
      "a write-protected second disk",
      { disks: [first, { image: empty, readOnly: true }] },
      "the second disk cannot be written",
    ],
  ])("says what is wrong with %s, and fails", (_, options, message) => {
    const end = Machine.boot({ ...options, memory: "16M" }).run({ maxInstructions: LIMIT });
    expect(end.serial.split("\n").at(-2)).toBe(`installer: ${message}`);
    expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x11 });
  });

  it("has no instruction that tells the ring or the processor's model", () => {
    const { found, count } = tellingInstructions(readFileSync(join(images, "installer.elf")));
    expect(found).toEqual([]);
    expect(count).toBeGreaterThan(400);
  });

  it("takes its interrupts where it waits for the disk and nowhere else", () => {
    const end = Machine.boot({ disks: [first, empty], memory: "16M" }).run({
      maxInstructions: LIMIT,
      observe: ["interrupt"],
    });
    const places = new Set(
      end.events
        .filter((event) => event.kind === "interrupt" && event.eip >= 0x10_0000)
        .map((event) => event.kind === "interrupt" && event.eip),
    );
    expect(end.counters.interrupts).toBeGreaterThan(100);
    const behindHlt = [...places].map((place) => end.memory.read(Number(place) - 2, 2));
    expect(behindHlt.map((bytes) => [...bytes])).toEqual(behindHlt.map(() => [0xfb, 0xf4]));
    expect(behindHlt.length).toBeGreaterThan(0);
  });
});

describe("bootDisk", () => {
  it.each([
    ["no ELF image", () => bootDisk(Uint8Array.of(1, 2, 3)), "is no ELF image"],
    ["a kernel that is none", () => bootDisk(kernel, { kernel: new Uint8Array(512) }), "the kernel is no ELF image"],
    [
      "an image the boot sector cannot load",
      () => bootDisk(Uint8Array.from({ ...kernel, length: 500_000 })),
      "500000 bytes",
    ],
    ["a command line that is too long", () => bootDisk(kernel, { append: "x".repeat(128) }), "has room for 127"],
    ["too few sectors", () => bootDisk(kernel, { sectors: 3 }), "3 sectors are too few"],
  ])("refuses %s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  it("hands over a command line", () => {
    const disk = bootDisk(guest("attacker"), { append: "hypercalls seed=2" });
    const end = Machine.boot({ disks: [disk], memory: "16M" }).run({ maxInstructions: LIMIT });
    expect(end.serial).toBe("attack hypercalls: begins\nattack hypercalls: faults 900\n");
  });
});
