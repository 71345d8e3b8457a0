; The first instructions, which go up to where this is linked, and the entries of traps.
;
; Manuals: Multiboot Specification 0.6.96, "Header layout"; Intel SDM volume 3, "32-Bit Paging" (pages of 4 MiB),
; "Exception and Interrupt Handling".

bits 32

%define HIGH 0xFC000000
%define FIRST_ENTRY (HIGH >> 22)
%define BIG_PAGES 8                     ; 32 MiB
%define HYPERVISOR_DATA 0xE010
%define MAGIC 0x1BADB002
%define FLAGS 0x00000003

global start_address
global boot_directory
global trap_entries
global enter_guest
extern hypervisor_main
extern handle_trap

start_address equ _start - HIGH

section .multiboot
align 4
        dd MAGIC
        dd FLAGS
        dd -(MAGIC + FLAGS)

section .text
_start:
        cld
        mov edi, boot_directory - HIGH
        mov eax, 0x83                   ; present, writable, 4 MiB
        mov ecx, BIG_PAGES
.page:  mov [edi], eax
        mov [edi + 4 * FIRST_ENTRY], eax
        add eax, 1 << 22
        add edi, 4
        loop .page
        mov eax, cr4
        or eax, 0x10                    ; PSE
        mov cr4, eax
        mov eax, boot_directory - HIGH
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80010000              ; PG and WP
        mov cr0, eax
        mov eax, .up
        jmp eax
.up:    mov esp, boot_stack_top
        push ebx                        ; the multiboot information structure, at its own address until the guest runs
        call hypervisor_main            ; does not return

%macro trap 1
section .rodata
        dd %1, %%entry
section .text
align 8
%%entry:
  %if !(%1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17)
        push dword 0                    ; the processor pushed no error code
  %endif
        push dword %1
        jmp enter_trap
%endmacro

section .rodata
align 4
trap_entries:
%assign vector 0
%rep 20
  %if vector != 15
        trap vector
  %endif
  %assign vector vector + 1
%endrep
        trap 0x20
        trap 0x80
        trap 0x82
section .rodata
        dd 0, 0

section .text
enter_trap:
        pushad
        push ds
        push es
        push fs
        push gs
        mov eax, HYPERVISOR_DATA
        mov ds, eax
        mov es, eax
        cld
        push esp                        ; struct frame *
        call handle_trap
        add esp, 4
leave_trap:
        pop gs
        pop fs
        pop es
        pop ds
        popad
        add esp, 8                      ; vector and error code
        iretd

enter_guest:
        mov esp, [esp + 4]
        jmp leave_trap

section .bss
align 4096
boot_directory:
        resb 4096
        resb 4096
boot_stack_top:
