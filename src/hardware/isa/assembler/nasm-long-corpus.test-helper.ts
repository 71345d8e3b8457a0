/** Texts of 64-bit code for the comparison with NASM. */

const lines = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** Statements that stand alone. */
export const longStatements: readonly string[] = lines(`
  mov rax, rbx
  mov r8, r15
  mov r8d, eax
  mov r9w, cx
  mov ah, bl
  mov spl, bl
  mov sil, r15b
  mov dil, [rax]
  mov rax, 0
  mov rax, 5
  mov rax, -1
  mov rax, 0x7fffffff
  mov rax, 0x80000000
  mov rax, 0xffffffff
  mov rax, 0x100000000
  mov rax, 0xffffffff80000000
  mov rax, 0xffffffff7fffffff
  mov r12, 0x123456789abcdef0
  mov rax, strict qword 5
  mov rax, strict dword 5
  mov rax, $
  mov eax, $
  mov qword [rax], 5
  mov qword [rax], -1
  mov qword [rax], $
  mov [r13], r14
  mov [r12], rax
  mov [rsp], rax
  mov [rbp], rax
  mov rax, [r12+r13*8+0x1234]
  mov rax, [r12*2]
  mov rax, [r12*8+1]
  mov rax, [rsp+r12]
  mov rax, [r12+rsp]
  mov rax, [nosplit rax*1]
  mov rax, [rbp*2]
  mov rax, [r13+r13]
  mov rax, [byte rbx+0]
  mov rax, [dword rbx+4]
  mov eax, [eax]
  mov eax, [r8d+r9d*4]
  mov eax, [0x1000]
  mov ebx, [0x1000]
  mov rax, [0x7fffffff]
  mov rax, [0xffffffff80000000]
  mov rax, [qword 0x1122334455667788]
  mov [qword 0x1122334455667788], al
  mov eax, [abs 0x1000]
  mov eax, [rel $]
  mov ebx, [rel $+100]
  mov dword [rel $], 5
  cmp byte [rel $+1], 5
  lea rax, [rel $]
  lea rdi, [rax+rbx*4+8]
  mov rax, [gs:0x28]
  mov rax, [fs:0]
  mov rax, [gs:rbx]
  mov eax, [a32 0x1000]
  mov ebx, [a32 0x1000]
  movabs_is_no_name: nop
  push rax
  push r15
  push 5
  push -1
  push 0x12345678
  push qword [rax]
  push word [rax]
  push ax
  push $
  pop r8
  pop qword [rsp+8]
  push fs
  pop gs
  add rax, 5
  add rax, 127
  add rax, 128
  add rax, -128
  add rax, 0xffffffffffffffff
  add rax, 0x12345678
  add rbx, 0x12345678
  add qword [rax], 5
  add [rax], r9
  add eax, 0xffffffff
  test r8, r9
  test rax, 0x1000
  test byte [r8], 1
  xchg rax, r8
  xchg r8, rax
  xchg eax, eax
  xchg rax, rax
  xchg ax, ax
  xchg r8d, eax
  inc rax
  dec r8d
  inc byte [r9]
  imul rax, rbx, 5
  imul r8, [r9], 500
  shl rax, 1
  shr r9, cl
  sar qword [rax], 63
  shld rax, rbx, 5
  bt rax, 63
  bts qword [rax], 5
  bsf r8, r9
  movzx eax, r8b
  movzx rax, byte [rbx]
  movzx r8, ax
  movsx rax, word [rbx]
  movsxd rax, ecx
  movsxd r8, dword [rax]
  cbw
  cwde
  cdqe
  cwd
  cdq
  cqo
  movsq
  rep movsq
  rep stosq
  lodsq
  scasq
  cmpsq
  a32 movsb
  rep stosb
  gs lodsb
  call rax
  call r8
  call [rax]
  call qword [r9]
  jmp rax
  jmp [rel $]
  jmp far [rax]
  jmp far qword [rax]
  jmp far dword [rax]
  call far word [rax]
  call $
  jmp $
  jne $+1000
  jrcxz $
  jecxz $
  loop $
  loop $, ecx
  loop $, rcx
  ret
  ret 8
  retq
  retf
  o64 retf
  iret
  iretd
  iretq
  pushf
  pushfq
  popf
  popfq
  pushfw
  leave
  enter 16, 0
  syscall
  sysret
  o64 sysret
  sysenter
  sysexit
  swapgs
  rdfsbase rax
  wrgsbase r8d
  cmpxchg8b [rax]
  cmpxchg16b [rax]
  lock cmpxchg16b [r8]
  cmpxchg16b oword [rax]
  lock cmpxchg [rdi], r8
  lock xadd [rdi], rax
  bswap rax
  bswap r9d
  mov cr0, rax
  mov cr8, rax
  mov rax, cr3
  mov r8, cr4
  mov dr7, rax
  mov rax, ds
  mov eax, ds
  mov ds, rax
  mov [rax], ds
  lgdt [rax]
  lidt [rel $]
  sgdt [r8]
  invlpg [r8]
  ltr ax
  lldt [rax]
  str rax
  sldt r8d
  smsw rax
  lar rax, bx
  lsl r8d, r9d
  in eax, dx
  out dx, al
  insd
  outsb
  int 0x80
  int3
  hlt
  nop
  o16 nop
  nop dword [rax+rax]
  nop word [rax]
  pause
  sete r8b
  sete spl
  cmovne r8, r9
  cpuid
  rdtsc
  fxsave [rax]
  fxsave64 [rax]
  fxrstor64 [r8]
  fld qword [r8]
  fstp tword [rsp]
  movd xmm0, eax
  movq xmm8, rax
  movq rax, xmm15
  movq mm0, r8
  movaps xmm8, xmm9
  movaps xmm0, [r8+r9]
  movdqu [rel $], xmm15
  pxor xmm10, xmm10
  cvtsi2sd xmm0, rax
  cvtsi2sd xmm8, dword [rax]
  cvtsi2sd xmm8, qword [rax]
  cvttsd2si rax, xmm1
  cvttsd2si r8d, xmm9
  pextrq rax, xmm0, 1
  pinsrq xmm8, [rax], 1
  pinsrd xmm0, eax, 1
  movnti [rax], rbx
  crc32 rax, bl
  crc32 rax, qword [rbx]
  popcnt r8, r9
  pshufb xmm8, [rax]
  rdrand rax
  prefetchnta [r8]
  dq $, -1
`);

/** Programs in which statements depend on each other. */
export const longPrograms: readonly string[] = [
  "default rel\nstart: mov rax, [value]\nlea rbx, [value]\nmov eax, [abs value]\nmov rcx, [gs:8]\njmp start\nvalue: dq value",
  "bits 16\nmov eax, cr0\njmp dword 8:next\nbits 32\nnext: mov eax, 1\njmp 8:there\nbits 64\nthere: mov rax, 1\nmov rsp, there",
  ...[125, 126, 127, 128, 129].map((count) => `a: jmp b\n jz b\n jrcxz c\nc: times ${count} nop\nb: jmp a\n jz a`),
  "mov rax, x\nmov rax, [rbx+x]\nadd rax, x\npush x\nx equ 5\nmov rcx, y\ny equ 0x123456789",
  "org 0x100000\na: lea rsi, [rel b]\nmov rdi, b\nmov edi, b\nmov qword [rdi], b\npush b\nadd rdi, b\nb: dq b-a",
];
