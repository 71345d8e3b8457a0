; Going to ring 3 and coming back.
;
; Manual: Intel SDM volume 3, "Stack Switching in 32-Bit Mode" and the IRET instruction in volume 2.

bits 32

%define USER_CODE 0x1B
%define USER_DATA 0x23
%define INITIAL_EFLAGS 0x202                ; IF set, IOPL 0

global enter_ring3
global leave_ring3

section .text

; u32 enter_ring3(u32 eip, u32 esp)
enter_ring3:
        mov ecx, [esp + 4]
        mov edx, [esp + 8]
        push ebp
        push ebx
        push esi
        push edi
        mov [kernel_esp], esp
        mov eax, USER_DATA
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        push eax                        ; SS
        push edx                        ; ESP
        push dword INITIAL_EFLAGS
        push dword USER_CODE
        push ecx
        xor eax, eax
        xor ebx, ebx
        xor ecx, ecx
        xor edx, edx
        xor esi, esi
        xor edi, edi
        xor ebp, ebp
        iretd

; void leave_ring3(u32 value): makes the last enter_ring3 return `value`. Called by a handler; interrupts are off after it.
leave_ring3:
        mov eax, [esp + 4]
        mov ecx, 0x10
        mov ds, cx
        mov es, cx
        mov fs, cx
        mov gs, cx
        cld
        mov esp, [kernel_esp]
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

section .bss
align 4
kernel_esp: resd 1
