/**
 * Fast system calls, what a program may know of a selector, stack frames, canonical addresses and ports in 64-bit and
 * compatibility mode, as cells. What each gives is by the pages of the SDM's volume 2 on each; of AMD's parts by the AMD64
 * Architecture Programmer's Manual Vol. 3.
 */
import { compat, type LongCell, longCell as one, user } from "./long-cell-image.js";

const userCompat = { cpl: 3, bits: 32 } as const;
const IF_DF_AC = 0x40600;

const returned = (to: string, flags = "0x202"): string => `  mov rcx, ${to}\n  mov r11, ${flags}\n`;
const exited = (to: string): string => `  mov rdx, ${to}\n  mov rcx, user_stack + 0x80\n`;

const fastCalls: readonly LongCell[] = [
  one("SYSCALL from CPL 3", "syscall", "#UD at target", { ...user, rflags: IF_DF_AC }),
  one("SYSCALL from CPL 0", "syscall", "#UD at target"),
  one(
    "SYSCALL from the upper half",
    "  mov rax, .above - 0x80000000\n  jmp rax\n.above:\n.at:\n  syscall",
    "#UD at target",
  ),
  one("SYSCALL with another mask", "syscall", "#UD at target", {
    ...user,
    rflags: 0xed5,
    prepare: "  write_msr 0xc0000084, 0x8d5",
    differs: ["rflags"],
  }),
  one("SYSCALL with the selectors of IA32_STAR", "syscall", "#UD at target", {
    ...user,
    prepare: "  write_msr 0xc0000081, 0x5b004b00000000",
  }),
  one("SYSCALL that is off", "syscall", "#UD", { prepare: "  write_msr 0xc0000080, 0xd00" }),
  one("SYSCALL in compatibility mode", "syscall", "#UD", { ...userCompat, qemu: "differs" }),
  one("SYSRETQ", `${returned(".end")}.at:\n  o64 sysret`, "runs"),
  one("SYSRETQ with all flags", `${returned(".end", "-1 - 0x100")}.at:\n  o64 sysret`, "runs", {
    differs: ["rflags", "handlerFlags"],
  }),
  one("SYSRETQ to the upper half", `${returned(".end - 0x80000000")}.at:\n  o64 sysret`, "#UD at end above"),
  one("SYSRETQ to an address that is not canonical", `${returned("0x800000000000")}.at:\n  o64 sysret`, "#GP(0)", {
    qemu: "differs",
  }),
  one("SYSRETD to compatibility mode", `${returned(".end + 0x7700000000")}.at:\n  sysret`, "runs"),
  one("SYSRET at CPL 3", `${returned(".end")}.at:\n  o64 sysret`, "#GP(0)", user),
  one("SYSRET that is off", "o64 sysret", "#UD", { prepare: "  write_msr 0xc0000080, 0xd00" }),
  one("SYSRET in compatibility mode", "db 0x0f, 0x07", "#UD", { ...compat, qemu: "differs" }),
  one("SYSENTER from CPL 3", "sysenter", "#UD at target", { ...user, rflags: IF_DF_AC }),
  one("SYSENTER from compatibility mode", "sysenter", "#UD at target", userCompat),
  one("SYSENTER with addresses of the upper half", "sysenter", "#UD at target above", {
    ...user,
    prepare: "  write_msr 0x175, inner_stack - 0x80000000\n  write_msr 0x176, target - 0x80000000",
  }),
  one("SYSENTER without a selector", "sysenter", "#GP(0)", {
    ...user,
    prepare: "  write_msr 0x174, 3",
    qemu: "differs",
  }),
  one("SYSEXIT to compatibility mode", `${exited(".end")}.at:\n  sysexit`, "runs"),
  one("SYSEXIT to 64-bit code", `${exited(".end")}.at:\n  o64 sysexit`, "runs"),
  one("SYSEXIT to an address that is not canonical", `${exited("0x800000000000")}.at:\n  o64 sysexit`, "#GP(0)", {
    qemu: "differs",
  }),
  one("SYSEXIT at CPL 3", "sysexit", "#GP(0)", user),
  one("SYSEXIT from compatibility mode", "  mov edx, .end\n  mov ecx, user_stack\n.at:\n  sysexit", "runs", compat),
  one("SWAPGS", "  write_msr 0xc0000101, -0x1234000\n.at:\n  swapgs", "runs"),
  one("SWAPGS twice", "swapgs\n  swapgs", "runs"),
  one("SWAPGS at CPL 3", "swapgs", "#GP(0)", user),
  one("SWAPGS in compatibility mode", "db 0x0f, 0x01, 0xf8", "#UD", compat),
  one("RDFSBASE without CR4.FSGSBASE", "db 0xf3, 0x0f, 0xae, 0xc0", "#UD"),
];

const known: readonly LongCell[] = [
  ...[
    "code0",
    "data3",
    "conforming",
    "based",
    "small",
    "task",
    "task2",
    "ldt_selector",
    "absent_data",
    "0x1230",
    "3",
  ].flatMap((selector) => [
    // Bits 16 to 19 are undefined.
    one(
      `LAR of ${selector}`,
      `  mov eax, ${selector}\n.at:\n  o64 lar rbx, ax\n  pushfq\n  and rbx, -1 - 0xf0000\n  popfq`,
      "runs",
    ),
    one(`LSL of ${selector}`, `  mov eax, ${selector}\n.at:\n  o64 lsl rbx, ax`, "runs"),
    one(`VERR of ${selector} at CPL 3`, `  mov eax, ${selector}\n.at:\n  verr ax`, "runs", user),
    one(`VERW of ${selector}`, `  mov eax, ${selector}\n.at:\n  verw ax`, "runs"),
  ]),
  // QEMU takes the 16-bit types for what they are outside of long mode.
  ...[1, 3, 4, 5, 6, 7, 12, 14, 15].flatMap((type) => [
    one(`LAR of system type ${type}`, "  mov eax, spare\n.at:\n  lar ebx, ax", "runs", {
      prepare: `  mov byte [gdt + spare + 5], ${0x80 | type}`,
      differs: type < 6 ? ["rflags", "rbx"] : [],
    }),
    one(`LSL of system type ${type}`, "  mov eax, spare\n.at:\n  lsl ebx, ax", "runs", {
      prepare: `  mov byte [gdt + spare + 5], ${0x80 | type}`,
      differs: type < 6 ? ["rflags", "rbx"] : [],
    }),
  ]),
  one("LAR into 16 bits keeps the rest", "  mov eax, data3\n.at:\n  lar bx, ax", "runs"),
  one("LSL into 32 bits clears the rest", "  mov eax, data3\n.at:\n  lsl ebx, ax", "runs"),
  one("MOVSXD stands where ARPL was", "  mov ebx, 0x80000000\n.at:\n  movsxd rax, ebx", "runs"),
];

const frames: readonly LongCell[] = [
  one("ENTER", "enter 0x20, 0\n  note_stack", "runs"),
  one(
    "ENTER with two levels",
    "  mov rbp, rsp\n  push qword 0x1111\n  push qword 0x2222\n.at:\n  enter 0x10, 2\n  note_stack",
    "runs",
  ),
  one(
    "ENTER with four levels",
    "  lea rbp, [rsp - 8]\n  push qword 0x1111\n  push qword 0x2222\n  push qword 0x3333\n.at:\n  enter 0, 4\n  note_stack",
    "runs",
  ),
  one("ENTER of 16 bits", "  mov rbp, 0x123456789abc\n.at:\n  db 0x66\n  enter 8, 0\n  note_stack", "runs"),
  one("ENTER where there is no page", "  mov rsp, 0x700000001000\n.at:\n  enter 0, 0", "#PF(0x2)", {
    prepare: "  gate 14, 0x8e, 1, code0",
  }),
  one("LEAVE", "  mov rbp, rsp\n  sub rbp, 0x40\n.at:\n  leave", "runs"),
  one("PUSHFQ", "pushfq\n  note_stack", "runs", { rflags: 0x40cd5 }),
  one("PUSHF of 16 bits", "db 0x66\n  pushf\n  note_stack", "runs", { rflags: 0x40cd5 }),
  one("POPFQ", "  mov rax, -1 - 0x100\n  push rax\n.at:\n  popfq", "runs"),
  one("POPFQ at CPL 3", "  mov rax, -1 - 0x100\n  push rax\n.at:\n  popfq", "runs", user),
  one("POPF of 16 bits", "  push qword 0xed5\n.at:\n  db 0x66\n  popf", "runs"),
  one("CLI at CPL 3", "cli", "#GP(0)", user),
  one("STI with IOPL 3", "sti", "runs", { ...user, iopl: 3 }),
  one("PUSH from a stack that is not canonical", "  mov rsp, 0x800000000008\n.at:\n  push rax", "#SS(0)", {
    prepare: "  gate 12, 0x8e, 1, code0",
    qemu: "differs",
  }),
  one("POP FS from a stack that is not canonical", "  mov rsp, 0x800000000000\n.at:\n  pop fs", "#SS(0)", {
    prepare: "  gate 12, 0x8e, 1, code0",
    qemu: "differs",
  }),
];

const addresses: readonly LongCell[] = [
  one("a load that is not canonical", "  mov rbx, 0x800000000000\n.at:\n  mov rax, [rbx]", "#GP(0)"),
  one("a store that is not canonical", "  mov rbx, 0xffff7fffffffffff\n.at:\n  mov [rbx], al", "#GP(0)"),
  one(
    "a load that crosses the end of canonical addresses",
    "  mov rbx, 0x7fffffffffff\n.at:\n  mov rax, [rbx]",
    "#GP(0)",
    { qemu: "differs" },
  ),
  one("a load through RBP that is not canonical", "  mov rbp, 0x800000000000\n.at:\n  mov rax, [rbp]", "#SS(0)", {
    qemu: "differs",
  }),
  one("a jump that is not canonical", "  mov rax, 0x800000000000\n.at:\n  jmp rax", "#GP(0)", { qemu: "differs" }),
  one("a call that is not canonical", "  mov rax, 0x800000000000\n.at:\n  call rax", "#GP(0)", { qemu: "differs" }),
  one("a return that is not canonical", "  mov rax, 0x800000000000\n  push rax\n.at:\n  ret", "#GP(0)", {
    qemu: "differs",
  }),
  one("SGDT that is not canonical", "  mov rbx, 0x800000000000\n.at:\n  sgdt [rbx]", "#GP(0)"),
  one("LLDT of a selector relative to RIP", "  mov word [data], ldt_selector\n.at:\n  lldt [rel data]", "runs"),
  one("an address of 32 bits", "  mov rbx, 0x7700000000 | data\n.at:\n  lldt [ebx]", "runs"),
  one(
    "an address of base, index and displacement",
    "  mov rbx, data + 0x1000\n  mov rcx, -0x400\n  mov word [data], ldt_selector\n.at:\n  lldt [rbx + 4 * rcx]",
    "runs",
  ),
  one(
    "an address of R12 and R13",
    "  mov r12, data\n  mov r13, 8\n  mov word [data + 17], ldt_selector\n.at:\n  lldt [r12 + 2 * r13 + 1]",
    "runs",
  ),
  one(
    "an address that wraps around 2^64",
    "  mov rbx, 0x8000000000000000\n  mov rcx, 0x8000000000000000 + data\n  mov word [data], ldt_selector\n.at:\n  lldt [rbx + rcx]",
    "runs",
  ),
  one("INVLPG of what is not canonical", "  mov rbx, 0x800000000000\n.at:\n  invlpg [rbx]", "runs"),
  one("INVLPG at CPL 3", "invlpg [data]", "#GP(0)", user),
  one("CLFLUSH at CPL 3", "clflush [data]", "runs", user),
  one("CLFLUSH of what is not canonical", "  mov rbx, 0x800000000000\n.at:\n  clflush [rbx]", "#GP(0)", {
    qemu: "runs",
  }),
  one(
    "CMPXCHG16B that is equal",
    "  mov rax, 0x1122334455667788\n  mov [data], rax\n  mov rdx, 0x99aabbccddeeff00\n  mov [data + 8], rdx\n.at:\n  lock cmpxchg16b [data]\n  mov r8, [data]\n  mov r9, [data + 8]",
    "runs",
  ),
  one(
    "CMPXCHG16B that is not equal",
    "  mov qword [data + 8], -7\n.at:\n  cmpxchg16b [data]\n  mov r8, [data]\n  mov r9, [data + 8]",
    "runs",
  ),
  one("CMPXCHG16B that is not aligned", "cmpxchg16b [data + 8]", "#GP(0)"),
  one("CMPXCHG8B clears the upper halves", "cmpxchg8b [data]\n  mov r8, [data]", "runs"),
  one(
    "CPUID clears the upper halves",
    "  mov eax, 0x8fffffff\n  cpuid\n  shr rax, 32\n  shr rbx, 32\n  shr rcx, 32\n  shr rdx, 32\n.at:\n  nop",
    "runs",
  ),
];

const ports: readonly LongCell[] = [
  one("IN of a port that the bitmap allows", "in al, 0x80\n  xor eax, eax", "runs", user),
  one("IN of a port that the bitmap denies", "in al, 0x70", "#GP(0)", user),
  one("IN beyond the bitmap", "  mov edx, 0x400\n.at:\n  in al, dx", "#GP(0)", user),
  one("IN in compatibility mode", "in al, 0x70", "#GP(0)", userCompat),
  one("IN EAX clears the upper half", "  mov edx, 0xfff0\n.at:\n  in eax, dx", "runs"),
  one("IN AL keeps the rest", "  mov edx, 0xfff0\n.at:\n  in al, dx", "runs"),
  one("OUTSB with 64-bit addresses", "  mov rsi, data\n  mov edx, 0x80\n  mov ecx, 3\n.at:\n  rep outsb", "runs"),
  one(
    "OUTSB downwards, from the upper half",
    "  std\n  mov rsi, data - 0x80000000\n  mov edx, 0x80\n  mov rcx, 2\n.at:\n  rep outsb",
    "runs",
  ),
  one(
    "INSD through RDI",
    "  mov rdi, data\n  mov edx, 0xfff0\n  mov ecx, 2\n.at:\n  rep insd\n  mov rax, [data]",
    "runs",
  ),
  one(
    "INSB with 32-bit addresses",
    "  mov rdi, 0x1100000000 | data\n  mov edx, 0xfff0\n  mov ecx, 2\n.at:\n  a32 rep insb\n  mov rax, [data]",
    "runs",
  ),
  one("HLT at CPL 3", "hlt", "#GP(0)", user),
  one("INVD at CPL 3", "invd", "#GP(0)", user),
  one("WBINVD", "wbinvd", "runs"),
  one("RDPMC at CPL 3", "rdpmc", "#GP(0)", user),
];

export const longInstructionCells: readonly LongCell[] = [...fastCalls, ...known, ...frames, ...addresses, ...ports];

/** What is another on parts of AMD. */
export const amdCells: readonly LongCell[] = [
  one("SYSENTER in 64-bit code", "sysenter", "#UD", user),
  one("SYSEXIT in 64-bit code", "sysexit", "#UD"),
  one("SYSENTER in compatibility mode", "sysenter", "#UD", { ...userCompat, qemu: "differs" }),
  one("SYSCALL in compatibility mode", "syscall", "#UD at target32", userCompat),
  one("SYSCALL in 64-bit code", "syscall", "#UD at target", user),
  one("SYSRETQ", `${returned(".end")}.at:\n  o64 sysret`, "runs"),
  one("SYSRETD", `${returned(".end")}.at:\n  sysret`, "runs"),
  one(
    "SYSRETD leaves the attributes of SS",
    `  xor eax, eax\n  mov ss, eax\n${returned(".at")}  sysret\nbits 32\n.at:\n  mov eax, [ss:data]`,
    "#SS(0)",
    { qemu: "differs" },
  ),
  one(
    "SYSRETQ to an address that is not canonical faults behind",
    `${returned("0x800000000000")}.at:\n  o64 sysret`,
    "#GP(0) at 0x800000000000",
  ),
  one(
    "a null selector leaves the base of FS",
    `  write_msr 0xc0000100, 0x123456789abc\n  xor eax, eax\n.at:\n  mov fs, eax`,
    "runs",
    { differs: ["fsBase"] },
  ),
  one(
    "a null selector leaves the base of GS",
    `  write_msr 0xc0000101, 0x123456789abc\n  mov eax, 1\n.at:\n  mov gs, eax`,
    "runs",
    { differs: ["gsBase"] },
  ),
  one("JMP m16:64 is JMP m16:32", "  pointer32 code0, .end\n.at:\n  jump_far64", "runs", { qemu: "differs" }),
  one("HWCR is there", "  mov ecx, 0xc0010015\n.at:\n  rdmsr\n  xor eax, eax", "runs"),
  one("RDTSCP", "  write_msr 0xc0000103, 0x1234\n.at:\n  rdtscp\n  xor eax, eax\n  xor edx, edx", "runs"),
  one("a page of 1 GiB", "  mov rax, [data]", "runs", {
    prepare: "  mov qword [0x211000], 0x87\n  mov rax, cr3\n  mov cr3, rax",
  }),
];

const umip = { prepare: "  mov rax, 0x820\n  mov cr4, rax" } as const;
const fsgsbase = { prepare: "  mov rax, 0x10020\n  mov cr4, rax" } as const;

/** What the newest parts have, and `max`. */
export const newCells: readonly LongCell[] = [
  ...["sgdt [data]", "sidt [data]", "sldt eax", "str eax", "smsw eax"].flatMap((text) => [
    one(`UMIP: ${text} at CPL 3`, text, "#GP(0)", { ...user, ...umip }),
    one(`UMIP: ${text} at CPL 1`, text, "#GP(0)", { cpl: 1, ...umip }),
    one(`UMIP: ${text} at CPL 0`, text, "runs", umip),
    one(`UMIP: ${text} in compatibility mode`, text, "#GP(0)", { ...userCompat, ...umip }),
  ]),
  one("CLAC", "clac", "runs", { rflags: 0x40000 }),
  one("STAC", "stac", "runs"),
  one("STAC at CPL 3", "stac", "#UD", user),
  one("CLAC at CPL 1", "clac", "#UD", { cpl: 1 }),
  one("STAC with a prefix", "db 0x66, 0x0f, 0x01, 0xcb", "#UD", { qemu: "runs" }),
  one("RDFSBASE", "  write_msr 0xc0000100, -0x123456789000\n.at:\n  rdfsbase rax\n  rdfsbase ebx", "runs", fsgsbase),
  one("WRGSBASE at CPL 3", "  mov rax, -0x123456789000\n.at:\n  wrgsbase rax\n  rdgsbase r9", "runs", {
    ...user,
    ...fsgsbase,
  }),
  one("WRFSBASE of 32 bits", "  mov rax, -1\n.at:\n  wrfsbase eax", "runs", fsgsbase),
  one("WRFSBASE that is not canonical", "  mov rax, 0x800000000000\n.at:\n  wrfsbase rax", "#GP(0)", {
    ...fsgsbase,
    qemu: "differs",
  }),
  one("RDGSBASE without CR4.FSGSBASE", "rdgsbase rax", "#UD"),
  one("RDFSBASE in compatibility mode", "db 0xf3, 0x0f, 0xae, 0xc0", "#UD", { ...compat, ...fsgsbase }),
  one("RDTSCP at CPL 3", "rdtscp\n  xor eax, eax\n  xor edx, edx", "runs", {
    ...user,
    prepare: "  write_msr 0xc0000103, 0x89abcdef",
  }),
  one("RDTSCP at CPL 3 with CR4.TSD", "rdtscp", "#GP(0)", { ...user, prepare: "  mov rax, 0x24\n  mov cr4, rax" }),
  one("RDPID", "db 0xf3, 0x0f, 0xc7, 0xf8", "runs", {
    ...user,
    qemu: "#UD",
    prepare: "  write_msr 0xc0000103, 0x89abcdef",
  }),
  one("IA32_TSC_AUX above 32 bits", "  mov ecx, 0xc0000103\n  xor eax, eax\n  mov edx, 1\n.at:\n  wrmsr", "#GP(0)", {
    qemu: "runs",
  }),
  one("RDRAND sets CF alone", "rdrand rax\n  xchg rax, rbx\n  pushfq\n  pop rax\n  xor ebx, ebx", "runs"),
  one("RDRAND of 16 bits keeps the rest", "db 0x66\n  rdrand eax\n  xor ax, ax", "runs"),
  one("RDSEED of 32 bits clears the rest", "rdseed ebx\n  xor ebx, ebx", "runs"),
];
