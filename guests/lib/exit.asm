; The end of a guest: a byte to the debug-exit port.
;
; Where no such device exists the processor stops for good.

bits 32
global debug_exit

section .text
debug_exit:
        mov eax, [esp + 4]
        out 0xF4, al
.stop:
        cli
        hlt
        jmp .stop
