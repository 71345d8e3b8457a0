; Multiboot header, descriptor tables and the handlers that are entered through them.
;
; As in ../kernel, nothing here reads what the processor would not trap on in another ring, nor which processor it is: CS is
; loaded by IRET, and whether there is SYSENTER is asked by writing its register.
; Manual: Intel SDM volume 3, "Segment Descriptors", "Exception- or Interrupt-Handler Procedures", "Performing Fast Calls to
; System Procedures with the SYSENTER and SYSEXIT Instructions".

bits 32

%define MAGIC 0x1BADB002
%define FLAGS 0x00000003
%define KERNEL_CODE 0x08
%define KERNEL_DATA 0x10
%define TASK_STATE 0x28
%define SYSENTER_CS 0x174
%define SYSENTER_ESP 0x175
%define SYSENTER_EIP 0x176
%define EXIT_BAD 0x11

global _start
global start_tables
global has_sysenter
extern guest_main
extern debug_exit
extern leave_ring3

section .multiboot
align 4
        dd MAGIC
        dd FLAGS
        dd -(MAGIC + FLAGS)

section .text
_start:
        cld
        mov esp, boot_stack_top
        push ebx                        ; the multiboot information structure
        push eax                        ; its magic number
        call start_tables
        call guest_main
        push eax
        call debug_exit                 ; does not return

; gate VECTOR, HANDLER, TYPE: fills in a gate. Changes EAX.
%macro gate 3
        mov eax, %2
        mov [idt + 8*%1], ax
        mov word [idt + 8*%1 + 2], KERNEL_CODE
        mov word [idt + 8*%1 + 4], %3 << 8
        shr eax, 16
        mov [idt + 8*%1 + 6], ax
%endmacro
%define GATE_KERNEL 0x8E                ; present, 32-bit interrupt gate, ring 0
%define GATE_USER 0xEE                  ; the same for ring 3

; void start_tables(void)
start_tables:
        lgdt [gdt_pointer]
        mov eax, KERNEL_DATA
        mov ds, eax
        mov es, eax
        mov fs, eax
        mov gs, eax
        push dword 2                    ; EFLAGS: nothing set
        push dword KERNEL_CODE
        push dword .loaded
        iretd
.loaded:
        mov eax, task_state
        mov [gdt + TASK_STATE + 2], ax
        shr eax, 16
        mov [gdt + TASK_STATE + 4], al
        mov [gdt + TASK_STATE + 7], ah
        mov dword [task_state + 4], system_call_stack_top
        mov dword [task_state + 8], KERNEL_DATA
        mov word [task_state + 102], 104 ; no I/O permission bitmap inside the limit
        mov eax, TASK_STATE
        ltr ax
%assign vector 0
%rep 20
        gate vector, at_unexpected, GATE_KERNEL
  %assign vector vector + 1
%endrep
        gate 0x00, at_divide_error, GATE_KERNEL
        gate 0x06, at_undefined, GATE_KERNEL
        gate 0x0D, at_protection, GATE_KERNEL
        gate 0x0E, at_page_fault, GATE_KERNEL
        gate 0x80, at_system_call, GATE_USER
        gate 0x81, at_leave, GATE_USER
        lidt [idt_pointer]
        mov dword [has_sysenter], 1
        mov ecx, SYSENTER_CS
        xor edx, edx
        mov eax, KERNEL_CODE
.probe:
        wrmsr                           ; #GP or #UD where there is no such register
        cmp dword [has_sysenter], 0
        je .done
        mov ecx, SYSENTER_ESP
        mov eax, system_call_stack_top
        wrmsr
        mov ecx, SYSENTER_EIP
        mov eax, at_sysenter
        wrmsr
.done:
        ret

; ---- handlers that are measured ------------------------------------------------------------------------------------

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

; ECX and EDX still have the stack and the place that ring 3 named.
align 16
at_sysenter:
        sysexit

align 16
at_system_call:
        iretd

; ---- handlers that are not ------------------------------------------------------------------------------------------

at_protection:
        add esp, 4
at_undefined:
        cmp dword [esp], start_tables.probe
        jne at_unexpected
        mov dword [has_sysenter], 0
        add dword [esp], 2              ; WRMSR is two bytes long
        iretd

at_leave:
        push eax
        call leave_ring3                ; does not return

at_unexpected:
        push dword EXIT_BAD
        call debug_exit                 ; does not return

section .data
; The accessed bits are set already, so that the processor has nothing to write here. SYSENTER and SYSEXIT rely on the order.
align 8
gdt:
        dq 0
        dq 0x00CF9B000000FFFF           ; 0x08 ring 0 code
        dq 0x00CF93000000FFFF           ; 0x10 ring 0 data
        dq 0x00CFFB000000FFFF           ; 0x18 ring 3 code
        dq 0x00CFF3000000FFFF           ; 0x20 ring 3 data
        dq 0x0000890000000067           ; 0x28 task state segment, whose base is filled in
gdt_end:
gdt_pointer:
        dw gdt_end - gdt - 1
        dd gdt
idt_pointer:
        dw 8*0x82 - 1
        dd idt

section .bss
align 16
idt:            resb 8*0x82
task_state:     resb 104
has_sysenter:   resd 1
                resb 4096
system_call_stack_top:
                resb 4096
boot_stack_top:
