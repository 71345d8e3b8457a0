; Stack instructions whose order of effects matters. Each routine returns one number in EAX, built from what it saw.
;
; Manual: Intel SDM volume 2, PUSH, POP, PUSHA, POPA, ENTER, LEAVE, CALL and RET.

bits 32

global stack_push_esp
global stack_pop_esp
global stack_pop_memory
global stack_push_memory
global stack_words
global stack_pushad
global stack_pusha
global stack_enter
global stack_enter_nested
global stack_calls
global stack_segments

section .text

; PUSH ESP stores the value from before the push.
stack_push_esp:
        mov ecx, esp
        push esp
        pop eax
        sub eax, ecx
        ret

; POP ESP takes the value read, not the incremented pointer.
stack_pop_esp:
        mov ecx, esp
        lea edx, [esp - 64]
        push edx
        pop esp
        mov eax, esp
        mov esp, ecx
        sub eax, ecx
        ret

; POP [ESP + n] computes its address after ESP was incremented.
stack_pop_memory:
        push dword 0x11
        push dword 0x22
        push dword 0x33
        pop dword [esp + 4]
        pop eax                         ; 0x22
        shl eax, 8
        pop ecx                         ; 0x33
        or eax, ecx
        ret

; PUSH [ESP + n] computes its address before ESP is decremented.
stack_push_memory:
        push dword 0x44
        push dword 0x55
        push dword [esp + 4]
        pop eax
        pop ecx
        pop edx
        shl ecx, 8
        or eax, ecx
        ret

; 16-bit pushes move ESP by 2; an immediate byte is sign-extended.
stack_words:
        mov ecx, esp
        push word 0x1234
        push word -2
        mov ax, 0xABCD
        push ax
        push dword -3
        pop edx
        mov eax, ecx
        sub eax, esp                    ; 6
        shl eax, 4
        add edx, eax
        pop ax
        pop bp
        add ax, bp
        pop bp
        add ax, bp
        movzx eax, ax
        xor eax, edx
        xor ebp, ebp
        mov esp, ecx
        ret

; PUSHAD stores ESP from before it; POPAD does not load that ESP.
stack_pushad:
        push ebx
        push ebp
        push esi
        push edi
        mov eax, 1
        mov ecx, 2
        mov edx, 3
        mov ebx, 4
        mov ebp, 6
        mov esi, 7
        mov edi, 8
        lea edi, [esp]
        pushad
        sub edi, [esp + 12]             ; 0
        mov dword [esp + 12], 0xDEAD    ; ignored
        add dword [esp + 28], 0x100     ; EAX
        rol dword [esp + 16], 12        ; EBX
        popad
        mov edi, 8
        lea eax, [eax + ecx*2]
        lea eax, [eax + edx*4]
        xor eax, ebx
        shl esi, 16
        xor eax, esi
        xor eax, ebp
        pop edi
        pop esi
        pop ebp
        pop ebx
        ret

; The 16-bit forms leave the upper halves alone.
stack_pusha:
        push ebx
        push ebp
        push esi
        push edi
        mov eax, 0x10001
        mov ebx, 0x40004
        mov esi, 0x70007
        mov edi, 0x80008
        mov ecx, esp
        o16 pusha
        sub ecx, esp                    ; 16
        mov ebx, -1
        mov esi, -1
        add word [esp + 14], 0x20       ; AX
        mov edx, ecx
        o16 popa
        add eax, ebx
        xor eax, esi
        lea eax, [eax + edi]
        pop edi
        pop esi
        pop ebp
        pop ebx
        ret

stack_enter:
        push ebp
        mov ebp, 0x1000
        mov ecx, esp
        enter 24, 0
        mov eax, ecx
        sub eax, esp                    ; 4 + 24
        mov edx, ecx
        sub edx, ebp                    ; 4
        shl edx, 8
        or eax, edx
        leave
        sub ecx, esp
        add eax, ecx                    ; 0
        add eax, ebp                    ; 0x1000
        pop ebp
        ret

; Nested levels copy the display of the frame before.
stack_enter_nested:
        push ebp
        push ebx
        mov ebx, esp
        enter 8, 1
        enter 4, 2
        enter 12, 3
        xor eax, eax
        mov ecx, ebx
        sub ecx, esp
        mov eax, ecx                    ; bytes used by the three frames
        mov ecx, ebx
        sub ecx, [ebp - 4]              ; frame pointer of level 1
        shl ecx, 8
        or eax, ecx
        mov ecx, ebx
        sub ecx, [ebp - 8]              ; of level 2
        shl ecx, 16
        or eax, ecx
        mov ecx, ebx
        sub ecx, [ebp - 12]             ; of level 3, its own
        shl ecx, 24
        or eax, ecx
        leave
        leave
        leave
        sub ebx, esp
        add eax, ebx                    ; 0
        pop ebx
        pop ebp
        ret

; CALL through a register, through memory, far, and RET that removes arguments.
stack_calls:
        push ebx
        mov ebx, esp
        xor eax, eax
        mov ecx, .add_argument
        push dword 3
        call ecx
        push dword 40
        call [.pointer]
        push dword 500
        mov edx, 2
        call [.table + edx*4]
        call 0x08:.far
        push cs
        push dword .after
        push dword 0x08
        push dword .far
        retf
.after:
        sub ebx, esp
        shl ebx, 24
        add eax, ebx
        pop ebx
        ret
.add_argument:
        add eax, [esp + 4]
        ret 4
.far:
        add eax, 0x10000
        retf
align 4
.pointer: dd .add_argument
.table: dd 0, 0, .add_argument

; Segment registers on the stack: 32-bit pushes, and MOV to a register of either size.
stack_segments:
        push ds
        pop eax
        movzx eax, ax
        mov ecx, 0x55550000
        mov cx, cs
        shl eax, 8
        add eax, ecx
        mov edx, -1
        mov edx, ss
        add eax, edx
        push word 0x10
        pop word [.word]
        push es
        mov es, [.word]
        pop es
        add ax, [.word]
        les ecx, [.pointer]
        add eax, ecx
        lds ecx, [.pointer]
        add eax, ecx
        ret
align 4
.pointer: dd 0x1000000
        dw 0x10
.word:  dw 0
