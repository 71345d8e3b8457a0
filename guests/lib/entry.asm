; Multiboot 1 header and entry of every guest that is an ELF file.
;
; Left out on purpose: nothing is taken from the loader but EAX, EBX and flat segments; the stack and the GDT are ours,
; because the specification leaves ESP and GDTR undefined at entry.
; Manual: Multiboot Specification 0.6.96, "Header layout" and "Machine state".

bits 32

; Macros, not EQU: a symbol of this value would put a second magic number into the symbol table.
%define MAGIC 0x1BADB002
; Bit 0: modules on page boundaries; bit 1: memory sizes wanted.
%define FLAGS 0x00000003

global _start
extern guest_main
extern debug_exit
extern load_gdt

section .multiboot
align 4
        dd MAGIC
        dd FLAGS
        dd -(MAGIC + FLAGS)

section .text
_start:
        cld
        mov esp, boot_stack_top
        push ebx                        ; second argument: the multiboot information structure
        push eax                        ; first argument: 0x2BADB002 from a multiboot loader
        call load_gdt
        call guest_main
        push eax
        call debug_exit                 ; does not return

section .bss
align 16
        resb 16384
boot_stack_top:
