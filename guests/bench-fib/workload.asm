; fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2), with the stack frame a C compiler makes: calls, returns, pushes, pops.

bits 32
global workload

section .text
workload:
        push ebx
        push esi
        mov esi, [esp + 12]             ; rounds
        xor ebx, ebx                    ; checksum
        test esi, esi
        jz .done
.round:
        push dword 32
        call fib
        add esp, 4
        rol ebx, 7
        add ebx, eax
        dec esi
        jnz .round
.done:
        mov eax, ebx
        pop esi
        pop ebx
        ret

align 16
fib:
        push ebp
        mov ebp, esp
        push ebx
        mov eax, [ebp + 8]
        cmp eax, 2
        jb .base
        dec eax
        push eax
        call fib
        mov ebx, eax
        mov eax, [ebp + 8]
        sub eax, 2
        push eax
        call fib
        add eax, ebx
        add esp, 8
.base:
        pop ebx
        pop ebp
        ret
