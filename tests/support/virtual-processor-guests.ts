/** Guests whose processors are busy at once: with locks, interrupts, faults and single steps, so that turns end wherever they can. */
import { AP_PAGE, apicGuest, end, say, sayByte, writeApic, writePort } from "./apic-guest.js";

const ICR = 0x300;
const ICR2 = 0x310;
const SVR = 0xf0;
const EOI = 0xb0;
const OTHERS = 0xc_0000;
const data = `
align 4
alive dd 0
counter dd 0
lock_word dd 0
done_word dd 0
told dd 0
traps dd 0
`;
const START = `${writeApic(SVR, 0x1ff)}${writeApic(ICR, OTHERS | 0x4500)}${writeApic(ICR, OTHERS | 0x4600 | AP_PAGE)}`;
let loops = 0;
const until = (place: string, value: number): string => {
  const label = `.wait_${loops++}`;
  return `${label}: pause\ncmp dword [${place}], ${value}\njne ${label}\n`;
};
const add = (times: number): string => {
  const name = `.add_${loops++}`;
  return `
  mov ecx, ${times}
${name}:
  mov eax, 1
${name}_lock:
  xchg eax, [lock_word]
  test eax, eax
  jz ${name}_taken
  pause
  jmp ${name}_lock
${name}_taken:
  inc dword [counter]
  mov dword [lock_word], 0
  dec ecx
  jnz ${name}
`;
};

/** All of them add under a lock; the others tell the first by an interrupt when they have, and halt. */
export const adders = (processors: number): Uint8Array =>
  apicGuest({
    main: `${START}sti\n${add(300)}.all: cli\ncmp dword [told], ${processors - 1}\nje .end\nsti\nhlt\njmp .all\n.end: mov eax, [counter]\n${say}${end}`,
    more: `${data}
on_64:
  inc dword [told]
  ${writeApic(EOI, 0)}
  jmp done
ap_main:
  ${writeApic(SVR, 0x1ff)}
${add(300)}
  mov eax, 1
.sending:
  xchg eax, [done_word]
  test eax, eax
  jz .free
  pause
  jmp .sending
.free:
  mov ebx, [told]
  ${writeApic(ICR2, 0)}${writeApic(ICR, 0x40)}
.heard: pause
  cmp ebx, [told]
  je .heard
  mov dword [done_word], 0
.halted:
  hlt
  jmp .halted
`,
  });

const timer = (vector: number, count: number): string =>
  `${writeApic(0x3e0, 0xb)}${writeApic(0x320, 0x2_0000 | vector)}${writeApic(0x380, count)}`;

/** Both count, and are interrupted by timers of their own; what they do between is `busy`. */
export const timers = (first: number, second: number, busy = "nop\n"): Uint8Array =>
  apicGuest({
    main: `${START}${until("alive", 1)}${timer(0x44, first)}sti\nmov ecx, 6000\n.count: ${busy}dec ecx\njnz .count\ncli\nmov eax, [told]\n${say}${end}`,
    more: `${data}
on_68:
  inc dword [told]
  ${writeApic(EOI, 0)}
  jmp done
on_69:
  inc dword [traps]
  ${writeApic(EOI, 0)}
  jmp done
ap_main:
  ${writeApic(SVR, 0x1ff)}
  ${timer(0x45, second)}
  mov dword [alive], 1
  sti
.count: ${busy}inc dword [counter]
  jmp .count
`,
  });

/** STI and loads of SS as often as can be. */
export const shadows = "cli\nmov ax, ss\nsti\nmov ss, ax\npush ss\npop ss\ncli\nsti\n";

/** Both raise #GP by an MSR that is not there, ask CPUID, read ports and trace themselves with TF. */
export const faults: Uint8Array = apicGuest({
  main: `${START}${until("alive", 1)}mov ebp, 250\n.all:${trouble("bsp")}dec ebp\njnz .all\nmov eax, [counter]\n${say}mov eax, [traps]\n${say}${sayByte(1)}${end}`,
  more: `${data}
on_13:
  lock inc dword [counter]
  add dword [esp + 40], 2
  popad
  add esp, 8
  iret
on_1:
  lock inc dword [traps]
  jmp done
ap_main:
  mov dword [alive], 1
.all:
${trouble("ap")}
  jmp .all
`,
});

function trouble(name: string): string {
  return `
  mov ecx, 0x12345
  rdmsr
  mov eax, 1
  cpuid
  in al, 0x61
  pushf
  or dword [esp], 0x100
  popf
  nop
  mov eax, 0
  cpuid
  in al, 0x61
  mov ax, ss
  mov ss, ax
  rdtsc
  pushf
  and dword [esp], 0xfffffeff
  popf
  mov ecx, 5
.${name}_loop: loop .${name}_loop
`;
}

/** Waits for a key at the serial port with all processors halted, and says it. */
export const listener: Uint8Array = apicGuest({
  main: `${START}${until("alive", 1)}${writePort(0x21, 0xef)}${writePort(0x3f9, 1)}${writePort(0x3fc, 8)}sti
.wait: hlt
  cmp dword [told], 3
  jb .wait
  cli
  mov eax, [counter]
  ${say}${end}`,
  more: `${data}
on_36:
  mov dx, 0x3f8
  in al, dx
  movzx eax, al
  add [counter], eax
  inc dword [told]
  mov al, 0x20
  out 0x20, al
  jmp done
ap_main:
  ${writeApic(SVR, 0x1ff)}
  mov dword [alive], 1
  sti
.halted:
  hlt
  jmp .halted
`,
});
