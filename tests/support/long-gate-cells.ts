/**
 * Interrupts and exceptions in IA-32e mode, as cells. What each gives is by SDM Vol. 3A, "Exception and Interrupt Handling
 * in 64-bit Mode", and Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure.
 */
import type { LongCell } from "./long-cell-image.js";

const NT = 0x4000;
const AC = 0x40000;
const INT = ".at:\n  int 0x30";

const delivered: readonly LongCell[] = [
  ...Array.from(
    { length: 16 },
    (_, by): LongCell => ({
      name: `a frame is aligned to 16 from a stack that is ${by} off`,
      code: `  sub rsp, ${by}\n.at:\n  int 0x30`,
      gives: "INT 0x30 behind",
    }),
  ),
  { name: "INT from CPL 3 goes to RSP0 with a null SS", cpl: 3, code: INT, gives: "INT 0x30 behind" },
  { name: "INT from CPL 1", cpl: 1, code: INT, gives: "INT 0x30 behind" },
  { name: "INT from compatibility mode", cpl: 3, bits: 32, code: INT, gives: "INT 0x30 behind" },
  { name: "INT from compatibility mode at CPL 0", bits: 32, code: INT, gives: "INT 0x30 behind" },
  { name: "INT3", cpl: 3, code: ".at:\n  int3", gives: "#BP behind" },
  { name: "INT1", cpl: 3, code: ".at:\n  db 0xf1", gives: "#DB behind", qemu: "#UD" },
  { name: "a trap gate leaves IF", cpl: 3, rflags: 0x200, code: ".at:\n  int 0x31", gives: "INT 0x31 behind" },
  { name: "an interrupt gate clears IF", cpl: 3, rflags: 0x200, code: INT, gives: "INT 0x30 behind" },
  {
    name: "NT, AC, DF and IOPL are saved, NT cleared",
    cpl: 3,
    iopl: 3,
    rflags: NT | AC | 0x400,
    code: INT,
    gives: "INT 0x30 behind",
  },
  { name: "#DE", cpl: 3, code: "  xor ecx, ecx\n.at:\n  div rcx", gives: "#DE" },
  { name: "#GP with its error code", cpl: 3, code: ".at:\n  hlt", gives: "#GP(0)" },
  { name: "#GP with its error code, in compatibility mode", cpl: 3, bits: 32, code: ".at:\n  hlt", gives: "#GP(0)" },
  {
    name: "#PF with its error code and CR2",
    cpl: 3,
    code: "  mov rbx, 0x7ffffff00000\n.at:\n  mov [rbx], al",
    gives: "#PF(0x6)",
  },
  { name: "#PF in the upper half", cpl: 3, code: "  mov rbx, -0x1000\n.at:\n  mov al, [rbx]", gives: "#PF(0x4)" },
  { name: "#PF at CPL 0", code: "  mov rbx, -0x7fff00000000\n.at:\n  mov rax, [rbx]", gives: "#PF(0)" },
  { name: "a stack in the upper half", code: "  mov rsp, -0x7fd80003\n.at:\n  int 0x30", gives: "INT 0x30 behind" },
  {
    name: "a handler in the upper half",
    code: INT,
    prepare:
      "  mov rax, 0xffffffff80000000\n  shr rax, 32\n  mov [idt + 16 * 0x30 + 8], eax\n  or word [idt + 16 * 0x30 + 6], 0x8000",
    gives: "INT 0x30 behind",
  },
];

const stackTable: readonly LongCell[] = [
  {
    name: "IST at the same level: another stack, null SS",
    code: INT,
    prepare: "  gate 0x30, 0xee, 1, code0",
    gives: "INT 0x30 behind",
  },
  { name: "IST from CPL 3", cpl: 3, code: INT, prepare: "  gate 0x30, 0xee, 1, code0", gives: "INT 0x30 behind" },
  {
    name: "IST from compatibility mode",
    cpl: 3,
    bits: 32,
    code: INT,
    prepare: "  gate 0x30, 0xee, 1, code0",
    gives: "INT 0x30 behind",
  },
  {
    name: "IST that is not aligned",
    cpl: 3,
    code: INT,
    prepare: "  gate 0x30, 0xee, 2, code0",
    gives: "INT 0x30 behind",
  },
  {
    name: "IST with an error code",
    cpl: 3,
    code: ".at:\n  hlt",
    prepare: "  gate 13, 0x8e, 2, code0",
    gives: "#GP(0)",
  },
  { name: "IST not canonical", cpl: 3, code: INT, prepare: "  gate 0x30, 0xee, 3, code0", gives: "#SS(0)" },
  {
    name: "IST beyond the limit of the TSS",
    cpl: 3,
    code: INT,
    prepare: "  gate 0x30, 0xee, 7, code0\n  mov word [gdt + task], 0x5a\n  reload_task",
    gives: "#TS(0x90)",
  },
  {
    name: "IST at the limit of the TSS",
    cpl: 3,
    code: INT,
    prepare: "  gate 0x30, 0xee, 2, code0\n  mov word [gdt + task], 0x33\n  reload_task",
    gives: "INT 0x30 behind",
  },
  {
    name: "RSP0 not canonical",
    cpl: 3,
    code: INT,
    prepare: "  mov rax, 0x800000000010\n  mov [tss + 4], rax\n  gate 12, 0x8e, 1, code0",
    gives: "#SS(0)",
  },
  {
    name: "RSP0 where there is no page",
    cpl: 3,
    code: INT,
    prepare: "  mov rax, 0x7ff000000000\n  mov [tss + 4], rax\n  gate 14, 0x8e, 1, code0",
    gives: "#PF(0x2)",
  },
  {
    name: "#GP with RSP0 where there is no page",
    cpl: 3,
    code: ".at:\n  hlt",
    prepare: "  mov rax, 0x7ff000000000\n  mov [tss + 4], rax\n  gate 14, 0x8e, 1, code0",
    gives: "#PF(0x2)",
  },
  {
    name: "#PF with RSP0 where there is no page is #DF",
    cpl: 3,
    code: "  mov rbx, -0x1000\n.at:\n  mov al, [rbx]",
    prepare: "  mov rax, 0x7ff000000000\n  mov [tss + 4], rax\n  gate 8, 0x8e, 1, code0",
    gives: "#DF(0)",
  },
];

const refused: readonly LongCell[] = [
  { name: "a gate too privileged", cpl: 3, code: ".at:\n  int 0x20", gives: "#GP(0x102)", qemu: "#GP(0x202)" },
  {
    name: "a gate too privileged, INT3",
    cpl: 3,
    code: ".at:\n  int3",
    prepare: "  gate 3, 0x8e, 0, code0",
    gives: "#GP(0x1a)",
    qemu: "#GP(0x32)",
  },
  {
    name: "a gate not present",
    code: INT,
    prepare: "  gate 0x30, 0x6e, 0, code0",
    gives: "#NP(0x182)",
    qemu: "#NP(0x302)",
  },
  ...[0x0, 0x5, 0x6, 0x7, 0xc, 0x9, 0x1e].map(
    (type): LongCell => ({
      name: `type ${type.toString(16)} is no gate of the IDT`,
      code: INT,
      prepare: `  gate 0x30, 0x${(0xe0 | type).toString(16)}, 0, code0`,
      gives: "#GP(0x182)",
      qemu: "#GP(0x302)",
    }),
  ),
  { name: "a vector beyond the limit", code: ".at:\n  int 0x50", gives: "#GP(0x282)", qemu: "#GP(0x502)" },
  {
    name: "a gate whose second half lies beyond the limit",
    code: INT,
    prepare: "  sub rsp, 16\n  mov word [rsp], 0x307\n  mov qword [rsp + 2], idt\n  lidt [rsp]\n  add rsp, 16",
    gives: "#GP(0x182)",
    qemu: "#GP(0x302)",
  },
  { name: "a null selector", code: INT, prepare: "  gate 0x30, 0xee, 0, 3", gives: "#GP(0)" },
  { name: "a selector beyond the limit", code: INT, prepare: "  gate 0x30, 0xee, 0, 0x1238", gives: "#GP(0x1238)" },
  { name: "a selector of a null LDT", code: INT, prepare: "  gate 0x30, 0xee, 0, 0xc", gives: "#GP(0xc)" },
  {
    name: "a selector of the LDT",
    code: INT,
    prepare: "  mov ax, ldt_selector\n  lldt ax\n  gate 0x30, 0xee, 0, 0xc",
    gives: "INT 0x30 behind",
  },
  { name: "data", code: INT, prepare: "  gate 0x30, 0xee, 0, data0", gives: "#GP(0x10)" },
  { name: "a TSS", code: INT, prepare: "  gate 0x30, 0xee, 0, task", gives: "#GP(0x90)" },
  { name: "code of an outer level", code: INT, prepare: "  gate 0x30, 0xee, 0, code3", gives: "#GP(0x38)" },
  { name: "code not present", code: INT, prepare: "  gate 0x30, 0xee, 0, absent_code", gives: "#NP(0x58)" },
  { name: "code of compatibility mode", code: INT, prepare: "  gate 0x30, 0xee, 0, compat0", gives: "#GP(0x18)" },
  { name: "code with L and D", code: INT, prepare: "  gate 0x30, 0xee, 0, both_flags", gives: "#GP(0x60)" },
  {
    name: "a handler that is not canonical",
    code: INT,
    prepare: "  mov dword [idt + 16 * 0x30 + 8], 0x8000",
    gives: "#GP(0)",
    qemu: "#GP(0) at 0x800000100260",
  },
  {
    name: "an exception's gate with a bad selector: EXT",
    cpl: 3,
    code: ".at:\n  ud2",
    prepare: "  gate 6, 0x8e, 0, 0x1238",
    gives: "#GP(0x1239)",
    qemu: "#GP(0x1238)",
  },
];

export const longGateCells: readonly LongCell[] = [...delivered, ...stackTable, ...refused];
