/**
 * The ROM of the BIOS: the places its vectors point to. A service is a host call and an IRET; behind these stands what the
 * processor does while the service waits. What needs no TypeScript is machine code.
 * Manual: IBM PC/AT Technical Reference, "ROM BIOS"; "Compatibility" for the bytes at FFFF0.
 */

import type { MapEntry } from "../../boot/memory-map.js";
import { MEMORY, PORT } from "../../devices/layout.js";
import { assemble } from "../../isa/assembler/assembler.js";
import { BDA, EBDA } from "./data-area.js";
import { MAP_OFFSET, ROM_SEGMENT } from "./rom-layout.js";

const { base: START, length: SIZE } = MEMORY.biosRom;
const FIRST = START - ROM_SEGMENT * 16;
/** Where an AT has the jump of the first instruction. */
const RESET = 0xfff0;
const TICKS_A_DAY = 0x1800b0;
/** Turns of a loop between two looks at a drive: a port costs more than they do, and a microsecond is little to a drive. */
const BETWEEN_LOOKS = 100;

/** Handlers by vector; the label of each is the handler's name with the entry's number. */
const SERVICES = {
  0: "unexpected",
  6: "unexpected",
  7: "unexpected",
  9: "key",
  16: "video",
  17: "equipment",
  18: "memory",
  19: "disk",
  20: "refused",
  21: "system",
  22: "keyboard",
  23: "refused",
  24: "noBoot",
  26: "clock",
} as const;

const HOST_CALL = "db 0x0f, 0x3f";
const labelOf = (name: string): string => `host_${name}`;
const hardwareVector = (vector: number): boolean =>
  (vector >= 0x08 && vector < 0x10) || (vector >= 0x70 && vector < 0x78);

/** What follows the IRET of services that wait, or end for good. */
const BEHIND: Readonly<Record<string, string>> = {
  disk: "jmp waits_for_disk",
  diskGoesOn: `
waits_for_disk:
        push ax
        push cx
        push dx
        push ds
        mov ax, ${MEMORY.extendedBiosData.base >> 4}
        mov ds, ax
        mov dx, [${EBDA.statusPort - MEMORY.extendedBiosData.base}]
.busy:  mov cx, ${BETWEEN_LOOKS}
        loop $
        in al, dx
        test al, 0x80
        jnz .busy
        pop ds
        pop dx
        pop cx
        pop ax
        jmp ${labelOf("diskGoesOn")}`,
  keyboard: `
        sti
        hlt
        jmp ${labelOf("keyboard")}`,
  noBoot: "cli\nhlt\njmp $ - 1",
  unexpected: "cli\nhlt\njmp $ - 1",
};

const NAMES = [...new Set<string>(Object.values(SERVICES)), "diskGoesOn"];

const SOURCE = `
        bits 16
        org ${FIRST}
${NAMES.map((name) => `${labelOf(name)}: ${HOST_CALL}\niret\n${BEHIND[name] ?? ""}`).join("\n")}
nothing: iret
timer:  push ds
        push ax
        xor ax, ax
        mov ds, ax
        inc dword [${BDA.ticks}]
        cmp dword [${BDA.ticks}], ${TICKS_A_DAY}
        jb .day
        mov dword [${BDA.ticks}], 0
        mov byte [${BDA.midnight}], 1
.day:   int 0x1c
        mov al, 0x20
        out ${PORT.interruptController1.base}, al
        pop ax
        pop ds
        iret
slave:  push ax
        mov al, 0x20
        out ${PORT.interruptController2.base}, al
        jmp ended
master: push ax
        mov al, 0x20
ended:  out ${PORT.interruptController1.base}, al
        pop ax
        iret
bootstrap:
        xor ax, ax
        mov ds, ax
        mov es, ax
        cli
        mov ss, ax
        mov sp, 0x7c00
        sti
        mov bx, sp
        mov ax, 0x0201
        mov cx, 1
        mov dx, 0x80
        int 0x13
        jc .none
        cmp word [0x7dfe], 0xaa55
        jne .none
        jmp 0:0x7c00
.none:  int 0x18
reset:  mov al, 0xfe
        out ${PORT.keyboardCommand.base}, al
        cli
        hlt
code_end:
        times ${MAP_OFFSET} - ($ - $$) db 0
map:
        times ${RESET - FIRST} - ($ - $$) db 0
        jmp ${ROM_SEGMENT}:reset
        db "01/01/00", 0, 0xfc, 0
`;

interface Rom {
  readonly bytes: Uint8Array;
  readonly symbols: Readonly<Record<string, number>>;
}
let assembled: Rom | undefined;
const rom = (): Rom => (assembled ??= assemble(SOURCE));

/** Entries of the memory map: base and length of 64 bits, type; behind the last one a length of 0. */
const MAP_ENTRY = 20;

/** The ROM of a machine with this memory map. */
export function biosRom(map: readonly MapEntry[]): Uint8Array {
  const bytes = rom().bytes.slice(0, SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  map.forEach(({ base, length, type }, index) => {
    const at = MAP_OFFSET + index * MAP_ENTRY;
    view.setBigUint64(at, BigInt(base), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  });
  return bytes;
}

/** Places that are host calls: physical addresses, and names of handlers. */
export const biosEntries = (): { readonly physical: number; readonly handler: string }[] =>
  NAMES.map((handler) => ({ physical: ROM_SEGMENT * 16 + rom().symbols[labelOf(handler)]!, handler }));

/** The 256 vectors. */
export function vectorTable(): Uint8Array {
  const table = new DataView(new ArrayBuffer(MEMORY.realModeVectors.length));
  const { symbols } = rom();
  for (let vector = 0; vector < 256; vector++) {
    const service: string | undefined = SERVICES[vector as keyof typeof SERVICES];
    const label =
      service !== undefined
        ? labelOf(service)
        : vector === 0x08
          ? "timer"
          : vector === 0x19
            ? "bootstrap"
            : hardwareVector(vector)
              ? vector < 0x10
                ? "master"
                : "slave"
              : "nothing";
    table.setUint16(4 * vector, symbols[label]!, true);
    table.setUint16(4 * vector + 2, ROM_SEGMENT, true);
  }
  return new Uint8Array(table.buffer);
}
