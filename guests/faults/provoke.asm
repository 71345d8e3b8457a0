; Calling a site that may never return, and giving it up from inside an exception handler.

bits 32
global provoke
global abandon_site

section .text

; u32 provoke(u32 code)
provoke:
        mov eax, [esp + 4]
        push ebp
        push ebx
        push esi
        push edi
        mov [saved_esp], esp
        xor ebx, ebx                    ; the same registers at every site and in every build
        xor ecx, ecx
        xor edx, edx
        xor esi, esi
        xor edi, edi
        call eax
        xor eax, eax
leave:
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

; void abandon_site(void)
abandon_site:
        mov ecx, 0x10
        mov ds, cx
        mov es, cx
        mov ss, cx
        cld
        mov esp, [saved_esp]
        mov eax, 1
        jmp leave

section .bss
align 4
saved_esp: resd 1
