; One byte a number below 2^20, 1 where a factor was found. The checksum folds the number and the sum of the primes of
; each round.

bits 32
global workload

LIMIT equ 1 << 20

section .text
workload:
        push ebx
        push esi
        push edi
        push ebp
        mov ebp, [esp + 20]             ; rounds
        xor ebx, ebx                    ; checksum
        test ebp, ebp
        jz .done
.round:
        mov ecx, LIMIT / 4              ; clear, four numbers at a time
        mov edi, sieve
.clear:
        mov dword [edi], 0
        add edi, 4
        dec ecx
        jnz .clear

        mov esi, 2
.candidate:
        cmp byte [sieve + esi], 0
        jne .next
        mov edi, esi
        imul edi, esi
.strike:
        mov byte [sieve + edi], 1
        add edi, esi
        cmp edi, LIMIT
        jb .strike
.next:
        inc esi
        cmp esi, 1024                   ; square root of LIMIT
        jb .candidate

        mov esi, 2
        xor eax, eax                    ; count
        xor edx, edx                    ; sum
.count:
        cmp byte [sieve + esi], 0
        jne .composite
        inc eax
        add edx, esi
.composite:
        inc esi
        cmp esi, LIMIT
        jb .count

        rol ebx, 7
        add ebx, eax
        xor ebx, edx
        dec ebp
        jnz .round
.done:
        mov eax, ebx
        pop ebp
        pop edi
        pop esi
        pop ebx
        ret

section .bss
align 4096
sieve:  resb LIMIT
