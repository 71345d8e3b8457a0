; The loops. All have the same shape, so that `empty` is what has to be subtracted: each repetition is the operation, DEC
; and JNZ. The one of ring 3 is in user.asm.

bits 32

global run_empty
global run_in
global run_tpr
global run_call
global run_page_fault
global run_divide_error
global run_entry

section .text

; loop_of NAME, OPERAND: u32 NAME(u32 rounds, u32 operand) with the operand in EBX and EDI, around the operation that
; follows; `loop_end` is what comes behind it.
%macro loop_of 1
align 16
%1:
        push ebx
        push edi
        mov ecx, [esp + 12]
        mov ebx, [esp + 16]
        mov edi, [esp + 20]
        xor eax, eax
        test ecx, ecx
        jz .end
.again:
%endmacro
%macro loop_end 0
        dec ecx
        jnz .again
.end:
        pop edi
        pop ebx
        ret
%endmacro

loop_of run_empty
loop_end

; The mask of the first 8259A; 0 is returned where it was never read.
loop_of run_in
        in al, 0x21
loop_end

; The task priority register of the local APIC at EBX.
loop_of run_tpr
        mov [ebx], edi
loop_end

loop_of run_call
        call callee
loop_end

align 16
callee:
        ret

; A load from the absent page at EBX, two bytes long.
loop_of run_page_fault
        mov edx, [ebx]
loop_end

; EBX is 0.
loop_of run_divide_error
        div ebx
loop_end

; The page-table entry at EBX, between two frames that differ by EDI.
loop_of run_entry
        xor [ebx], edi
loop_end
