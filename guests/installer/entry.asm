; The first instructions, descriptor tables, and the entries of the interrupts that can come: the disk's and exceptions.
;
; Nothing here reads what the processor would not trap on in ring 1, and CS is loaded by IRET: a monitor that runs this
; in another ring must not be seen. SS stays the loader's, which is flat.
; Manuals: Multiboot Specification 0.6.96, "Header layout"; Intel SDM volume 3, "Segment Descriptors" and "IDT
; Descriptors"; Intel 8259A data sheet, "End of Interrupt".

bits 32

; Macros, not EQU: a symbol of this value would put a second magic number into the symbol table.
%define MAGIC 0x1BADB002
%define FLAGS 0x00000003
%define KERNEL_CODE 0x08
%define KERNEL_DATA 0x10
%define EXCEPTIONS 20
%define DISK_VECTOR 0x2E                    ; line 14
%define IF 0x200

global _start
extern install
extern unexpected
extern debug_exit

section .multiboot
align 4
        dd MAGIC
        dd FLAGS
        dd -(MAGIC + FLAGS)

section .text
_start:
        cld
        mov esp, stack_top
        lgdt [gdt_pointer]
        mov ecx, KERNEL_DATA
        mov ds, ecx
        mov es, ecx
        mov fs, ecx
        mov gs, ecx
        push dword 2                    ; EFLAGS: interrupts off
        push dword KERNEL_CODE
        push dword .reloaded
        iretd
.reloaded:
        mov esi, exception_entries
        xor edi, edi
.gate:  mov edx, [esi + edi * 4]
        call set_gate
        inc edi
        cmp edi, EXCEPTIONS
        jb .gate
        mov edi, DISK_VECTOR
        mov edx, disk_interrupt
        call set_gate
        lidt [idt_pointer]
        push ebx                        ; second argument: the multiboot information structure
        push eax                        ; first argument: 0x2BADB002 from a multiboot loader
        call install
        push eax
        call debug_exit                 ; does not return

; Makes an interrupt gate of vector EDI to EDX. Changes ECX.
set_gate:
        mov ecx, edx
        and ecx, 0xFFFF
        or ecx, KERNEL_CODE << 16
        mov [idt + edi * 8], ecx
        mov ecx, edx
        and ecx, 0xFFFF0000
        or ecx, 0x8E00
        mov [idt + edi * 8 + 4], ecx
        ret

; Both controllers want to know. What was interrupted goes on with interrupts off, as it had them before its HLT.
disk_interrupt:
        and dword [esp + 8], ~IF
        push eax
        mov al, 0x20
        out 0xA0, al
        out 0x20, al
        pop eax
        iretd

; One entry an exception, which ends it all.
%macro exception 1
align 8
%%entry:
        push dword %1
        call unexpected
section .data
        dd %%entry
section .text
%endmacro

section .data
align 4
exception_entries:
section .text
%assign vector 0
%rep EXCEPTIONS
        exception vector
  %assign vector vector + 1
%endrep

section .data
align 8
gdt:    dq 0
        dq 0x00CF9B000000FFFF           ; the accessed bits are set: the processor has nothing to write here
        dq 0x00CF93000000FFFF
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt
idt_pointer:
        dw 8 * (DISK_VECTOR + 1) - 1
        dd idt

section .bss
align 16
idt:    resq DISK_VECTOR + 1
        resb 4096
stack_top:
