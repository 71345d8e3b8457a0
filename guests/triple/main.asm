; A triple fault: the IDT is empty, so the exception cannot be delivered, nor the double fault after it.
;
; Manual: Intel SDM volume 3, "Interrupt 8: Double Fault Exception (#DF)", on what follows when it cannot be delivered.

bits 32
global guest_main
extern serial_start
extern put_text

section .text
guest_main:
        call serial_start
        push dword text
        call put_text
        lidt [empty]
        ud2                             ; #UD -> #GP -> #DF -> shutdown

section .data
text:   db "triple: an exception with no IDT", 10, 0
empty:  dw 0
        dd 0
