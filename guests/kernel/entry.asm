; The first instructions, the entries of all traps, and the change from one kernel stack to another.
;
; Manual: Intel SDM volume 3, "Exception and Interrupt Handling" (which vectors push an error code).

bits 32

%ifdef XEN
%include "xen.inc"
%else
%include "bare.inc"
%endif

%define KERNEL_DATA 0x10
%define TICK_VECTOR 0x20
%define CALL_VECTOR 0x80

global _start
global trap_entries
global leave_trap
global switch_stack
extern kernel_main
extern handle_trap

section .text
_start:
        cld
        mov esp, boot_stack_top
        push HANDED_OVER
        xor ebx, ebx                    ; what the loader leaves in these would be found on the stack in the end
        xor esi, esi
        xor edi, edi
        xor ebp, ebp
        call kernel_main                ; does not return

; One entry a vector; all make a `struct frame`. The table has the vector and the entry of each, and ends with zeros.
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
        trap TICK_VECTOR
        trap CALL_VECTOR
section .rodata
        dd 0, 0

section .text
enter_trap:
        pushad
        sub esp, 16                     ; not PUSH, which writes two bytes on some processors and four on others
        mov [esp + 12], ds
        mov [esp + 8], es
        mov [esp + 4], fs
        mov [esp], gs
        mov eax, KERNEL_DATA
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
        return_from_trap

; void switch_stack(u32 *leaving, u32 entering): goes on where `entering` was left.
switch_stack:
        mov eax, [esp + 4]
        mov edx, [esp + 8]
        push ebp
        push ebx
        push esi
        push edi
        mov [eax], esp
        mov esp, edx
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

section .bss
align 16
        resb 4096
boot_stack_top:
