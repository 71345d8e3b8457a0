; The loops, and the handlers they enter. A handler that has nothing to do is an IRET, so that what it would count is
; seen elsewhere: the checksum folds the frame which the last delivery left below the stack, with EIP relative to the loop
; because the linker chooses addresses.
;
; Manual: Intel SDM volume 3, "Exception- or Interrupt-Handler Procedures" (what lies on the stack).

bits 32

global int_ring0
global page_fault
global divide_error
global reload_cr3
global change_page
global read_port
global ring3_frame
global at_int_ring0
global at_system_call
global at_leave
global at_page_fault
global at_divide_error
global at_unexpected
global system_call_stack_top
global window
global frame_a
global absent
extern debug_exit
extern leave_ring3
extern user_after

%define EXIT_BAD 0x11
%define PRIME 0x9E3779B1

; EAX := EAX folded with a doubleword.
%macro fold 1
        rol eax, 7
        add eax, %1
        imul eax, eax, PRIME
%endmacro

section .text

; ---- handlers ----------------------------------------------------------------------------------------------------

align 16
at_int_ring0:
        iretd

align 16
at_system_call:
        iretd

; Behind the load, which is two bytes long; the error code is dropped.
align 16
at_page_fault:
        add dword [esp + 4], 2
        add esp, 4
        iretd

; Behind the DIV, which is two bytes long.
align 16
at_divide_error:
        add dword [esp], 2
        iretd

at_leave:
        push eax
        call leave_ring3                ; does not return

at_unexpected:
        push dword EXIT_BAD
        call debug_exit                 ; does not return

; ---- loops; each takes the rounds, at least one -------------------------------------------------------------------

; INT and IRET, no change of privilege. Three instructions an iteration beside IRET.
align 16
int_ring0:
        mov ecx, [esp + 4]
        mov dword [esp - 4], 0
        mov dword [esp - 8], 0
        mov dword [esp - 12], 0
        test ecx, ecx
.again:
        int 0x40
.after:
        dec ecx
        jnz .again
        xor eax, eax
        fold [esp - 4]                  ; EFLAGS
        fold [esp - 8]                  ; CS
        mov edx, [esp - 12]             ; EIP
        sub edx, .after
        fold edx
        ret

; What INT 0x81 of user.asm left on the stack of ring 0.
ring3_frame:
        xor eax, eax
        mov ecx, system_call_stack_top
        fold [ecx - 4]                  ; SS
        fold [ecx - 12]                 ; EFLAGS
        fold [ecx - 16]                 ; CS
        mov edx, [ecx - 20]             ; EIP
        sub edx, user_after
        fold edx
        ret

; A load from a page that is not present.
align 16
page_fault:
        push ebx
        mov ecx, [esp + 8]
        mov ebx, absent
        xor eax, eax
        mov cr2, eax
        mov dword [esp - 16], 0xFFFFFFFF
        mov edx, 0x1234
        test ecx, ecx
.again:
        mov edx, [ebx]
        dec ecx
        jnz .again
        fold edx                        ; unchanged
        and dword [esp - 4], ~0x10000   ; RF, which a processor sets in the frame of a fault and some emulators do not
        fold [esp - 4]                  ; EFLAGS
        fold [esp - 16]                 ; error code
        mov edx, cr2
        sub edx, ebx
        fold edx
        mov edx, [esp - 12]             ; EIP, already moved on
        sub edx, .again
        fold edx
        pop ebx
        ret

; A division by zero.
align 16
divide_error:
        push ebx
        mov ecx, [esp + 8]
        xor ebx, ebx
        mov eax, 0x1234
        mov edx, 0x5678
        mov dword [esp - 12], 0
        test ecx, ecx
.again:
        div ebx
        dec ecx
        jnz .again
        fold edx                        ; EAX and EDX are unchanged
        fold [esp - 8]                  ; CS
        mov edx, [esp - 12]             ; EIP, already moved on
        sub edx, .again
        fold edx
        pop ebx
        ret

; MOV CR3 with the same directory, then a load from each of four pages.
align 16
reload_cr3:
        push ebx
        mov ecx, [esp + 8]
        mov ebx, four_pages
        mov dword [ebx], 1
        mov dword [ebx + 4096], 20
        mov dword [ebx + 8192], 300
        mov dword [ebx + 12288], 4000
        xor eax, eax
        mov edx, cr3
.again:
        mov cr3, edx
        add eax, [ebx]
        add eax, [ebx + 4096]
        add eax, [ebx + 8192]
        add eax, [ebx + 12288]
        dec ecx
        jnz .again
        pop ebx
        ret

; One page table entry goes to and fro between two frames.
align 16
change_page:
        push ebx
        push esi
        push edi
        mov ecx, [esp + 16]
        mov dword [frame_a], 7
        mov dword [frame_b], 1000
        mov ebx, window
        mov eax, cr3
        mov eax, [eax]                  ; the only table of paging.c
        and eax, 0xFFFFF000
        mov esi, ebx
        shr esi, 12
        lea esi, [eax + esi*4]
        mov edi, frame_a
        xor edi, frame_b
        xor eax, eax
.again:
        xor [esi], edi
        invlpg [ebx]
        add eax, [ebx]
        dec ecx
        jnz .again
        pop edi
        pop esi
        pop ebx
        ret

; The interrupt mask of the first 8259A.
align 16
read_port:
        mov ecx, [esp + 4]
        xor eax, eax
        xor edx, edx
.again:
        in al, 0x21
        add edx, eax
        dec ecx
        jnz .again
        mov eax, edx
        ret

section .bss
align 4096
window:         resb 4096
frame_a:        resb 4096
frame_b:        resb 4096
absent:         resb 4096
four_pages:     resb 4 * 4096
                resb 4096
system_call_stack_top:
