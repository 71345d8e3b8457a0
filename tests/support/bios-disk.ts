/**
 * A disk that starts by itself: its first sector loads a kernel through BIOS services, and the kernel asks the services what they
 * know, reads and writes the disk by services and by IDE ports, and prints all of it on the serial port and the screen.
 */
import { assemble } from "../../src/index.js";

const SECTORS = 8192;
const KERNEL_SECTORS = 6;
/** What the kernel reads by itself, and where the services write. */
export const DATA_SECTOR = 100;
export const WRITTEN_SECTOR = 5000;

const SOURCE = `
        bits 16
        org 0x7c00
        jmp 0:start
start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov [drive], dl
        mov ax, 3               ; an empty screen
        int 0x10
        mov si, hello
        call print
        mov ax, 0x0201          ; the second sector, by cylinder, head and sector
        mov bx, 0x7e00
        mov cx, 2
        mov dh, 0
        mov dl, [drive]
        int 0x13
        jc failed
        mov si, packet          ; and the rest by its number
        mov ah, 0x42
        mov dl, [drive]
        int 0x13
        jc failed
        jmp kernel
failed: mov si, failure
        call print
        mov al, 1
        out 0xf4, al
; DS:SI up to a zero, on the screen and the serial port.
print:  lodsb
        or al, al
        jz .end
        call put
        jmp print
.end:   ret
put:    pusha
        push ax
        mov bx, 7
        mov ah, 0x0e
        int 0x10
        pop ax
        call send
        popa
        ret
; AL on the serial port, until it has gone: QEMU ends without what has not.
send:   push dx
        mov dx, 0x3f8
        out dx, al
        mov dx, 0x3fd
.busy:  in al, dx
        test al, 0x40
        jz .busy
        pop dx
        ret
drive:  db 0
hello:  db "boot sector", 13, 10, 0
failure: db "the disk cannot be read", 13, 10, 0
packet: db 16, 0
        dw ${KERNEL_SECTORS - 1}, 0x8000, 0
        dq 2
        times 510 - ($ - $$) db 0
        dw 0xaa55
kernel: mov si, loaded
        call print
        ; What the services know.
        int 0x11
        and ax, 0x0030          ; of the equipment, the screen
        call word_
        int 0x12
        call word_
        mov ah, 0x88
        int 0x15
        call word_
        mov ax, 0xe801
        int 0x15
        call word_
        mov ax, bx
        call word_
        call line
        xor ebx, ebx
.map:   mov di, buffer
        mov eax, 0xe820
        mov edx, 0x534d4150
        mov ecx, 20
        int 0x15
        jc .mapped
        push bx
        mov si, buffer
        mov cx, 10
.entry: lodsw
        call word_
        loop .entry
        call line
        pop bx
        or bx, bx
        jnz .map
.mapped:
        mov ah, 8
        mov dl, [drive]
        mov di, 0
        int 0x13
        setc al
        call word_
        mov ax, cx
        call word_
        mov ax, dx
        call word_
        xor ax, ax
        mov es, ax
        mov ah, 0x41
        mov bx, 0x55aa
        mov dl, [drive]
        int 0x13
        mov ax, bx
        call word_
        mov ax, cx
        and ax, 1
        call word_
        mov word [buffer], 26
        mov si, buffer
        mov ah, 0x48
        mov dl, [drive]
        int 0x13
        mov si, buffer + 4
        mov cx, 11
.drive: lodsw
        call word_
        loop .drive
        mov ah, 0x15
        mov dl, [drive]
        int 0x13
        call word_
        mov ax, dx
        call word_
        call line
        mov ah, 4               ; the date
        int 0x1a
        mov ax, cx
        call word_
        mov ax, dx
        call word_
        mov ax, 0x2402          ; address line 20
        int 0x15
        call word_
        mov ah, 0x0f
        int 0x10
        call word_
        mov ah, 5               ; a key that is put into the ring
        mov cx, 0x1e61
        int 0x16
        mov ah, 1
        int 0x16
        setz al
        call word_
        mov ah, 0
        int 0x16
        call word_
        mov ah, 1
        int 0x16
        setz al
        mov ah, 0
        call word_
        call line
        ; Functions and sectors that are not there.
        mov ax, 0x9900
        int 0x15
        setc al
        call word_
        mov ax, 0x0201
        mov cx, 0xffff
        mov dh, 15
        mov dl, [drive]
        mov bx, buffer
        int 0x13
        setc al
        mov ah, 0
        call word_
        mov ax, 0x0201
        mov cx, 1
        mov dx, 0x0081
        int 0x13
        setc al
        mov ah, 0
        call word_
        call line
        ; A sector is written by services, and read by ports.
        mov di, buffer
        mov cx, 256
        mov ax, 0x2e2e
        rep stosw
        mov dword [buffer], "writ"
        mov dword [buffer + 4], "ten "
        mov si, write
        mov ah, 0x43
        mov al, 0
        mov dl, [drive]
        int 0x13
        mov al, 0
        adc al, 0
        call word_
        mov eax, ${WRITTEN_SECTOR}
        call ide
        mov cx, 8
        call text
        mov eax, ${DATA_SECTOR}
        call ide
        mov cx, 26
        call text
        call line
        ; Ticks come by themselves.
        mov ah, 0
        int 0x1a
        mov bx, dx
.tick:  hlt
        mov ah, 0
        int 0x1a
        cmp dx, bx
        je .tick
        ; The screen moves up.
        mov cx, 30
.lines: mov al, "A" + 30
        sub al, cl
        call put
        call line
        loop .lines
        mov ah, 3
        mov bh, 0
        int 0x10
        mov ax, dx
        call word_
        mov ax, 0x1300          ; a string in a place, another by characters, in colour
        mov bx, 0x001e
        mov cx, 6
        mov dx, 0x0a05
        mov bp, string
        int 0x10
        mov ah, 2
        mov bh, 0
        mov dx, 0x0b07
        int 0x10
        mov ax, 0x092a
        mov bx, 0x004f
        mov cx, 3
        int 0x10
        mov ah, 8
        mov bh, 0
        int 0x10
        call send_word
        mov ax, 0x0702          ; two lines of a window go down
        mov bh, 0x17
        mov cx, 0x0a03
        mov dx, 0x0d10
        int 0x10
        ; The serial port gets what the screen shows.
        mov ax, 0xb800
        mov es, ax
        xor di, di
        mov dx, 25
.row:   mov cx, 24
.cell:  mov al, [es:di]
        call send
        add di, 2
        loop .cell
        mov al, 10
        call send
        add di, 160 - 48
        dec dx
        jnz .row
        mov al, 3
        out 0xf4, al
        hlt

; AX in four digits and a blank, on both.
word_:  pusha
        mov cx, 4
.digit: rol ax, 4
        push ax
        and al, 15
        add al, "0"
        cmp al, "9"
        jbe .put
        add al, 7
.put:   call put
        pop ax
        loop .digit
        mov al, " "
        call put
        popa
        ret
send_word:
        push ax
        call send
        pop ax
        mov al, ah
        jmp send
line:   push ax
        mov al, 13
        call put
        mov al, 10
        call put
        pop ax
        ret
text:   mov si, buffer
.next:  lodsb
        call put
        loop .next
        ret
; Sector EAX to the buffer, through the ports of the first channel.
ide:    mov ecx, eax
        mov dx, 0x3f6
        mov al, 2
        out dx, al
        mov dx, 0x1f6
        mov al, 0xe0
        out dx, al
        mov dx, 0x1f2
        mov al, 1
        out dx, al
        inc dx
        mov al, cl
        out dx, al
        inc dx
        mov al, ch
        out dx, al
        shr ecx, 16
        inc dx
        mov al, cl
        out dx, al
        mov dx, 0x1f7
        mov al, 0x20
        out dx, al
.busy:  in al, dx
        test al, 0x80
        jnz .busy
        test al, 8
        jz .busy
        mov di, buffer
        mov dx, 0x1f0
        mov cx, 256
        rep insw
        ret
loaded: db "kernel", 13, 10, 0
string: db "string"
write:  db 16, 0
        dw 1, buffer, 0
        dq ${WRITTEN_SECTOR}
        times ${(KERNEL_SECTORS + 1) * 512} - ($ - $$) db 0
buffer equ 0xa000
`;

/** The disk's image. */
export function bootDisk(): Uint8Array {
  const image = new Uint8Array(SECTORS * 512);
  image.set(assemble(SOURCE).bytes);
  image.set(new TextEncoder().encode("read through the IDE ports"), DATA_SECTOR * 512);
  return image;
}
