/** A machine that starts from its disk: what its boot sector finds out through BIOS services, and the same in QEMU with SeaBIOS. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { assemble, Machine } from "../src/index.js";
import { bootDisk, WRITTEN_SECTOR } from "./support/bios-disk.js";
import { peer } from "./support/peers.js";
import { virtlab } from "./support/virtlab.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-bios-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const disk = bootDisk();
const file = path.join(folder, "disk.img");
writeFileSync(file, disk);

const MEMORY = "16M";
const LIMIT = 20_000_000;
const boot = (options: Partial<Parameters<typeof Machine.boot>[0]> = {}): Machine =>
  Machine.boot({ disks: [disk], memory: MEMORY, ...options });
const run = (machine: Machine): Machine => machine.run({ maxInstructions: LIMIT });

/** A disk of some sectors whose first is this code, with the signature of a boot sector. */
function sector(code: string, sectors = 8): Uint8Array {
  const image = new Uint8Array(sectors * 512);
  image.set(assemble(`bits 16\norg 0x7c00\n${code}\ntimes 510 - ($ - $$) db 0\ndw 0xaa55`).bytes);
  return image;
}

describe("a disk with a boot sector", () => {
  it("loads its kernel through BIOS services, reads by IDE ports, and shows its text", () => {
    const end = run(boot());
    expect(end.stop).toMatchObject({ reason: "debug-exit", value: 3 });
    expect(end.serial).toContain("written read through the IDE ports");
    const { text, cells } = end.screen!;
    expect([text[0], text[12], text[24]]).toEqual(["G", "S    string", "1800"]);
    expect(cells[12]![5]).toEqual({ character: "s", foreground: 14, background: 1 });
    expect(new TextDecoder().decode(end.disks[0]!.read(WRITTEN_SECTOR * 512, 8))).toBe("written ");
  });

  it("prints the same in QEMU with SeaBIOS", (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const theirs = spawnSync(
      qemu,
      [
        ...["-M", "isapc", "-cpu", "pentium2", "-m", MEMORY, "-drive", `file=${file},format=raw,if=ide,snapshot=on`],
        ...["-serial", "stdio", "-display", "none", "-monitor", "none", "-no-reboot", "-vga", "std"],
        ...["-device", "isa-debug-exit,iobase=0xf4", "-rtc", "base=2000-01-01T00:00:00"],
      ],
      { encoding: "latin1", timeout: 60_000 },
    );
    expect([theirs.stdout, theirs.status]).toEqual([run(boot()).serial, 7]);
  });

  it("does the same on a pc", () => {
    const end = run(boot({ machine: "pc" }));
    expect([end.stop, end.screen!.text[24]]).toMatchObject([{ reason: "debug-exit", value: 3 }, "1800"]);
    expect(end.serial).toContain("written read through the IDE ports");
  });

  it("comes to the same state in one run, in odd pieces with saves between, and step by step", () => {
    const whole = boot().run({ maxInstructions: 9_000 });
    let pieces = boot();
    for (const steps of [1, 777, 1222, 3000, 4000]) {
      pieces = Machine.load(pieces.run({ maxInstructions: steps }).save());
    }
    expect(pieces.hash).toBe(whole.hash);
    let stepped = whole;
    for (let count = 0; count < 2_500; count++) stepped = stepped.step();
    expect(stepped.hash).toBe(whole.run({ maxInstructions: 2_500 }).hash);
  });

  it("starts with what a boot sector is told", () => {
    const { registers, cpu, memory } = boot();
    expect([registers.cs, registers.eip, registers.edx & 0xff]).toEqual([0, 0x7c00, 0x80]);
    expect(cpu.eflags & 0x200).toBe(0x200);
    expect(memory.read(0x7c00, 512)).toEqual(disk.slice(0, 512));
  });
});

describe("BIOS services", () => {
  it("wait for keys, which the keyboard's interrupt puts into the ring", () => {
    const echo = sector(`
      xor ax, ax
      mov ds, ax
next: mov ah, 0
      int 0x16
      mov dx, 0x3f8
      out dx, al
      mov al, ah
      out dx, al
      jmp next`);
    const waiting = Machine.boot({ disks: [echo], memory: "1M" }).run({ maxInstructions: 1_000 });
    expect(waiting.serialBytes).toHaveLength(0);
    const typed = waiting.typeKeys("aB1!\n").run({ maxInstructions: 20_000 });
    expect([...typed.serialBytes]).toEqual([0x61, 0x1e, 0x42, 0x30, 0x31, 2, 0x21, 2, 13, 0x1c]);
  });

  it("are entered in the ROM alone: the same bytes elsewhere are #UD", () => {
    const end = Machine.boot({ disks: [sector("db 0x0f, 0x3f")], memory: "1M" }).run({
      maxInstructions: 100,
      observe: ["exception"],
    });
    expect(end.events[0]).toMatchObject({ kind: "exception", name: "#UD", eip: 0x7c00 });
    expect(end.screen!.text[1]).toBe("Exception without a handler at 0000:7C00.");
    expect(end.stop).toMatchObject({ reason: "halted", waitsForInput: false });
  });

  it("are no instructions in protected mode", () => {
    const code = `
      cli
      lidt [cs:nothing]
      lgdt [cs:table]
      mov eax, cr0
      inc ax
      mov cr0, eax
      jmp 8:0xc000
nothing: times 6 db 0
gdt:  dq 0
      dw 0xffff, 0, 0x9b0f, 0
table: dw 15
      dd gdt`;
    const end = Machine.boot({ disks: [sector(code)], memory: "1M" }).run({
      maxInstructions: 100,
      observe: ["exception"],
    });
    expect([end.stop?.reason, end.events[0]]).toMatchObject(["triple-fault", { name: "#UD", eip: 0xc000 }]);
  });

  it("say that a function is not there", () => {
    const asks = ["int 0x10", "int 0x14", "int 0x15", "int 0x17", "int 0x1a"].map(
      (call) => `mov ah, 0x77\nstc\n${call}\nsetc al\nout 0xe9, al\nmov al, ah\nout 0xe9, al`,
    );
    const end = Machine.boot({ disks: [sector(`${asks.join("\n")}\ncli\nhlt`)], memory: "1M" }).run();
    expect(end.devices.debugConsole?.output).toBe("\x01\x86".repeat(5));
  });

  it("start the disk again at INT 19h, and say so where there is nothing to start", () => {
    const again = sector("inc byte [0x500]\ncmp byte [0x500], 3\nje ends\nint 0x19\nends: cli\nhlt");
    const end = Machine.boot({ disks: [again], memory: "1M" }).run({ maxInstructions: LIMIT });
    expect([end.stop?.reason, end.memory.read(0x500, 1)]).toEqual(["halted", Uint8Array.of(3)]);
    const nothing = Machine.boot({ disks: [sector("int 0x18")], memory: "1M" }).run({ maxInstructions: LIMIT });
    expect([nothing.stop?.reason, nothing.screen!.text[1]]).toEqual(["halted", "No bootable disk."]);
    const reset = Machine.boot({ disks: [sector("jmp 0xffff:0")], memory: "1M" }).run({ maxInstructions: LIMIT });
    expect(reset.stop).toEqual({ reason: "reset" });
  });

  it("switch address line 20", () => {
    const code = ["0x2400", "0x2402", "0x2401", "0x2402"]
      .map((call) => `mov ax, ${call}\nint 0x15\nout 0xe9, al`)
      .join("\n");
    const end = Machine.boot({ disks: [sector(`${code}\ncli\nhlt`)], memory: "2M" }).run();
    expect(end.devices.debugConsole?.output).toBe("\x00\x00\x01\x01");
  });
});

describe("a disk to start from", () => {
  it.each([
    ["without 55 AA", { disks: [new Uint8Array(1024)] }, "disk 0: offset 0x1fe: no 55 AA"],
    ["of an odd size", { disks: [disk.subarray(0, 1000)] }, "1000 bytes are no disk"],
    ["of a machine without IDE", { machine: "microvm" as const }, 'a machine "microvm" has no BIOS'],
    ["on virtio", { machine: "pc" as const, disks: [{ image: disk, bus: "virtio" as const }] }, "there is no IDE disk"],
    ["with a command line", { append: "quiet" }, "cannot be given a command line"],
    ["with less than 1 MiB", { memory: "512K" }, "at least 1M"],
  ])("%s is refused in a line", (_, options, reason) => {
    expect(() => boot(options)).toThrow(reason);
  });

  it("is a file for the command, which shows the screen", async () => {
    const own = await virtlab(["boot", "--disk", file, "--memory", MEMORY, "--screen"]);
    expect([own.status, own.stdout]).toEqual([7, expect.stringContaining("\nS    string\nT      ***\n")]);
    const odd = path.join(folder, "odd.img");
    writeFileSync(odd, disk.subarray(0, 777));
    const empty = path.join(folder, "empty.img");
    writeFileSync(empty, new Uint8Array(1024));
    for (const [name, reason] of [
      [odd, `virtlab: ${odd}: 777 bytes are no disk: it has to be whole sectors of 512 bytes\n`],
      [empty, `virtlab: ${empty}: offset 0x1fe: no 55 AA, so its first sector is no boot sector\n`],
    ] as const) {
      expect(await virtlab(["boot", "--disk", name])).toMatchObject({ status: 2, stderr: reason });
    }
  });
});
