; The VMX instructions as functions, and the way into the guest and back.
;
; Manual: Intel SDM volume 3, "VMX Instruction Reference", "Conventions"; "VM Exits", "Loading Host State".

bits 32

%define HOST_RSP 0x6C14
%define HOST_RIP 0x6C16

global vmxon
global vmclear
global vmptrld
global vmptrst
global vmread
global vmwrite
global vmxoff
global invept
global enter_guest

section .text

; EAX := what the flags say: 0 success, 1 VMfailInvalid, 2 VMfailValid. MOV leaves flags alone.
%macro status 0
        mov eax, 1
        jc %%end
        mov eax, 2
        jz %%end
        mov eax, 0
%%end:  ret
%endmacro

vmxon:  mov eax, [esp + 4]
        vmxon [eax]
        status

vmclear:
        mov eax, [esp + 4]
        vmclear [eax]
        status

vmptrld:
        mov eax, [esp + 4]
        vmptrld [eax]
        status

vmptrst:
        mov eax, [esp + 4]
        vmptrst [eax]
        status

vmread: mov eax, [esp + 4]
        mov edx, [esp + 8]
        vmread [edx], eax
        status

vmwrite:
        mov eax, [esp + 4]
        vmwrite eax, [esp + 8]
        status

vmxoff: vmxoff
        status

invept: mov eax, [esp + 4]
        mov edx, [esp + 8]
        invept eax, [edx]
        status

; u32 enter_guest(struct registers *registers, u32 resume)
enter_guest:
        push ebp
        push ebx
        push esi
        push edi
        mov ebx, [esp + 20]
        mov ecx, [esp + 24]
        push ebx                        ; found again at the exit, which comes with this ESP
        mov eax, HOST_RSP
        vmwrite eax, esp
        jbe .failed                     ; CF or ZF
        mov eax, HOST_RIP
        mov edx, .exit
        vmwrite eax, edx
        jbe .failed
        test ecx, ecx
        mov eax, [ebx]
        mov ecx, [ebx + 4]
        mov edx, [ebx + 8]
        mov ebp, [ebx + 16]
        mov esi, [ebx + 20]
        mov edi, [ebx + 24]
        mov ebx, [ebx + 12]
        jnz .resume
        vmlaunch
        jmp .failed
.resume:
        vmresume
.failed:
        mov eax, 1
        jc .end
        mov eax, 2
.end:   pop edx
        jmp .return
.exit:  push ebx
        mov ebx, [esp + 4]
        mov [ebx], eax
        mov [ebx + 4], ecx
        mov [ebx + 8], edx
        pop dword [ebx + 12]
        mov [ebx + 16], ebp
        mov [ebx + 20], esi
        mov [ebx + 24], edi
        pop edx
        xor eax, eax
.return:
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret
