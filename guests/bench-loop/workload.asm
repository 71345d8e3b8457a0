; Register instructions only, ten an iteration: every result feeds a later one, so nothing can be left out.

bits 32
global workload

ITERATIONS equ 100000                   ; per round

section .text
workload:
        push ebx
        push esi
        push edi
        push ebp
        mov ebp, [esp + 20]             ; rounds
        mov eax, 0x12345678
        mov ebx, 0x9E3779B9
        mov edx, 1
        xor esi, esi
        test ebp, ebp
        jz .done
.round:
        mov ecx, ITERATIONS
.iteration:
        add eax, ebx
        rol eax, 5
        xor edx, eax
        lea esi, [esi + edx*4 + 7]
        sub ebx, esi
        mov edi, edx
        shr edi, 3
        xor eax, edi
        dec ecx
        jnz .iteration
        dec ebp
        jnz .round
.done:
        xor eax, ebx
        xor eax, edx
        xor eax, esi
        pop ebp
        pop edi
        pop esi
        pop ebx
        ret
