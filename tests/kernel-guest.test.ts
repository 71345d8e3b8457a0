/** The kernel of `guests/kernel`: with a disk, without what cannot be virtualized, and how much of it knows what is below. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { kernelLines, Machine } from "../src/index.js";
import { images } from "./support/guests.js";
import { multibootDisk } from "./support/multiboot-disk.js";
import { peer } from "./support/peers.js";
import { runProcessToFile } from "./support/processes.js";
import { tellingInstructions } from "./support/telling-instructions.js";
import { packageRoot } from "./support/virtlab.js";

const expected = (name: string): string => readFileSync(join(packageRoot, "guests", "expected", `${name}.txt`), "utf8");
const folder = mkdtempSync(join(tmpdir(), "virtlab-kernel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kernel = readFileSync(join(images, "kernel.elf"));
const disk = multibootDisk("kernel.elf");
const LIMIT = 5_000_000;

describe("the kernel with a disk", () => {
  it("starts from the disk by the boot sector, and leaves there what it has written", () => {
    const end = Machine.boot({ disks: [disk], memory: "16M" }).run({ maxInstructions: LIMIT });
    expect(end.serial).toBe(expected("kernel-disk"));
    expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x10 });
    // Of zeros: i + (i >> 8) + 1.
    expect([...end.disks[0]!.read(1024 * 512 + 255, 3)]).toEqual([0, 2, 3]);
  });

  it("does the same when it is loaded without the boot sector, and finds its own changes the next time", () => {
    const end = Machine.boot({ image: kernel, disks: [disk], memory: "16M" }).run({ maxInstructions: LIMIT });
    expect(end.serial).toBe(expected("kernel-disk"));
    const changed = end.disks[0]!.read(0, disk.length);
    const again = Machine.boot({ image: kernel, disks: [changed], memory: "16M" }).run({ maxInstructions: LIMIT });
    expect(again.serial).toContain("sectors 1024 to 1027 read, checksum 73147a50");
  });

  it("prints the same in QEMU, started from the disk", async (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const file = join(folder, "disk.img");
    writeFileSync(file, disk);
    const ended = await runProcessToFile(qemu, [
      ...["-m", "16", "-accel", "tcg", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
      ...["-drive", `file=${file},format=raw,if=ide,snapshot=on`, "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
    ]);
    expect([ended.stdout, ended.status], ended.stderr).toEqual([expected("kernel-disk"), 33]);
  });
});

it("the kernel leaves the same memory and registers on another machine and another processor", () => {
  const end = (options: Partial<Parameters<typeof Machine.boot>[0]>): Machine =>
    Machine.boot({ image: kernel, memory: "16M", ...options }).run({ maxInstructions: LIMIT });
  const content = (machine: Machine): unknown => [
    machine.registers,
    createHash("sha256").update(machine.memory.read(0x100000, 0x300000)).digest("hex"),
  ];
  const usual = content(end({}));
  for (const options of [{ machine: "pc" }, { model: "nehalem" }, { model: "phenom", machine: "pc" }] as const) {
    expect(content(end(options))).toEqual(usual);
  }
});

describe("the kernel built for a hypervisor", () => {
  const hypervisor = readFileSync(join(images, "pv-hypervisor.elf"));
  const paravirtual = readFileSync(join(images, "kernel-xen.elf"));

  for (const [append, output] of [
    ["", "kernel"],
    ["disk=1", "kernel-disk"],
  ] as const) {
    it(`prints in ring 1 what it prints on a bare machine (${output})`, () => {
      const machine = Machine.boot({ image: hypervisor, modules: [{ data: paravirtual }], append, memory: "32M" });
      const end = machine.run({ maxInstructions: LIMIT });
      expect(end.serial).toBe(expected(output));
      expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x10 });
    });

    it(`prints the same in QEMU (${output})`, async (context) => {
      const ended = await runProcessToFile(peer(context, "qemu-system-i386"), [
        ...["-kernel", join(images, "pv-hypervisor.elf"), "-initrd", join(images, "kernel-xen.elf"), "-m", "32"],
        ...["-append", append, "-accel", "tcg", "-display", "none", "-serial", "stdio", "-monitor", "none"],
        ...["-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
      ]);
      expect([ended.stdout, ended.status], ended.stderr).toEqual([expected(output), 33]);
    });
  }

  it("is needed there: the other build gets no further than its first privileged instruction", () => {
    const machine = Machine.boot({ image: hypervisor, modules: [{ data: kernel }], memory: "32M" });
    const end = machine.run({ maxInstructions: LIMIT });
    expect(end.serial).toBe("pv-hypervisor: the guest has no handler for an exception\n");
    expect(end.stop).toMatchObject({ reason: "debug-exit", value: 0x11 });
  });
});

it("the kernel has no instruction that tells the ring or the processor's model, where the guest `sensitive` has them all", () => {
  const { found, count } = tellingInstructions(kernel);
  expect(found).toEqual([]);
  expect(count).toBeGreaterThan(1000);
  const all = ["SGDT", "SIDT", "SLDT", "SMSW", "PUSHFD", "POPFD", "LAR", "LSL", "VERR", "VERW", "STR"];
  const others = ["POP", "PUSH", "CALL", "JMP", "RETF", "MOV"];
  expect(tellingInstructions(readFileSync(join(images, "sensitive.elf"))).found).toEqual(
    expect.arrayContaining([...all, ...others]),
  );
});

it("what the kernel's source has for one kind of hardware alone is as many lines as are on record", async () => {
  const counter = (await import(pathToFileURL(join(packageRoot, "guests/kernel/count-lines.mjs")).href)) as {
    table(): string;
    countLines(): unknown;
  };
  expect(counter.table()).toBe(expected("kernel-lines"));
  expect(kernelLines()).toEqual(counter.countLines());
});
