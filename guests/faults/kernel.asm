; Sites that provoke an exception in ring 0. A site that has no exception returns.
;
; Manual: Intel SDM volume 3, "Exception and Interrupt Reference".

bits 32
%include "pages.inc"

global kernel_sites
global stack_null
global read_absent
global undefined

%include "site.inc"

section .rodata.table
kernel_sites:

site divide_by_zero, "DIV by zero"
        xor ecx, ecx
        mov eax, 1
        cdq
        div ecx
        ret
site divide_overflow, "DIV whose quotient does not fit"
        mov edx, 2
        xor eax, eax
        mov ecx, 2
        div ecx
        ret
site divide_signed, "IDIV of the most negative number by -1"
        mov eax, 0x80000000
        cdq
        mov ecx, -1
        idiv ecx
        ret
site divide_byte, "DIV of AX by a byte, quotient 256"
        mov eax, 256
        mov cl, 1
        div cl
        ret
site divide_word_signed, "IDIV of DX:AX, quotient 32768"
        xor edx, edx
        mov eax, 0x8000
        mov cx, 1
        idiv cx
        ret
site adjust_by_zero, "AAM 0"
        mov eax, 5
        aam 0
        ret
site breakpoint, "INT3"
        nop
        int3
        ret
site breakpoint_by_number, "INT 3, two bytes"
        int 3
        ret
site overflow, "INTO with OF set"
        mov al, 0x7f
        inc al
        into
        ret
site no_overflow, "INTO with OF clear"
        xor eax, eax
        into
        ret
site bound_below, "BOUND, index too small"
        mov eax, -11
        bound eax, [limits]
        ret
site bound_above, "BOUND, index too large"
        mov eax, 21
        bound eax, [limits]
        ret
site bound_word, "BOUND of 16 bits"
        mov ax, 8
        bound ax, [limits_word]
        ret
site bound_inside, "BOUND, index inside"
        mov eax, -10
        bound eax, [limits]
        mov eax, 20
        bound eax, [limits]
        ret
site undefined, "UD2"
        ud2
        ret
site lock_register, "LOCK on a register"
        db 0xF0                         ; LOCK
        add eax, ebx
        ret
site move_to_cs, "MOV to CS"
        mov ax, 8
        db 0x8E, 0xC8                   ; mov cs, ax
        ret
site control_register_1, "MOV from CR1"
        db 0x0F, 0x20, 0xC8             ; mov eax, cr1
        ret
site lea_register, "LEA of a register"
        db 0x8D, 0xC0
        ret
site group_hole, "FF /7, which is no instruction"
        db 0xFF, 0xF8
        ret
site selector_beyond, "MOV DS, a selector beyond the GDT"
        mov eax, 0x1000
        mov ds, ax
        ret
site selector_system, "MOV ES, the selector of a TSS"
        mov eax, 0x28
        mov es, ax
        ret
site selector_local, "MOV FS, a selector in an LDT that is not there"
        mov eax, 0x0C
        mov fs, ax
        ret
site selector_absent, "MOV GS, a segment not present"
        mov eax, 0x30
        mov gs, ax
        ret
site pop_selector, "POP ES, a selector beyond the GDT"
        push dword 0x2000
        pop es
        ret
site null_data, "MOV DS, the null selector"
        xor eax, eax
        mov ds, ax
        mov eax, 0x10
        mov ds, ax
        ret
site stack_null, "MOV SS, the null selector"
        xor eax, eax
        mov ss, ax
        ret
site stack_ring3, "MOV SS, a segment of ring 3"
        mov eax, 0x23
        mov ss, ax
        ret
site stack_code, "MOV SS, a code segment"
        mov eax, 0x08
        mov ss, ax
        ret
site stack_absent, "MOV SS, a segment not present"
        mov eax, 0x30
        mov ss, ax
        ret
site jump_null, "far JMP to the null selector"
        jmp 0:0
        ret
site jump_data, "far JMP to a data segment"
        jmp 0x10:0
        ret
site jump_ring3, "far JMP to code of ring 3"
        jmp 0x1B:0
        ret
site call_absent, "far CALL to a code segment not present"
        call 0x38:0
        ret
site return_null, "far RET to the null selector"
        push dword 0
        push dword 0
        retf
site iret_data, "IRET to a data segment"
        pushfd
        push dword 0x10
        push dword 0
        iretd
site gate_absent, "INT through a gate that is not present"
        int 0x40
        ret
site gate_beyond, "INT beyond the limit of the IDT"
        int 0xF0
        ret
site task_busy, "LTR of a TSS that is busy"
        mov eax, 0x28
        ltr ax
        ret
site read_absent, "#PF read, not present, ring 0"
        mov eax, [ABSENT + 0x123]
        ret
site write_absent, "#PF write, not present, ring 0"
        mov byte [ABSENT + 0x234], 1
        ret
site write_read_only, "#PF write to a read-only page of ring 3, ring 0, CR0.WP set"
        mov dword [READ_ONLY + 8], 1
        ret
site write_read_only_kernel, "#PF write to a read-only page of ring 0, ring 0, CR0.WP set"
        inc dword [KERNEL_RO + 8]
        ret
site read_crossing, "#PF read across a page boundary"
        mov eax, [PLAIN + 0xFFD]
        ret
site modify_crossing, "#PF read and write across a page boundary, the second page read-only"
        add dword [BEFORE + 0xFFE], 0x10001
        ret
site write_crossing, "#PF write across a page boundary, the second page read-only"
        mov dword [BEFORE + 0xFFD], -1
        ret
site modified_nothing, "the first halves of them were not written either"
        cmp word [BEFORE + 0xFFE], 0
        je .unchanged
        ud2
.unchanged:
        ret
site push_absent, "#PF push of memory not present"
        xor ebx, ebx
        push dword [ABSENT]
        ret
site string_absent, "#PF in the middle of REP STOSD: ECX and EDI say how far it came"
        mov ecx, 16
        mov edi, PLAIN + 0x1000 - 20
        mov eax, 0x11223344
        rep stosd
        ret
site fetch_absent, "#PF fetch from a page not present"
        mov eax, ABSENT + 0x800
        jmp eax
site fetch_crossing, "#PF fetch of an instruction whose second half is on a page not present"
        mov word [PLAIN + 0xFFE], 0x00B8 ; mov eax, imm32
        mov eax, PLAIN + 0xFFE
        jmp eax

section .rodata
align 4
limits: dd -10, 20
limits_word: dw 0, 7

section .rodata.table
        dd 0, 0
