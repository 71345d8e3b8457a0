/**
 * Small guests that use interrupt controllers and several processors, run here and on QEMU's PC. They say what they find
 * by bytes and words on port 0xE9, and end with the debug exit.
 *
 * A guest runs in 32-bit ring 0 with flat segments and without paging. Every vector has a handler: `on_N` if the guest
 * has one, which ends with `jmp done`, else one that puts out the vector and ends the interrupt at the local APIC.
 * Application processors begin at `AP_PAGE` in real mode and come to `ap_main` in protected mode, with the stack of their
 * APIC ID.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import type { MachineName } from "../../src/hardware/devices/machines.js";
import { assemble } from "../../src/hardware/isa/assembler/assembler.js";
import { Machine } from "../../src/hardware/machine.js";

const LOAD = 0x10_0000;
const MAGIC = 0x1badb002;
const ADDRESS_FIELDS = 0x1_0000;
const IDT = 0x20_0000;
/** The page a start-up message names. */
export const AP_PAGE = 8;
const STACKS = 0x30_0000;
const VECTORS = 256;
const APIC = 0xfee0_0000;
/** Far more than a guest needs. */
const STEPS = 20_000_000;

export interface ApicGuest {
  /** The first processor's code. */
  readonly main: string;
  /** Further labels: `on_33:`, data, `ap_main:`. */
  readonly more?: string;
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** Puts out `eax` as four bytes; keeps all registers. */
export const say = "call say_eax\n";
/** Puts out one byte. */
export const sayByte = (byte: number): string => `mov al, ${byte}\nout 0xe9, al\n`;
/** A register of the local APIC, by its offset. */
export const readApic = (offset: number): string => `mov eax, [${hex(APIC + offset)}]\n`;
export const writeApic = (offset: number, value: number): string =>
  `mov dword [${hex(APIC + offset)}], ${hex(value)}\n`;
export const sayApic = (...offsets: readonly number[]): string => offsets.map((at) => readApic(at) + say).join("");
/** A register of the I/O APIC, by its index. */
export const readIoApic = (index: number): string => `mov dword [0xfec00000], ${index}\nmov eax, [0xfec00010]\n`;
export const writeIoApic = (index: number, value: number): string =>
  `mov dword [0xfec00000], ${index}\nmov dword [0xfec00010], ${hex(value)}\n`;
export const sayIoApic = (...indexes: readonly number[]): string => indexes.map((at) => readIoApic(at) + say).join("");
export const writePort = (port: number, ...values: readonly number[]): string =>
  values.map((value) => `mov al, ${value}\nmov dx, ${port}\nout dx, al\n`).join("");
/** Both 8259s, vectors 0x20 to 0x2F, with these masks. */
export const setPics = (master: number, slave: number): string =>
  [
    ...[writePort(0x20, 0x11), writePort(0x21, 0x20, 4, 1, master)],
    ...[writePort(0xa0, 0x11), writePort(0xa1, 0x28, 2, 1, slave)],
  ].join("");
/** Counter 0 in a mode with a count. */
export const setTimer = (mode: number, count: number): string =>
  writePort(0x43, 0x30 | (mode << 1)) + writePort(0x40, count & 0xff, count >> 8);
export const end = "jmp finish\n";

const low = assemble(
  `bits 16
org ${AP_PAGE * 0x1000}
  cli
  xor ax, ax
  mov ds, ax
  o32 lgdt [low_gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:ap_entry
low_gdtr:
  dw 23
  dd gdt
`
    .replace("ap_entry", hex(LOAD + 0x28))
    .replace("dd gdt", `dd ${hex(LOAD + 0x40)}`),
  { name: "start of an application processor" },
);

/** The image, a multiboot kernel by address fields. */
export function apicGuest({ main, more = "" }: ApicGuest): Uint8Array {
  const text = `
org ${hex(LOAD)}
image:
  dd ${hex(MAGIC)}, ${hex(ADDRESS_FIELDS)}, ${hex(-(MAGIC + ADDRESS_FIELDS))}, image, image, 0, 0, image + 32
  jmp near start
  times 0x28 - ($ - image) db 0
  jmp near ap_start
  times 0x40 - ($ - image) db 0
gdt:
  dd 0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300
gdtr:
  dw 23
  dd gdt
idtr:
  dw ${VECTORS * 8 - 1}
  dd ${hex(IDT)}
low_code:
  db ${[...low.bytes].join(", ")}
low_end:
start:
  cli
  lgdt [gdtr]
  jmp 8:.flat
.flat:
  mov esp, ${hex(STACKS)}
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov edi, ${hex(IDT)}
  mov eax, stubs
  mov ecx, ${VECTORS}
.gate:
  mov edx, eax
  and edx, 0xffff
  or edx, 0x80000
  mov [edi], edx
  mov edx, eax
  and edx, 0xffff0000
  or edx, 0x8e00
  mov [edi + 4], edx
  add edi, 8
  add eax, 16
  dec ecx
  jnz .gate
  lidt [idtr]
  mov esi, low_code
  mov edi, ${hex(AP_PAGE * 0x1000)}
  mov ecx, low_end - low_code
  rep movsb
main:
${setPics(0xff, 0xff)}
${main}
finish:
  cli
  mov al, 0
  out 0xf4, al
  hlt
ap_start:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov eax, [${hex(APIC + 0x20)}]
  shr eax, 8
  lea esp, [eax + ${hex(STACKS)}]
  lidt [idtr]
  jmp near ap_main
say_eax:
  push eax
  out 0xe9, al
  shr eax, 8
  out 0xe9, al
  shr eax, 8
  out 0xe9, al
  shr eax, 8
  out 0xe9, al
  pop eax
  ret
handle:
  pushad
  mov eax, [esp + 32]
  cmp eax, 32
  jb failed
  out 0xe9, al
  mov dword [${hex(APIC + 0xb0)}], 0
done:
  popad
  add esp, 4
  iret
failed:
  mov al, 0xff
  out 0xe9, al
  jmp finish
align 16
stubs:
${Array.from({ length: VECTORS }, (_, vector) => stub(vector, more)).join("")}
${more.includes("ap_main:") ? "" : "ap_main:\n  hlt\n  jmp ap_main\n"}
${more}
`;
  return assemble(text, { name: "guest" }).bytes;
}

/** A guest's own handler begins with all registers saved and has its vector in EAX. */
function stub(vector: number, more: string): string {
  if (!more.includes(`on_${vector}:`)) return `  align 16\n  push dword ${vector}\n  jmp near handle\n`;
  return `  align 16\n  push dword ${vector}\n  pushad\n  mov eax, ${vector}\n  jmp near on_${vector}\n`;
}

export interface GuestOptions {
  readonly processors?: number;
  /** Of the machine here. */
  readonly machine?: MachineName;
  readonly model?: ModelName;
}

/** The machine with a guest in it. */
export const bootGuest = (image: Uint8Array, options: GuestOptions = {}): Machine =>
  Machine.boot({ image, machine: "pc", memory: "16M", ...options });

/** What a guest says, and how it ends. */
export interface GuestRun {
  readonly said: readonly number[];
  readonly end: string;
}

export function runGuest(image: Uint8Array, options?: GuestOptions): GuestRun {
  const machine = bootGuest(image, options).run({ maxInstructions: STEPS });
  const said = Array.from(machine.devices.debugConsole?.output ?? "", (character) => character.charCodeAt(0));
  return { said, end: machine.stop?.reason ?? "none" };
}

export function runGuestOnQemu(program: string, image: Uint8Array, { processors = 1 }: GuestOptions = {}): GuestRun {
  const folder = mkdtempSync(join(tmpdir(), "virtlab-apic-"));
  try {
    const kernel = join(folder, "guest.bin");
    writeFileSync(kernel, image);
    const { status, stdout } = spawnSync(
      program,
      [
        ...["-M", "pc", "-kernel", kernel, "-m", "16", "-accel", "tcg", "-cpu", "pentium2", "-smp", String(processors)],
        ...["-display", "none", "-serial", "none", "-monitor", "none", "-nic", "none", "-no-reboot"],
        ...["-debugcon", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        // Time by instructions, so that a busy host changes nothing.
        ...["-icount", "shift=3,sleep=off"],
      ],
      { timeout: 60_000, stdio: ["ignore", "pipe", "ignore"] },
    );
    return { said: [...stdout], end: status === 1 ? "debug-exit" : `status ${status}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The words among what was said. */
export const words = (said: readonly number[]): string[] => {
  const view = new DataView(Uint8Array.from(said).buffer);
  return Array.from({ length: Math.floor(said.length / 4) }, (_, index) =>
    view.getUint32(4 * index, true).toString(16),
  );
};
