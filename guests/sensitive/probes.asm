; The probes, each with a result in EAX. One that ends in #GP is abandoned.
;
; Manual: Intel SDM volume 2, the instructions by name; volume 3, "Privileged Instructions" (which these are not).

bits 32

%define KERNEL_CODE 0x08
%define KERNEL_DATA 0x10
%define TASK_STATE 0x28
%define IF 0x200

global probes
global run_probe
global run_probe_user
global abandon_probe
global probe_to_run
global probe_stack_top
extern image_end

section .text

; u32 run_probe(u32 code)
run_probe:
        mov eax, [esp + 4]
        push ebp
        push ebx
        push esi
        push edi
        mov [stack_before], esp
        call eax
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

run_probe_user:
        mov [stack_before], esp
        call [probe_to_run]
        int 0x80

; Back to behind the CALL, whose return address is still there.
abandon_probe:
        mov esp, [stack_before]
        sub esp, 4
        mov eax, -1
        ret

; probe "what it is": starts a probe and enters it in the table.
%macro probe 1
section .rodata.names
%%name: db %1, 0
section .rodata.table
        dd %%code, %%name
section .text
align 8
%%code:
%endmacro

; EAX := 1 if the base at table + 2 lies in this image, where ours do.
%macro base_is_ours 0
        mov edx, [table + 2]
        xor eax, eax
        cmp edx, 0x100000
        jb %%end
        cmp edx, image_end
        jae %%end
        inc eax
%%end:
%endmacro

section .rodata.table
align 4
probes:

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

section .bss
align 4
table:          resb 8
stack_before:   resd 1
probe_to_run:   resd 1
                resb 1024
probe_stack_top:
