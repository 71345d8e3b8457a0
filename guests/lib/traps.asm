; Entry of every exception, interrupt and trap gate: one stub a vector makes the same frame for all of them.
;
; Manual: Intel SDM volume 3, "Exception and Interrupt Handling" (which vectors push an error code).

bits 32

%define VECTORS 129                         ; 0 to 0x80

global trap_stubs
extern handle_trap

%macro stub 1
  align 16
%%entry:
  %if !(%1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17)
        push dword 0                    ; the processor pushed no error code
  %endif
        push dword %1
        jmp enter_c
%endmacro

section .text
align 16
trap_stubs:                             ; 16 bytes each
%assign vector 0
%rep VECTORS
  stub vector
  %assign vector vector + 1
%endrep

enter_c:
        pushad
        push ds
        push es
        push fs
        push gs
        mov eax, 0x10
        mov ds, ax
        mov es, ax
        cld
        push esp                        ; struct frame *
        call handle_trap
        add esp, 4
        pop gs
        pop fs
        pop es
        pop ds
        popad
        add esp, 8                      ; vector and error code
        iretd
