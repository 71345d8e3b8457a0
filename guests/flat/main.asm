; A flat binary: no header at all. It is loaded at 1 MiB and entered at its first byte, in 32-bit protected mode with flat
; segments. It prints one line on the debug console (port 0xE9) and one on the serial port.
;
; Left out on purpose: no stack is used, because a flat binary is promised none.

bits 32
org 0x100000

start:
        mov esi, console_text
        mov ecx, console_length
        mov dx, 0xE9
        rep outsb

        mov esi, serial_text
        mov ecx, serial_length
.wait:
        mov dx, 0x3FD                   ; line status register
        in al, dx
        test al, 0x20
        jz .wait
        lodsb
        mov dx, 0x3F8
        out dx, al
        loop .wait

        mov al, 0x10
        out 0xF4, al
.stop:
        cli
        hlt
        jmp .stop

console_text: db "flat: the debug console", 10
console_length equ $ - console_text
serial_text: db "flat: the serial port", 10
serial_length equ $ - serial_text
