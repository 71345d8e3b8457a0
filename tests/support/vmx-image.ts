/**
 * A small hypervisor in assembly, as an ELF image: it enters each guest of `vmx-cells.ts` with a VMCS of its own, as often as
 * the cell says, and prints how the entry ended and fields of the VMCS on the serial port, a line for each exit.
 */

import { assemble } from "../../src/hardware/isa/assembler/assembler.js";
import { allowedSettings, type ControlWord, controlWords } from "../../src/hardware/vmx/controls.js";
import { type FieldName, fields } from "../../src/hardware/vmx/fields.js";
import { AT, type VmxCell } from "./vmx-cells.js";

export const IMAGE = 0x200000;

/** What is printed of an exit, each as a dword. */
export const printed = [
  "Exit reason",
  "Exit qualification",
  "VM-exit interruption information",
  "VM-exit interruption error code",
  "IDT-vectoring information field",
  "IDT-vectoring error code",
  "VM-exit instruction length",
  "VM-exit instruction information",
  "Guest-linear address",
  "Guest-physical address",
  "VM-entry interruption-information field",
  "VM-entry controls",
  "Guest RIP",
  "Guest RSP",
  "Guest RFLAGS",
  "Guest CR0",
  "Guest CR3",
  "Guest CR4",
  "Guest DR7",
  "Guest interruptibility state",
  "Guest activity state",
  "Guest pending debug exceptions",
  "Guest CS selector",
  "Guest CS base",
  "Guest CS limit",
  "Guest CS access rights",
  "Guest SS selector",
  "Guest SS access rights",
  "Guest DS access rights",
  "Guest LDTR access rights",
  "Guest TR access rights",
  "Guest GDTR limit",
  "Guest IDTR base",
  "EPT pointer",
] as const satisfies readonly FieldName[];
export type PrintedField = (typeof printed)[number];
/** In front of the fields: how the entry ended (an exit, VMfailInvalid, VMfailValid and its error), and registers of the guest. */
export const leading = ["status", "error", "EAX", "ECX"] as const;
export type LineField = (typeof leading)[number] | PrintedField;
export type Line = Readonly<Record<LineField, number>>;

const wordFields: Readonly<Record<ControlWord, FieldName>> = {
  pin: "Pin-based VM-execution controls",
  primary: "Primary processor-based VM-execution controls",
  secondary: "Secondary processor-based VM-execution controls",
  exit: "VM-exit controls",
  entry: "VM-entry controls",
};

/** A word of controls: what must be 1, and what the cell asks for. */
function wordOf({ controls = {} }: VmxCell, word: ControlWord): number {
  const masks: Readonly<Record<string, number>> = controlWords[word].masks;
  const activates = word === "primary" && (controls.secondary?.length ?? 0) > 0;
  const names: readonly string[] = [...(controls[word] ?? []), ...(activates ? ["activate secondary controls"] : [])];
  return names.reduce((sum, name) => (sum | masks[name]!) >>> 0, allowedSettings("max", word).zero);
}

const guestSegments = ["ES", "CS", "SS", "DS", "FS", "GS"] as const;

type Values = Partial<Record<FieldName, bigint | number | string>>;

/** Of every VMCS, before the cell's own. */
const common: Values = {
  "Host ES selector": 16,
  "Host CS selector": 8,
  "Host SS selector": 16,
  "Host DS selector": 16,
  "Host FS selector": 16,
  "Host GS selector": 16,
  "Host TR selector": 0x28,
  "Host CR3": AT.hostTables,
  "Host TR base": "tss",
  "Host GDTR base": "gdt",
  "Host RIP": "exit",
  "Host RSP": 0x230000,
  "Address of I/O bitmap A": AT.portsA,
  "Address of I/O bitmap B": AT.portsB,
  "Address of MSR bitmaps": AT.registers,
  "Virtual-APIC address": AT.virtualApic,
  "EPT pointer": AT.ept | 6 | (3 << 3),
  "EPTP-list address": AT.eptpList,
  "Virtual-processor identifier (VPID)": 1,
  "VMCS link pointer": 0xffff_ffff_ffff_ffffn,
  "Guest IA32_PAT": 0x0007_0406_0007_0406n,
  ...Object.fromEntries(
    guestSegments.flatMap((name) => [
      [`Guest ${name} selector`, name === "CS" ? 8 : 16],
      [`Guest ${name} limit`, 0xffff_ffff],
      [`Guest ${name} access rights`, name === "CS" ? 0xc09b : 0xc093],
    ]),
  ),
  "Guest LDTR access rights": 0x10000,
  "Guest TR selector": 0x28,
  "Guest TR base": "tss",
  "Guest TR limit": 0x67,
  "Guest TR access rights": 0x8b,
  "Guest GDTR base": "gdt",
  "Guest GDTR limit": 0x37,
  "Guest IDTR base": "guest_idt",
  "Guest IDTR limit": 0x43 * 8 - 1,
  "Guest CR0": 0x8000_0031,
  "Guest CR3": AT.wholeTables,
  "Guest CR4": 0x2010,
  "Guest DR7": 0x400,
  "Guest RSP": 0x240000,
  "Guest RFLAGS": 2,
};

const WORD = 0xffff_ffffn;

/** The VMWRITEs of a value: one of 64 bits takes two in 32-bit code. */
function writesOf(name: FieldName, value: bigint | number | string): readonly string[] {
  const { encoding, width } = fields[name];
  if (typeof value === "string") return [`  dd ${encoding}, ${value}`];
  const whole = BigInt.asUintN(64, BigInt(value));
  const low = `  dd ${encoding}, ${whole & WORD}`;
  return width === 64 ? [low, `  dd ${encoding + 1}, ${whole >> 32n}`] : [low];
}

const tableOf = (label: string, values: Values): string => {
  const writes = Object.entries(values).flatMap(([name, value]) => writesOf(name as FieldName, value!));
  return [`${label}:`, `  dd ${writes.length}`, ...writes].join("\n");
};

function cellTable(cell: VmxCell, number: number): string {
  const { fields: own = {}, entries = 1, skips = false, low = false } = cell;
  const words = (Object.keys(wordFields) as ControlWord[]).map(
    (word) => [wordFields[word], wordOf(cell, word)] as const,
  );
  const named = Object.fromEntries(
    Object.entries(own).map(([name, value]) => [
      name,
      typeof value === "string" ? value.replace(/\bcode\b/, `code_${number}`) : value,
    ]),
  );
  const rip = low ? {} : { "Guest RIP": `code_${number}` };
  return [
    `cell_${number}:`,
    `  dd ${entries}, ${skips ? 1 : 0}, ${low ? 1 : 0}, code_${number}`,
    tableOf(`cell_${number}_fields`, { ...Object.fromEntries(words), ...rip, ...named }),
  ].join("\n");
}

const codeOf = ({ code, bits = 32 }: VmxCell, number: number): string =>
  `code_${number}:\nbits ${bits}\n${code}\nvmcall\nbits 32\n`;

const withCode: readonly number[] = [8, 10, 11, 12, 13, 14];
/** Vectors the guest has handlers for: each leaves the guest with its number, and the flags of its frame. */
const handled = [0, 1, 2, 3, 6, 8, 10, 11, 12, 13, 14, 0x20, 0x40];
const gate = (vector: number): string => `  dw handler_${vector} - $$, 8, 0x8e00, ${IMAGE >>> 16}`;
const idt = (): string =>
  Array.from({ length: 0x43 }, (_, vector) => {
    if (vector === 0x42) return "  dw 0, 0x30, 0x8500, 0";
    return handled.includes(vector) ? gate(vector) : "  dq 0";
  }).join("\n");

/** Host-physical pages of 2 MiB, of EPT: read-only and the like, as `AT` says. */
const eptPages = [7, 7, 7, 7, 0, 3, 1, 2, 7].map((rights, page) =>
  rights === 0 ? 0 : page * 0x200000 + 0x80 + ((page === 8 ? 2 : 6) << 3) + rights,
);

const stores = (pairs: readonly (readonly [at: number, value: number])[]): string =>
  pairs.map(([at, value]) => `  mov dword [${at}], ${value}`).join("\n");

/** The source of the image for these cells. */
export const vmxSource = (cells: readonly VmxCell[]): string => `
bits 32
org ${IMAGE}
image:
  dd 0x1badb002, 0, -0x1badb002
start:
  cli
  mov esp, 0x230000
  lgdt [gdt_pointer]
  mov eax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov fs, ax
  mov gs, ax
  jmp 8:reloaded
reloaded:
  mov edi, ${AT.first}
  mov ecx, ${(AT.end - AT.first) / 4}
  xor eax, eax
  rep stosd
${stores([0, 1, 2, 3, 4].flatMap((page) => [[AT.hostTables + 4 * page, page * 0x400000 + 0x87] as const, [AT.wholeTables + 4 * page, page * 0x400000 + 0x87] as const]))}
${stores([
  [AT.guestTables, 0x87],
  [AT.guestTables + 4, 0x400087],
  [AT.guestTables + 12, 0xc00085],
  [AT.paeTables, AT.paeDirectory + 1],
  [AT.paeDirectory, 0x83],
  [AT.paeDirectory + 8, 0x200083],
  [AT.badPaeTables, AT.paeDirectory + 0x1e7],
  [AT.ept, AT.eptPointers + 7],
  [AT.eptPointers, AT.eptDirectory + 7],
  ...eptPages.map((entry, page) => [AT.eptDirectory + 8 * page, entry] as const),
  [AT.otherEpt, AT.eptPointers + 7],
  [AT.eptpList, AT.otherEpt | 6 | (3 << 3)],
  [AT.eptpList + 8, AT.otherEpt | 5 | (3 << 3)],
  [AT.loadedMsrs, 0x176],
  [AT.loadedMsrs + 8, 0x1234],
  [AT.loadedMsrs + 16, 0xc0000100],
  [AT.virtualApic + 0x80, 0x50],
])}
  ; Ports 70h, 2F8h, 4D1h; 8000h; reads of EFER, writes of STAR, both of SYSENTER_EIP.
  or byte [${AT.portsA + (0x70 >> 3)}], 1
  or byte [${AT.portsA + (0x2f8 >> 3)}], 1
  or byte [${AT.portsA + (0x4d1 >> 3)}], 2
  or byte [${AT.portsB}], 1
  or byte [${AT.registers + 1024 + (0x80 >> 3)}], 1
  or byte [${AT.registers + 3072 + (0x81 >> 3)}], 2
  or byte [${AT.registers + (0x176 >> 3)}], 0x40
  or byte [${AT.registers + 2048 + (0x176 >> 3)}], 0x40
  ; Handlers and vectors of real mode.
  mov esi, real_handlers
  mov edi, ${AT.realHandlers}
  mov ecx, real_handlers_end - real_handlers
  rep movsb
  mov edi, ${AT.realVectors}
  mov ecx, 256
  xor eax, eax
real_vector:
  mov [edi], eax
  mov word [edi + 2], ${AT.realHandlers >>> 4}
  add eax, 8
  add edi, 4
  loop real_vector
  ; Interrupt controllers from vector 20h, all lines closed; the timer asks at once. The serial port.
${(
  [
    [0x20, 0x11],
    [0x21, 0x20],
    [0x21, 4],
    [0x21, 1],
    [0x21, 0xff],
    [0xa0, 0x11],
    [0xa1, 0x28],
    [0xa1, 2],
    [0xa1, 1],
    [0xa1, 0xff],
    [0x43, 0x34],
    [0x40, 0],
    [0x40, 4],
    // 8 bits a character at full speed.
    [0x3fb, 0x83],
    [0x3f8, 1],
    [0x3f9, 0],
    [0x3fb, 3],
  ] as const
)
  .map(([port, value]) => `  mov dx, ${port}\n  mov al, ${value}\n  out dx, al`)
  .join("\n")}
  mov eax, ${AT.hostTables}
  mov cr3, eax
  mov eax, 0x2010
  mov cr4, eax
  mov eax, 0x80000031
  mov cr0, eax
  mov ax, 0x28
  ltr ax
  and byte [gdt + 0x2d], 0xfd
  mov ecx, 0x3a
  rdmsr
  test al, 1
  jnz locked
  mov eax, 5
  xor edx, edx
  wrmsr
locked:
  mov ecx, 0x480
  rdmsr
  and eax, 0x7fffffff
  mov [revision], eax
  mov [${AT.region}], eax
  vmxon [region_pointer]
  jbe done
  mov ebp, cells
next_cell:
  mov esi, [ebp]
  test esi, esi
  jz done
  mov [cell], esi
  mov eax, [esi]
  mov [entries], eax
  mov byte [launched], 0
  ; The code of real and virtual-8086 mode.
  cmp dword [esi + 8], 0
  je not_low
  mov esi, [esi + 12]
  mov edi, ${AT.lowCode}
  mov ecx, 0x200
  rep movsb
not_low:
  vmclear [vmcs_pointer]
  mov edi, ${AT.vmcs}
  mov ecx, 1024
  xor eax, eax
  rep stosd
  mov eax, [revision]
  mov [${AT.vmcs}], eax
  vmclear [vmcs_pointer]
  vmptrld [vmcs_pointer]
  mov esi, common_fields
  call write_fields
  mov eax, 0x6c00
  mov edx, cr0
  vmwrite eax, edx
  mov eax, 0x6c04
  mov edx, cr4
  vmwrite eax, edx
  mov esi, [cell]
  add esi, 16
  call write_fields
enter:
  push ebp
  mov [host_ebp], ebp
  mov eax, 0x11111111
  mov ecx, 0x22222222
  mov edx, 0x33333333
  mov ebx, 0x44444444
  mov esi, 0x250000
  mov edi, 0x250100
  mov ebp, 0x55555555
  cmp byte [launched], 0
  jne resume
  vmlaunch
  jmp failed
resume:
  mov eax, [guest_eax]
  mov ecx, [guest_ecx]
  vmresume
failed:
  mov eax, 1
  jc failed_known
  mov eax, 2
failed_known:
  mov esp, 0x230000
  mov ebp, [host_ebp]
  mov dword [entries], 1
  mov [status], eax
  jmp tell
exit:
  mov [guest_eax], eax
  mov [guest_ecx], ecx
  mov esp, 0x230000
  mov ebp, [host_ebp]
  mov dword [status], 0
  mov byte [launched], 1
  ; NMIs are let in again.
  pushfd
  push 8
  push unblocked
  iretd
unblocked:
  ; The interrupt controllers again as they were.
  mov al, 0x20
  out 0x20, al
  mov al, 0xff
  out 0x21, al
tell:
  mov eax, [status]
  call print_hex
  xor eax, eax
  cmp dword [status], 2
  jne no_error
  mov edx, 0x4400
  vmread eax, edx
no_error:
  call print_hex
  mov eax, [guest_eax]
  call print_hex
  mov eax, [guest_ecx]
  call print_hex
  mov esi, printed
print_next:
  mov edx, [esi]
  cmp edx, -1
  je line_end
  xor eax, eax
  vmread eax, edx
  call print_hex
  add esi, 4
  jmp print_next
line_end:
  mov al, 10
  call print_char
  dec dword [entries]
  jz cell_done
  mov esi, [cell]
  cmp dword [esi + 4], 0
  je enter
  mov edx, 0x440c
  vmread ecx, edx
  mov edx, 0x681e
  vmread eax, edx
  add eax, ecx
  vmwrite edx, eax
  jmp enter
cell_done:
  add ebp, 4
  jmp next_cell
done:
  mov dx, 0x3fd
wait_end:
  in al, dx
  test al, 0x40
  jz wait_end
debug_exit:
  mov al, 0x10
  out 0xf4, al
  cli
  hlt
write_fields:
  mov ecx, [esi]
  add esi, 4
write_next:
  mov eax, [esi]
  mov edx, [esi + 4]
  vmwrite eax, edx
  add esi, 8
  loop write_next
  ret
print_hex:
  mov ecx, 8
leading_zero:
  test eax, 0xf0000000
  jnz hex_digit
  cmp ecx, 1
  je hex_digit
  rol eax, 4
  dec ecx
  jmp leading_zero
hex_digit:
  rol eax, 4
  push eax
  and eax, 15
  mov al, [digits + eax]
  call print_char
  pop eax
  loop hex_digit
  mov al, 32
print_char:
  push edx
  push eax
  mov dx, 0x3fd
wait_line:
  in al, dx
  test al, 0x20
  jz wait_line
  pop eax
  mov dx, 0x3f8
  out dx, al
  pop edx
  ret
${handled.map((vector) => `handler_${vector}:\n  mov eax, ${0x1000 + vector}\n  mov ecx, [esp+${withCode.includes(vector) ? 12 : 8}]\n  vmcall`).join("\n")}
real_handlers:
bits 16
${Array.from({ length: 256 }, (_, vector) => `  mov ax, ${0x2000 + vector}\n  vmcall\n  hlt\n  nop`).join("\n")}
bits 32
real_handlers_end:
${cells.map(codeOf).join("\n")}
digits: db "0123456789abcdef"
align 8
region_pointer: dq ${AT.region}
vmcs_pointer: dq ${AT.vmcs}
revision: dd 0
cell: dd 0
entries: dd 0
status: dd 0
host_ebp: dd 0
guest_eax: dd 0
guest_ecx: dd 0
launched: dd 0
align 8
gdt:
  dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
  dw 0x67, tss - $$
  db ${IMAGE >>> 16}, 0x89, 0, 0
  dw 0x67, other_tss - $$
  db ${IMAGE >>> 16}, 0x89, 0, 0
gdt_pointer:
  dw 0x37
  dd gdt
align 16
tss:
  dd 0, 0x238000, 16
  times 22 dd 0
  dd 0x680000
align 16
other_tss:
  times 25 dd 0
  dd 0x680000
align 8
guest_idt:
${idt()}
printed:
  dd ${printed.map((name) => fields[name].encoding).join(", ")}, -1
${tableOf("common_fields", common)}
cells:
${cells.map((_cell, number) => `  dd cell_${number}`).join("\n")}
  dd 0
${cells.map(cellTable).join("\n")}
image_end:
`;

export interface VmxImage {
  /** An ELF file with one segment. */
  readonly elf: Uint8Array;
  /** Where it ends: at a write to QEMU's port of exits. */
  readonly end: number;
}

const HEADERS = 0x60;
/** `debug_exit: mov al, 10h; out 0F4h, al`. */
const END = [0xb0, 0x10, 0xe6, 0xf4];
/** The multiboot header is in front. */
const ENTRY = IMAGE + 12;

/** The image of these cells. */
export function vmxImage(cells: readonly VmxCell[]): VmxImage {
  const { bytes } = assemble(vmxSource(cells), { bits: 32 });
  const elf = new Uint8Array(HEADERS + bytes.length);
  const view = new DataView(elf.buffer);
  const words: readonly (readonly [at: number, value: number])[] = [
    ...([
      [0, 0x464c457f],
      [4, 0x00010101],
      [16, 0x0003_0002],
      [20, 1],
      [24, ENTRY],
      [28, 52],
      [40, 0x0020_0034],
      [44, 1],
    ] as const),
    ...([
      [52, 1],
      [56, HEADERS],
      [60, IMAGE],
      [64, IMAGE],
      [68, bytes.length],
      [72, bytes.length],
      [76, 7],
      [80, 16],
    ] as const),
  ];
  for (const [at, value] of words) view.setUint32(at, value, true);
  elf.set(bytes, HEADERS);
  const end = bytes.findIndex((_, at) => END.every((byte, index) => bytes[at + index] === byte));
  return { elf, end: IMAGE + end };
}

const names: readonly LineField[] = [...leading, ...printed];

/** What a line of the output says. */
export const readLine = (line: string): Line =>
  Object.fromEntries(
    line
      .trim()
      .split(" ")
      .map((text, index) => [names[index]!, Number.parseInt(text, 16)]),
  ) as Line;
