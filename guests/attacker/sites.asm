; Places where an exception may come. One that does ends the site, whose caller learns of it.
;
; Manual: Intel SDM volume 2, the instructions by name.

bits 32

%define VMXE 0x2000
%define EFER 0xC0000080
%define SVME 0x1000

global try_site
global abandon_site
global virtualization_sites, hypercall_sites, control_register_sites
global wild_eax, wild_ebx, wild_ecx, wild_edx, wild_esi, wild_edi, wild_operand

section .text

; u32 try_site(void (*site)(void)): EAX and EDX of the site's end are in wild_eax and wild_edx.
try_site:
        mov eax, [esp + 4]
        push ebp
        push ebx
        push esi
        push edi
        mov [site_code], eax
        mov [stack_before], esp
        mov eax, [wild_eax]
        mov ebx, [wild_ebx]
        mov ecx, [wild_ecx]
        mov edx, [wild_edx]
        mov esi, [wild_esi]
        mov edi, [wild_edi]
        call [site_code]
        mov [wild_eax], eax
        mov [wild_edx], edx
        xor eax, eax
        jmp leave_site
abandon_site:
        mov eax, 1
leave_site:
        mov esp, [stack_before]
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

; site NAME: a function for one of the attacks.
%macro site 1
align 8
global site_%1
site_%1:
%endmacro

site write
        mov [ebx], eax
        ret

site write_fs
        mov [fs:ebx], eax
        ret

site read_fs
        mov eax, [fs:ebx]
        ret

site load_fs
        mov fs, eax
        ret

site read_msr
        rdmsr
        ret

site write_msr
        wrmsr
        ret

site in
        in al, dx
        ret

site out
        out dx, al
        ret

; Puts a control register back before anything else is done.
%macro set_register 1
site set_%1
        mov ecx, %1
        mov %1, eax
        mov %1, ecx
        ret
%endmacro
        set_register cr0
        set_register cr2
        set_register cr3
        set_register cr4

site enable_vmx
        mov eax, cr4
        or eax, VMXE
        mov cr4, eax
        vmxon [wild_operand]
        vmxoff
        mov eax, cr4
        and eax, ~VMXE
        mov cr4, eax
        ret

site enable_svm
        mov ecx, EFER
        rdmsr
        or eax, SVME
        wrmsr
        mov eax, [wild_esi]
        vmrun
        mov ecx, EFER
        rdmsr
        and eax, ~SVME
        wrmsr
        ret

site int
        mov [.vector + 1], al
        jmp .vector
.vector:
        int 0
        ret

; listed INSTRUCTION: a site that is this and nothing else, in the list that is being made.
%macro listed 1+
align 8
%%site: %1
        ret
section .rodata
        dd %%site
section .text
%endmacro

%macro list 1
section .rodata
        dd 0
%1:
section .text
%endmacro

        list hypercall_sites
        listed vmcall
        listed vmmcall
        listed int 0x82

        list virtualization_sites
        listed vmxon [wild_operand]
        listed vmxoff
        listed vmclear [wild_operand]
        listed vmptrld [wild_operand]
        listed vmptrst [wild_operand]
        listed vmread eax, ebx
        listed vmwrite eax, ebx
        listed vmlaunch
        listed vmresume
        listed db 0x66, 0x0F, 0x38, 0x80, 0x06 ; INVEPT EAX, [ESI]
        listed db 0x66, 0x0F, 0x38, 0x81, 0x06 ; INVVPID EAX, [ESI]
        listed vmfunc
        listed vmrun
        listed vmload
        listed vmsave
        listed stgi
        listed clgi
        listed db 0x0F, 0x01, 0xDF         ; INVLPGA
        listed db 0x0F, 0x01, 0xDE         ; SKINIT

; Control registers that no processor has.
        list control_register_sites
        listed db 0x0F, 0x20, 0xC8      ; MOV EAX, CR1
        listed db 0x0F, 0x22, 0xC8      ; MOV CR1, EAX
        listed db 0x0F, 0x20, 0xE8      ; MOV EAX, CR5
        listed db 0x0F, 0x22, 0xE8
        listed db 0x0F, 0x20, 0xF0      ; MOV EAX, CR6
        listed db 0x0F, 0x22, 0xF0
        listed db 0x0F, 0x20, 0xF8      ; MOV EAX, CR7
        listed db 0x0F, 0x22, 0xF8
section .rodata
        dd 0

section .bss
align 16
wild_operand:   resd 4
wild_eax:       resd 1
wild_ebx:       resd 1
wild_ecx:       resd 1
wild_edx:       resd 1
wild_esi:       resd 1
wild_edi:       resd 1
site_code:      resd 1
stack_before:   resd 1
