; A multiboot image that is no ELF file: bit 16 of the flags says that the header itself tells where to load it (the
; "a.out kludge"). It lies at 2 MiB, its entry is not its first byte, and it has 64 KiB of memory that must be zero.
;
; Manual: Multiboot Specification 0.6.96, "The address fields of Multiboot header".

bits 32

LOAD equ 0x200000
MAGIC equ 0x1BADB002
FLAGS equ 0x00010002                    ; address fields valid, memory sizes wanted
BSS equ 65536

org LOAD

start_of_file:
        times 64 db 0xCC                ; the header need not come first
align 4
header:
        dd MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd header                       ; header_addr
        dd LOAD                         ; load_addr
        dd end_of_data                  ; load_end_addr
        dd end_of_data + BSS            ; bss_end_addr
        dd entry                        ; entry_addr

not_the_entry:
        ud2

entry:
        mov esp, end_of_data + BSS
        mov esi, wrong_magic
        cmp eax, 0x2BADB002
        jne print
        mov esi, wrong_memory
        test dword [ebx], 1             ; memory sizes were asked for
        jz print
        mov esi, wrong_zero
        mov edi, end_of_data
        mov ecx, BSS / 4
        xor eax, eax
        repe scasd
        jne print
        mov esi, good
print:
        lodsb
        test al, al
        jz end
        call put_char
        jmp print
end:
        mov al, 0x10
        cmp esi, good_end
        je .exit
        mov al, 0x11
.exit:
        out 0xF4, al
.stop:
        cli
        hlt
        jmp .stop

put_char:
        mov ah, al
        mov dx, 0x3FD
.wait:
        in al, dx
        test al, 0x20
        jz .wait
        mov al, ah
        mov dx, 0x3F8
        out dx, al
        ret

wrong_magic: db "address-fields: not loaded by multiboot", 10, 0
wrong_memory: db "address-fields: no memory sizes", 10, 0
wrong_zero: db "address-fields: memory behind the image is not zero", 10, 0
good: db "address-fields: loaded at 2 MiB, zeroed behind", 10, 0
good_end:
align 4
end_of_data:
