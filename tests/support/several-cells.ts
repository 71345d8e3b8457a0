/** Guests with two processors, which say at the end what they have done together; the same is expected of QEMU. */
import { AP_PAGE, apicGuest, end, say, sayApic, sayByte, writeApic } from "./apic-guest.js";

const ICR = 0x300;
const ICR2 = 0x310;
const LDR = 0xd0;
const SVR = 0xf0;
const EOI = 0xb0;

/** Sends a command to the processor with this APIC ID. */
const send = (id: number, command: number): string => writeApic(ICR2, id << 24) + writeApic(ICR, command);
const INIT = 0x4500;
const startUp = 0x4600 | AP_PAGE;
/** Wakes the other processor and waits until it has come to `ap_main`. */
const wake = `${send(1, INIT)}${send(1, startUp)}.woken: pause\ncmp dword [alive], 1\njne .woken\n`;
/** Waits until a word in memory has a value. */
let loops = 0;
const until = (place: string, value: number): string => {
  const label = `.until_${loops++}`;
  return `${label}: pause\ncmp dword [${place}], ${value}\njne ${label}\n`;
};
const sayWord = (place: string): string => `mov eax, [${place}]\n${say}`;
const data = `
align 4
alive dd 0
counter dd 0
lock_word dd 0
done_word dd 0
ball dd 0
step dd 0
`;

/** 1000 times: takes the lock, adds one in a way that two at once would spoil, gives the lock back. */
const addUnderLock = (name: string): string => `
  mov ecx, 1000
.${name}_again:
  mov eax, 1
  xchg eax, [lock_word]
  test eax, eax
  jz .${name}_taken
  pause
  jmp .${name}_again
.${name}_taken:
  mov eax, [counter]
  inc eax
  nop
  mov [counter], eax
  mov dword [lock_word], 0
  dec ecx
  jnz .${name}_again
`;

/** A descriptor of four bytes of data at a label, in the table of one guest. */
const entry = (label: string, offset: number): string => `
  mov eax, ${label}
  mov edx, eax
  shl eax, 16
  or eax, 3
  mov [own_entries + ${offset}], eax
  mov eax, edx
  and eax, 0xff000000
  shr edx, 16
  and edx, 0xff
  or eax, edx
  or eax, 0x00409300
  mov [own_entries + ${offset + 4}], eax
`;

export interface SeveralGuest {
  readonly name: string;
  /** What it says, as hexadecimal bytes. */
  readonly says: string;
  readonly image: Uint8Array;
}

const guest = (name: string, says: string, main: string, more: string): SeveralGuest => ({
  name,
  says,
  image: apicGuest({ main: main + end, more: data + more }),
});

export const severalGuests: readonly SeveralGuest[] = [
  guest(
    "INIT and start-up wake the other processor in real mode at the page",
    "0100000000000001",
    `${wake}${sayWord("alive")}${sayWord("counter")}`,
    `
ap_main:
  ${"mov eax, [0xfee00020]\n  mov [counter], eax\n"}
  mov dword [alive], 1
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
  guest(
    "a spinlock keeps two processors apart",
    "d0070000",
    `${wake}${addUnderLock("bsp")}${until("done_word", 1)}${sayWord("counter")}`,
    `
ap_main:
  mov dword [alive], 1
${addUnderLock("ap")}
  mov dword [done_word], 1
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
  guest(
    "LOCK makes additions of two processors whole",
    "70170000",
    `${wake}mov ecx, 3000\n.bsp_add: lock inc dword [counter]\ndec ecx\njnz .bsp_add\n${until("done_word", 1)}${sayWord("counter")}`,
    `
ap_main:
  mov dword [alive], 1
  mov ecx, 3000
.ap_add: lock inc dword [counter]
  dec ecx
  jnz .ap_add
  mov dword [done_word], 1
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
  guest(
    "two processors that are halted wake each other by interrupts",
    "14000000",
    `${wake}sti\n${send(1, 0x40)}.play: cmp dword [ball], 20\njae .played\nhlt\njmp .play\n.played: cli\n${sayWord("ball")}`,
    `
on_64:
  inc dword [ball]
  ${send(0, 0x41)}
  ${writeApic(EOI, 0)}
  jmp done
on_65:
  inc dword [ball]
  ${send(1, 0x40)}
  ${writeApic(EOI, 0)}
  jmp done
ap_main:
  ${writeApic(SVR, 0x1ff)}
  mov dword [alive], 1
  sti
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
  guest(
    "shorthands and logical destinations reach who they name",
    "0102030405",
    [
      `${writeApic(LDR, 0x0100_0000)}${wake}`,
      `${writeApic(ICR, 0xc0042)}${until("step", 1)}${sayByte(1)}`,
      `${send(2, 0x842)}${until("step", 2)}${sayByte(2)}`,
      `sti\n${writeApic(ICR, 0x80043)}nop\nnop\n${until("step", 3)}${until("ball", 1)}cli\n${sayByte(3)}`,
      `sti\n${send(3, 0x843)}nop\nnop\n${until("step", 4)}${until("ball", 2)}cli\n${sayByte(4)}`,
      `sti\n${send(0xff, 0x43)}nop\nnop\n${until("step", 5)}${until("ball", 3)}cli\n${sayByte(5)}`,
    ].join(""),
    `
on_66:
  inc dword [step]
  ${writeApic(EOI, 0)}
  jmp done
on_67:
  mov eax, [0xfee00020]
  test eax, eax
  jz .first
  inc dword [step]
  jmp .ended
.first:
  inc dword [ball]
.ended:
  ${writeApic(EOI, 0)}
  jmp done
ap_main:
  ${writeApic(SVR, 0x1ff)}
  ${writeApic(LDR, 0x0200_0000)}
  mov dword [alive], 1
  sti
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
  guest(
    "an NMI reaches a halted processor whatever IF is",
    "01000000",
    `${wake}${send(1, 0x4400)}${until("step", 1)}${sayWord("step")}`,
    `
on_2:
  inc dword [step]
  jmp done
ap_main:
  mov dword [alive], 1
  cli
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
  guest(
    "a second start-up message is ignored, and INIT begins anew",
    "000000000100000002000000",
    [
      `${wake}${send(1, startUp)}${until("step", 1)}`,
      `mov dword [alive], 0\n${send(1, INIT)}mov ecx, 1000\n.idle: dec ecx\njnz .idle\n${sayWord("alive")}${sayWord("step")}`,
      `${send(1, startUp)}${until("alive", 1)}${until("step", 2)}${sayWord("step")}`,
    ].join(""),
    `
ap_main:
  mov dword [alive], 1
  mov ecx, 5000
.ap_wait: dec ecx
  jnz .ap_wait
  inc dword [step]
.ap_end:
  jmp .ap_end
`,
  ),
  guest(
    "each processor has a timer of its own",
    "0700000044000200",
    [
      wake,
      `${writeApic(0x3e0, 0xb)}${writeApic(0x320, 0x2_0044)}${writeApic(0x380, 5000)}sti\n`,
      `.ticking: hlt\ncmp dword [ball], 10\njb .ticking\ncli\n${until("step", 7)}${sayWord("step")}${sayApic(0x320)}`,
    ].join(""),
    `
on_68:
  inc dword [ball]
  ${writeApic(EOI, 0)}
  jmp done
on_69:
  inc dword [step]
  ${writeApic(EOI, 0)}
  jmp done
ap_main:
  ${writeApic(SVR, 0x1ff)}
  ${writeApic(0x3e0, 0xb)}
  ${writeApic(0x320, 0x2_0045)}
  ${writeApic(0x380, 3000)}
  mov dword [alive], 1
  sti
.ap_tick: hlt
  cmp dword [step], 7
  jb .ap_tick
  cli
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
  guest(
    "each processor has segments of its own",
    "e8030000d0070000",
    `${entry("own_first", 0)}${entry("own_second", 8)}lgdt [own_gdtr]\n${wake}mov ax, 0x18\nmov fs, ax\nmov ecx, 1000\n.bsp_count: inc dword [fs:0]\ndec ecx\njnz .bsp_count\n${until("done_word", 1)}${sayWord("own_first")}${sayWord("own_second")}`,
    `
own_first dd 0
own_second dd 0
align 8
own_gdt:
  dd 0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300
own_entries:
  dd 0, 0, 0, 0
own_gdtr:
  dw 39
  dd own_gdt
ap_main:
  lgdt [own_gdtr]
  mov ax, 0x20
  mov fs, ax
  mov dword [alive], 1
  mov ecx, 2000
.ap_count: inc dword [fs:0]
  dec ecx
  jnz .ap_count
  mov dword [done_word], 1
.ap_end:
  hlt
  jmp .ap_end
`,
  ),
];
