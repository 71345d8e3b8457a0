; Sites that provoke an exception in ring 3. A site that has no exception returns.
;
; Manual: Intel SDM volume 3, "Privileged Instructions" and "Page-Fault Exceptions".

bits 32
%include "pages.inc"

global user_sites
global user_sites_stack_top

%include "site.inc"

section .rodata.table
user_sites:

site user_hlt, "HLT"
        hlt
        ret
site user_cli, "CLI"
        cli
        ret
site user_sti, "STI"
        sti
        ret
site user_in, "IN AL, DX"
        mov dx, 0x21
        in al, dx
        ret
site user_in_number, "IN EAX, 0x21"
        in eax, 0x21
        ret
site user_out, "OUT 0xF4, AL"
        out 0xF4, al
        ret
site user_ins, "REP INSB"
        mov ecx, 1
        mov edi, PLAIN
        rep insb
        ret
site user_read_cr0, "MOV from CR0"
        mov eax, cr0
        ret
site user_write_cr3, "MOV to CR3"
        mov cr3, eax
        ret
site user_read_dr7, "MOV from DR7"
        mov eax, dr7
        ret
site user_lmsw, "LMSW"
        mov ax, 1
        lmsw ax
        ret
site user_clts, "CLTS"
        clts
        ret
site user_lgdt, "LGDT"
        lgdt [PLAIN]
        ret
site user_lidt, "LIDT"
        lidt [PLAIN]
        ret
site user_lldt, "LLDT"
        xor eax, eax
        lldt ax
        ret
site user_ltr, "LTR"
        mov ax, 0x28
        ltr ax
        ret
site user_invd, "INVD"
        invd
        ret
site user_wbinvd, "WBINVD"
        wbinvd
        ret
site user_invlpg, "INVLPG"
        invlpg [PLAIN]
        ret
site user_not_privileged, "SMSW, SGDT, SIDT, SLDT, STR, LAR, LSL, VERR, VERW"
        smsw ax
        sgdt [PLAIN]
        sidt [PLAIN]
        sldt ax
        str ax
        mov ax, 0x23
        lar ecx, ax
        lsl ecx, ax
        verr ax
        verw ax
        ret
site user_popf, "POPF that would clear IF"
        push dword 2
        popfd
        ret
site user_kernel_data, "MOV DS, data of ring 0"
        mov eax, 0x10
        mov ds, ax
        ret
site user_kernel_stack, "MOV SS, data of ring 0"
        mov eax, 0x10
        mov ss, ax
        ret
site user_jump_kernel, "far JMP to code of ring 0"
        jmp 0x08:0x100000
        ret
site user_call_gate_lookalike, "far CALL to a TSS"
        call 0x28:0
        ret
site user_iret_kernel, "IRET to ring 0"
        pushfd
        push dword 0x08
        push dword 0x100000
        iretd
site user_retf_kernel, "far RET to ring 0"
        push dword 0x08
        push dword 0x100000
        retf
site user_interrupt, "INT 0x20, whose gate is for ring 0"
        int 0x20
        ret
site user_breakpoint, "INT3, whose gate is for ring 0"
        int3
        ret
site user_divide, "DIV by zero"
        xor ecx, ecx
        div ecx
        ret
site user_undefined, "UD2"
        ud2
        ret
site user_read_absent, "#PF read, not present"
        mov eax, [ABSENT + 0x10]
        ret
site user_write_absent, "#PF write, not present"
        mov [ABSENT + 0x20], eax
        ret
site user_read_kernel, "#PF read of a page of ring 0"
        mov eax, [KERNEL + 0x30]
        ret
site user_write_kernel, "#PF write to a page of ring 0"
        mov [KERNEL + 0x40], eax
        ret
site user_read_read_only, "read of a read-only page"
        mov eax, [READ_ONLY]
        ret
site user_write_read_only, "#PF write to a read-only page"
        mov [READ_ONLY + 0x50], eax
        ret
site user_modify_read_only, "#PF read and write of a read-only page"
        inc byte [READ_ONLY + 0x60]
        ret
site user_compare_exchange, "#PF CMPXCHG that fails, on a read-only page"
        mov eax, 1
        mov ecx, 2
        lock cmpxchg [READ_ONLY + 0x70], ecx
        ret
site user_bit_test, "BT of a read-only page"
        mov eax, 9
        bt [READ_ONLY], eax
        ret
site user_push_absent, "#PF push, the stack not present"
        mov esp, ABSENT + 0x1000
        push eax
        ret
site user_call_absent, "#PF CALL, the stack not present"
        mov esp, ABSENT + 0x800
        call user_ret
user_ret:
        ret
site user_enter_absent, "#PF ENTER, the stack not present"
        mov esp, ABSENT + 0x400
        enter 8, 0
        ret
site user_fetch_kernel, "#PF fetch from a page of ring 0"
        mov eax, KERNEL + 0x80
        jmp eax
site user_fetch_absent, "#PF fetch from a page not present"
        mov eax, ABSENT + 0x90
        jmp eax
site user_move_string, "#PF in the middle of REP MOVSB: ECX, ESI and EDI say how far it came"
        mov ecx, 100
        mov esi, PLAIN
        mov edi, PLAIN + 0x1000 - 7
        rep movsb
        ret
site user_move_backward, "#PF in the middle of REP MOVSW, backward"
        mov ecx, 100
        mov esi, PLAIN + 0x800
        mov edi, READ_ONLY + 0x1000 + 0x1000 + 8 ; PLAIN + 8: goes down into a page of ring 0
        std
        rep movsw
        cld
        ret

section .rodata.table
        dd 0, 0

section .text
align 16
; Where a site returns to.
done:
        int 0x80

section .data
align 16
        times 1024 dd 0
user_sites_stack_top:
        dd done
