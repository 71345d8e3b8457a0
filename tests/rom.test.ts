/** A ROM of our own, started as after reset: what it prints here, QEMU prints too. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { assemble, Machine } from "../src/index.js";
import { peer } from "./support/peers.js";
import { virtlab } from "./support/virtlab.js";

const SIZE = 0x10000;

/** Prints a letter for each thing that is as it should be, and ends with debug exit 3. */
const source = `
bits 16
start:  mov bp, after_reset     ; there is no stack yet: the way back is in BP
        mov al, 'S'
        jmp print
after_reset:
        xor ax, ax
        mov ss, ax
        mov sp, 0x7000
        mov ds, ax
        ; RAM keeps what is stored, ROM does not.
        mov word [0x500], 0x1234
        cmp word [0x500], 0x1234
        mov al, 'M'
        call expect_equal
        mov bx, [cs:0x200]
        not word [cs:0x200]
        cmp bx, [cs:0x200]
        mov al, 'R'
        call expect_equal
        ; The same bytes lie at the end of the 4 GiB: unreal mode reaches them.
        cli
        lgdt [cs:gdtr]
        mov eax, cr0
        inc ax
        mov cr0, eax
        mov bx, 8
        mov es, bx
        dec ax
        mov cr0, eax
        mov ebx, 0xfffffff0
        mov eax, [es:ebx]
        cmp eax, [cs:0xfff0]
        mov al, 'H'
        call expect_equal
        ; Address line 20.
        mov ebx, 0x100500
        mov al, 0xd1            ; through the keyboard controller's output port
        out 0x64, al
        mov al, 0xdd
        out 0x60, al
        in al, 0x92             ; and through system control port A: either would let it pass
        and al, 0xfc
        out 0x92, al
        mov word [es:ebx], 0x4321
        cmp word [0x500], 0x4321
        mov al, 'W'
        call expect_equal
        in al, 0x92
        and al, 0xfc
        or al, 2
        out 0x92, al
        mov word [es:ebx], 0x5555
        cmp word [0x500], 0x4321
        mov al, 'A'
        call expect_equal
        mov al, 10
        call print_near
        mov al, 3
        mov dx, 0xf4
        out dx, al
        hlt
expect_equal:
        je print_near
        mov al, '-'
print_near:
        pop bp
print:  mov dx, 0x3f8
        out dx, al
        jmp bp
align 8
gdt:    dq 0, 0x008f92000000ffff
gdtr:   dw 15
        dd 0xf0000 + gdt
times 0xfff0 - ($ - $$) db 0xff
        jmp 0xf000:start
times ${SIZE} - ($ - $$) db 0
`;
const rom = assemble(source).bytes;
const EXPECTED = "SMRHWA\n";

describe("a ROM", () => {
  it("starts at the reset vector, lies below 1 MiB and below 4 GiB, and cannot be written", () => {
    const end = Machine.boot({ rom, memory: "4M" }).run({ maxInstructions: 10_000 });
    expect([end.serial, end.stop]).toMatchObject([EXPECTED, { reason: "debug-exit", value: 3 }]);
    expect(Machine.load(end.save()).hash).toBe(end.hash);
    expect(end.memory.read(0xffff_fff0, 5)).toEqual(end.memory.read(0xffff0, 5));
  });

  it("prints the same in the command and in QEMU", async (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const file = path.join(mkdtempSync(path.join(tmpdir(), "virtlab-rom-")), "rom.bin");
    writeFileSync(file, rom);
    const own = await virtlab(["boot", "--rom", file, "--memory", "4M"]);
    expect([own.stdout, own.status]).toEqual([EXPECTED, 7]);
    const wanted = [
      "-bios",
      file,
      "-serial",
      "stdio",
      "-display",
      "none",
      "-no-reboot",
      "-device",
      "isa-debug-exit,iobase=0xf4",
    ];
    const theirs = spawnSync(qemu, wanted, { encoding: "latin1", timeout: 20_000 });
    expect([theirs.stdout, theirs.status]).toEqual([EXPECTED, 7]);
  });

  it.each([
    [new Uint8Array(100), "100 bytes are no ROM"],
    [new Uint8Array(0), "0 bytes are no ROM"],
  ])("of no whole pages is refused", (bytes, reason) => {
    expect(() => Machine.boot({ rom: bytes })).toThrow(reason);
  });

  it("and an image are not given together, and an unknown model is named with those there are", () => {
    expect(() => Machine.boot({ rom, image: rom })).toThrow("either an image or a ROM");
    expect(() => Machine.create({ model: "386" as "486" })).toThrow(
      'model "386" is unknown (known: 486, pentium, pentium2, pentium3, core2, nehalem, phenom, max)',
    );
  });
});
