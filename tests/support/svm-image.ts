/**
 * A small hypervisor in assembly, as a multiboot image: it runs each guest of `svm-cells.ts` once, and prints fields of its
 * VMCB behind the exit on the serial port, a line for each.
 */

import { interceptNamed } from "../../src/hardware/svm/intercepts.js";
import { vmcbField, vmcbFields, writeField } from "../../src/hardware/svm/vmcb.js";
import { AT, type SvmCell } from "./svm-cells.js";

export const IMAGE = 0x200000;

/** Fields that are printed, each as two dwords. */
export const printed = [
  ...["EXITCODE", "EXITINFO1", "EXITINFO2", "EXITINTINFO", "RIP", "RAX", "RSP", "RFLAGS", "CR0", "CR2", "CR3", "CR4"],
  ...["EFER", "DR6", "DR7", "CS.base", "SS.base", "GDTR.base", "IDTR.base", "INTERRUPT_SHADOW"],
] as const;
export type PrintedField = (typeof printed)[number];

const segment = (selector: number, attrib: number): Readonly<Record<string, number>> => ({
  selector,
  attrib,
  limit: 0xffffffff,
  base: 0,
});
const named = (name: string, values: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(values).map(([field, value]) => [`${name}.${field}`, value]));

/** The VMCB of every guest, before its own fields. */
const common: Readonly<Record<string, bigint | number | string>> = {
  ...named("CS", segment(8, 0xc9b)),
  ...named("SS", segment(16, 0xc93)),
  ...named("DS", segment(16, 0xc93)),
  ...named("ES", segment(16, 0xc93)),
  "GDTR.limit": 47,
  "GDTR.base": "gdt",
  "IDTR.limit": 0x41 * 8 + 7,
  "IDTR.base": "guest_idt",
  IOPM_BASE_PA: AT.ports,
  MSRPM_BASE_PA: AT.registers,
  GUEST_ASID: 1,
  // Guests differ in where their pages are.
  TLB_CONTROL: 1,
  EFER: 0x1000,
  CR0: 0x11,
  DR6: 0xffff0ff0,
  DR7: 0x400,
  RFLAGS: 2,
  RSP: 0x240000,
  RIP: "code",
};

/** The dwords of a VMCB that are not 0, by offset; values that are labels stay texts. */
function dwordsOf({ intercepts = [], fields = {} }: SvmCell, label: string): ReadonlyMap<number, string> {
  const words = new Map<number, number>();
  const texts = new Map<number, string>();
  const memory = {
    readPhysical: (at: number): number => words.get(at) ?? 0,
    writePhysical: (at: number, value: number): void => void words.set(at, value),
  };
  for (const name of ["VMRUN", "VMMCALL", "SHUTDOWN", ...intercepts]) {
    const { word, bit } = interceptNamed(name);
    words.set(4 * word, ((words.get(4 * word) ?? 0) | (1 << bit)) >>> 0);
  }
  for (const [name, value] of Object.entries({ ...common, ...fields })) {
    if (typeof value === "string") texts.set(vmcbField(name).offset, value.replace(/\bcode\b/, label));
    else {
      texts.delete(vmcbField(name).offset);
      writeField(memory, 0, name, value);
    }
  }
  const numbers = [...words].filter(([, value]) => value !== 0).map(([at, value]) => [at, String(value)] as const);
  return new Map([...numbers, ...texts]);
}

const tableOf = (cell: SvmCell, number: number): string => {
  const dwords = dwordsOf(cell, `code_${number}`);
  const pairs = [...dwords].map(([at, value]) => `  dd ${at}, ${value}`);
  return [`cell_${number}:`, `  dd ${dwords.size}`, ...pairs].join("\n");
};

const codeOf = ({ code }: SvmCell, number: number): string => `code_${number}:\n${code}\nvmmcall\n`;

const gate = (vector: number): string => `  dw handler_${vector} - $$ , 8, 0x8e00, ${IMAGE >>> 16}`;

/** Vectors the guest has handlers for. */
const handled = [0, 1, 3, 6, 8, 10, 11, 12, 13, 14, 0x40];

const idt = (): string =>
  Array.from({ length: 0x42 }, (_, vector) => (handled.includes(vector) ? gate(vector) : "  dq 0")).join("\n");

/** The source of the image for these cells. */
export const svmSource = (cells: readonly SvmCell[]): string => `
bits 32
org ${IMAGE}
image:
  dd 0x1badb002, 0x10000, -(0x1badb002 + 0x10000), image, image, image_end, image_end, start
start:
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
  ; Tables: identity of 16 MiB in pages of 4 MiB; the nested and the guest's ones lack the third and cannot write the fourth.
  mov edi, ${AT.vmcb}
  mov ecx, ${(AT.nestedDirectory + 0x1000 - AT.vmcb) / 4}
  xor eax, eax
  rep stosd
  mov dword [${AT.hostTables}], ${AT.hostDirectory + 1}
  mov dword [${AT.nestedTables}], ${AT.nestedDirectory + 1}
${[0, 1, 2, 3, 4, 5, 6, 7].map((page) => `  mov dword [${AT.hostDirectory + 8 * page}], ${page * 0x200000 + 0x87}`).join("\n")}
${[0, 1, 2, 3].map((page) => `  mov dword [${AT.nestedDirectory + 8 * page}], ${page * 0x200000 + 0x87}`).join("\n")}
${[6, 7].map((page) => `  mov dword [${AT.nestedDirectory + 8 * page}], ${page * 0x200000 + 0x85}`).join("\n")}
  mov dword [${AT.wholeTables}], 0x87
  mov dword [${AT.wholeTables + 4}], 0x400087
  mov dword [${AT.wholeTables + 8}], 0x800087
  mov dword [${AT.wholeTables + 12}], 0xc00087
  mov dword [${AT.guestTables}], 0x87
  mov dword [${AT.guestTables + 4}], 0x400087
  mov dword [${AT.guestTables + 12}], 0xc00085
  ; Ports 70h, 2F8h, 4D1h, 8000h; reads of EFER, writes of STAR, both of SYSENTER_EIP.
  or byte [${AT.ports + (0x70 >> 3)}], 1
  or byte [${AT.ports + (0x2f8 >> 3)}], 1
  or byte [${AT.ports + (0x4d1 >> 3)}], 2
  or byte [${AT.ports + (0x8000 >> 3)}], 1
  or byte [${AT.registers + 0x800 + (0x80 >> 2)}], 1
  or byte [${AT.registers + 0x800 + (0x81 >> 2)}], 8
  or byte [${AT.registers + (0x176 >> 2)}], 0x30
  mov eax, cr4
  or eax, 0x30
  mov cr4, eax
  mov eax, ${AT.hostTables}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x1000
  wrmsr
  mov ecx, 0xc0010117
  mov eax, ${AT.hostSave}
  xor edx, edx
  wrmsr
  mov ebp, cells
next_cell:
  mov esi, [ebp]
  test esi, esi
  jz done
  mov edi, ${AT.vmcb}
  mov ecx, 1024
  xor eax, eax
  rep stosd
  mov ecx, [esi]
  add esi, 4
fill:
  mov edi, [esi]
  mov eax, [esi+4]
  mov [${AT.vmcb} + edi], eax
  add esi, 8
  loop fill
  mov eax, ${AT.vmcb}
  push ebp
  clgi
  vmrun
  stgi
  pop ebp
  mov esi, printed
print_next:
  mov ebx, [esi]
  cmp ebx, -1
  je line_end
  mov eax, [${AT.vmcb} + 4 + ebx]
  call print_hex
  mov eax, [${AT.vmcb} + ebx]
  call print_hex
  mov al, 32
  call print_char
  add esi, 4
  jmp print_next
line_end:
  mov al, 10
  call print_char
  add ebp, 4
  jmp next_cell
done:
  mov al, 0x10
  out 0xf4, al
  cli
  hlt
print_hex:
  mov ecx, 8
hex_digit:
  rol eax, 4
  push eax
  and eax, 15
  mov al, [digits + eax]
  call print_char
  pop eax
  loop hex_digit
  ret
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
${handled.map((vector) => `handler_${vector}:\n  mov eax, ${0x1000 + vector}\n  vmmcall`).join("\n")}
${cells.map(codeOf).join("\n")}
digits: db "0123456789abcdef"
align 8
gdt:
  dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff, 0
gdt_pointer:
  dw 47
  dd gdt
align 8
guest_idt:
${idt()}
printed:
  dd ${printed.map((name) => vmcbField(name).offset).join(", ")}, -1
cells:
${cells.map((_cell, number) => `  dd cell_${number}`).join("\n")}
  dd 0
${cells.map(tableOf).join("\n")}
image_end:
`;

const widths = new Map(vmcbFields.map(({ name, bits }) => [name, bits]));

/** What a line of the output says: each printed field, as far as it is wide. */
export const readLine = (line: string): Readonly<Record<PrintedField, bigint>> =>
  Object.fromEntries(
    line
      .trim()
      .split(" ")
      .map((text, index) => [printed[index]!, BigInt.asUintN(widths.get(printed[index]!)!, BigInt(`0x${text}`))]),
  ) as Readonly<Record<PrintedField, bigint>>;
