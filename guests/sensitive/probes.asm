; The probes, each with a result in EAX. One that ends in #GP is abandoned.
;
; Manual: Intel SDM volume 2, the instructions by name; volume 3, "Privileged Instructions" (which these are not).

bits 32

%include "../lib/probe.inc"

; ---- registers of the system, readable by all ---------------------------------------------------------------------

probe "SGDT: limit"
        sgdt [table]
        movzx eax, word [table]
        ret

probe "SGDT: base lies in the image"
        sgdt [table]
        base_is_ours
        ret

probe "SIDT: limit"
        sidt [table]
        movzx eax, word [table]
        ret

probe "SIDT: base lies in the image"
        sidt [table]
        base_is_ours
        ret

probe "SLDT: selector"
        mov eax, -2
        sldt ax
        movzx eax, ax
        ret

probe "SMSW: protection enable"
        smsw ax
        and eax, 1
        ret

probe "PUSHF: IF"
        pushfd
        pop eax
        and eax, IF
        ret

probe "POPF: IF after it was to be changed"
        pushfd
        mov ecx, [esp]
        xor dword [esp], IF
        popfd
        pushfd
        pop eax
        push ecx
        popfd
        and eax, IF
        ret

; ---- checks of privilege that end quietly -------------------------------------------------------------------------

probe "LAR: access rights of the kernel's code"
        xor eax, eax
        mov edx, KERNEL_CODE
        lar eax, edx
        and eax, 0xFE00                 ; without the accessed bit
        ret

probe "LSL: limit of the kernel's data"
        xor eax, eax
        mov edx, KERNEL_DATA
        lsl eax, edx
        shr eax, 4                      ; not the number that stands for #GP
        ret

probe "VERR: the kernel's code can be read"
        mov edx, KERNEL_CODE
        xor eax, eax
        verr dx
        setz al
        ret

probe "VERW: the kernel's data can be written"
        mov edx, KERNEL_DATA
        xor eax, eax
        verw dx
        setz al
        ret

probe "STR: selector"
        mov eax, -2
        str ax
        movzx eax, ax
        ret

; ---- segment registers, whose lowest bits are the ring -------------------------------------------------------------

probe "PUSH: CS"
        push cs
        pop eax
        and eax, 0xFFFF
        ret

probe "POP: SS with the kernel's data"
        push dword KERNEL_DATA
        pop ss
        mov eax, ss
        ret

probe "MOV: from CS"
        xor eax, eax
        mov ax, cs
        ret

probe "MOV: from SS"
        xor eax, eax
        mov ax, ss
        ret

; ---- ways to other code --------------------------------------------------------------------------------------------

probe "CALL: CS that was pushed on the way to the kernel's code"
        call KERNEL_CODE:.called
        ret
.called:
        mov eax, [esp + 4]
        and eax, 0xFFFF
        retf

probe "JMP: CS after it went to the kernel's code"
        jmp KERNEL_CODE:.there
.there: mov eax, cs
        ret

probe "RET: CS after it went to the kernel's code"
        push dword KERNEL_CODE
        push dword .back
        retf
.back:  mov eax, cs
        ret

probe "INT n: CS that was pushed"
        mov eax, -2
        int 0x41
        ret

section .rodata.table
        dd 0, 0
