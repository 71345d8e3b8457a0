/** Cells that raise each exception in the ways it arises, with what the manual says the handler finds. */
import { vectorNames } from "../../src/hardware/cpu/processor.js";
import type { Cell, CellMode } from "./cell-image.js";
import type { CellRecord } from "./cells.js";

/** One exception: as `outcomeOf` says it, and what else is to be in the record. */
export type Expected = readonly [
  outcome: string,
  more?: Partial<Pick<CellRecord, "cr2" | "dr6">> & { readonly rf?: 0 | 1 },
];

export interface ExceptionCell extends Cell {
  readonly expected: readonly Expected[];
}

export const user: CellMode = { kind: "protected", cpl: 3 };
export const userIo: CellMode = { kind: "protected", cpl: 3, iopl: 3 };
export const ring0: CellMode = { kind: "protected", cpl: 0 };
export const real: CellMode = { kind: "real" };

/** A fault at `.at`, behind which the program goes on. */
export const fault = (
  name: string,
  outcome: string,
  code: string,
  more: Partial<Omit<ExceptionCell, "expected">> & { readonly also?: Expected[1] } = {},
): ExceptionCell => {
  const { also = {}, ...rest } = more;
  const expected: readonly Expected[] = [[outcome, { rf: 1, ...also }], ["runs"]];
  return { name, mode: user, code, resume: true, expected, ...rest };
};
export const trap = (
  name: string,
  expected: readonly Expected[],
  code: string,
  more: Partial<ExceptionCell> = {},
): ExceptionCell => ({
  ...{ name, mode: user, code, resume: true, expected: [...expected, ["runs"]], ...more },
});

const RPL = 3;
const setDebug = (register: number, address: string, dr7: number): string =>
  `mov eax, ${address}\nmov dr${register}, eax\nmov eax, ${dr7}\nmov dr7, eax`;

const divideErrors: readonly ExceptionCell[] = [
  fault("DIV by zero is #DE", "#DE", "xor ecx, ecx\n.at: div ecx"),
  fault("DIV with a quotient of 33 bits is #DE", "#DE", "mov edx, 5\nxor eax, eax\nmov ecx, 2\n.at: div ecx"),
  fault("DIV with a quotient of 9 bits is #DE", "#DE", "mov ax, 0x200\nmov cl, 1\n.at: div cl"),
  fault("IDIV of the lowest number by -1 is #DE", "#DE", "mov eax, 0x80000000\ncdq\nmov ecx, -1\n.at: idiv ecx"),
  fault("IDIV with a quotient of 128 in a byte is #DE", "#DE", "mov ax, 256\nmov cl, 2\n.at: idiv cl"),
  fault("AAM 0 is #DE", "#DE", ".at: aam 0"),
];

const TF = 0x100;
const debugExceptions: readonly ExceptionCell[] = [
  trap(
    "TF raises #DB behind each instruction, with DR6.BS",
    [
      ["#DB at next", { dr6: 0xffff4ff0, rf: 0 }],
      ["#DB behind", { dr6: 0xffff4ff0 }],
    ],
    "nop\n.next: nop",
    { eflags: TF },
  ),
  trap(
    "TF that POPF sets takes effect behind the next instruction",
    [["#DB at next"], ["#DB behind"]],
    "pushfd\nor dword [esp], 0x100\npopfd\nnop\n.next: nop",
  ),
  trap(
    "MOV to SS keeps the single-step trap away for one instruction",
    [["#DB at next"], ["#DB at second"], ["#DB behind"]],
    "mov ax, ss\n.next: mov ss, ax\nnop\n.second: nop",
    { eflags: TF },
  ),
  trap(
    "a code breakpoint is a fault without RF in the image, and IRET with RF gets over it",
    [["#DB at next", { dr6: 0xffff0ff1, rf: 0 }]],
    "nop\n.next: nop",
    { prepare: setDebug(0, "@.next", 0x402) },
  ),
  trap(
    "a write breakpoint is a trap behind the write",
    [["#DB behind", { dr6: 0xffff0ff2, rf: 0 }]],
    ".at: mov [data + 32], eax",
    {
      prepare: setDebug(1, "data + 32", 0xd00408),
    },
  ),
  trap("a write breakpoint does not see reads", [], "mov eax, [data + 32]", {
    prepare: setDebug(1, "data + 32", 0xd00408),
  }),
  trap("an access breakpoint sees reads", [["#DB behind", { dr6: 0xffff0ff8, rf: 0 }]], ".at: mov al, [data + 35]", {
    prepare: setDebug(3, "data + 32", 0xf0000480 | 0),
  }),
  trap("an I/O breakpoint is a trap behind OUT", [["#DB behind", { dr6: 0xffff0ff4 }]], ".at: out 0x80, al", {
    mode: userIo,
    prepare: `mov eax, 8\nmov cr4, eax\n${setDebug(2, "0x80", 0x02000420)}`,
  }),
  trap(
    "an access to a debug register with DR7.GD is #DB with DR6.BD",
    [["#DB", { dr6: 0xffff2ff0 }]],
    ".at: mov eax, dr0",
    {
      ...{ mode: ring0, prepare: setDebug(0, "0", 0x2400) },
    },
  ),
  trap("INT1 raises #DB behind itself and leaves DR6", [["#DB behind", { dr6: 0xffff0ff0, rf: 0 }]], ".at: int1"),
];

const softwareExceptions: readonly ExceptionCell[] = [
  trap("INT3 raises #BP behind itself", [["#BP behind", { rf: 0 }]], ".at: int3"),
  trap("INTO raises #OF behind itself", [["#OF behind", { rf: 0 }]], "mov al, 0x7f\ninc al\n.at: into"),
  fault("BOUND above the range is #BR", "#BR", "mov dword [data + 36], 4\nmov eax, 5\n.at: bound eax, [data + 32]"),
  fault("BOUND below the range is #BR", "#BR", "mov dword [data + 36], 4\nmov eax, -1\n.at: bound eax, [data + 32]"),
];

const invalid = (name: string, bytes: string, more: Partial<Omit<ExceptionCell, "expected">> = {}): ExceptionCell =>
  fault(`${name} is #UD`, "#UD", `.at: db ${bytes}`, more);
const invalidOpcodes: readonly ExceptionCell[] = [
  invalid("UD2", "0x0f, 0x0b"),
  invalid("the opcode 0F FF", "0x0f, 0xff, 0xc0"),
  invalid("LOCK on a register", "0xf0, 0x01, 0xc0"),
  invalid("LOCK on MOV to memory", "0xf0, 0x89, 0x00"),
  invalid("LOCK on CMP with memory", "0xf0, 0x39, 0x00"),
  invalid("MOV to CS", "0x8e, 0xc8"),
  invalid("MOV to the segment register 6", "0x8e, 0xf0"),
  invalid("LEA of a register", "0x8d, 0xc0"),
  invalid("LES of a register", "0xc4, 0xc0"),
  invalid("BOUND of a register", "0x62, 0xc0"),
  invalid("a far JMP through a register", "0xff, 0xe8"),
  invalid("FF /7", "0xff, 0xf8"),
  invalid("LGDT of a register", "0x0f, 0x01, 0xd0", { mode: ring0 }),
  invalid("INVLPG of a register", "0x0f, 0x01, 0xf8", { mode: ring0 }),
  invalid("CMPXCHG8B of a register", "0x0f, 0xc7, 0xc8"),
  invalid("MOV from CR1", "0x0f, 0x20, 0xc8", { mode: ring0 }),
  invalid("MOV to CR5", "0x0f, 0x22, 0xe8", { mode: ring0 }),
  invalid("MOV from DR4 with CR4.DE", "0x0f, 0x21, 0xe0", { mode: ring0, prepare: "mov eax, 8\nmov cr4, eax" }),
  trap("MOV from DR4 without CR4.DE reads DR6", [], ".at: mov eax, dr4", { mode: ring0 }),
];

const noMath: readonly ExceptionCell[] = [
  fault("WAIT with CR0.MP and CR0.TS is #NM", "#NM", ".at: wait", { prepare: "mov eax, 0x1b\nmov cr0, eax" }),
];

/** A descriptor at `spare`: words, written in ring 0. */
const spare = (low: number, high: number): string =>
  `mov dword [gdt + spare], 0x${low.toString(16)}\nmov dword [gdt + spare + 4], 0x${high.toString(16)}`;
const DATA3 = 0x40f300;
const smallData = spare(0x00000fff, DATA3);
const absentStack = spare(0x0000ffff, 0xcf7300);

const segmentFaults: readonly ExceptionCell[] = [
  fault(
    "a load of an absent data segment is #NP(selector)",
    "#NP(0x98)",
    `mov ax, absent_data | ${RPL}\n.at: mov es, ax`,
  ),
  fault("a jump to an absent code segment is #NP(selector)", "#NP(0xa0)", ".at: jmp absent_code:0", { mode: ring0 }),
  fault("INT n through an absent gate is #NP with the gate as error code", "#NP(0x182)", ".at: int 0x30", {
    prepare: "and byte [idt + 0x30 * 8 + 5], 0x7f",
  }),
  fault("LLDT of an absent LDT is #NP(selector)", "#NP(0x78)", "mov ax, ldt_selector\n.at: lldt ax", {
    ...{ mode: ring0, prepare: "and byte [gdt + ldt_selector + 5], 0x7f" },
  }),
  fault("LTR of an absent TSS is #NP(selector)", "#NP(0x60)", "mov ax, task1\n.at: ltr ax", {
    ...{ mode: ring0, prepare: "and byte [gdt + task1 + 5], 0x7f" },
  }),
  fault(
    "a load of SS with an absent segment is #SS(selector)",
    "#SS(0xb0)",
    `mov ax, spare | ${RPL}\n.at: mov ss, ax`,
    {
      prepare: absentStack,
    },
  ),
  {
    ...fault(
      "PUSH below a stack segment's limit is #SS(0)",
      "#SS(0)",
      `mov ax, spare | ${RPL}\nmov ss, ax\nmov esp, 0x2000\n.at: push eax`,
    ),
    prepare: smallData,
  },
  {
    ...fault(
      "a read through EBP beyond the limit of SS is #SS(0)",
      "#SS(0)",
      `mov ax, spare | ${RPL}\nmov ss, ax\nmov ebp, 0xffd\n.at: mov eax, [ebp]`,
    ),
    prepare: smallData,
  },
  fault("IRET with NT and a link to nothing is #TS(0)", "#TS(0)", "pushfd\nor dword [esp], 0x4000\npopfd\n.at: iretd"),
  fault(
    "a read beyond a segment's limit is #GP(0)",
    "#GP(0)",
    `mov ax, spare | ${RPL}\nmov es, ax\n.at: mov eax, [es:0xffd]`,
    {
      prepare: smallData,
    },
  ),
  fault("a read through a null selector is #GP(0)", "#GP(0)", "xor eax, eax\nmov fs, ax\n.at: mov eax, [fs:data]"),
  fault(
    "a write to a read-only segment is #GP(0)",
    "#GP(0)",
    `mov ax, read_only | ${RPL}\nmov es, ax\n.at: mov [es:data], eax`,
  ),
  fault("a write through CS is #GP(0)", "#GP(0)", ".at: mov [cs:data], eax"),
  fault("a read through execute-only CS is #GP(0)", "#GP(0)", ".at: mov eax, [cs:data]", {
    prepare: "and byte [gdt + code3 + 5], 0xfd",
  }),
  fault("a selector beyond the GDT's limit is #GP(selector)", "#GP(0x200)", "mov ax, 0x203\n.at: mov es, ax"),
  fault("a selector of the LDT while there is none is #GP(selector)", "#GP(0xc)", "mov ax, 0x0f\n.at: mov es, ax"),
  fault("ring 0 data in ring 3 is #GP(selector)", "#GP(0x10)", "mov ax, data0\n.at: mov es, ax"),
  fault("an execute-only segment in DS is #GP(selector)", "#GP(0x38)", `mov ax, code3 | ${RPL}\n.at: mov ds, ax`, {
    prepare: "and byte [gdt + code3 + 5], 0xfd",
  }),
  fault("a null selector in SS is #GP(0)", "#GP(0)", "xor eax, eax\n.at: mov ss, ax"),
  fault("SS with another RPL is #GP(selector)", "#GP(0x40)", "mov ax, data3\n.at: mov ss, ax"),
  fault("SS with a read-only segment is #GP(selector)", "#GP(0xa8)", `mov ax, read_only | ${RPL}\n.at: mov ss, ax`),
  fault("a jump to a data segment is #GP(selector)", "#GP(0x40)", `.at: jmp (data3 | ${RPL}):0`),
  fault("a jump to ring 0 is #GP(selector)", "#GP(0x8)", ".at: jmp code0:0"),
  fault("INT n beyond the IDT's limit is #GP with the gate as error code", "#GP(0x402)", ".at: int 0x80"),
  fault("16 bytes of instruction are #GP(0)", "#GP(0)", ".at: times 15 db 0x66\nnop"),
  fault("HLT in ring 3 is #GP(0)", "#GP(0)", ".at: hlt"),
  fault("CR0.PG without CR0.PE is #GP(0)", "#GP(0)", "mov eax, 0x80000000\n.at: mov cr0, eax", { mode: ring0 }),
  fault("CR0.NW without CR0.CD is #GP(0)", "#GP(0)", "mov eax, 0x20000011\n.at: mov cr0, eax", { mode: ring0 }),
  fault("a reserved bit of CR4 is #GP(0)", "#GP(0)", "mov eax, 0x80000000\n.at: mov cr4, eax", { mode: ring0 }),
  fault("an MSR that is not there is #GP(0)", "#GP(0)", "mov ecx, 0x12345\n.at: rdmsr", { mode: ring0 }),
];

export const PAGES = 0x800000;
/** Pages at 8 MiB: 0 absent, 1 of the supervisor, 2 read-only, 3 writable, 4 the supervisor's and read-only. At 20 MiB a reserved bit. */
export const paging = `
mov edi, 0x500000
mov dword [edi], 0x87
mov dword [edi + 4], 0x400087
mov dword [edi + 8], 0x501007
mov dword [edi + 12], 0xc00087
mov dword [edi + 20], 0x200087
mov dword [0x501000], 0
mov dword [0x501004], 0x801003
mov dword [0x501008], 0x802005
mov dword [0x50100c], 0x803007
mov dword [0x501010], 0x804001
mov cr3, edi
mov eax, 0x10
mov cr4, eax
mov eax, 0x80000011
mov cr0, eax`;
const writeProtect = `${paging}\nmov eax, 0x80010011\nmov cr0, eax`;
/** The same with PAE and pages of 2 MiB; the page at 32 MiB has a reserved bit. */
const pae = `
mov dword [0x510000], 0x511001
mov dword [0x510004], 0
mov dword [0x510008], 0
mov dword [0x510010], 0
mov dword [0x510018], 0
mov edi, 0x511000
mov eax, 0x87
mov ecx, 8
.map:
mov [edi], eax
mov dword [edi + 4], 0
add eax, 0x200000
add edi, 8
dec ecx
jnz .map
mov dword [0x511080], 0x87
mov dword [0x511084], 0x80
mov dword [0x511088], 0
mov eax, 0x510000
mov cr3, eax
mov eax, 0x20
mov cr4, eax
mov eax, 0x80000011
mov cr0, eax`;

const pageFault = (
  name: string,
  code: number,
  text: string,
  address: number,
  more: Partial<Omit<ExceptionCell, "expected">> = {},
): ExceptionCell =>
  fault(name, `#PF(${code === 0 ? "0" : `0x${code.toString(16)}`})`, text, {
    prepare: paging,
    also: { cr2: address },
    ...more,
  });
const pageFaults: readonly ExceptionCell[] = [
  pageFault("a read of an absent page in ring 3 is #PF(4)", 4, ".at: mov eax, [0x800ffc]", 0x800ffc),
  pageFault("a write to an absent page in ring 3 is #PF(6)", 6, ".at: mov [0x800ffc], eax", 0x800ffc),
  pageFault("a read of the supervisor's page in ring 3 is #PF(5)", 5, ".at: mov eax, [0x801000]", 0x801000),
  pageFault("a write to the supervisor's page in ring 3 is #PF(7)", 7, ".at: mov [0x801000], eax", 0x801000),
  pageFault("a write to a read-only page in ring 3 is #PF(7)", 7, ".at: inc dword [0x802000]", 0x802000),
  pageFault("a read of an absent page in ring 0 is #PF(0)", 0, ".at: mov eax, [0x800000]", 0x800000, { mode: ring0 }),
  pageFault("a write to an absent page in ring 0 is #PF(2)", 2, ".at: mov [0x800000], eax", 0x800000, { mode: ring0 }),
  pageFault("a write to a read-only page in ring 0 with CR0.WP is #PF(3)", 3, ".at: mov [0x802000], eax", 0x802000, {
    ...{ mode: ring0, prepare: writeProtect },
  }),
  trap("a write to a read-only page in ring 0 without CR0.WP runs", [], ".at: mov [0x802000], eax", {
    mode: ring0,
    prepare: paging,
  }),
  pageFault(
    "a read that reaches into the supervisor's page gives that page's address",
    5,
    ".at: mov eax, [0x803ffe]",
    0x804000,
  ),
  {
    ...pageFault("a jump to an absent page is #PF(4) there", 4, "mov eax, 0x800010\njmp eax", 0x800010),
    ...{ resume: false, expected: [["#PF(0x4) at 0x800010", { cr2: 0x800010, rf: 1 }]] },
  },
  pageFault("a reserved bit of a 4-MiB page in ring 3 is #PF(0xd)", 0xd, ".at: mov eax, [0x1400000]", 0x1400000),
  pageFault(
    "a write with a reserved bit of a 4-MiB page in ring 0 is #PF(0xb)",
    0xb,
    ".at: mov [0x1400000], eax",
    0x1400000,
    { mode: ring0 },
  ),
  pageFault("a reserved bit of a PAE entry in ring 3 is #PF(0xd)", 0xd, ".at: mov eax, [0x2000000]", 0x2000000, {
    prepare: pae,
  }),
  pageFault("a reserved bit of a PAE entry in ring 0 is #PF(9)", 9, ".at: mov eax, [0x2000000]", 0x2000000, {
    mode: ring0,
    prepare: pae,
  }),
  pageFault("an absent page with PAE in ring 3 is #PF(4)", 4, ".at: mov eax, [0x2200000]", 0x2200000, { prepare: pae }),
  fault(
    "a reserved bit in a pointer-table entry of PAE is #GP(0) when CR3 is loaded",
    "#GP(0)",
    "mov eax, 0x510000\n.at: mov cr3, eax",
    {
      ...{ mode: ring0, prepare: `${pae}\nmov dword [0x510008], 0x1e7` },
    },
  ),
];

const AC = 0x40000;
const align = "mov eax, 0x40011\nmov cr0, eax";
const alignment: readonly ExceptionCell[] = [
  fault(
    "a doubleword at an odd address in ring 3 with CR0.AM and EFLAGS.AC is #AC(0)",
    "#AC(0)",
    ".at: mov eax, [data + 33]",
    {
      ...{ eflags: AC, prepare: align },
    },
  ),
  fault("a doubleword at an address of 4n + 2 is #AC(0)", "#AC(0)", ".at: add [data + 34], eax", {
    eflags: AC,
    prepare: align,
  }),
  fault("a word at an odd address is #AC(0)", "#AC(0)", ".at: mov ax, [data + 33]", { eflags: AC, prepare: align }),
  fault("PUSH with an odd ESP is #AC(0)", "#AC(0)", "dec esp\n.at: push eax", { eflags: AC, prepare: align }),
  trap("a byte is always aligned", [], "mov al, [data + 33]", { eflags: AC, prepare: align }),
  trap("ring 0 has no #AC", [], "mov eax, [data + 33]", { mode: ring0, eflags: AC, prepare: align }),
  trap("without CR0.AM there is no #AC", [], "mov eax, [data + 33]", { eflags: AC }),
  trap("without EFLAGS.AC there is no #AC", [], "mov eax, [data + 33]", { prepare: align }),
];

/** INT n reaches every vector, and pushes no error code. Spec: SDM Vol. 3A, "Software-Generated Exceptions". */
const anyVector: readonly ExceptionCell[] = Array.from({ length: 32 }, (_, vector): readonly ExceptionCell[] => {
  const name = vectorNames[vector] ?? `INT 0x${vector.toString(16)}`;
  const gate = vector === 3 || vector === 4 ? undefined : `#GP(0x${(8 * vector + 2).toString(16)})`;
  return [
    trap(
      `INT ${vector} in ring 0 gets to its handler without an error code`,
      [[`${name} at next`, { rf: 0 }]],
      `.at: db 0xcd, ${vector}\n.next: nop`,
      {
        ...{ mode: ring0, noErrorCode: true },
      },
    ),
    gate === undefined
      ? trap(
          `INT ${vector} in ring 3 gets to its handler, whose gate has DPL 3`,
          [[`${name} behind`]],
          `.at: db 0xcd, ${vector}`,
        )
      : fault(`INT ${vector} in ring 3 is ${gate} because of the gate's DPL`, gate, `.at: db 0xcd, ${vector}`),
  ];
}).flat();

/** Real mode has the same exceptions, through the interrupt vector table and without error codes. */
const inReal = (name: string, outcome: string, code: string): ExceptionCell => ({
  ...{ name, mode: real, code, expected: [[outcome]] },
});
const realMode: readonly ExceptionCell[] = [
  inReal("in real mode DIV by zero is #DE", "#DE", "xor cx, cx\n.at: div cx"),
  inReal("in real mode INT3 raises #BP behind itself", "#BP behind", ".at: int3"),
  inReal(
    "in real mode BOUND out of range is #BR",
    "#BR",
    "mov word [data + 34], 4\nmov ax, 5\n.at: bound ax, [data + 32]",
  ),
  inReal("in real mode a word at offset 0xffff is #GP without an error code", "#GP", ".at: mov ax, [0xffff]"),
  inReal("in real mode an offset beyond 64 KiB is #GP", "#GP", "mov ebx, 0x10000\n.at: mov al, [ebx]"),
  inReal("in real mode a word of the stack at offset 0xffff is #SS", "#SS", "mov bp, 0xffff\n.at: mov ax, [bp]"),
  inReal("in real mode UD2 is #UD", "#UD", ".at: ud2"),
];

export const exceptionCells: readonly ExceptionCell[] = [
  ...[...divideErrors, ...debugExceptions, ...softwareExceptions, ...invalidOpcodes, ...noMath],
  ...[...segmentFaults, ...pageFaults, ...alignment, ...anyVector, ...realMode],
];
