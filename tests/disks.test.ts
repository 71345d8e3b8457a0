/** A guest that reads and writes a disk by PIO and by DMA, over its own code and page tables too: here as on QEMU. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { assemble, Machine } from "../src/index.js";
import { peer } from "./support/peers.js";

const source = `
        org 0x100000
        bits 32
        jmp near start
        align 4
header: dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), header, 0x100000, 0, 0, start

start:  mov esp, 0x90000
        call routine            ; 'A', as the image has it
        ; The bus master's ports, which firmware chose.
        mov eax, 0x80000920
        call pci_read
        and eax, 0xfffc
        mov ebx, eax
        mov eax, 0x80000904
        call pci_read
        or al, 5
        out dx, eax
        ; A sector of code over the routine that has run.
        mov edi, routine
        mov ecx, 3
        mov ebp, 0xc8
        mov esi, 0x08
        call dma
        call routine            ; 'B', as the disk has it
        ; By PIO: the sum of a sector's bytes.
        mov ecx, 4
        mov al, 0x20
        call command
        call ready
        mov edi, 0x300000
        mov ecx, 256
        mov dx, 0x1f0
        cld
        rep insw
        mov esi, 0x300000
        mov ecx, 512
        xor eax, eax
        xor edx, edx
sum:    lodsb
        add edx, eax
        loop sum
        mov eax, edx
        out 0xe9, al
        mov al, ah
        out 0xe9, al
        ; Written by PIO, read by DMA.
        mov ecx, 5
        mov al, 0x30
        call command
        call ready
        mov esi, 0x300000
        mov ecx, 256
        mov dx, 0x1f0
        rep outsw
        call ready
        mov edi, 0x301000
        mov ecx, 5
        mov ebp, 0xc8
        mov esi, 0x08
        call dma
        mov esi, 0x300000
        mov edi, 0x301000
        mov ecx, 512
        repe cmpsb
        mov al, 'W'
        call expect_equal
        ; Written by DMA, read by PIO.
        mov byte [0x300000], 0x77
        mov edi, 0x300000
        mov ecx, 6
        mov ebp, 0xca
        xor esi, esi
        call dma
        mov ecx, 6
        mov al, 0x20
        call command
        call ready
        mov dx, 0x1f0
        in ax, dx
        cmp al, 0x77
        mov al, 'D'
        call expect_equal
        mov ecx, 255
        mov edi, 0x302000
        rep insw
        ; A page table out of a sector: 4 MiB is another page from then on.
        mov dword [0x210000], 'old '
        mov dword [0x211000], 'new '
        mov eax, 3
        mov edi, 0x200000
        mov ecx, 1024
identity:
        stosd
        add eax, 0x1000
        loop identity
        mov dword [0x201000], 0x210003
        mov dword [0x202000], 0x200003
        mov dword [0x202004], 0x201003
        mov eax, 0x202000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov eax, [0x400000]
        out 0xe9, al
        mov edi, 0x201000
        mov ecx, 7
        mov ebp, 0xc8
        mov esi, 0x08
        call dma
        mov eax, cr3
        mov cr3, eax
        mov eax, [0x400000]
        out 0xe9, al
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
        hlt

expect_equal:
        je equal
        mov al, 'x'
equal:  out 0xe9, al
        ret

pci_read:
        mov dx, 0xcf8
        out dx, eax
        mov dx, 0xcfc
        in eax, dx
        ret

; Command AL for sector CL.
command:
        push eax
        mov dx, 0x1f6
        mov al, 0xe0
        out dx, al
        mov dx, 0x1f2
        mov al, 1
        out dx, al
        inc dx
        mov al, cl
        out dx, al
        inc dx
        xor al, al
        out dx, al
        inc dx
        out dx, al
        pop eax
        mov dx, 0x1f7
        out dx, al
        ret

ready:  mov dx, 0x1f7
        in al, dx
        test al, 0x80
        jnz ready
        ret

; Sector CL to or from EDI by command EBP; ESI is the direction's bit.
dma:    mov [regions], edi
        mov dword [regions + 4], 0x80000200
        lea edx, [ebx + 4]
        mov eax, regions
        out dx, eax
        lea edx, [ebx + 2]
        mov al, 0x66
        out dx, al
        mov edx, ebx
        mov eax, esi
        out dx, al
        mov eax, ebp
        call command
        mov edx, ebx
        mov eax, esi
        or al, 1
        out dx, al
        lea edx, [ebx + 2]
waits:  in al, dx
        test al, 4
        jz waits
        mov edx, ebx
        mov eax, esi
        out dx, al
        call ready
        ret

        align 8
regions: dd 0, 0
        align 4096
routine: mov al, 'A'
        out 0xe9, al
        ret
        times 512 nop
`;

const image = assemble(source).bytes;

/** Sectors: 3 has the routine that prints B, 4 numbers, 7 an entry of a page table. */
function diskImage(): Uint8Array {
  const disk = new Uint8Array(64 * 512);
  disk.set(assemble("bits 32\nmov al, 'B'\nout 0xe9, al\nret").bytes, 3 * 512);
  for (let at = 0; at < 512; at++) disk[4 * 512 + at] = at * 5;
  new DataView(disk.buffer).setUint32(7 * 512, 0x211003, true);
  return disk;
}

const sum = Array.from({ length: 512 }, (_, at) => (at * 5) & 0xff).reduce((a, b) => a + b);
const expected = ["A".charCodeAt(0), "B".charCodeAt(0), sum & 0xff, sum >> 8, ..."WDon"].map((part) =>
  typeof part === "string" ? part.charCodeAt(0) : part,
);
const start = Machine.boot({ machine: "pc", image, disks: [diskImage()], memory: "8M" });
const outputOf = (machine: Machine): number[] =>
  Array.from(machine.devices.debugConsole?.output ?? "", (character) => character.charCodeAt(0));

describe("a guest with a disk", () => {
  const end = start.run({ maxInstructions: 1_000_000 });

  it("sees what it reads and wrote, in code and page tables too", () => {
    expect(end.stop).toEqual({ reason: "power-off" });
    expect(outputOf(end)).toEqual(expected);
    expect([...end.disks[0]!.read(5 * 512, 3)]).toEqual([0, 5, 10]);
    expect(start.disks[0]!.read(5 * 512, 3)).toEqual(new Uint8Array(3));
  });

  it("does the same on QEMU", (context) => {
    const qemu = peer(context, "qemu-system-i386");
    const folder = mkdtempSync(path.join(tmpdir(), "virtlab-disk-"));
    try {
      writeFileSync(path.join(folder, "image"), image);
      writeFileSync(path.join(folder, "disk"), diskImage());
      const drive = `file=${path.join(folder, "disk")},format=raw,if=ide,snapshot=on`;
      const { stdout, status } = spawnSync(
        qemu,
        [
          ...["-kernel", path.join(folder, "image"), "-m", "8", "-accel", "tcg", "-display", "none"],
          ...["-monitor", "none", "-serial", "null", "-debugcon", "stdio", "-no-reboot", "-drive", drive],
        ],
        { timeout: 30_000, input: "" },
      );
      expect([status, [...stdout]]).toEqual([0, expected]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("comes to the same value in odd pieces, from saves, and from forks that went another way", () => {
    let machine = start;
    for (let piece = 0; machine.stop?.reason !== "power-off"; piece++) {
      machine = machine.run({ maxInstructions: 1 + ((piece * 37) % 211) });
      if (piece % 5 === 0) machine.write(0x100000, new Uint8Array(64)).run({ maxInstructions: 3 });
      if (piece % 40 === 7) machine = Machine.load(machine.save());
      expect(piece).toBeLessThan(5000);
    }
    expect(machine.hash).toBe(end.hash);
  });

  it("makes the same steps one by one, with the disk in the difference", () => {
    let machine = start;
    for (let step = 0; step < 3000; step++) machine = machine.step();
    expect(machine.hash).toBe(start.run({ maxInstructions: 3000 }).hash);
    const { disks } = Machine.diff(start, end);
    expect(disks!.every(({ disk, address }) => disk === 0 && address >= 5 * 512 && address < 7 * 512)).toBe(true);
    expect(disks!.length).toBeGreaterThan(0);
  });
});
