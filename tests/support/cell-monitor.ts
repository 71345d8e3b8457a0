/** The monitor of cells as assembly: start, loop, handlers, and the part of it that runs in real mode. */
import { BACK, LOW_STACK, REAL_CODE, TABLES, VECTORS, WORDS } from "./cell-layout.js";

/** Real mode's part: enters a cell, and its interrupt handlers. Variables lie at the beginning. */
export const realMonitor = `
bits 16
org 0
r_entry dw 0
r_flags dw 0
r_vector dw 0
r_ip dw 0
r_cs dw 0
r_saved dw 0
r_sp dw 0
r_handler dw 0
r_eax dd 0
r_edx dd 0
r_ds dw 0
times ${REAL_CODE} - ($ - r_entry) db 0
real_enter:
  mov ax, 0x50
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0x1000:real_now
real_now:
  mov ax, 0x1000
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov sp, ${LOW_STACK}
  push word [r_flags]
  push cs
  push word [r_entry]
  mov eax, 0x1111
  mov edx, 0x80
  iret
real_common:
  push bp
  mov bp, sp
  mov [cs:r_eax], eax
  mov [cs:r_edx], edx
  mov ax, [bp + 2]
  mov [cs:r_vector], ax
  mov ax, [bp + 4]
  mov [cs:r_ip], ax
  mov ax, [bp + 6]
  mov [cs:r_cs], ax
  mov ax, [bp + 8]
  mov [cs:r_saved], ax
  lea ax, [bp + 10]
  mov [cs:r_sp], ax
  mov ax, ds
  mov [cs:r_ds], ax
  pushf
  pop ax
  mov [cs:r_handler], ax
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 0x08:0x${BACK.toString(16)}
low_task:
  and esp, 0xffff
low_taken:
  ud2
align 8
real_stubs:
${Array.from({ length: VECTORS }, (_, vector) => `align 8\n  push word ${vector}\n  jmp near real_common`).join("\n")}
`;

/** Whether exceptions of a vector push an error code, as bits. Spec: SDM Vol. 3A, "Exception and Interrupt Vectors". */
const ERROR_CODES = [8, 10, 11, 12, 13, 14, 17].reduce((bits, vector) => bits | (1 << vector), 0);
export const VM = 0x20000;

/** The monitor: start, handlers, loop over the cells. */
export const monitor = (count: number): string => `
handle:
  pushad
  push ds
  push es
  mov ax, data0
  mov ds, ax
  mov es, ax
  cld
  mov ebx, [ss:esp + 40]
  lea esi, [esp + 44]
  mov edi, [log_next]
  mov eax, [cell]
  stosd
  mov eax, ebx
  stosd
  mov eax, -1
  cmp dword [no_error], 0
  jne .none
  cmp ebx, 32
  jae .none
  mov edx, 0x${ERROR_CODES.toString(16)}
  bt edx, ebx
  jnc .none
  mov eax, [ss:esi]
  add esi, 4
.none:
  mov [frame], esi
  stosd
  mov eax, [ss:esi]
  stosd
  mov eax, [ss:esi + 4]
  stosd
  mov ecx, eax
  mov eax, [ss:esi + 8]
  stosd
  test eax, 0x${VM.toString(16)}
  jnz .outer
  test cl, 3
  jnz .outer
  lea eax, [esi + 12]
  stosd
  mov eax, ss
  stosd
  jmp .stacked
.outer:
  mov eax, [ss:esi + 12]
  stosd
  mov eax, [ss:esi + 16]
  stosd
.stacked:
  mov eax, [ss:esp + 36]
  stosd
  mov eax, [ss:esp + 28]
  stosd
  mov eax, cr2
  stosd
  mov eax, dr6
  stosd
  pushfd
  pop eax
  stosd
  xor eax, eax
  str ax
  stosd
  mov eax, cr0
  stosd
  movzx eax, word [ss:esp + 4]
  stosd
  push esi
  mov esi, notes
  mov ecx, 8
  rep movsd
  call put_record
  pop esi
  cmp dword [resume], 0
  je next_cell
  inc dword [taken]
  cmp dword [taken], 12
  jae next_cell
  mov edx, [current]
  mov eax, [ss:esi]
  cmp ebx, 6
  jne .go_on
  cmp eax, [edx + 16]
  je next_cell
.go_on:
  cmp ebx, 1
  jne .no_breakpoint
  ; What a handler has to do so that an instruction breakpoint does not come again at once.
  mov ecx, dr6
  test cl, 15
  jz .no_breakpoint
  or dword [ss:esi + 8], 0x10000
.no_breakpoint:
  cmp eax, [edx + 12]
  jne .as_saved
  mov eax, [edx + 16]
  mov [ss:esi], eax
.as_saved:
  pop es
  pop ds
  popad
  mov esp, [cs:frame]
  iretd

back_from_real:
  mov ax, data0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, monitor_stack
  cld
  mov edi, [log_next]
  mov eax, [cell]
  stosd
  movzx eax, word [0x10004]
  stosd
  mov eax, -1
  stosd
  movzx eax, word [0x10006]
  stosd
  movzx eax, word [0x10008]
  stosd
  movzx eax, word [0x1000a]
  stosd
  movzx eax, word [0x1000c]
  stosd
  mov eax, 0x1000
  stosd
  mov eax, [0x10010]
  stosd
  mov eax, [0x10014]
  stosd
  mov eax, cr2
  stosd
  mov eax, dr6
  stosd
  movzx eax, word [0x1000e]
  stosd
  xor eax, eax
  str ax
  stosd
  mov eax, cr0
  stosd
  movzx eax, word [0x10018]
  stosd
  mov esi, notes
  mov ecx, 8
  rep movsd
  call put_record
next_cell:
  mov ax, data0
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, monitor_stack
  cld
  inc dword [cell]
  add dword [current], 40
first_cell:
  push dword 2
  popfd
  mov al, 0xff
  out 0x21, al
  mov al, 0x20
  out 0x20, al
  cmp dword [cell], ${count}
  je finish
  mov eax, 0x11
  mov cr0, eax
  xor eax, eax
  mov cr3, eax
  mov cr4, eax
  mov cr2, eax
  mov dr0, eax
  mov dr1, eax
  mov dr2, eax
  mov dr3, eax
  mov eax, 0x400
  mov dr7, eax
  mov eax, 0xffff0ff0
  mov dr6, eax
  mov fs, [zero]
  mov gs, [zero]
  mov esi, tables
  mov edi, gdt
  mov ecx, 0x${(TABLES / 4).toString(16)}
  rep movsd
  xor eax, eax
  mov ecx, 0x${((0x1000 - TABLES) / 4).toString(16)}
  rep stosd
  mov edi, 0x10040
  mov ecx, 16
  rep stosd
  mov edi, 0x1${LOW_STACK.toString(16)} - 64
  mov ecx, 32
  rep stosd
  mov edi, user_stack - 64
  mov ecx, 32
  rep stosd
  mov dword [taken], 0
  lgdt [gdt_register]
  lidt [idt_register]
  lldt [zero]
  mov ax, main_task
  ltr ax
  mov esi, gdt_register
  mov edi, data
  movsd
  movsd
  movsd
  movsd
  mov eax, [gdt_register]
  mov [0x10040], eax
  mov eax, [gdt_register + 4]
  mov [0x10044], eax
  mov eax, [real_register]
  mov [0x10048], eax
  mov eax, [real_register + 4]
  mov [0x1004c], eax
  mov edx, [current]
  mov eax, [edx + 32]
  mov [resume], eax
  mov eax, [edx + 36]
  mov [no_error], eax
  call [edx + 20]
  mov edx, [current]
  mov eax, [edx + 24]
  cmp eax, 1
  je enter_real
  cmp eax, 2
  je enter_8086
  mov cx, data0
  test byte [edx + 4], 3
  jz .frame
  mov ecx, [edx + 28]
  push ecx
  cmp word [edx + 4], code3_16 | 3
  je .low_stack
  push dword user_stack
  mov cx, data3 | 3
  jmp .frame
.low_stack:
  push dword ${LOW_STACK}
  mov cx, data3_16 | 3
.frame:
  cmp word [edx + 4], code0_16
  jne .wide
  mov cx, data0_16
  mov ss, cx
  mov esp, ${LOW_STACK}
.wide:
  push dword [edx + 8]
  push dword [edx + 4]
  push dword [edx]
  mov ds, cx
  mov es, cx
  mov eax, 0x1111
  mov edx, 0x80
  iretd
enter_8086:
  mov eax, 0x1000
  push eax
  push eax
  push eax
  push eax
  push eax
  push dword ${LOW_STACK}
  push dword [edx + 8]
  push eax
  push dword [edx]
  mov eax, 0x1111
  mov edx, 0x80
  iretd
enter_real:
  mov eax, [edx]
  mov [0x10000], ax
  mov eax, [edx + 8]
  mov [0x10002], ax
  lidt [real_register]
  jmp code0_16:real_enter
put_record:
  mov esi, [log_next]
  mov [log_next], edi
  mov ecx, ${4 * WORDS}
  mov dx, 0xe9
  rep outsb
  ret
finish:
  xor eax, eax
  out 0xf4, al
  hlt
start:
  cli
  cld
  lgdt [boot_gdt_register]
  jmp 0x08:.here
.here:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, monitor_stack
  mov esi, low_code
  mov edi, 0x10000
  mov ecx, low_code_end - low_code
  rep movsb
  xor edi, edi
  mov eax, 0x10000000 + real_stubs
.vector:
  stosd
  add eax, 8
  cmp edi, ${4 * VECTORS}
  jb .vector
  ; The timer's interrupt at vector 0x20, every other masked.
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 0x20
  out 0x21, al
  mov al, 0x28
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 3
  out 0x21, al
  out 0xa1, al
  mov al, 0xff
  out 0xa1, al
  out 0x21, al
  mov al, 0x34
  out 0x43, al
  mov al, 0x00
  out 0x40, al
  mov al, 0x10
  out 0x40, al
  jmp first_cell
nothing:
  ret
task_entry:
  ud2
align 4
zero dd 0
cell dd 0
taken dd 0
frame dd 0
current dd cells
log_next dd log
gdt_register:
  dw 0x1ff
  dd gdt
  dw 0
idt_register:
  dw ${8 * VECTORS - 1}
  dd idt
  dw 0
real_register:
  dw 0x3ff
  dd 0
  dw 0
boot_gdt_register:
  dw 0x1ff
  dd tables
`;
