/** Texts for the comparison with NASM. None of them means different things to different versions of NASM. */

const lines = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** Statements that stand alone, in code of either size. */
export const statements: readonly string[] = lines(`
  finit
  fstcw [eax]
  fstsw ax
  fsave [fs:eax]
  fadd dword [eax]
  fadd st3
  fmul st3
  fsub st3
  fsubr st3
  fdiv st3
  fdivr st3
  fsub st3, st0
  fsubp
  fdivrp st2, st0
  fxch
  fcomi st2
  fld tword [eax]
  fistp qword [eax]
  fldcw [eax]
  fnsave [eax]
  mov eax, ebx
  mov bl, [eax]
  mov [ebx+4], ecx
  mov ax, [bx+si]
  mov cx, [si+bx]
  mov dx, [bp]
  mov dx, [bp+di-1]
  mov ax, [di-128]
  mov ax, [di+128]
  mov ax, [word 4]
  mov ebx, [word 4]
  mov ebx, [dword 4]
  mov eax, [4]
  mov [4], al
  mov al, [fs:1234]
  mov ebx, [byte eax+0]
  mov ebx, [dword eax+4]
  mov bx, [word bx+4]
  mov eax, [eax*1+ebx]
  mov eax, [ebx+eax*1]
  mov eax, [eax*2]
  mov eax, [eax*2+4]
  mov eax, [ebp*2]
  mov eax, [nosplit eax*2]
  mov eax, [nosplit ebp*1]
  mov eax, [nosplit ebp*1+4]
  mov eax, [ebp*1]
  mov eax, [eax+eax]
  mov eax, [ebp+eax]
  mov eax, [eax+ebp]
  mov eax, [eax+esp]
  mov eax, [esp*1+eax]
  mov eax, [esp]
  mov eax, [esp+ebp*8-1]
  mov eax, [eax*3]
  mov eax, [eax*5+1]
  mov eax, [9*ecx]
  mov eax, [eax*4+eax]
  mov eax, [eax*4]
  mov eax, [4*(ecx+2)]
  mov eax, [eax-eax+ebx]
  mov eax, [eax*2+eax*2]
  mov eax, [ebx+127]
  mov eax, [ebx+128]
  mov eax, [ebx-128]
  mov eax, [ebx-129]
  mov ax, [fs:bx]
  mov al, [es:di]
  es mov al, [di]
  mov eax, -1
  mov eax, 0xffffffff
  mov eax, 0xffffffffffffffff
  mov ax, -1
  mov al, 255
  mov byte [bx], -1
  mov word [ebx], 0xffff
  mov dword [ebx], 'abcd'
  mov [eax], word 5
  mov ds, eax
  mov ds, ax
  mov eax, ds
  mov ax, ds
  mov [eax], ds
  mov word [bx], es
  mov es, [bx]
  mov cr0, eax
  mov eax, cr4
  mov eax, dr7
  mov dr0, ebx
  xchg eax, ebx
  xchg ebx, eax
  xchg eax, eax
  xchg ax, ax
  xchg ebx, ecx
  xchg al, bl
  xchg [eax], ebx
  xchg ebx, [eax]
  test ebx, [eax]
  test ebx, ecx
  test al, 5
  test eax, 5
  test byte [ebx], 1
  add eax, 5
  add eax, -128
  add eax, 128
  add ax, 5
  add ax, 0x1234
  add ax, -1
  add ax, 65535
  add eax, 0xffffffff
  add al, 5
  add bl, 5
  add [eax], byte 5
  and [bx], word 5
  add dword [ebx], byte 5
  add eax, strict dword 5
  add ebx, strict dword 5
  add cx, strict word 5
  cmp byte [bx], 255
  cmp al, -1
  inc eax
  inc ax
  inc byte [ebx]
  dec dword [esp]
  imul eax, 5
  imul eax, 500
  imul ax, 5
  imul eax, ebx, -5
  imul eax, [ebx], 5000
  imul ecx, [ebx]
  imul bl
  shl eax, 1
  sal eax, 1
  shl eax, byte 1
  shl dword [eax], cl
  shl dword [eax], 7
  ror byte [bx], 1
  shld eax, ebx, cl
  shrd [bx], ax, 5
  bt eax, 31
  bts [bx], ax
  btc dword [ebx], 3
  bsf eax, [bx]
  movzx eax, word [eax]
  movzx eax, byte [eax]
  movsx ax, bl
  movsx eax, bx
  push eax
  push ax
  push 5
  push -5
  push byte 5
  push word 5
  push word 0xffff
  push 0xffff
  push dword 0xffffffff
  push strict dword 5
  push strict word 5
  push dword [eax]
  push word [bx]
  push fs
  push cs
  pop es
  pop gs
  pop word [bx]
  pop dword [esp+4]
  o16 push ds
  o32 push ds
  pusha
  pushaw
  pushad
  popfd
  popfw
  popf
  cbw
  cwde
  cwd
  cdq
  lahf
  lea eax, [ebx+ecx*8+100]
  lea ax, [bx+di]
  lea eax, [word 5]
  les eax, [ebx]
  lds si, [bx]
  lss esp, [ebx]
  bound eax, [ebx]
  jmp $
  jmp short $
  jmp near $
  jmp dword $
  jmp word $
  jmp $+127
  jmp $+200
  jne $
  jnz near $
  jnae $+1000
  jcxz $
  jecxz $
  loop $
  loop $, cx
  loop $, ecx
  loopz $
  loopne $, ecx
  call $
  call near $+5
  call eax
  call bx
  call [bx]
  call [eax]
  call word [eax]
  call dword [bx]
  jmp [bx]
  jmp eax
  jmp far [eax]
  jmp word far [eax]
  jmp far dword [eax]
  call far [bx]
  jmp 8:5
  jmp word 8:5
  jmp dword 8:5
  call 0x1234:0x5678
  ret
  ret 4
  retn 4
  retw
  retd
  retf
  retf 8
  retfd
  iret
  iretw
  iretd
  int 0x80
  int 3
  int3
  into
  enter 5, 1
  o16 enter 5, 0
  o32 leave
  leave
  rep movsd
  rep movsb
  repe cmpsw
  repne scasb
  a16 rep stosb
  a32 lodsd
  fs lodsb
  es movsw
  xlat
  es xlatb
  insd
  outsw
  in al, 5
  in eax, dx
  out 5, ax
  out dx, eax
  lock inc byte [ebx]
  lock add word [fs:bx], 1
  lock cmpxchg [ebx], ecx
  lock cmpxchg8b [ebx]
  cmpxchg8b qword [ebx]
  xadd al, bl
  bswap edx
  sete al
  setnz byte [eax]
  seto [bx]
  arpl ax, bx
  arpl [eax], bx
  sldt [eax]
  sldt ax
  sldt eax
  str eax
  lldt ax
  ltr [bx]
  smsw eax
  lmsw ax
  verr ax
  verw [bx]
  lar eax, bx
  lar eax, ebx
  lar ax, [bx]
  lsl eax, word [ebx]
  lgdt [eax]
  o16 lidt [bx]
  o32 lgdt [bx]
  sgdt [4]
  invlpg [eax]
  aam
  aam 10
  aad 16
  nop
  o16 nop
  o32 nop
  nop dword [eax]
  nop eax
  pause
  rep ret
  fs nop
  a16 nop
  o16 cli
  wait
  salc
  ud2
  hlt
  wbinvd
  rdtsc
  cpuid
  mov eax, ~0
  mov eax, 7/2*3
  mov eax, -7//2
  mov eax, -7 %% 3
  mov eax, 17 % 5
  mov eax, 1 || 0
  mov eax, 5 <=> 3
  mov eax, -1 < 1
  mov eax, 3 == 3
  mov eax, 1|2^3&4
  mov eax, 1<<3+1
  mov eax, -1>>60
  mov eax, -1>>>60
  mov eax, !5
  mov eax, (2+3)*-4
  mov eax, 1_000
  mov eax, 077o
  mov eax, 77q
  mov eax, 0o77
  mov eax, 1010b
  mov eax, 0b1010
  mov eax, 1010y
  mov eax, 0ffh
  mov eax, $0ff
  mov eax, 0xff
  mov eax, 0hff
  mov eax, 0d10
  mov eax, 10d
  mov ax, "a"
  mov eax, \`\\n\\x41\`
  mov eax, $$
  mov eax, [$-$$]
  mov eax, [ebx+$]
  add eax, $
  push $
  db 'abc', 10, \`\\e\\101\\u00e9\`
  db "a"+1, ("b"), -1, 255
  dw 'abc', 'd', -1, 0x8000
  dd 'ab', 'cdefg', -1
  dq -1, 0x123456789abcdef0, 'ab'
  dw $-$$
  times 3 dw $-$$
  times 3 jmp $
  times 4 loop $
  times 2 mov eax, [ebx+4]
  resb 2
  resw 2
  times 2 resd 1
`);

/** Programs in which statements depend on each other. */
export const programs: readonly string[] = [
  `org 0x7c00
start: xor ax, ax
  mov ds, ax
  mov si, message
.next: lodsb
  test al, al
  jz .done
  mov ah, 0x0e
  int 0x10
  jmp .next
.done: hlt
  jmp .done
message: db "hello", 13, 10, 0
  times 510-($-$$) db 0
  dw 0xaa55`,
  ...[125, 126, 127, 128, 129].map((count) => `a: jmp b\n jz b\n times ${count} nop\nb: jmp a\n jz a\n loop b`),
  // Jumps that grow because others do.
  Array.from({ length: 60 }, (_, index) => `l${index}: jmp l${(index * 37 + 20) % 60}\n times ${index % 7} nop`).join(
    "\n",
  ),
  Array.from(
    { length: 60 },
    (_, index) => `l${index}: jnz l${(index * 17 + 30) % 60}\n align ${1 << (index % 5)}`,
  ).join("\n"),
  "jmp y\nresb 200\ny: jmp y",
  "mov eax, [ebx+x]\nmov eax, [ebx+y]\nadd eax, z\nshl eax, one\nx equ 5\ny equ 0\nz equ x*2\none equ 1",
  "a: dw b-a, c-a\nb: db 1\nc: mov eax, c-a\nadd eax, c-b\nadd eax, c",
  "lgdt [gdtr]\ngdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\ngdtr: dw gdtr-gdt-1\ndd gdt",
  "nop\nalign 8\nnop\nalign 8, db 0\nnop\nalign 16, db 0xcc\nalignb 4\nnop\nalignb 4",
  "bits 16\nmov eax, 1\njmp dword 8:next\nbits 32\nnext: mov ax, 1\n[bits 16]\nmov ax, 1",
  "one: nop\n.x: jmp .x\ntwo: nop\n.x: jmp .x\njmp one.x\nthree equ 5\njmp .x\nfour db 5\nfive dw four",
  "%define COUNT 3\n%define TWICE COUNT*2\nmov eax, TWICE\ntimes COUNT db COUNT ; a comment; and more\ndb ';', \";\" ; ';'",
  "MOV EAX, [Es:Ebx+4*ECX]\nLock Inc Dword [EAX]\nLabel: JMP Label\nlabel: jmp label",
  "x: times 100 db 1\n loop x\n jecxz y\n times 120 db 1\ny: loopnz y",
];
