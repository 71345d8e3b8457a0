; The global descriptor table: flat code and data for ring 0 and ring 3, a task state segment, and three descriptors that
; exist to be refused (see ../faults).
;
; Manual: Intel SDM volume 3, "Segment Descriptors" and "32-Bit Task-State Segment (TSS)".

bits 32

global load_gdt
global load_task_register
global task_state

section .text

; void load_gdt(void): loads GDTR and every segment register. Changes EAX and ECX only.
load_gdt:
        lgdt [gdt_pointer]
        mov eax, 0x10
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        jmp 0x08:.reloaded
.reloaded:
        ret

; void load_task_register(unsigned kernel_stack_top): makes ring 3 able to enter ring 0 on the given stack.
load_task_register:
        mov eax, [esp + 4]
        mov [task_state + 4], eax       ; ESP0
        mov dword [task_state + 8], 0x10 ; SS0
        mov word [task_state + 102], 104 ; no I/O permission bitmap inside the limit: ring 3 may use no port
        mov eax, task_state
        mov [gdt + 0x28 + 2], ax
        shr eax, 16
        mov [gdt + 0x28 + 4], al
        mov [gdt + 0x28 + 7], ah
        mov byte [gdt + 0x28 + 5], 0x89 ; present, available 32-bit TSS
        mov eax, 0x28
        ltr ax
        xor eax, eax
        lldt ax                         ; no local descriptors
        ret

section .data
align 8
gdt:
        dq 0
        dq 0x00CF9A000000FFFF           ; 0x08 ring 0 code
        dq 0x00CF92000000FFFF           ; 0x10 ring 0 data
        dq 0x00CFFA000000FFFF           ; 0x18 ring 3 code
        dq 0x00CFF2000000FFFF           ; 0x20 ring 3 data
        dq 0x0000000000000067           ; 0x28 task state segment, filled in by load_task_register
        dq 0x00CF12000000FFFF           ; 0x30 ring 0 data, not present
        dq 0x00CF1A000000FFFF           ; 0x38 ring 0 code, not present
gdt_end:
gdt_pointer:
        dw gdt_end - gdt - 1
        dd gdt

section .bss
align 16
task_state:
        resb 104
