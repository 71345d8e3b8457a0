; The part that runs in ring 3: INT 0x80 in a loop, INT 0x81 to end.

bits 32

global user_loop
global user_after
global user_rounds
global user_stack_top

section .text
align 16
user_loop:
        mov ecx, [user_rounds]
        test ecx, ecx
.again:
        int 0x80
        dec ecx
        jnz .again
        int 0x81
user_after:

section .bss
align 16
user_rounds:    resd 1
                resb 1024
user_stack_top:
