; A boot sector that does what a multiboot loader does, for a disk that has an ELF image behind it: reads the image
; through BIOS services, puts its segments where they belong, and enters it in protected mode. How many sectors to read
; stands in the word before the signature, where who makes the disk writes it, and in front of that a command line.
;
; The image goes to 0x10000 first and must end below 0x80000. Of the multiboot information there is the command line
; alone. Manuals: BIOS Enhanced Disk Drive Specification, "Extended Read"; ELF, "Program Header"; Multiboot Specification
; 0.6.96, "Machine state".

%define IMAGE 0x10000
%define LOADED 0x2BADB002

bits 16
org 0x7C00

        jmp 0:start
start:  cli
        cld
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7C00
        mov cx, [sectors]
.read:  mov si, packet
        mov ah, 0x42
        push cx
        push dx
        int 0x13                        ; one sector, as many BIOSes cannot read across 64 KiB
        pop dx
        pop cx
        jc .failed
        inc dword [packet.sector]
        add word [packet.segment], 512 / 16
        loop .read

        in al, 0x92                     ; address line 20
        or al, 2
        and al, 0xFE
        out 0x92, al
        cli                             ; the BIOS may have switched them on
        lgdt [gdt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp 0x08:enter
.failed:
        cli
        hlt
        jmp .failed

bits 32
enter:  mov eax, 0x10
        mov ds, eax
        mov es, eax
        mov fs, eax
        mov gs, eax
        mov ss, eax
        mov ebx, [IMAGE + 28]           ; e_phoff
        add ebx, IMAGE
        movzx edx, word [IMAGE + 44]    ; e_phnum
.segment:
        cmp dword [ebx], 1              ; PT_LOAD
        jne .next
        mov esi, [ebx + 4]              ; p_offset
        add esi, IMAGE
        mov edi, [ebx + 12]             ; p_paddr
        mov ecx, [ebx + 16]             ; p_filesz
        rep movsb
        mov ecx, [ebx + 20]             ; p_memsz
        sub ecx, [ebx + 16]
        xor eax, eax
        rep stosb
.next:  add ebx, 32
        dec edx
        jnz .segment
        mov eax, LOADED
        mov ebx, information
        jmp [IMAGE + 24]                ; e_entry

align 8
gdt:    dq 0
        dq 0x00CF9B000000FFFF
        dq 0x00CF93000000FFFF
gdt_pointer:
        dw $ - gdt - 1
        dd gdt
information:
        dd 4                            ; flags: there is a command line
        dd 0, 0, 0                      ; memory, boot device
        dd command_line
packet: db 16, 0
        dw 1, 0
.segment:
        dw IMAGE / 16
.sector:
        dq 1

        times 380 - ($ - $$) db 0
command_line:                           ; ends with a zero
        times 508 - ($ - $$) db 0
sectors: dw 0
        dw 0xAA55
