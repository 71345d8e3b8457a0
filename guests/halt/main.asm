; HLT with interrupts off: nothing but a non-maskable interrupt or a reset can end it.
;
; Manual: Intel SDM volume 2, the HLT instruction.

bits 32
global guest_main
extern serial_start
extern put_text

section .text
guest_main:
        call serial_start
        push dword text
        call put_text
        cli
        hlt

section .data
text:   db "halt: stopping with interrupts off", 10, 0
