/** The monitor of long cells as assembly: start, handler, loop; and shorthands for the code of cells. */
import { fields, selectors, VECTORS } from "./long-cell-tables.js";

const MSRS: readonly (readonly [address: number, low: string, high: string])[] = [
  [0xc0000081, "0", "0x280008"],
  [0xc0000082, "target", "0"],
  [0xc0000083, "target32", "0"],
  [0xc0000084, "0x47700", "0"],
  [0xc0000100, "0", "0"],
  [0xc0000101, "0", "0"],
  [0xc0000102, "0xcafe0000", "0xffff8000"],
  [0x174, "8", "0"],
  [0x175, "inner_stack", "0"],
  [0x176, "target", "0"],
];

const registers = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
];

/** Start, handler, and the loop over the cells. */
export const monitor = (count: number): string => `
bits 32
start:
  ; Page tables: 1 GiB from 0, and the same below the end of the address space.
  mov edi, 0x210000
  xor eax, eax
  mov ecx, 0x4000
  rep stosd
  mov dword [0x210000], 0x211007
  mov dword [0x210ff8], 0x211007
  mov dword [0x211000], 0x212007
  mov dword [0x211ff0], 0x212007
  mov edi, 0x212000
  mov eax, 0x87
  mov ecx, 512
.page:
  mov [edi], eax
  add eax, 0x200000
  add edi, 8
  loop .page
  mov eax, 0x20
  mov cr4, eax
  mov eax, 0x210000
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, cr0
  or eax, 0x80000001
  mov cr0, eax
  mov dword [log_next], log
  imul eax, [first], 72
  add eax, cells
  mov [current], eax
  mov eax, [first]
  mov [cell], eax
  lgdt [first_gdt]
  jmp code0:long_start
bits 64
handle:
${registers.map((name, index) => `  mov [saved + ${8 * index}], ${name}`).join("\n")}
  pop rbx
  mov [saved + 0x100], rsp
  cld
  mov rdi, [log_next]
  mov eax, [cell]
  stosq
  mov rax, rbx
  stosq
  mov rax, -1
  cmp dword [no_error], 0
  jne .none
  cmp ebx, 32
  jae .none
  mov edx, 0x27d00
  bt edx, ebx
  jnc .none
  pop rax
.none:
  stosq
  mov rsi, rsp
  mov ecx, 5
  rep movsq
  mov rsi, saved
  mov ecx, 15
  rep movsq
  mov rax, cr2
  stosq
  mov rax, dr6
  stosq
  pushfq
  pop rax
  stosq
  mov rax, [saved + 0x100]
  stosq
${["cs", "ss", "ds", "es", "fs", "gs"].map((name) => `  mov eax, ${name}\n  stosq`).join("\n")}
  mov ecx, 0xc0000100
  call .msr
  mov ecx, 0xc0000101
  call .msr
  mov ecx, 0xc0000102
  call .msr
  mov rax, cr0
  stosq
  mov rax, cr3
  stosq
  mov rax, cr4
  stosq
  mov ecx, 0xc0000080
  call .msr
  xor eax, eax
  str ax
  stosq
  xor eax, eax
  sldt ax
  stosq
  mov rsi, notes
  mov ecx, 8
  rep movsq
  mov rsi, [log_next]
  mov [log_next], rdi
  mov ecx, ${fields.length * 8}
  mov dx, 0xe9
  rep outsb
  inc dword [cell]
  add dword [current], 72
  jmp next_cell
.msr:
  rdmsr
  stosd
  mov eax, edx
  stosd
  ret

long_start:
next_cell:
  mov rsp, monitor_stack
  mov eax, data0
  mov ss, eax
  cmp dword [cell], ${count}
  jae done
  ; Tables and registers as they were.
  mov rsi, tables
  mov rdi, gdt
  mov ecx, (tables_end - tables) / 8
  cld
  rep movsq
  lgdt [live_gdt]
  lidt [live_idt]
  mov eax, data0
  mov ds, eax
  mov es, eax
  mov ss, eax
  xor eax, eax
  mov fs, eax
  mov gs, eax
  lldt ax
  mov ax, task
  ltr ax
  mov rax, 0x20
  mov cr4, rax
  mov rax, 0x210000
  mov cr3, rax
  mov rax, 0x80000031
  mov cr0, rax
  xor eax, eax
  mov cr2, rax
  mov dr7, rax
  mov dr0, rax
  mov dr6, rax
  mov ecx, 0xc0000080
  rdmsr
  mov eax, 0x501
  wrmsr
${MSRS.map(([address, low, high]) => `  mov ecx, 0x${address.toString(16)}\n  mov eax, ${low}\n  mov edx, ${high}\n  wrmsr`).join("\n")}
  mov rdi, data
  mov ecx, 0x400
  xor eax, eax
  rep stosq
  mov rdi, user_stack - 0x800
  mov ecx, 0x200
  rep stosq
  push qword 2
  popfq
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov rbx, [current]
  mov rax, [rbx + 24]
  mov [no_error], rax
  mov r15, rsp
  call [rbx + 40]
  mov rsp, r15
  mov rbx, [current]
  push qword [rbx + 48]
  push qword [rbx + 56]
  push qword [rbx + 16]
  push qword [rbx + 8]
  push qword [rbx]
${registers.map((name, index) => `  mov ${name}, 0x${(0x11111111 * ((index % 7) + 1)).toString(16)}${(0xabc0 + index).toString(16).padStart(8, "0")}`).join("\n")}
  iretq
nothing:
  ret
done:
  mov eax, 0
  out 0xf4, eax
  cli
  hlt
target:
  ud2
target32:
  ud2
align 8
cell dd 0
current dq 0
live_gdt dw ${selectors.cut + 7}
  dq gdt
live_idt dw ${VECTORS * 16 - 1}
  dq idt
first_gdt dw ${selectors.cut + 7}
  dd tables
`;

/** Shorthands for cells. */
export const macros = `
; gate vector, access byte, stack table, selector
%macro gate 4
  mov byte [idt + 16 * (%1) + 5], %2
  mov byte [idt + 16 * (%1) + 4], %3
  mov word [idt + 16 * (%1) + 2], %4
%endmacro
; call_gate selector, access byte, code selector, offset
%macro call_gate 4
  mov rax, %4
  mov [gdt + (%1)], ax
  mov word [gdt + (%1) + 2], %3
  mov byte [gdt + (%1) + 4], 0
  mov byte [gdt + (%1) + 5], %2
  shr rax, 16
  mov [gdt + (%1) + 6], ax
  shr rax, 16
  mov [gdt + (%1) + 8], eax
  mov dword [gdt + (%1) + 12], 0
%endmacro
; frame ss, rsp, flags, cs, rip: as IRETQ takes it
%macro frame 5
%rep 5
  mov rax, %1
  push rax
%rotate 1
%endrep
%endmacro
; pointer selector, offset: a far pointer at \`data\`
%macro pointer 2
  mov rax, %2
  mov [data], rax
  mov word [data + 8], %1
%endmacro
%macro pointer32 2
  mov dword [data], %2
  mov word [data + 4], %1
%endmacro
%macro jump_far 0
  db 0xff, 0x2c, 0x25
  dd data
%endmacro
%macro jump_far64 0
  db 0x48, 0xff, 0x2c, 0x25
  dd data
%endmacro
%macro call_far 0
  db 0xff, 0x1c, 0x25
  dd data
%endmacro
%macro call_far64 0
  db 0x48, 0xff, 0x1c, 0x25
  dd data
%endmacro
; note_stack: the top of the stack into the notes
%macro note_stack 0
%assign slot 0
%rep 6
  mov rax, [rsp + 8 * slot]
  mov [notes + 8 * slot], rax
%assign slot slot + 1
%endrep
%endmacro
%macro write_msr 2
  mov ecx, %1
  mov rax, %2
  mov rdx, rax
  shr rdx, 32
  wrmsr
%endmacro
%macro reload_task 0
  mov byte [gdt + task + 5], 0x89
  mov ax, task
  ltr ax
%endmacro
`;
