; The guest: a program that does one thing after the other which leads to an exit, and its handler of interrupt 0x21;
; once for 16 and once for 32 bits. They are copied to 0x1000 of the guest's memory; the first 0x100 bytes are for the
; program.

global guest16_start
global guest16_end
global guest32_start
global guest32_end

%define ABSENT 0xF000                   ; its page is not there

%macro program 0
        mov eax, 0x40000000
        xor ecx, ecx
        cpuid
        mov esi, ebx                    ; four letters, sent below
        mov dx, 0x3F8
        mov ecx, 4
%%letter:
        mov eax, esi
        out dx, al
        shr esi, 8
        dec ecx
        jnz %%letter
        mov dx, 0x3FD
        in al, dx
        out 0x80, al                    ; what IN gave
        mov ecx, 0x1B
        rdmsr
        mov dx, 0x80
        out dx, eax                     ; what RDMSR gave
        xor edx, edx
        wrmsr
        mov dx, 0x80
        ud2
        int3
        mov eax, [ABSENT]
        add dword [ABSENT + 4], 7
        out dx, eax                     ; what the page held
        mov eax, cr0
        out dx, eax                     ; CR0 as the guest sees it
        or eax, 8                       ; TS, which is not the guest's
        mov cr0, eax
        mov eax, cr0
        out dx, eax
        clts
        mov eax, cr0
        out dx, eax
        mov ecx, 0
        sti
        hlt                             ; the interrupt sets ECX
        mov eax, ecx
        out dx, eax
        mov eax, 0x600D
        vmcall
%%stop: hlt
        jmp %%stop
%endmacro

section .rodata
align 16
bits 16
guest16_start:
        program
        times 0x100 - ($ - guest16_start) db 0x90
        mov ecx, 0x1234
        iret
guest16_end:

align 16
bits 32
guest32_start:
        program
        times 0x100 - ($ - guest32_start) db 0x90
        mov ecx, 0x1234
        iretd
guest32_end:
