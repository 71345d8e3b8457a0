; The probes, each with a result in EAX. One that ends in an exception is abandoned.
;
; Manual: Intel SDM volume 2, the instructions by name; volume 3, "Control Registers".

bits 32

%define IOPL 0x3000
; Of LAR's result: neither the accessed bit nor what is undefined.
%define LAR_BITS 0xF0FE00
; In the last 64 MiB of linear addresses, where a monitor may lie; no device has registers there.
%define TOP 0xFC000000

%define RING0 1
%define RING3 2
%define BOTH 3

%include "../lib/probe.inc"

; EAX := the bits of EAX in EFLAGS.
%macro flags 1
        pushfd
        pop eax
        and eax, %1
%endmacro

; ---- registers of the system, readable by all ---------------------------------------------------------------------

probe "sidt-limit", BOTH
        sidt [table]
        movzx eax, word [table]
        ret
probe "sidt-base-is-own", BOTH
        sidt [table]
        base_is_ours
        ret
probe "sgdt-limit", BOTH
        sgdt [table]
        movzx eax, word [table]
        ret
probe "sgdt-base-is-own", BOTH
        sgdt [table]
        base_is_ours
        ret
probe "sldt", BOTH
        mov eax, -1
        sldt ax
        movzx eax, ax
        ret
probe "str", BOTH
        mov eax, -1
        str ax
        movzx eax, ax
        ret
probe "smsw", BOTH
        smsw ax
        movzx eax, ax
        ret
probe "smsw-differs-from-cr0", RING0
        smsw ax
        mov edx, cr0
        xor eax, edx
        movzx eax, ax
        ret

; ---- the ring ------------------------------------------------------------------------------------------------------

probe "mov-from-cs", BOTH
        xor eax, eax
        mov ax, cs
        ret
probe "mov-from-ss", BOTH
        xor eax, eax
        mov ax, ss
        ret
probe "push-cs", BOTH
        push cs
        pop eax
        and eax, 0xFFFF
        ret
probe "lar-kernel-code", BOTH
        xor eax, eax
        mov edx, KERNEL_CODE
        lar eax, edx
        and eax, LAR_BITS
        ret
probe "lar-kernel-data", BOTH
        xor eax, eax
        mov edx, KERNEL_DATA
        lar eax, edx
        and eax, LAR_BITS
        ret
probe "lsl-kernel-code", BOTH
        xor eax, eax
        mov edx, KERNEL_CODE
        lsl eax, edx
        ret
probe "lsl-kernel-data", BOTH
        xor eax, eax
        mov edx, KERNEL_DATA
        lsl eax, edx
        ret
probe "verr-kernel-code", BOTH
        mov edx, KERNEL_CODE
        xor eax, eax
        verr dx
        setz al
        ret
probe "verw-kernel-data", BOTH
        mov edx, KERNEL_DATA
        xor eax, eax
        verw dx
        setz al
        ret
probe "descriptor-in-memory", RING0     ; the second half of the kernel's data, where SGDT says it is
        sgdt [table]
        mov edx, [table + 2]
        mov eax, [edx + KERNEL_DATA + 4]
        and eax, ~0x100                 ; without the accessed bit
        ret
probe "read-top-of-addresses", RING0
        mov eax, [TOP]
        xor eax, eax
        ret

; ---- the interrupt flag --------------------------------------------------------------------------------------------

probe "pushf-if-after-cli", RING0
        cli
        flags IF
        ret
probe "pushf-if-after-sti", RING0
        sti
        nop
        flags IF
        cli
        ret
probe "popf-clears-if", RING0
        sti
        push dword 2
        popfd
        flags IF
        cli
        ret
probe "popf-sets-if", RING0
        cli
        push dword IF | 2
        popfd
        nop
        flags IF
        cli
        ret
probe "popf-sets-iopl", RING0
        push dword IOPL | 2
        popfd
        flags IOPL
        push dword 2
        popfd
        ret
probe "popf-clears-if", RING3           ; it does not, and nobody is told
        push dword 2
        popfd
        flags IF
        ret
probe "cli", RING3
        cli
        flags IF
        ret

; ---- control registers, as they are read back ----------------------------------------------------------------------

; EAX := the bits of CR0 that take, each set and cleared by itself: MP, EM, TS, NE, WP, AM, CD.
probe "cr0-bits-taken", RING0
        mov esi, cr0
        xor edi, edi
        mov ebx, 0x4005002E
.next:  bsf ecx, ebx
        jz .done
        btr ebx, ecx
        mov edx, 1
        shl edx, cl
        mov eax, esi
        xor eax, edx
        mov cr0, eax
        mov ecx, cr0
        mov cr0, esi
        xor ecx, esi
        and ecx, edx
        or edi, ecx
        jmp .next
.done:  mov eax, edi
        ret
probe "cr0", RING0
        mov eax, cr0
        ret
probe "cr2-taken", RING0
        mov eax, 0xDEADBEEF
        mov cr2, eax
        mov eax, cr2
        ret
probe "cr3-taken", RING0
        mov ecx, cr3
        mov eax, 0x00ABC000
        mov cr3, eax
        mov eax, cr3
        mov cr3, ecx
        ret
probe "mov-from-cr0", RING3
        mov eax, cr0
        ret

; ---- who else would answer, and where this code is -----------------------------------------------------------------

probe "vmcall", RING0
        xor eax, eax
        vmcall
        ret
probe "vmmcall", RING0
        xor eax, eax
        vmmcall
        ret
probe "return-address-is-own", BOTH
        call .here
.here:  pop edx
        xor eax, eax
        cmp edx, .here
        sete al
        ret

; ---- time: the least ticks of 16 attempts --------------------------------------------------------------------------

; timed "name", INSTRUCTION
%macro timed 2+
probe %1, RING0
        mov esi, 16
        mov edi, -1
%%again:
        rdtsc
        mov ebp, eax
        %2
        rdtsc
        sub eax, ebp
        cmp eax, edi
        jae %%more
        mov edi, eax
%%more: dec esi
        jnz %%again
        mov eax, edi
        ret
%endmacro

timed "time-nop", nop
timed "time-cpuid", cpuid
timed "time-read-cr0", mov eax, cr0
timed "time-read-cr3", mov eax, cr3
timed "time-clts", clts
timed "time-in", in al, 0x80
timed "time-sidt", sidt [table]

section .rodata.table
        dd 0, 0, 0
