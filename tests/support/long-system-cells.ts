/**
 * System instructions in 64-bit and compatibility mode, as cells: control, debug and model-specific registers, tables,
 * segments. What each gives is by the pages of the SDM's volume 2 on each, and Vol. 3A, "System Architecture Overview".
 */
import { compat, type LongCell, longCell as one, user } from "./long-cell-image.js";

const controlRegisters: readonly LongCell[] = [
  one("CR0 with a bit above 31", "  mov rax, cr0\n  bts rax, 32\n.at:\n  mov cr0, rax", "#GP(0)", {
    qemu: "runs",
    differs: ["cr0"],
  }),
  one("CR0 without PG in 64-bit code", "  mov rax, cr0\n  btr rax, 31\n.at:\n  mov cr0, rax", "#GP(0)", {
    qemu: "not run",
  }),
  one("CR0 without PE", "  mov rax, cr0\n  btr rax, 0\n.at:\n  mov cr0, rax", "#GP(0)", { qemu: "not run" }),
  one("CR0.WP and CR0.AM", "  mov rax, cr0\n  or rax, 0x50000\n.at:\n  mov cr0, rax\n  mov rbx, cr0", "runs"),
  one("CR4 with a bit above 31", "  mov rax, cr4\n  bts rax, 32\n.at:\n  mov cr4, rax", "#GP(0)", { qemu: "not run" }),
  one("CR4 without PAE", "  mov rax, cr4\n  btr rax, 5\n.at:\n  mov cr4, rax", "#GP(0)", { qemu: "not run" }),
  one("CR4 with a bit that is not there", "  mov rax, cr4\n  bts rax, 30\n.at:\n  mov cr4, rax", "#GP(0)", {
    qemu: "not run",
  }),
  one("CR4.PGE, PSE, DE, TSD", "  mov rax, 0xbc\n.at:\n  mov cr4, rax\n  mov rbx, cr4", "runs"),
  one("CR3 with the same tables", "  mov rax, cr3\n  or rax, 0x18\n.at:\n  mov cr3, rax\n  mov rbx, cr3", "runs"),
  one("CR3 beyond physical addresses", "  mov rax, cr3\n  bts rax, 40\n.at:\n  mov cr3, rax", "#GP(0)", {
    qemu: "not run",
  }),
  one("CR2 of 64 bits", "  mov rax, -0x123456789000\n.at:\n  mov cr2, rax\n  mov rbx, cr2", "runs"),
  one("CR8 reads 0 without a local APIC's priority", ".at:\n  mov rax, cr8", "runs"),
  one("CR8 above 15", "  mov eax, 16\n.at:\n  mov cr8, rax", "#GP(0)", { qemu: "differs" }),
  one("CR8 at CPL 3", "mov rax, cr8", "#GP(0)", user),
  ...[1, 5, 6, 7].map((number) => one(`CR${number}`, `db 0x0f, 0x20, 0x${(0xc0 + 8 * number).toString(16)}`, "#UD")),
  one("CR9", "db 0x44, 0x0f, 0x20, 0xc8", "#UD"),
  one("CR1 at CPL 3", "db 0x0f, 0x20, 0xc8", "#UD", { ...user, qemu: "#GP(0)" }),
  one("CR0 at CPL 3", "mov rax, cr0", "#GP(0)", user),
  one("CR0 in R15", "mov r15, cr0", "runs"),
  one("CR0 in compatibility mode", "mov eax, cr0", "runs", compat),
  one("SMSW of a 64-bit register", ".at:\n  o64 smsw rax", "runs"),
  one("SMSW of a 32-bit register", ".at:\n  smsw ebx", "runs"),
  one("SMSW of memory", "smsw [data]\n  mov rax, [data]", "runs"),
  one("LMSW", "  mov ax, 0xe\n.at:\n  lmsw ax\n  mov rbx, cr0", "runs"),
  one("CLTS at CPL 3", "clts", "#GP(0)", user),
];

const debugRegisters: readonly LongCell[] = [
  one("DR0 of 64 bits", "  mov rax, 0x123456789abc\n.at:\n  mov dr0, rax\n  mov rbx, dr0", "runs"),
  one("DR3 of the upper half", "  mov rax, -0x1000\n.at:\n  mov dr3, rax\n  mov rbx, dr3", "runs"),
  one("DR7 with a bit above 31", "  mov rax, 0x100000400\n.at:\n  mov dr7, rax", "#GP(0)"),
  one("DR6 with a bit above 31", "  mov rax, 0x100000000\n.at:\n  mov dr6, rax", "#GP(0)"),
  one("DR8", "db 0x44, 0x0f, 0x21, 0xc0", "#UD"),
  one("DR7 at CPL 3", "mov rax, dr7", "#GP(0)", user),
  one("DR5 is DR7", "  mov eax, 0x500\n  mov dr7, rax\n.at:\n  db 0x0f, 0x21, 0xe8", "runs"),
];

const read = (address: string): string => `  mov ecx, ${address}\n.at:\n  rdmsr`;
const write = (address: string, value: string): string =>
  `  mov ecx, ${address}\n  mov rax, ${value}\n  mov rdx, rax\n  shr rdx, 32\n.at:\n  wrmsr\n  rdmsr`;

const modelSpecific: readonly LongCell[] = [
  one("EFER is read into zero-extended halves", read("0xc0000080"), "runs"),
  one("EFER with SCE off", write("0xc0000080", "0x500"), "runs"),
  one("EFER with NXE", write("0xc0000080", "0xd01"), "runs"),
  one("EFER without LME while there is paging", write("0xc0000080", "0x401"), "#GP(0)", { qemu: "differs" }),
  one("EFER with a bit that is not there", write("0xc0000080", "0x502"), "#GP(0)", { qemu: "runs", differs: ["rax"] }),
  one("EFER without LMA: let go", write("0xc0000080", "0x101"), "runs"),
  one("LSTAR that is not canonical", write("0xc0000082", "0x800000000000"), "#GP(0)", { qemu: "differs" }),
  one("LSTAR of the upper half", write("0xc0000082", "-0x7f000000"), "runs"),
  one("CSTAR that is not canonical", write("0xc0000083", "0x800000000000"), "#GP(0)", { qemu: "differs" }),
  one("STAR takes all bits", write("0xc0000081", "0x123456789abcdef0"), "runs"),
  one("FS base that is not canonical", write("0xc0000100", "0x800000000000"), "#GP(0)", { qemu: "differs" }),
  one("FS base", write("0xc0000100", "-0x123456789000"), "runs"),
  one("GS base", write("0xc0000101", "0x7fffffffffff"), "runs"),
  one("kernel GS base that is not canonical", write("0xc0000102", "0xffff000000000000"), "#GP(0)", { qemu: "differs" }),
  one("SYSENTER_EIP that is not canonical", write("0x176", "0x800000000000"), "#GP(0)", { qemu: "differs" }),
  one("SYSENTER_ESP", write("0x175", "-0x1000"), "runs"),
  one("a register that is not there", read("0x12345"), "#GP(0)", { qemu: "differs" }),
  one("RDMSR at CPL 3", read("0xc0000080"), "#GP(0)", user),
  one("WRMSR at CPL 3", write("0xc0000100", "0"), "#GP(0)", user),
  one("PAT with a type that is not there", write("0x277", "2"), "#GP(0)", { qemu: "differs" }),
  one("RDTSC clears the upper halves", "  rdtsc\n  xor eax, eax\n  shr rdx, 32\n.at:\n  nop", "runs"),
  one("RDTSC at CPL 3 with CR4.TSD", ".at:\n  rdtsc", "#GP(0)", {
    ...user,
    prepare: "  mov rax, 0x24\n  mov cr4, rax",
  }),
];

const tables: readonly LongCell[] = [
  one(
    "SGDT stores ten bytes",
    "  mov qword [data + 8], -1\n.at:\n  sgdt [data]\n  mov rax, [data]\n  mov rbx, [data + 8]",
    "runs",
  ),
  one("SIDT at CPL 3", "sidt [data]\n  mov rax, [data]\n  mov rbx, [data + 8]", "runs", user),
  one("SGDT with an operand-size prefix", "db 0x66\n  sgdt [data]\n  mov rax, [data]\n  mov rbx, [data + 8]", "runs"),
  one(
    "SGDT in compatibility mode",
    "  mov dword [data + 6], -1\n.at:\n  sgdt [data]\n  mov eax, [data]\n  mov ebx, [data + 4]",
    "runs",
    compat,
  ),
  one(
    "LGDT that is not canonical",
    "  mov rax, 0x800000000000\n  mov [data + 2], rax\n  mov word [data], 0x7f\n.at:\n  lgdt [data]",
    "#GP(0)",
    { qemu: "not run" },
  ),
  one(
    "LGDT of the upper half",
    "  mov rax, gdt - 0x80000000\n  mov [data + 2], rax\n  mov word [data], 0xf7\n.at:\n  lgdt [data]\n  mov eax, data3\n  mov gs, eax\n  sgdt [data + 16]\n  mov rbx, [data + 18]",
    "runs",
  ),
  one(
    "LIDT of the upper half",
    "  mov rax, idt - 0x80000000\n  mov [data + 2], rax\n  mov word [data], 0x3ff\n.at:\n  lidt [data]",
    "runs",
  ),
  one("LIDT at CPL 3", "lidt [data]", "#GP(0)", user),
  one("LLDT of sixteen bytes", "  mov eax, ldt_selector\n.at:\n  lldt ax\n  mov ebx, 0x17\n  mov es, ebx", "runs"),
  one(
    "LLDT of the upper half",
    "  mov dword [gdt + ldt_selector + 8], -1\n  mov byte [gdt + ldt_selector + 7], 0x80\n  mov eax, ldt_selector\n.at:\n  lldt ax\n  mov ebx, 0x17\n  mov es, ebx",
    "runs",
  ),
  one(
    "LLDT of a base that is not canonical",
    "  mov dword [gdt + ldt_selector + 8], 0x8000\n  mov eax, ldt_selector\n.at:\n  lldt ax",
    "#GP(0xa0)",
    { qemu: "differs" },
  ),
  one(
    "LLDT of an upper half with a type",
    "  mov byte [gdt + ldt_selector + 13], 2\n  mov eax, ldt_selector\n.at:\n  lldt ax",
    "#GP(0xa0)",
    { qemu: "differs" },
  ),
  one("LLDT of null", "  xor eax, eax\n.at:\n  lldt ax", "runs"),
  one("LLDT of a TSS", "  mov eax, task\n.at:\n  lldt ax", "#GP(0x90)"),
  one(
    "LLDT whose second half lies beyond the table",
    "  mov byte [gdt + cut + 5], 0x82\n  mov eax, cut\n.at:\n  lldt ax",
    "#GP(0xf0)",
  ),
  one(
    "LLDT not present",
    "  mov byte [gdt + ldt_selector + 5], 2\n  mov eax, ldt_selector\n.at:\n  lldt ax",
    "#NP(0xa0)",
  ),
  one("LTR of sixteen bytes", "  mov eax, task2\n.at:\n  ltr ax\n  mov rbx, [gdt + task2]", "runs"),
  one("LTR of a busy TSS", "  mov eax, task\n.at:\n  ltr ax", "#GP(0x90)"),
  one("LTR of a 16-bit TSS", "  mov byte [gdt + task2 + 5], 0x81\n  mov eax, task2\n.at:\n  ltr ax", "#GP(0xe0)", {
    qemu: "runs",
    differs: ["tr"],
  }),
  one("LTR whose second half lies beyond the table", "  mov eax, cut\n.at:\n  ltr ax", "#GP(0xf0)"),
  one("LTR not present", "  mov byte [gdt + task2 + 5], 9\n  mov eax, task2\n.at:\n  ltr ax", "#NP(0xe0)"),
  one("LTR of null", "  xor eax, eax\n.at:\n  ltr ax", "#GP(0)", { qemu: "runs" }),
  one(
    "LTR of a base that is not canonical",
    "  mov dword [gdt + task2 + 8], 0x8000\n  mov eax, task2\n.at:\n  ltr ax",
    "#GP(0xe0)",
    { qemu: "differs" },
  ),
  one("STR of a 64-bit register", "  mov rax, -1\n.at:\n  o64 str rax", "runs"),
  one("SLDT of a 32-bit register", "  mov rax, -1\n.at:\n  sldt eax", "runs"),
  one("STR of a 16-bit register", "  mov rax, -1\n.at:\n  str ax", "runs"),
  one("STR at CPL 3", "str ax", "runs", user),
];

const load = (name: string, selector: string, ...more: readonly string[]): string =>
  [`  mov eax, ${selector}`, ".at:", `  mov ${name}, eax`, ...more.map((line) => `  ${line}`)].join("\n");

const segments: readonly LongCell[] = [
  one("a null SS at CPL 0", load("ss", "0"), "runs"),
  one("a null SS with an RPL", load("ss", "1"), "#GP(0)", { qemu: "differs" }),
  one("a null SS at CPL 1", load("ss", "1"), "runs", { cpl: 1, differs: ["frame", "handlerSs"] }),
  one("a null SS at CPL 3", load("ss", "3"), "#GP(0)", user),
  one("a null SS in compatibility mode", load("ss", "0"), "#GP(0)", compat),
  one("SS of another level", load("ss", "data3 | 3"), "#GP(0x30)"),
  one("SS that cannot be written", load("ss", "read_only | 3"), "#GP(0x70)", user),
  one("SS not present", load("ss", "absent_data | 3"), "#SS(0x68)", user),
  one("DS of code that cannot be read is refused", load("ds", "both_flags"), "runs"),
  one("DS too privileged", load("ds", "data0"), "#GP(0x10)", user),
  one("DS not present", load("ds", "absent_data | 3"), "#NP(0x68)", user),
  one("DS of a TSS", load("ds", "task"), "#GP(0x90)"),
  one("DS null with an RPL", load("ds", "3"), "runs", user),
  one("CS is not loaded", "db 0x8e, 0xc8", "#UD"),
  one("register 6 is no segment register", "db 0x8e, 0xf0", "#UD"),
  one("FS takes its base from the table", load("fs", "based"), "runs"),
  one("GS takes its base from the table", load("gs", "based"), "runs", user),
  one("FS of null clears its base", `  write_msr 0xc0000100, 0x123456789abc\n${load("fs", "0")}`, "runs"),
  one("GS of null with an RPL clears its base", `  write_msr 0xc0000101, -0x1000\n${load("gs", "2")}`, "runs"),
  one("no limit holds in 64-bit code", load("fs", "small", "mov rax, [fs:0x1ffff8]"), "runs"),
  one("a limit holds in compatibility mode", "  mov eax, small\n  mov fs, eax\n.at:\n  mov eax, [fs:0xfd]", "#GP(0)", {
    ...compat,
    qemu: "runs",
  }),
  one("a base of 64 bits", "  write_msr 0xc0000101, -0x80000000\n.at:\n  mov rax, [gs:data]", "runs"),
  one(
    "base and offset wrap around",
    "  write_msr 0xc0000101, -0x1000\n  mov ebx, data + 0x1000\n.at:\n  mov rax, [gs:rbx]",
    "runs",
  ),
  one(
    "an address that base and offset make not canonical",
    "  write_msr 0xc0000101, 0x7ffffffff000\n.at:\n  mov rax, [gs:0x1000]",
    "#GP(0)",
  ),
  one(
    "a prefix of another segment does nothing",
    "  mov eax, read_only\n  mov es, eax\n.at:\n  mov [es:data], eax",
    "runs",
  ),
  one("a null DS may be used", "  xor eax, eax\n  mov ds, eax\n.at:\n  mov rax, [data]", "runs"),
  one(
    "a null DS may not be used in compatibility mode",
    "  xor eax, eax\n  mov ds, eax\n.at:\n  mov eax, [data]",
    "#GP(0)",
    { ...compat, qemu: "runs" },
  ),
  one("SS that is null pushes", "  xor eax, eax\n  mov ss, eax\n.at:\n  push rax", "runs"),
  one("a segment register is stored zero-extended", "  mov rax, -1\n.at:\n  mov rax, ss", "runs"),
  one("a segment register is stored into 16 bits", "  mov rax, -1\n.at:\n  mov ax, ss", "runs"),
  one("PUSH FS takes 8 bytes", "  mov eax, data3\n  mov fs, eax\n.at:\n  push fs\n  note_stack", "runs"),
  one("PUSH GS of 16 bits", "  mov eax, data3\n  mov gs, eax\n.at:\n  db 0x66\n  push gs\n  note_stack", "runs"),
  one("POP FS takes 8 bytes", "  mov rax, 0x1234567800000000 | based\n  push rax\n.at:\n  pop fs", "runs"),
  one("POP GS of 16 bits", "  push qword based\n.at:\n  db 0x66\n  pop gs", "runs"),
  ...[0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x9a, 0xea, 0xce, 0x62, 0xc4, 0xc5].map((byte) =>
    one(`opcode ${byte.toString(16)} is none`, `db 0x${byte.toString(16)}, 0, 0, 0, 0, 0, 0, 0`, "#UD"),
  ),
  one("LSS with 64 bits", "  pointer data0, 0x123456789abc\n.at:\n  o64 lss rbx, [data]", "runs", { qemu: "differs" }),
  one("LFS with 32 bits", "  pointer32 based, 0x89abcdef\n.at:\n  lfs ebx, [data]", "runs"),
  one("LGS with 16 bits", "  mov dword [data], 0x781234\n.at:\n  lgs bx, [data]", "runs"),
];

export const longSystemCells: readonly LongCell[] = [
  ...controlRegisters,
  ...debugRegisters,
  ...modelSpecific,
  ...tables,
  ...segments,
];
