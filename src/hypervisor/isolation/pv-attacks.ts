/**
 * Attacks of a paravirtual guest, which has nothing of what the guest `attacker` is made for: it begins in ring 1 on page tables that it
 * cannot write, and has no devices. Each attack is a guest of its own, in a few lines of assembly, which catches its exceptions.
 */
import { POWER_OFF, smallGuest } from "../techniques/pv/small-guest.js";
import type { AttackName } from "./attacks.js";

/** Words: where the guest goes on behind an exception, and its stack there; a state of the random numbers. */
const [RESUME, STACK, SEED] = [0x20_0000, 0x20_0004, 0x20_0008];
/** A page that is mapped to other frames. */
const PAGE = 0x30_0000;
const CODE = 0xe019;

const WITH_CODE = [10, 11, 12, 13, 14, 17];
const WITHOUT_CODE = [0, 1, 3, 4, 5, 6, 7, 16];

/** Takes all exceptions. */
const PRELUDE = `
        mov [${STACK}], esp
        mov dword [${SEED}], 1
        xor eax, eax
        mov ebx, traps
        int 0x82
        jmp begin
behind: mov esp, [${STACK}]
        jmp [${RESUME}]
traps:
${[...WITH_CODE, ...WITHOUT_CODE].map((vector) => `        dd ${CODE * 0x1_0000 + vector}, behind`).join("\n")}
        dd 0, 0
begin:`;

/** Tries instructions, each by itself. */
const tries = (...instructions: readonly string[]): string =>
  instructions.map((text, index) => `mov dword [${RESUME}], tried${index}\n${text}\ntried${index}:`).join("\n");

/** The same for EBP from one number to another, which is not reached. */
const each = (first: number, end: number, step: number, text: string): string => `
        mov ebp, ${first}
again${first}:
        mov dword [${RESUME}], next${first}
        ${text}
next${first}:
        add ebp, ${step}
        cmp ebp, ${end}
        jnz again${first}`;

/** Ports, but those that end a machine. */
const ports = (text: string): string =>
  [
    [0x20, 0x64],
    [0x65, 0x92],
    [0x93, 0xb2],
    [0xb4, 0xf0],
    [0x100, 0x3f8],
  ]
    .map(([first, end]) => each(first!, end!, 1, `mov edx, ebp\n${text}`))
    .join("\n");

const RANDOM = `
        mov eax, [${SEED}]
        imul eax, eax, 1664525
        add eax, 1013904223
        mov [${SEED}], eax`;
const randomIn = (register: string): string => `${RANDOM}\nmov ${register}, eax`;

/** Frames that are accepted are the guest's own: the last word of each is stored to. */
const MAP_ANY = `
        mov eax, 14
        mov ebx, ${PAGE}
        mov ecx, ebp
        shl ecx, 12
        or ecx, 7
        xor edx, edx
        xor esi, esi
        int 0x82
        test eax, eax
        jnz refused
        mov dword [${PAGE + 0xffc}], 0x12345678
refused:`;

/** Any hypercall but those that end the guest. */
const CALL_ANY = `
        ${["ebx", "ecx", "edx", "esi", "edi"].map(randomIn).join("\n")}
        ${RANDOM}
        shr eax, 16
        and eax, 63
        cmp eax, 29
        jz left
        cmp eax, 23
        jz left
        int 0x82
left:`;

const bodies: Readonly<Partial<Record<AttackName, string>>> = {
  memory: each(0x40_0000, 0, 0x10_0000, "mov dword [ebp], 0x12345678"),
  "page-tables": each(0, 0x8000, 4, MAP_ANY),
  "ports-in": ports("in al, dx"),
  "ports-out": ports("mov eax, edx\nout dx, al"),
  hypercalls: each(0, 900, 1, CALL_ANY),
  storm: each(0, 2000, 1, "mov eax, 15\nmov ebx, 1\nxor ecx, ecx\nint 0x82"),
  virtualization: tries("vmcall", "vmlaunch", "vmresume", "vmxoff", "vmrun", "vmload", "vmsave", "stgi", "clgi"),
  msr: each(0, 0x2000, 1, "mov ecx, ebp\nrdmsr"),
  "memory-types": tries("mov ecx, 0x277\nwrmsr", "mov ecx, 0x2ff\nwrmsr"),
  "control-registers": tries("mov cr0, eax", "mov cr2, eax", "mov cr3, eax", "mov cr4, eax", "clts", "hlt", "cli"),
  segments: [
    each(0xfc00_0000, 0, 0x10_0000, "mov dword [ebp], 0x12345678"),
    tries(...[0xffe0, 0xffe8, 0xfff0, 0xffd8].map((selector) => `mov eax, ${selector}\nmov fs, ax`)),
  ].join("\n"),
  hog: "stay: jmp stay",
};

/** Handlers of none: the first exception is the last. */
const WITHOUT_HANDLERS = "int3";

/** The image of a paravirtual guest that makes an attack; undefined where such a guest has nothing to make it with. */
export function paravirtualAttack(attack: AttackName): Uint8Array | undefined {
  if (attack === "triple-fault") return smallGuest(WITHOUT_HANDLERS);
  const body = bodies[attack];
  return body === undefined ? undefined : smallGuest(`${PRELUDE}\n${body}\n${POWER_OFF}`);
}

/** A guest that ends at once. */
export const paravirtualIdle = (): Uint8Array => smallGuest(POWER_OFF);
