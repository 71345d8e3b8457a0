; The part that runs in ring 3: a system call in a loop, INT 0x81 to end.
;
; Manual: Intel SDM volume 2, SYSENTER and SYSEXIT (who keeps where to return to).

bits 32

global user_fast_calls
global user_interrupts
global user_rounds
global user_stack_top

section .text
align 16
user_fast_calls:
        mov esi, [user_rounds]
        mov ecx, esp
        mov edx, .after
        test esi, esi
        jz .end
.again:
        sysenter
.after:
        dec esi
        jnz .again
.end:
        int 0x81

align 16
user_interrupts:
        mov esi, [user_rounds]
        test esi, esi
        jz .end
.again:
        int 0x80
        dec esi
        jnz .again
.end:
        int 0x81

section .bss
align 16
user_rounds:    resd 1
                resb 1024
user_stack_top:
